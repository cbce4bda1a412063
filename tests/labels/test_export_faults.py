"""Faults that real exports have: each is read rightly, or counted in what is printed, or refused in one line."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import cv2
import exports
import numpy as np
import pytest
from exports_xml import VOC_A, VOC_B
from typer.testing import CliRunner

from icsilib.cli import app
from icsilib.data.annotations import AnnotationError, read_coco
from icsilib.data.structures import OOLEMMA, SPERM
from icsilib.labels import read_annotations


def picture(path: Path, width: int = 100, height: int = 80) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.zeros((height, width), np.uint8))


def coco(folder: Path, images: list[dict[str, Any]], boxes: list[dict[str, Any]], names: tuple[str, ...] = ("sperm",)):
    """A COCO file of images of 100×80 px with boxes of 10×10 px."""
    content = {
        "images": [{"width": 100, "height": 80} | image for image in images],
        "annotations": [{"category_id": 1, "bbox": [10, 10, 10, 10]} | box for box in boxes],
        "categories": [{"id": number, "name": name} for number, name in enumerate(names, start=1)],
    }
    (folder / "coco.json").write_text(json.dumps(content), encoding="utf-8")
    return folder / "coco.json"


def noted(report: Any, words: str) -> bool:
    return any(words in line for line in report.lines())


@pytest.mark.parametrize(("size", "words"), [((200, 160), "200×160 px"), ((80, 100), "turned by its EXIF record")])
def test_labels_of_another_size_than_the_image_are_skipped(size: tuple[int, int], words: str, tmp_path: Path) -> None:
    picture(tmp_path / "a.png", *size)
    dataset, report = read_annotations(coco(tmp_path, [{"id": 1, "file_name": "a.png"}], [{"image_id": 1}]))
    assert (dataset.images, report.skipped.total(), noted(report, words)) == ([], 1, True)


def test_an_image_turned_by_its_exif_record_has_its_upright_size(tmp_path: Path) -> None:
    pixels = cv2.imencode(".jpg", np.zeros((80, 100), np.uint8))[1].tobytes()
    turned = b"\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00"  # the entry "orientation: 6", a quarter turn
    exif = b"Exif\0\0MM\x00*\x00\x00\x00\x08\x00\x01" + turned + b"\0\0\0\0"
    (tmp_path / "a.jpg").write_bytes(pixels[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + pixels[2:])
    sizeless = {"id": 1, "file_name": "a.jpg", "width": None, "height": None}
    image = read_annotations(coco(tmp_path, [sizeless], []))[0].images[0]
    assert (image.width, image.height) == (80, 100)


def test_an_image_listed_under_two_ids_is_one_image(tmp_path: Path) -> None:
    images = [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "a.png"}]
    dataset, report = read_annotations(coco(tmp_path, images, [{"image_id": 1}, {"image_id": 2, "bbox": [1, 1, 5, 5]}]))
    assert len(dataset.images) == 1
    assert {each.image_id for each in dataset.annotations} == {dataset.images[0].id}
    assert report.changed.total() == 1


def test_two_paths_of_one_name_are_told_apart_by_their_folders_or_skipped(tmp_path: Path) -> None:
    images = [{"id": i, "file_name": f"C:\\{folder}\\a.png"} for i, folder in enumerate("xy", start=1)]
    file = coco(tmp_path, images, [{"image_id": 1}])
    picture(tmp_path / "images" / "a.png")
    dataset, report = read_annotations(file, images=tmp_path / "images")
    assert (dataset.images, report.skipped_images.total()) == ([], 2)
    (tmp_path / "images" / "a.png").unlink()
    picture(tmp_path / "images" / "x" / "a.png")
    picture(tmp_path / "images" / "y" / "a.png")
    dataset, report = read_annotations(file, images=tmp_path / "images")
    assert ([image.file_name for image in dataset.images], report.kept) == (["x/a.png", "y/a.png"], 1)


@pytest.mark.parametrize(
    ("written", "there"),
    [
        ("my%20f%C3%A9e.png", "my fée.png"),
        ("0123abcd-a%20b.png", "a b.png"),
        (unicodedata.normalize("NFD", "fée.png"), "fée.png"),
        ("a.tif", "a.png"),
        ("img1", "img1.jpg"),
    ],
)
def test_an_image_is_found_by_an_encoded_name_or_another_suffix(written: str, there: str, tmp_path: Path) -> None:
    picture(tmp_path / there)
    dataset, report = read_annotations(coco(tmp_path, [{"id": 1, "file_name": written}], [{"image_id": 1}]))
    assert ([image.file_name for image in dataset.images], report.changed.total()) == ([there], 1)


def test_absent_images_are_noted(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    images = [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png"}]
    report = read_annotations(coco(tmp_path, images, []))[1]
    assert noted(report, "1 of 2 images are not in")
    assert noted(report, "such as b.png")


def test_coco_ids_of_tables_empty_parts_crowds_and_categories_of_one_id(tmp_path: Path) -> None:
    good, sliver = [10, 10, 20, 10, 20, 20, 10, 20], [1, 1, 2, 2]
    boxes = [
        {"image_id": "1", "segmentation": [[]]},
        {"image_id": 1, "segmentation": [good, sliver], "category_id": 2},
        {"image_id": 1, "iscrowd": 1, "bbox": [30, 30, 9, 9]},
        {"image_id": 7},
        {"image_id": 1, "category_id": 9},
        {"image_id": 1, "bbox": [10, 10, -5, 10]},
        {"image_id": 1, "bbox": [float("nan"), 10, 5, 10]},
        {"image_id": 1, "bbox": [95, 75, 1e8, 1e8]},
    ]
    file = coco(tmp_path, [{"id": 1.0, "file_name": "a.png"}], boxes, ("Sperm", "OOLEMMA"))
    dataset, report = read_annotations(file)
    assert [(each.category_id, each.bbox) for each in dataset.annotations] == [
        (SPERM.id, [10, 10, 10, 10]),
        (OOLEMMA.id, [10, 10, 10, 10]),
        (SPERM.id, [30, 30, 9, 9]),
        (SPERM.id, [95, 75, 5, 5]),
    ]
    assert report.skipped.total() == 4
    assert sorted(report.changed) == [
        "clipped to the image",
        "one of several parts left out: zero size",
        "region of many objects (iscrowd); kept as one",
    ]
    content = json.loads(file.read_text())
    content["categories"].append({"id": 1, "name": "oolemma"})
    file.write_text(json.dumps(content))
    assert read_annotations(file)[1].skipped["one id for two categories"] == 6


def test_outlines_that_cross_themselves_are_noted_and_kept(tmp_path: Path) -> None:
    content = exports.labelme("a.png")
    content["shapes"][1]["points"] = [[40, 10], [60, 30], [60, 10], [40, 25]]
    (tmp_path / "a.json").write_text(json.dumps(content))
    dataset, report = read_annotations(tmp_path / "a.json")
    assert len(dataset.annotations) == 3
    assert noted(report, "1 outlines cross themselves, such as one in a.png")


def test_names_that_the_study_does_not_know_and_objects_drawn_twice_are_noted(tmp_path: Path) -> None:
    file = coco(tmp_path, [{"id": 1, "file_name": "a.png"}], [{"image_id": 1}] * 2, ("Sperm cell",))
    report = read_annotations(file, labels={"spz": "sperm"})[1]
    assert noted(report, "2 objects are 'sperm_cell', which the study does not know")
    assert noted(report, "1 objects were drawn twice")
    assert noted(report, "no object is labelled 'spz'")


def test_an_image_without_objects_is_told_from_one_that_nobody_labelled_or_said_to_be_in_doubt(tmp_path: Path) -> None:
    images = [{"id": number, "file_name": f"{number}.png"} for number in (1, 2, 3)]
    file = coco(tmp_path, images, [{"image_id": 1}, {"image_id": 2, "bbox": [1, 1, 0, 0]}])
    dataset, report = read_annotations(file)
    assert [image.file_name for image in dataset.images] == ["1.png", "3.png"]
    assert noted(report, "1 images without objects are kept")
    assert noted(report, "coco cannot tell")
    assert report.skipped_images == {"all its objects were skipped": 1}
    dataset, report = read_annotations(file, skip_empty=True)
    assert [image.file_name for image in dataset.images] == ["1.png"]
    assert report.skipped_images.total() == 2


def test_label_studio_knows_who_submitted_what(tmp_path: Path) -> None:
    tasks = exports.label_studio()
    tasks[1]["data"] = {"image": "/data/upload/1/abcd1234-b.png"}
    again = tasks[1] | {"annotations": [{"completed_by": 5, "result": []}]}
    skipped = {"completed_by": 3, "was_cancelled": True, "result": []}
    unlabelled = [
        {"id": n, "data": {"image": f"{n}.png"}, "annotations": work} for n, work in ((3, []), (4, [skipped]))
    ]
    (tmp_path / "tasks.json").write_text(json.dumps([*tasks, again, *unlabelled]))
    dataset, report = read_annotations(tmp_path / "tasks.json", size=(100, 80))
    people = {image.file_name: (image.model_extra or {})["attributes"] for image in dataset.images}
    assert people == {"a.png": {"annotators": ["3"]}, "abcd1234-b.png": {"annotators": ["3", "5"]}}
    assert report.skipped_images == {"nobody submitted labels for it": 2}
    assert noted(report, "1 images have a file or task of their own without objects")


def test_label_studio_images_of_one_name_in_two_folders_are_two(tmp_path: Path) -> None:
    picture(tmp_path / "p1" / "a.png")
    picture(tmp_path / "p2" / "a.png")
    task = exports.label_studio()[0]
    tasks = [task | {"data": {"image": f"/data/local-files/?d=clinic/{folder}/a.png"}} for folder in ("p1", "p2")]
    (tmp_path / "tasks.json").write_text(json.dumps(tasks))
    dataset, report = read_annotations(tmp_path / "tasks.json")
    assert [image.file_name for image in dataset.images] == ["p1/a.png", "p2/a.png"]
    assert (report.kept, len({each.image_id for each in dataset.annotations})) == (6, 2)


def test_yolo_folders_as_roboflow_and_label_studio_write_them(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.png", "b.jpg", "c.jpg"):
        picture(tmp_path / "images" / name)
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "0123abcd-a.txt").write_bytes(b"0 0.5 0.5 0.2 0.5  \r\n\r\n0 0.95 0.5 0.1002 0.5\r\n0\r\n")
    (tmp_path / "labels" / "b.txt").write_text("")
    (tmp_path / "README.roboflow.txt").write_text("Exported\n")
    (tmp_path / "data.yaml").write_text("names: ['Sperm']\n")
    dataset, report = read_annotations(tmp_path, size=(100, 80))
    assert [image.file_name for image in dataset.images] == ["images/a.jpg", "images/b.jpg", "images/c.jpg"]
    assert [each.bbox for each in dataset.annotations] == [[40, 20, 20, 40], pytest.approx([89.99, 20, 10.01, 40])]
    assert (report.records, report.skipped.total(), report.skipped_images.total()) == (3, 1, 1)
    assert noted(report, "1 images without objects are kept")
    assert noted(report, "1 images have a file")
    (tmp_path / "data.yaml").write_text("names: ['Sperm']\nkpt_shape: [2, 3]\n")
    with pytest.raises(AnnotationError, match="key points"):
        read_annotations(tmp_path)


def test_voc_files_of_one_name_in_two_folders_are_not_mixed(tmp_path: Path) -> None:
    for folder in ("p1", "p2"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.xml").write_text(VOC_A if folder == "p1" else VOC_B.replace("b.png", "a.png"))
    dataset, report = read_annotations(tmp_path)
    assert (len(dataset.images), report.kept, report.skipped_images.total()) == (1, 1, 1)
    picture(tmp_path / "p1" / "a.png")
    picture(tmp_path / "p2" / "a.png")
    dataset, report = read_annotations(tmp_path)
    assert [image.file_name for image in dataset.images] == ["p1/a.png", "p2/a.png"]
    assert [each.image_id for each in dataset.annotations] == [dataset.images[0].id]


def test_a_labelme_file_belongs_to_the_image_beside_it(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png")
    for name in "ab":  # b.json is a copy of a.json, as people make it for the next frame
        (tmp_path / f"{name}.json").write_text(json.dumps(exports.labelme("a.png")))
    dataset, report = read_annotations(tmp_path)
    assert [image.file_name for image in dataset.images] == ["a.png", "b.png"]
    assert (report.kept, report.changed.total()) == (6, 1)


def test_a_tag_of_a_whole_image_is_counted(tmp_path: Path) -> None:
    tag = '<tag label="no sperm" source="manual"></tag>'
    xml = f'<annotations><image id="0" name="a.png" width="100" height="80">{tag}</image></annotations>'
    (tmp_path / "c.xml").write_text(xml)
    assert read_annotations(tmp_path / "c.xml")[1].skipped == {"tag of a whole image": 1}


def test_xml_is_read_in_the_encoding_that_it_declares(tmp_path: Path) -> None:
    xml = '<?xml version="1.0" encoding="gb2312"?>' + VOC_A.replace("Sperm", "精子")
    (tmp_path / "a.xml").write_bytes(xml.encode("gb2312"))
    assert read_annotations(tmp_path / "a.xml")[0].categories[0].name == "精子"
    (tmp_path / "a.xml").write_bytes(xml.replace("gb2312", "odd").replace("精子", "é").encode("cp1252"))
    assert read_annotations(tmp_path / "a.xml")[0].categories[0].name == "é"


def test_a_project_of_via_3_is_refused(tmp_path: Path) -> None:
    (tmp_path / "via3.json").write_text(json.dumps({"project": {}, "file": {}, "metadata": {}, "view": {}}))
    with pytest.raises(AnnotationError, match="VIA 3"):
        read_annotations(tmp_path / "via3.json")


def test_a_box_drawn_backwards_is_counted(tmp_path: Path) -> None:
    box = '<box label="sperm" xtl="30" ytl="20" xbr="10" ybr="60"/>'
    xml = f'<annotations><image id="0" name="a.png" width="100" height="80">{box}</image></annotations>'
    (tmp_path / "c.xml").write_text(xml)
    dataset, report = read_annotations(tmp_path / "c.xml")
    assert ([each.bbox for each in dataset.annotations], report.changed.total()) == ([[10, 20, 20, 40]], 1)


def icsi(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, result.output


def test_convert_refuses_what_cannot_be_meant_and_writes_nothing(tmp_path: Path) -> None:
    file = coco(tmp_path, [{"id": 1, "file_name": "a.png"}], [{"image_id": 1}], ("spz",))
    out = tmp_path / "out.json"
    for words, message in (
        (("--label", "spz"), "has no '='"),
        (("--images", tmp_path / "none"), "no such folder"),
    ):
        code, text = icsi("data", "convert", file, out, *words)
        assert (code, message in text, out.exists()) == (1, True, False), text
    picture(tmp_path / "a.png", 50, 40)
    code, text = icsi("data", "convert", file, out)
    assert (code, "no image of it can be used" in text, out.exists()) == (1, True, False), text
    picture(tmp_path / "a.png")
    code, text = icsi("data", "convert", file, out, "--label", "spz=sperm", "--skip-empty")
    assert (code, [each.name for each in read_coco(out).categories]) == (0, ["sperm"]), text


def test_frames_of_two_videos_of_one_name_are_not_mixed(tmp_path: Path) -> None:
    code, text = icsi("data", "frames", tmp_path / "a" / "op.mp4", tmp_path / "b" / "op.avi", "--out", tmp_path / "f")
    assert (code, "two videos are called op" in text) == (1, True)


def yolo_of_folders(folder: Path, *texts: str) -> None:
    """CVAT's YOLO 1.1: text files in folders that the images do not share, one sperm in the middle of each."""
    (folder / "export").mkdir()
    (folder / "export" / "obj.names").write_text("sperm\n")
    for text in texts:
        (folder / "export" / text).parent.mkdir(parents=True, exist_ok=True)
        (folder / "export" / text).write_text("0 0.5 0.5 0.2 0.5\n")


def test_yolo_files_in_another_folder_than_their_images_find_them_by_name(tmp_path: Path) -> None:
    yolo_of_folders(tmp_path, "obj_train_data/a.txt", "obj_valid_data/3f2a1b2c-b.txt")
    for name in "abc":
        picture(tmp_path / "frames" / f"{name}.png")
    dataset, report = read_annotations(tmp_path / "export", images=tmp_path / "frames")
    names = {image.id: image.file_name for image in dataset.images}
    assert sorted(names.values()) == ["a.png", "b.png", "c.png"]
    assert [(names[each.image_id], each.bbox) for each in dataset.annotations] == [
        ("a.png", [40, 20, 20, 40]),
        ("b.png", [40, 20, 20, 40]),
    ]
    assert report.changed == {"its image lies in another folder and was found by its name": 2}


def test_an_image_that_two_yolo_files_may_be_about_is_no_negative(tmp_path: Path) -> None:
    yolo_of_folders(tmp_path, "labels/train/a.txt", "labels/val/a.txt")
    picture(tmp_path / "frames" / "a.png")
    dataset, report = read_annotations(tmp_path / "export", images=tmp_path / "frames")
    assert (dataset.images, report.skipped.total()) == ([], 2)
    assert report.skipped_images["text files of its name are in other folders"] == 1


def submitted(who: int, id: int, x: float, day: int) -> dict[str, Any]:
    """A person's annotation in Label Studio: one sperm of 20 × 20 px at (x, 10) px."""
    value = {"x": x, "y": 12.5, "width": 20, "height": 25, "rotation": 0, "rectanglelabels": ["sperm"]}
    region = {"id": "r", "type": "rectanglelabels", "value": value, "original_width": 100, "original_height": 80}
    return {"id": id, "completed_by": who, "created_at": f"2024-05-{day:02}T10:00:00Z", "result": [region]}


def label_studio(folder: Path, *work: dict[str, Any], data: Any = None, id: int = 1) -> Path:
    tasks = [{"id": id, "data": data or {"image": "/data/upload/7/3f2a1b2c-a.png"}, "annotations": list(work)}]
    (folder / "tasks.json").write_text(json.dumps(tasks), encoding="utf-8")
    return folder / "tasks.json"


def test_what_one_person_submits_twice_in_label_studio_are_two_rounds(tmp_path: Path) -> None:
    cancelled = submitted(1, 13, 60, 3) | {"was_cancelled": True}
    file = label_studio(tmp_path, submitted(1, 11, 12, 2), submitted(1, 12, 10, 1), cancelled, submitted(2, 14, 14, 4))
    dataset, report = read_annotations(file)
    found = {(each.annotator, each.round, (each.bbox or [0])[0]) for each in dataset.annotations}
    assert found == {("1", 1, 10), ("1", 2, 12), ("2", None, 14)}
    assert sum(count for what, count in report.changed.items() if "numbered as rounds" in what) == 2
    result = CliRunner().invoke(app, ["agree", "boxes", str(file), "--out", str(tmp_path / "agreed.json")])
    assert result.exit_code == 0, result.output
    assert [each.bbox for each in read_coco(tmp_path / "agreed.json").annotations] == [[12, 10, 20, 20]]  # of 10 and 14
    assert "1 1: label of a later round left out" in result.output


CVAT_TASK = """<task><id>{id}</id><name>op{id}</name><size>2</size><mode>interpolation</mode>
  <start_frame>0</start_frame><stop_frame>1</stop_frame>
  <original_size><width>100</width><height>80</height></original_size><source>op{id}.mp4</source>
  <assignee><username>{who}</username></assignee></task>"""
CVAT_TASKS = CVAT_TASK.format(id=1, who="ada") + CVAT_TASK.format(id=2, who="ben")
CVAT_PROJECT = f"<meta><project><id>3</id><name>icsi</name><tasks>{CVAT_TASKS}</tasks></project></meta>"
FRAMES = [(f"op{task}/frame_00000{frame}", f"op{task}.mp4", frame) for task in (1, 2) for frame in (0, 1)]


def cvat_boxes(folder: Path, content: str) -> tuple[list[tuple[str, str | None, int | None]], Any]:
    """Images, and by image's name the left ends of its boxes with who drew them, of a CVAT project's export."""
    (folder / "project.xml").write_text(f"<annotations>{CVAT_PROJECT}{content}</annotations>")
    dataset, _ = read_annotations(folder / "project.xml")
    names = {image.id: image.file_name.removesuffix(".png") for image in dataset.images}
    boxes = [(names[each.image_id], each.annotator, (each.bbox or [0])[0]) for each in dataset.annotations]
    return [(names[image.id], image.video_id, image.frame_index) for image in dataset.images], boxes


def test_a_cvat_projects_videos_are_not_merged(tmp_path: Path) -> None:
    box = '<box frame="1" outside="0" xtl="{x}" ytl="20" xbr="{x}5" ybr="30"/>'
    tracks = [f'<track id="{n}" label="sperm" task_id="{n}">{box.format(x=n)}</track>' for n in (1, 2)]
    images, boxes = cvat_boxes(tmp_path, "".join(tracks))
    assert images == FRAMES
    assert boxes == [("op1/frame_000001", "ada", 1), ("op2/frame_000001", "ben", 2)]


def test_a_cvat_projects_images_of_one_name_are_not_merged(tmp_path: Path) -> None:
    box = '<box label="sperm" xtl="{x}" ytl="20" xbr="{x}5" ybr="30"/>'
    image = '<image id="0" name="{name}" task_id="{n}" width="100" height="80">{box}</image>'
    names = [("frame_000000", 1), ("frame_000000", 2), ("single", 2)]
    images, boxes = cvat_boxes(tmp_path, "".join(image.format(name=a, n=n, box=box.format(x=n)) for a, n in names))
    assert [name for name, _, _ in images] == ["op1/frame_000000", "op2/frame_000000", "single"]
    assert [video for _, video, _ in images] == ["op1.mp4", "op2.mp4", "op2.mp4"]
    assert boxes == [("op1/frame_000000", "ada", 1), ("op2/frame_000000", "ben", 2), ("single", "ben", 2)]


def test_coco_annotators_needle_keeps_its_point_and_its_false_is_no_fault(tmp_path: Path) -> None:
    """coco-annotator gives the needle an outline beside its tip; in the second image the tip was not set."""
    needle = {"category_id": 1, "iscrowd": False, "isbbox": False, "segmentation": [[50, 40, 90, 42, 90, 44]]}
    file = coco(
        tmp_path,
        [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png"}],
        [
            needle | {"image_id": 1, "keypoints": [50.5, 40.5, 2], "num_keypoints": 1},
            needle | {"image_id": 2, "keypoints": [0, 0, 0], "num_keypoints": 0},
        ],
        ("needle",),
    )
    dataset, report = read_annotations(file)
    assert [each.keypoints for each in dataset.annotations] == [[50.5, 40.5, 2], None]
    assert dataset.annotations[1].bbox == [50, 40, 40, 4]
    assert report.changed == {"has an outline and a point; only the point is kept": 1}
    assert noted(report, "1 objects of 'needle' are not a point, such as one in b.png")


def test_cvats_turned_boxes_come_out_turned_in_coco(tmp_path: Path) -> None:
    """The box from (40, 30) to (80, 40), turned by a quarter about its centre (60, 35)."""
    turned = {"image_id": 1, "bbox": [40, 30, 40, 10], "segmentation": [], "attributes": {"rotation": 90.0}}
    upright = turned | {"attributes": {"rotation": 0.0}}
    dataset, _ = read_annotations(coco(tmp_path, [{"id": 1, "file_name": "a.png"}], [turned, upright]))
    assert [each.bbox for each in dataset.annotations] == [[55, 15, 10, 40], [40, 30, 40, 10]]
    assert [bool(each.segmentation) for each in dataset.annotations] == [True, False]


def test_cvats_voc_has_fractions_counted_from_zero_and_turned_boxes(tmp_path: Path) -> None:
    first = VOC_A.replace("<xmin>11<", "<xmin>10.25<").replace("<ymin>21<", "<ymin>20.0<")
    quarter = "<attributes><attribute><name>rotation</name><value>90.0</value></attribute></attributes></object>"
    (tmp_path / "a.xml").write_text(first)
    (tmp_path / "b.xml").write_text(VOC_A.replace("a.", "b.").replace("</object>", quarter))
    dataset, report = read_annotations(tmp_path)
    assert dataset.annotations[0].bbox == [10.25, 20, 19.75, 40]
    # From (11, 21) to (30, 60), 19 × 39 px about (20.5, 40.5), becomes 39 × 19 px.
    assert dataset.annotations[1].bbox == [1, 31, 39, 19]
    assert noted(report, "corners are fractions of a pixel")


def test_a_choice_about_a_whole_label_studio_image_leaves_it_a_confirmed_negative(tmp_path: Path) -> None:
    choice = {"id": "c", "type": "choices", "value": {"choices": ["no sperm"]}}
    size = {"original_width": 100, "original_height": 80}
    file = label_studio(tmp_path, {"id": 1, "completed_by": 1, "result": [choice | size]})
    dataset, report = read_annotations(file, skip_empty=True)
    assert [image.file_name for image in dataset.images] == ["3f2a1b2c-a.png"]
    assert report.skipped == {"answer about a whole image or several regions, not an object": 1}
    assert noted(report, "1 images have a file or task of their own without objects")


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("s3://bucket/p1/f1.PNG", "f1.PNG"),
        ("https://x.org/f1.jpg?sig=a.b", "f1.jpg"),
        ("/data/local-files/?d=set%20a/f%201.png", "f 1.png"),
    ],
)
def test_label_studios_image_is_the_column_that_names_one(address: str, name: str, tmp_path: Path) -> None:
    data = {"date": "12.03.2024", "clinic": "Dr. X", "frame": 3, "img": address}
    dataset, report = read_annotations(label_studio(tmp_path, submitted(1, 11, 10, 1), data=data))
    assert ([image.file_name for image in dataset.images], report.kept) == ([name], 1)


@pytest.mark.parametrize("data", [{"clinic": "Dr. X"}, {"before": "a.png", "after": "b.png"}])
def test_a_label_studio_task_of_no_or_several_images_is_skipped(data: dict[str, str], tmp_path: Path) -> None:
    dataset, report = read_annotations(label_studio(tmp_path, submitted(1, 11, 10, 1), data=data))
    assert dataset.images == []
    assert noted(report, "task 1: none or several of the task's data are names of images; call one 'image'")


def test_what_roboflow_adds_to_a_name_does_not_hide_the_image(tmp_path: Path) -> None:
    picture(tmp_path / "frames" / "op1" / "op1_000003.png")
    file = coco(tmp_path, [{"id": 0, "file_name": "op1_000003_png.rf.0f9c2a6d1.jpg"}], [{"image_id": 0}])
    dataset, report = read_annotations(file, images=tmp_path / "frames")
    assert ([image.file_name for image in dataset.images], report.kept) == (["op1/op1_000003.png"], 1)
