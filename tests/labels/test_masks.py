"""Painted masks of CVAT and Label Studio: one laid out by hand, and bytes that Label Studio's converter wrote."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import exports
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from icsilib.data.annotations import mask_of, outlines_of, runs_of
from icsilib.labels import read_annotations
from icsilib.labels.records import Unusable
from icsilib.labels.shapes import extent_of_runs, from_cvat, from_label_studio

PAINTED = np.array([[0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]], dtype=bool)
PACKED = [0, 0, 0, 48, 57, 27, 252, 96, 19, 255, 225, 240, 8, 255, 192]  # of PAINTED by label-studio-converter 0.0.59
CVAT = """<annotations><image name="a.png" width="100" height="80">
<mask label="oolemma" rle="{rle}" left="{left}" top="20" width="4" height="3"/></image></annotations>"""


def cvat(folder: Path, rle: str = "1, 2, 8, 1", left: int = 10) -> Path:
    path = folder / "annotations.xml"
    path.write_text(CVAT.format(rle=rle, left=left))
    return path


def test_cvat_counts_row_by_row_from_the_background() -> None:
    np.testing.assert_array_equal(from_cvat("1, 2, 8, 1", 4, 3), PAINTED)


def test_label_studio_s_own_bytes() -> None:
    np.testing.assert_array_equal(from_label_studio(PACKED, 4, 3), PAINTED)


def test_a_cvat_mask_lies_where_its_corner_says(tmp_path: Path) -> None:
    dataset, report = read_annotations(cvat(tmp_path))
    [annotation] = dataset.annotations
    found = mask_of(annotation, 80, 100)
    np.testing.assert_array_equal(found[20:23, 10:14], PAINTED)
    assert (found.sum(), annotation.area, annotation.bbox) == (3, 3, [11, 20, 3, 3])
    assert len(outlines_of(annotation, 80, 100)) == 2
    assert (report.kept, report.changed.total()) == (1, 0)


def test_what_lies_outside_the_image_is_cut_off_and_said(tmp_path: Path) -> None:
    dataset, report = read_annotations(cvat(tmp_path, left=98))
    assert mask_of(dataset.annotations[0], 80, 100)[20, 99]
    assert dataset.annotations[0].area == 1
    assert report.changed == {"clipped to the image": 1}


@pytest.mark.parametrize("rle", ["", "1, 2", "1, 2, 8, 2", "-1, 3, 9, 1", "1.5, 1.5, 8, 1", "1, x", "1e300, 1"])
def test_cvat_runs_that_do_not_fill_their_box_are_a_counted_skip(tmp_path: Path, rle: str) -> None:
    _, report = read_annotations(cvat(tmp_path, rle))
    assert (report.kept, report.skipped.total()) == (0, 1)


@pytest.mark.parametrize(
    ("packed", "reason"),
    [
        ([], "ends too early"),
        (PACKED[:-4], "ends too early"),
        ([0, 0, 0, 52, *PACKED[4:]], "another size"),
        ([255] * 40, "another size"),
        ([*PACKED[:6], 300], "not a list of bytes"),
        ("0,1", "not a list"),
    ],
)
def test_damaged_brush_masks_say_what_is_wrong(packed: object, reason: str) -> None:
    with pytest.raises(Unusable, match=reason):
        from_label_studio(packed, 4, 3)


def test_a_brush_mask_is_read_from_an_export(tmp_path: Path) -> None:
    tasks = exports.label_studio()
    whole = {"original_width": 4, "original_height": 3}
    value = {"format": "rle", "rle": PACKED, "brushlabels": ["oolemma"]}
    tasks[0]["annotations"][0]["result"] = [{"id": "m", "type": "brushlabels", "value": value} | whole]
    path = tmp_path / "export.json"
    path.write_text(json.dumps(tasks[:1]))
    dataset, report = read_annotations(path)
    np.testing.assert_array_equal(mask_of(dataset.annotations[0], 3, 4), PAINTED)
    assert report.kept == 1


@given(mask=arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_run_lengths_bring_a_mask_back(mask: np.ndarray) -> None:
    height, width = mask.shape
    runs = runs_of(mask)
    np.testing.assert_array_equal(np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(width, height).T, mask)
    rows = ", ".join(map(str, runs_of(mask.T)))
    np.testing.assert_array_equal(from_cvat(rows, width, height), mask)


def test_a_mask_on_an_impossibly_large_image_is_a_counted_skip(tmp_path: Path) -> None:
    path = cvat(tmp_path)
    path.write_text(path.read_text().replace('width="100" height="80"', 'width="1000000" height="1000000"'))
    _, report = read_annotations(path)
    assert report.skipped == {"its image is too large for a mask": 1}


@given(arrays(bool, st.tuples(st.integers(1, 6), st.integers(1, 6))))
def test_box_and_area_of_run_lengths_are_those_of_the_pixels(painted) -> None:
    box, area = extent_of_runs(runs_of(painted), len(painted))
    rows, columns = np.nonzero(painted)
    assert area == len(rows)
    if area:
        assert box == [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]


def test_a_mask_of_the_largest_image_takes_its_pixels_thrice_at_most(tmp_path: Path) -> None:
    """Of 10⁸ px that one run fills, from hundreds of bytes."""
    box = '<mask label="oolemma" rle="0,100000000" left="0" top="0" width="10000" height="10000"/>'
    xml = f'<annotations><image name="a.png" width="10000" height="10000">{box * 2}</image></annotations>'
    (tmp_path / "annotations.xml").write_text(xml)
    tracemalloc.start()
    dataset, _ = read_annotations(tmp_path / "annotations.xml")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [(each.bbox, each.area) for each in dataset.annotations] == [([0, 0, 10_000, 10_000], 1e8)] * 2
    assert peak < 3.1e8


def test_many_brush_masks_are_unpacked_one_at_a_time(tmp_path: Path) -> None:
    """A hundred masks of 500×400 px, of one run: 20 MB if they stood side by side."""
    of = {"original_width": 500, "original_height": 400}
    value = {"format": "rle", "rle": exports.brush(500 * 400), "brushlabels": ["oolemma"]}
    result = [{"id": f"m{k}", "type": "brushlabels", "value": value} | of for k in range(100)]
    task = exports.label_studio()[0] | {"annotations": [{"id": 1, "completed_by": 1, "result": result}]}
    (tmp_path / "export.json").write_text(json.dumps([task]))
    tracemalloc.start()
    _, report = read_annotations(tmp_path / "export.json")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert report.kept == 100
    assert peak < 5e6


def coco_runs(folder: Path, counts: Any, size: tuple[int, int] = (80, 100)) -> tuple[Any, Any]:
    """The one mask, if it is kept, of a COCO file with these run lengths, and the report."""
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": size[1], "height": size[0]}],
        "annotations": [{"image_id": 1, "category_id": 1, "segmentation": {"size": list(size), "counts": counts}}],
        "categories": [{"id": 1, "name": "oolemma"}],
    }
    (folder / "coco.json").write_text(json.dumps(content))
    dataset, report = read_annotations(folder / "coco.json")
    return next(iter(dataset.annotations), None), report


def test_run_lengths_may_be_written_as_fractions_of_nothing(tmp_path: Path) -> None:
    found, _ = coco_runs(tmp_path, [80.0, 3.0, 7917.0])
    assert (found.segmentation["counts"], found.bbox, found.area) == ([80, 3, 7917], [1, 0, 1, 3], 3)


@pytest.mark.parametrize(
    "counts", [[80.5, 2.5, 7917], [8000, "0"], [-1, 8001], [1e300], "o" * 3_000_000, "~~~", "é", {}]
)
def test_run_lengths_that_do_not_fill_the_image_are_skipped(counts: Any, tmp_path: Path) -> None:
    """Of a text, "o" says that the number goes on: three million of them are one number of 15 million bits."""
    assert coco_runs(tmp_path, counts)[1].skipped == {"run lengths do not fill the image": 1}


def test_run_lengths_of_a_large_image_need_no_pixels(tmp_path: Path) -> None:
    tracemalloc.start()
    found, _ = coco_runs(tmp_path, [1, 99_999_999], (10_000, 10_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (found.bbox, found.area) == ([0, 0, 10_000, 10_000], 99_999_999)
    assert peak < 1e6
