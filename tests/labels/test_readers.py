"""Every format gives the same objects, in the study's coordinates, and every record is kept or counted."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import exports
import numpy as np
import pytest
from exports_xml import CVAT_VIDEO, VOC_A, VOC_SIZE

from icsilib.data.annotations import AnnotationError, polygons_of
from icsilib.data.structures import NEEDLE, OOLEMMA, SPERM
from icsilib.labels import FORMATS, read_annotations

HOLDS = {"voc": (SPERM,), "yolo": (SPERM, OOLEMMA)}  # the other formats hold all three objects


def read_json(folder: Path, content: Any, **options: Any) -> Any:
    path = folder / "file.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return read_annotations(path, **options)


def via(shape: dict[str, Any], attributes: Any = None, **image: Any) -> dict[str, Any]:
    """A VIA file of one image of 100×80 px with one region."""
    region = {"shape_attributes": shape, "region_attributes": {"label": "sperm"} if attributes is None else attributes}
    return {"a.png1": {"filename": "a.png", "size": 1, "regions": [region], "file_attributes": exports.SIZE} | image}


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_gives_the_same_objects(format: str, tmp_path: Path) -> None:
    size = (100, 80) if format in ("yolo", "label-studio") else None  # they do not know an unlabelled image's size
    dataset, report = read_annotations(exports.write(format, tmp_path), size=size)
    assert report.format == format
    assert [(image.file_name, image.width, image.height) for image in dataset.images] == [
        ("a.png", 100, 80),
        ("b.png", 100, 80),
    ]
    found = {annotation.category_id: annotation for annotation in dataset.annotations}
    assert set(found) == {category.id for category in HOLDS.get(format, (SPERM, OOLEMMA, NEEDLE))}
    assert (report.records, report.kept, report.skipped.total()) == (len(found), len(found), 0)
    assert found[SPERM.id].bbox == [10, 20, 20, 40]
    assert found[SPERM.id].area == 800
    if OOLEMMA.id in found:
        np.testing.assert_allclose(polygons_of(found[OOLEMMA.id])[0], exports.SQUARE)
        assert found[OOLEMMA.id].bbox == [40, 10, 20, 20]
        assert found[OOLEMMA.id].area == 400
    if NEEDLE.id in found:
        assert found[NEEDLE.id].keypoints == pytest.approx([50.5, 40.5, 2])


def test_who_labelled_is_kept(tmp_path: Path) -> None:
    for format, annotator in (("cvat", "ada"), ("label-studio", "3"), ("via-csv", "grace")):
        dataset, _ = read_annotations(exports.write(format, tmp_path / format), annotator="grace", round=2)
        assert {(each.annotator, each.round) for each in dataset.annotations} == {(annotator, 2)}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_encodings_and_line_ends(encoding: str, tmp_path: Path) -> None:
    text = exports.via_csv("#filename").replace("Sperm", "Spermïum").replace("\n", "\r\n")
    path = tmp_path / "via.csv"
    path.write_bytes(text.encode(encoding))
    dataset, report = read_annotations(path, labels={"spermïum": "sperm"})
    assert report.kept == 3
    assert SPERM.id in {annotation.category_id for annotation in dataset.annotations}


def test_xml_in_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_bytes(('<?xml version="1.0" encoding="UTF-16"?>' + VOC_A).encode("utf-16"))
    assert read_annotations(tmp_path / "a.xml")[1].kept == 1


@pytest.mark.parametrize(
    ("shape", "attributes", "reason"),
    [
        ({}, None, "region without a shape"),
        ({"name": "rect", "x": 1, "y": 1, "width": 0, "height": 5}, None, "zero size"),
        ({"name": "rect", "x": 200, "y": 1, "width": 5, "height": 5}, None, "outside the image"),
        ({"name": "rect", "x": 1, "y": 1, "width": 5}, None, "rect without height"),
        ({"name": "rect", "x": "one", "y": 1, "width": 5, "height": 5}, None, "x is not a number"),
        ({"name": "rect", "x": 1e400, "y": 1, "width": 5, "height": 5}, None, "x is not a finite number"),
        (
            {"name": "polyline", "all_points_x": [1, 2, 3], "all_points_y": [1, 2, 9]},
            None,
            "'polyline' is not supported",
        ),
        ({"name": "polygon", "all_points_x": [1, 2], "all_points_y": [1, 2, 3]}, None, "more x than y"),
        ({"name": "polygon", "all_points_x": [1, 2, 3], "all_points_y": [1, 2, 3]}, None, "zero size"),
        ({"name": "point", "cx": 101, "cy": 1}, None, "outside the image"),
        ({"name": "ellipse", "cx": 5, "cy": 5, "rx": 0, "ry": 2}, None, "zero size"),
        ({"name": "rect", "x": 1, "y": 1, "width": 5, "height": 5}, {}, "no label"),
        (
            {"name": "rect", "x": 1, "y": 1, "width": 5, "height": 5},
            {"type": {"sperm": True, "wbc": True}},
            "several labels",
        ),
    ],
)
def test_an_unusable_region_is_counted_with_its_reason(
    shape: dict[str, Any], attributes: Any, reason: str, tmp_path: Path
) -> None:
    dataset, report = read_json(tmp_path, via(shape, attributes))
    assert (len(dataset.images), report.records, report.kept) == (0, 1, 0)
    assert report.skipped_images == {"all its objects were skipped": 1}
    assert [reason in each for each in report.skipped] == [True]
    assert any(reason in line for line in report.lines())


def test_an_empty_region_of_an_image_that_counts_none_is_no_record(tmp_path: Path) -> None:
    lines = exports.via_csv().split("\n")
    (tmp_path / "via.csv").write_text("\n".join([lines[0], lines[4], ""]))
    dataset, report = read_annotations(tmp_path / "via.csv")
    assert (len(dataset.images), report.records) == (1, 0)


@pytest.mark.parametrize(
    ("shape", "box"),
    [
        ({"name": "rect", "x": -5, "y": 70, "width": 20, "height": 20}, [0, 70, 15, 10]),
        ({"name": "polygon", "all_points_x": [90, 110, 110, 90], "all_points_y": [10, 10, 20, 20]}, [90, 10, 10, 10]),
    ],
)
def test_a_shape_is_clipped_to_the_image_and_counted(shape: dict[str, Any], box: list[float], tmp_path: Path) -> None:
    dataset, report = read_json(tmp_path, via(shape))
    assert dataset.annotations[0].bbox == box
    assert dataset.annotations[0].area == box[2] * box[3]
    assert (report.kept, report.changed) == (1, Counter({"clipped to the image": 1}))


def test_circles_and_ellipses_become_polygons_of_their_area(tmp_path: Path) -> None:
    circle, _ = read_json(tmp_path, via({"name": "circle", "cx": 50, "cy": 40, "r": 10}))
    assert circle.annotations[0].area == pytest.approx(np.pi * 100, rel=1e-3)
    turned = {"name": "ellipse", "cx": 50, "cy": 40, "rx": 30, "ry": 5, "theta": np.pi / 2}
    ellipse, _ = read_json(tmp_path, via(turned))
    assert ellipse.annotations[0].bbox == pytest.approx([45, 10, 10, 60], abs=0.02)


def test_label_choices(tmp_path: Path) -> None:
    shape = {"name": "rect", "x": 1, "y": 1, "width": 5, "height": 5}
    for attributes in ({"type": {"SPERM": True, "wbc": False}}, {"cell": "sperm"}, {"Label": " Sperm ", "note": "x"}):
        assert read_json(tmp_path, via(shape, attributes))[0].annotations[0].category_id == SPERM.id
    other, _ = read_json(tmp_path, via(shape, {"label": "Red Cell"}))
    assert [(each.id, each.name) for each in other.categories] == [(101, "red_cell")]
    assert read_json(tmp_path, via(shape, {"label": "rbc"}), labels={"RBC": None})[1].skipped.total() == 1
    assert read_json(tmp_path, via(shape, {}), default_label="sperm")[1].kept == 1


def test_sizes_come_from_the_images_where_the_file_has_none(tmp_path: Path) -> None:
    content = via({"name": "rect", "x": 1, "y": 1, "width": 5, "height": 5}, file_attributes={})
    with pytest.raises(AnnotationError, match="size of no image is known"):
        read_json(tmp_path, content)
    assert read_json(tmp_path, content, size=(30, 20))[0].images[0].width == 30
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 9), np.uint8))
    image = read_json(tmp_path, content)[0].images[0]
    assert (image.width, image.height) == (9, 8)


@pytest.mark.parametrize("name", ["/etc/x.png", "C:\\x.png", "https://x.org/x.png"])
def test_of_another_computers_path_only_the_name_is_kept(name: str, tmp_path: Path) -> None:
    shape = {"name": "rect", "x": 1, "y": 1, "width": 5, "height": 5}
    dataset, report = read_json(tmp_path, via(shape, filename=name))
    assert [image.file_name for image in dataset.images] == ["x.png"]
    assert (report.kept, report.changed.total()) == (1, 1)


@pytest.mark.parametrize("name", ["../x.png", "a/../../x.png", "..", "/etc/../x.png"])
def test_a_name_that_leaves_the_folder_is_skipped_and_counted(name: str, tmp_path: Path) -> None:
    shape = {"name": "rect", "x": 1, "y": 1, "width": 5, "height": 5}
    dataset, report = read_json(tmp_path, via(shape, filename=name))
    assert dataset.images == []
    assert (report.records, report.skipped.total(), report.skipped_images.total()) == (1, 1, 1)


def test_two_files_of_one_name_are_not_mixed_up(tmp_path: Path) -> None:
    shape = {"name": "rect", "x": 1, "y": 1, "width": 5, "height": 5}
    twice = via(shape) | {"a.png2": via(shape, size=2)["a.png1"]}
    dataset, report = read_json(tmp_path, twice)
    assert (len(dataset.images), report.kept, report.skipped.total(), report.skipped_images.total()) == (1, 1, 1, 1)


def test_coco_ids_that_occur_twice(tmp_path: Path) -> None:
    content = exports.coco()
    content["images"][1]["id"] = 0  # nobody can tell whose the annotations are
    dataset, report = read_json(tmp_path, content)
    assert dataset.images == []
    assert (report.skipped.total(), report.skipped_images.total()) == (3, 2)


def test_coco_masks_are_checked_before_they_are_decoded(tmp_path: Path) -> None:
    content = exports.coco()
    runs = {"size": [80, 100], "counts": [80, 10, 7910]}  # the upper ten pixels of the second column
    content["annotations"] = [
        {"id": 1, "image_id": 0, "category_id": 1, "segmentation": segmentation}
        for segmentation in (runs, runs | {"counts": [80, 10]}, runs | {"counts": "zz"}, runs | {"size": [100, 80]}, {})
    ]
    dataset, report = read_json(tmp_path, content)
    assert [each.bbox for each in dataset.annotations] == [[1, 0, 1, 10]]
    assert report.skipped.total() == 4


def test_cvat_video_keeps_every_frame_and_counts_what_is_outside(tmp_path: Path) -> None:
    (tmp_path / "v.xml").write_text(CVAT_VIDEO)
    dataset, report = read_annotations(tmp_path / "v.xml")
    assert [image.frame_index for image in dataset.images] == [0, 2, 4, 6]
    assert {image.video_id for image in dataset.images} == {"op.mp4"}
    assert [each.image_id for each in dataset.annotations] == [1, 2]
    assert report.skipped == Counter({"outside: the object is not shown in this frame": 1})


def test_rotated_boxes_become_polygons(tmp_path: Path) -> None:
    box = '<box label="sperm" rotation="90" xtl="40" ytl="30" xbr="60" ybr="40"/>'
    xml = f'<annotations><image id="0" name="a.png" width="100" height="80">{box}</image></annotations>'
    (tmp_path / "c.xml").write_text(xml)
    annotation = read_annotations(tmp_path / "c.xml")[0].annotations[0]
    assert annotation.bbox == [45, 25, 10, 20]  # about its centre (50, 35)
    tasks = exports.label_studio()
    tasks[0]["annotations"][0]["result"][0]["value"] |= {"x": 50, "y": 25, "rotation": 90}
    annotation = read_json(tmp_path, tasks)[0].annotations[0]
    assert annotation.bbox == [10, 20, 40, 20]  # about its corner (50, 20), clockwise


def test_label_studio_people_cancelled_work_and_other_results(tmp_path: Path) -> None:
    tasks = exports.label_studio()
    first = tasks[0]["annotations"][0]
    other = {"id": 8, "completed_by": {"id": 4, "email": "b@x.org"}, "result": first["result"][:1]}
    choice = {"id": "c", "type": "choices", "value": {"choices": ["good"]}}
    brush = {"id": "m", "type": "brushlabels", "value": {"format": "rle", "rle": [1], "brushlabels": ["sperm"]}}
    first["result"] += [
        choice,
        {"id": "t", "value": {"x": 1, "y": 1, "rectanglelabels": True}},
        brush | {"original_width": 100, "original_height": 80},
    ]
    tasks[0]["annotations"] += [other, other | {"id": 9, "was_cancelled": True}]
    dataset, report = read_json(tmp_path, tasks)
    assert Counter(each.annotator for each in dataset.annotations) == {"3": 3, "b@x.org": 1}
    assert (report.records, report.kept) == (8, 4)
    assert len(report.skipped) == 4


def test_voc_counts_pixels_from_one(tmp_path: Path) -> None:
    whole = VOC_A.replace("11", "1").replace("21", "1").replace("30", "100").replace("60", "80")
    (tmp_path / "a.xml").write_text(whole)
    assert read_annotations(tmp_path / "a.xml")[0].annotations[0].bbox == [0, 0, 100, 80]


def test_voc_files_with_a_zero_count_pixels_from_zero(tmp_path: Path) -> None:
    folder = exports.write("voc", tmp_path)
    (folder / "b.xml").write_text(VOC_A.replace("a.", "b.").replace("<xmin>11<", "<xmin>0<"))
    dataset, report = read_annotations(folder)
    assert [each.bbox for each in dataset.annotations] == [[11, 21, 19, 39], [0, 21, 30, 39]]
    assert report.changed == {"read as counted from 0, since an xmin or ymin is 0; VOC counts pixels from 1": 1}


def test_yolo_images_without_a_file_are_images_without_objects(tmp_path: Path) -> None:
    exports.write("yolo", tmp_path)
    (tmp_path / "classes.txt").unlink()
    (tmp_path / "data.yaml").write_text("names: {0: sperm, 1: oolemma}\n")
    (tmp_path / "labels" / "a.txt").write_text(exports.YOLO_A + "0 0.5 0.5\n0 nan 1 1 1\n")
    (tmp_path / "images").mkdir()
    for name in ("a", "b", "c"):
        cv2.imwrite(str(tmp_path / "images" / f"{name}.jpg"), np.zeros((80, 100), np.uint8))
    dataset, report = read_annotations(tmp_path)
    assert [image.file_name for image in dataset.images] == ["images/a.jpg", "images/b.jpg", "images/c.jpg"]
    assert (report.records, report.kept, report.skipped.total()) == (4, 2, 2)


ENTITIES = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>'


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xml", ENTITIES, "document type"),
        ("a.xml", f"<annotation>{VOC_SIZE}", "not XML"),
        ("a.json", "[" * 100_000, "not sound JSON"),
        ("a.json", '{"a.png1": {"regions": []}, "a.png1": {"regions": []}}', "occurs twice"),
        ("a.json", '{"some": "thing"}', "known tool"),
        ("a.csv", "a,b\n1,2\n", "no column"),
        ("a.doc", "", "unknown kind"),
    ],
)
def test_a_file_that_is_no_export_is_refused_in_one_line(name: str, content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(AnnotationError, match=message) as error:
        read_annotations(tmp_path / name)
    assert "\n" not in str(error.value)
    assert name in str(error.value)


def test_a_folder_or_format_in_doubt_is_refused(tmp_path: Path) -> None:
    for format, message in ((None, "no such file"), ("yolo", "no such file")):
        with pytest.raises(AnnotationError, match=message):
            read_annotations(tmp_path / "none", format)
    with pytest.raises(AnnotationError, match="no annotation files"):
        read_annotations(tmp_path)
    exports.write("voc", tmp_path)
    exports.write("labelme", tmp_path)
    with pytest.raises(AnnotationError, match="voc and labelme"):
        read_annotations(tmp_path)
    with pytest.raises(AnnotationError, match="unknown format"):
        read_annotations(tmp_path, "odd")
