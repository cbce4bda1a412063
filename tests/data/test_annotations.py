"""The annotation file of the study: written, read, validated; masks from polygons and back; run lengths."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask

from icsilib.data.annotations import (
    Annotation,
    AnnotationError,
    Dataset,
    Image,
    crosses_itself,
    mask_of,
    mask_to_polygons,
    polygon_annotation,
    polygon_area,
    polygons_to_mask,
    read_coco,
    run_lengths,
    tip_annotation,
    tip_of,
    write_coco,
)
from icsilib.data.structures import NEEDLE, OOLEMMA

SQUARE = np.array([[1, 2], [4, 2], [4, 5], [1, 5]], dtype=float)  # pixels 1–3 across, 2–4 down
MASKS = arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12)))


def dataset() -> Dataset:
    who = {"annotator": "Zoë", "round": 1}
    outline = polygon_annotation(5, 1, OOLEMMA, [SQUARE], **who)
    tip = tip_annotation(6, 1, (2.5, 3.5), **who)
    image = Image(id=1, file_name="a.png", width=8, height=6, video_id="v", frame_index=0, um_per_px=0.5)
    return Dataset(images=[image], annotations=[outline, tip], categories=[OOLEMMA, NEEDLE])


def test_written_and_read_again_it_is_the_same_and_keeps_unknown_keys(tmp_path: Path) -> None:
    write_coco(dataset(), tmp_path / "a.json")
    assert read_coco(tmp_path / "a.json") == dataset()
    content = json.loads((tmp_path / "a.json").read_text())
    content["annotations"][0]["confidence"] = 0.5
    (tmp_path / "a.json").write_text(json.dumps(content))
    write_coco(read_coco(tmp_path / "a.json"), tmp_path / "b.json")
    assert json.loads((tmp_path / "b.json").read_text())["annotations"][0]["confidence"] == 0.5


def test_box_and_area_come_from_the_polygon() -> None:
    outline = dataset().annotations[0]
    assert (outline.bbox, outline.area) == ([1, 2, 3, 3], 9)
    assert polygon_area(SQUARE) == 9


def test_outlines_that_cross_themselves_are_told() -> None:
    square = np.array([[5, 5], [25, 5], [25, 25], [5, 25]], dtype=float)
    assert not crosses_itself(square)
    assert crosses_itself(square[[0, 2, 1, 3]])  # corners in the wrong order: two triangles of opposite sense
    assert crosses_itself(np.concatenate([square, square]))  # drawn twice around: every pixel enclosed twice


@given(st.floats(0.3, 200), st.floats(0.3, 200), st.floats(0, 3.1), st.floats(0, 50))
def test_no_ellipse_crosses_itself(rx: float, ry: float, angle: float, shift: float) -> None:
    t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    x, y = rx * np.cos(t), ry * np.sin(t)
    turned = [x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)]
    assert not crosses_itself(np.stack(turned, axis=1) + 220 + shift)


def test_a_polygon_covers_the_pixels_whose_centres_it_holds() -> None:
    expected = np.zeros((6, 8), bool)
    expected[2:5, 1:4] = True
    np.testing.assert_array_equal(polygons_to_mask([SQUARE], 6, 8), expected)
    np.testing.assert_array_equal(mask_of(dataset().annotations[0], 6, 8), expected)


@given(MASKS)
def test_a_mask_without_holes_comes_back_from_its_polygons(mask: np.ndarray) -> None:
    filled = polygons_to_mask(mask_to_polygons(mask), *mask.shape)
    assert (filled | mask == filled).all()  # nothing is lost; holes are filled
    again = polygons_to_mask(mask_to_polygons(filled), *mask.shape)
    np.testing.assert_array_equal(again, filled)


@given(MASKS)
def test_run_lengths_agree_with_pycocotools(mask: np.ndarray) -> None:
    runs = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    segmentation = {"size": list(mask.shape), "counts": runs["counts"].decode()}
    annotation = Annotation(id=1, image_id=1, category_id=1, segmentation=segmentation)
    np.testing.assert_array_equal(mask_of(annotation, *mask.shape), mask)
    assert sum(run_lengths(segmentation, *mask.shape)[1::2]) == mask.sum()


@pytest.mark.parametrize("counts", [[48], [-1, 49], "zz", "\x00", None, [24.5, 23.5], [10**400]])
def test_run_lengths_that_do_not_fill_the_image_are_refused(counts: Any) -> None:
    if counts == [48]:
        assert run_lengths({"size": [6, 8], "counts": counts}, 6, 8) == [48]
        with pytest.raises(AnnotationError):
            run_lengths({"size": [8, 6], "counts": counts}, 6, 8)
    else:
        with pytest.raises(AnnotationError, match="do not fill an image of 6×8"):
            run_lengths({"size": [6, 8], "counts": counts}, 6, 8)


def test_an_absent_tip_is_none() -> None:
    needle = dataset().annotations[1]
    assert (tip_of(needle) == [2.5, 3.5]).all()
    assert tip_of(needle.model_copy(update={"keypoints": [0, 0, 0]})) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": [{"id": 1, "file_name": "a", "width": 0, "height": 6}]}, "images.0.width"),
        ({"images": []}, "names image 1, which is missing"),
        ({"categories": []}, "names category 1, which is missing"),
        ({"annotations": [{"id": 1, "image_id": 1, "category_id": 1}] * 2}, "annotation id 1 occurs twice"),
        ({"annotations": None}, "annotations"),
    ],
)
def test_a_faulty_file_is_refused_in_one_line(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(dataset().model_dump(mode="json") | change))
    with pytest.raises(AnnotationError, match=message) as error:
        read_coco(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)


def test_a_file_that_is_missing_or_no_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="no such file"):
        read_coco(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(AnnotationError, match="not JSON"):
        read_coco(tmp_path / "bad.json")
