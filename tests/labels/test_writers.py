"""What another tool's format can hold comes back as it was; what it cannot is counted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from icsilib.data.annotations import (
    Annotation,
    Dataset,
    Image,
    box_annotation,
    polygon_annotation,
    tip_annotation,
)
from icsilib.data.structures import NEEDLE, OOLEMMA, SPERM
from icsilib.labels import read_annotations
from icsilib.labels.write_via import write_via_csv, write_via_json

IMAGES = [
    Image(id=1, file_name="images/p1/a.png", width=640, height=400, patient_id="p1", um_per_px=0.25),
    Image(id=2, file_name='images/p2/b, "c".png', width=100, height=80, video_id="v", frame_index=3, kit="k"),
    Image(id=3, file_name="images/p2/empty.png", width=100, height=80, operator="Zoë"),
]
WHO = {"annotator": "reader 1", "round": 2}


def coordinates(limit: float) -> st.SearchStrategy[float]:
    return st.floats(0, limit).map(lambda value: round(value, 3))


@st.composite
def boxes(draw: st.DrawFn) -> tuple[float, float, float, float]:
    x, y = draw(coordinates(90)), draw(coordinates(70))
    width, height = draw(st.floats(0.5, 100 - x)), draw(st.floats(0.5, 80 - y))
    return x, y, round(width, 3), round(height, 3)


@st.composite
def datasets(draw: st.DrawFn) -> Dataset:
    """Boxes, triangles and tips on the first two images, by a reader in a round."""
    annotations: list[Annotation] = []
    for kind in draw(st.lists(st.sampled_from("bpt"), max_size=6)):
        id, image = len(annotations) + 1, draw(st.sampled_from((1, 2)))
        if kind == "b":
            annotations.append(box_annotation(id, image, SPERM, draw(boxes()), **WHO))
        elif kind == "p":
            x, y, width, height = draw(boxes())
            ring = [(x, y), (x + width, y), (x, y + height)]
            annotations.append(polygon_annotation(id, image, OOLEMMA, [ring], decimals=3, **WHO))
        else:
            tip = (draw(coordinates(100)), draw(coordinates(80)))
            annotations.append(tip_annotation(id, image, tip, visible=draw(st.booleans()), **WHO))
    return Dataset(images=IMAGES, annotations=annotations, categories=[OOLEMMA, NEEDLE, SPERM])


def content(dataset: Dataset, *fields: str) -> list[Any]:
    """The objects by image, without ids: label, box, and the named further fields."""
    images = {image.id: image.file_name for image in dataset.images}
    names = {category.id: category.name for category in dataset.categories}
    rows = []
    for each in dataset.annotations:
        row = [images[each.image_id], names[each.category_id], *(getattr(each, name) for name in fields)]
        rows.append((*row, [round(value, 4) + 0.0 for value in each.bbox or []]))
    return sorted(rows, key=repr)


@pytest.mark.parametrize(("write", "name"), [(write_via_csv, "via.csv"), (write_via_json, "via.json")])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(dataset=datasets())
def test_via_keeps_all(write: Callable[..., Any], name: str, dataset: Dataset, tmp_path: Path) -> None:
    written = write(dataset, tmp_path / name)
    assert (written.records, written.kept) == (len(dataset.annotations), len(dataset.annotations))
    back, report = read_annotations(tmp_path / name)
    assert report.changed.total() == report.skipped.total() == 0
    assert back.images == dataset.images
    fields = ("annotator", "round", "keypoints")
    assert content(back, *fields) == content(dataset, *fields)
    rings = [[each.segmentation for each in data.annotations if each.segmentation] for data in (back, dataset)]
    assert sorted(rings[0]) == sorted(rings[1])


def test_what_a_format_cannot_hold_is_counted(tmp_path: Path) -> None:
    rings = [[(0, 0), (9, 0), (0, 9)], [(20, 20), (29, 20), (20, 29)]]
    two = polygon_annotation(1, 1, OOLEMMA, rings)
    mask = Annotation(id=2, image_id=1, category_id=1, segmentation={"size": [400, 640], "counts": [256000]})
    dataset = Dataset(images=IMAGES, annotations=[two, mask], categories=[OOLEMMA])
    for write, name in ((write_via_csv, "a.csv"), (write_via_json, "a.json")):
        report = write(dataset, tmp_path / name)
        assert (report.records, report.kept, report.skipped.total(), report.changed.total()) == (2, 1, 1, 1)


def test_the_csv_is_via_s(tmp_path: Path) -> None:
    box = box_annotation(1, 3, SPERM, (1, 2, 3, 4), annotator="r")
    write_via_csv(Dataset(images=IMAGES[2:], annotations=[box], categories=[SPERM]), tmp_path / "via.csv")
    head, line = (tmp_path / "via.csv").read_text().splitlines()
    assert head == (
        "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes"
    )
    assert line == (
        'images/p2/empty.png,-1,"{""width"":""100"",""height"":""80"",""operator"":""Zoë""}",1,0,'
        '"{""name"":""rect"",""x"":1.0,""y"":2.0,""width"":3.0,""height"":4.0}",'
        '"{""label"":""sperm"",""annotator"":""r""}"'
    )
