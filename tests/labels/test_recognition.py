"""Files and folders as tools export them: recognised by what is in them, read, or refused by name."""

import json
import zipfile
from pathlib import Path

import exports
import pytest
from test_export_faults import coco, icsi, noted, picture

from icsilib.data.annotations import AnnotationError
from icsilib.labels import read_annotations

IMAGES = [{"id": 1, "file_name": "a.png"}]
BOX = "0 0.2 0.5 0.2 0.5"


def yolo(folder: Path, *files: str) -> Path:
    """A YOLO set: an image for each of these text files."""
    (folder / "labels").mkdir()
    for index, lines in enumerate(files):
        picture(folder / "images" / f"f{index}.png")
        (folder / "labels" / f"f{index}.txt").write_text(lines)
    return folder


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("7 0 0.5 0.4 0.05 0.06\n12 1 0.2 0.3 0.1 0.1", "identity first and the class second"),
        ("0 0.5 0.4 0.05 0.06 7\n0 0.2 0.3 0.1 0.1 8", "identity last"),
        ("0 0.5 0.4 0.05 0.06 0.9\n0 0.2 0.3 0.1 0.1 1.57", "no scores from 0 to 1"),
        ("0 0.5 0.4 0.05 0.06 -0.3", "no scores from 0 to 1"),
        ("0 0.5 0.4 0.05 0.06 0.9 7", "seven values a line"),
        ("0 0.5 0.4 0.2 0.2 0.55 0.45", "seven values a line"),
        ("0 0.5 0.4 0.2 0.2 0.55 0.45 2", "key points"),
        ("0 0.5 0.4 0.2 0.2 0.55 0.45 2 0.4 0.35 1", "key points"),
        ("0 0.5 0.4 0.2 0.2 0 0 0 0.4 0.35 1 0.41 0.36 2", "key points"),
        ("0 0.5 0.4 0.1 0.1 0.54 0.44 0.46 0.36\n0 0.8 0.8 0.1 0.2 0.84 0.88 0 0", "key points"),
        ("0 0.7 0.4 0.9 0.6\n0 0.7 0.5 0.9 0.7\n0 0.1 0.1 0.3 0.2", "most boxes reach beyond"),
    ],
)
def test_yolo_lines_whose_columns_mean_something_else_are_refused(lines: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=message):
        read_annotations(yolo(tmp_path, lines))


@pytest.mark.parametrize(
    "lines",
    [
        "0 0.5 0.4 0.05 0.06 0.9\n0 0.2 0.3 0.1 0.1 1",  # scores
        "0 0.4 0.4 0.6 0.4 0.6 0.6 0.4 0.6",  # a turned box
        "0 0.4 0.4 0.6 0.4 0.5 0.6\n0 0.4 0.4 0.6 0.4 0.6 0.6 0.4 0.6",  # a triangle among others
        "0 0.1 0.1 0.11 0.1 0.12 0.11 0.11 0.12 0.1 0.12",  # a small outline
        "0 0.95 0.5 0.12 0.2",  # a box drawn over the border
    ],
)
def test_yolo_lines_that_are_what_they_should_be_are_read(lines: str, tmp_path: Path) -> None:
    assert read_annotations(yolo(tmp_path, lines))[1].skipped == {}


def test_yolo_values_and_classes_out_of_range_are_skipped(tmp_path: Path) -> None:
    folder = yolo(
        tmp_path, f"{BOX}\n0 20 50 20 50\n7 0.2 0.5 0.2 0.5\n0.5 0.2 0.5 0.2 0.5\n0 0.1 0.1 30 0.2 9 9 0.1 0.2"
    )
    (folder / "classes.txt").write_text("sperm\n")
    assert dict(read_annotations(folder)[1].skipped) == {
        "value is no fraction of the image": 2,
        "class is beyond the names of classes": 1,
        "class is not a whole number": 1,
    }


@pytest.mark.parametrize("name", ["data.yaml", "mine-pose.yml"])
def test_yolo_key_points_are_refused_whichever_file_says_so(name: str, tmp_path: Path) -> None:
    folder = yolo(tmp_path, BOX)
    (folder / "classes.txt").write_text("needle\n")
    (folder / name).write_text("names: [needle]\nkpt_shape: [1, 2]\n")
    with pytest.raises(AnnotationError, match="key points"):
        read_annotations(folder)


def test_a_folder_of_labels_alone_finds_the_images_beside_it(tmp_path: Path) -> None:
    yolo(tmp_path, BOX, "")
    (tmp_path / "labels_tracked").mkdir()
    (tmp_path / "labels_tracked" / "f0_tracked.txt").write_text("7 0 0.2 0.5 0.2 0.5")
    dataset, report = read_annotations(tmp_path)
    assert [image.file_name for image in dataset.images] == ["images/f0.png", "images/f1.png"]
    assert (report.kept, report.skipped.total()) == (1, 1)
    for _ in range(2):  # what was written the first time is not read the second
        code, text = icsi("data", "convert", tmp_path / "labels", tmp_path / "labels" / ".." / "out.json")
        assert (code, "2 images, 1 of 1 objects kept" in text) == (0, True), text
        assert icsi("data", "convert", tmp_path, tmp_path / "out.json")[0] == 0


def test_images_of_a_folder_without_labels_are_no_empty_images(tmp_path: Path) -> None:
    picture(yolo(tmp_path, BOX) / "masks" / "f0.png")
    dataset, report = read_annotations(tmp_path)
    assert [image.file_name for image in dataset.images] == ["images/f0.png"]
    assert report.skipped_images.total() == 1


def test_an_export_unpacked_is_read_with_its_folder_as_that_of_the_images(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.png")
    (tmp_path / "annotations").mkdir()
    coco(tmp_path / "annotations", IMAGES, [{"image_id": 1}])
    (tmp_path / "notes.json").write_text('{"categories": []}')
    (tmp_path / "annotations" / "._coco.json").write_text("Mac OS X")
    (tmp_path / "images" / ".partial-1.png").write_text("")
    code, text = icsi("data", "convert", tmp_path, tmp_path / "out.json")
    assert (code, "1 of 1 objects kept" in text, "not read: notes.json" in text) == (0, True, True), text
    assert "2 files whose names begin with a dot" in text
    assert json.loads((tmp_path / "out.json").read_text())["images"][0]["file_name"] == "images/a.png"


def test_several_exports_archives_and_masks_are_refused_by_name(tmp_path: Path) -> None:
    for part in ("train", "valid"):
        (tmp_path / "parts" / part).mkdir(parents=True)
        coco(tmp_path / "parts" / part, IMAGES, [])
    for name in ("JPEGImages/a.png", "SegmentationClass/a.png"):
        picture(tmp_path / "masks" / name)
    (tmp_path / "masks" / "labelmap.txt").write_text("background:0,0,0::\n")
    with zipfile.ZipFile(tmp_path / "cvat.zip", "w") as archive:
        archive.writestr("annotations.xml", "<annotations/>")
    (tmp_path / "cvat.zip").rename(tmp_path / "cvat.xml")
    for name, message in (
        ("parts", "train/coco.json, valid/coco.json"),
        ("masks", "holds 2 images and no annotation files"),
        ("cvat.xml", "unpack it"),
    ):
        with pytest.raises(AnnotationError, match=message):
            read_annotations(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.json",
            '[{"image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5], "score": 0.9}]',
            "detections without images",
        ),
        ("a.txt", "1,1,10,20,20,40,1,1,1.0\n", "unknown kind of file"),
        ("a.xml", "<TrackMate/>", "of no known tool"),
        ("a.geojson", "{}", "unknown kind of file"),
    ],
)
def test_files_of_other_tools_are_refused_with_what_is_read(
    name: str, content: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(AnnotationError, match=message):
        read_annotations(tmp_path / name)


@pytest.mark.parametrize(("wanted", "x"), [("tip", 30), ("Base", 50), ("end", None)])
def test_of_several_key_points_one_is_read_by_its_name(wanted: str, x: float | None, tmp_path: Path) -> None:
    file = coco(tmp_path, IMAGES, [{"image_id": 1, "keypoints": [50, 9, 2, 30, 8, 1]}], ("needle",))
    content = json.loads(file.read_text())
    content["categories"][0]["keypoints"] = ["base", "tip"]
    file.write_text(json.dumps(content))
    dataset, report = read_annotations(file, keypoint=wanted)
    assert [each.keypoints[0] for each in dataset.annotations] == ([x] if x else [])
    assert (len(report.changed), len(report.skipped)) == ((1, 0) if x else (0, 1))


def test_labelmes_xml_is_read_with_its_outlines_boxes_and_deletions(tmp_path: Path) -> None:
    def drawn(*points: tuple[int, int], more: str = "") -> str:
        corners = "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in points)
        return f"<object><name>sperm</name>{more}<polygon><username>ada</username>{corners}</polygon></object>"

    box = ((1, 2), (11, 2), (11, 22), (1, 22))
    size = "<imagesize><nrows>80</nrows><ncols>100</ncols></imagesize>"
    objects = [
        drawn((10, 20), (30, 20), (30, 60)),
        drawn(*box, more="<type>bounding_box</type>"),
        drawn(*box, more="<deleted>1</deleted>"),
        "<object><name>sperm</name><segm><mask>a.png</mask></segm></object>",
    ]
    (tmp_path / "a.xml").write_text(f"<annotation><filename>a.png</filename>{size}{''.join(objects)}</annotation>")
    dataset, report = read_annotations(tmp_path)
    assert [(each.bbox, each.annotator) for each in dataset.annotations] == [
        ([10, 20, 20, 40], "ada"),
        ([1, 2, 10, 20], "ada"),
    ]
    assert dataset.annotations[0].segmentation == [[10, 20, 30, 20, 30, 60]]
    assert dict(report.skipped) == {"deleted in the tool": 1, "mask in a file of its own; export polygons": 1}


@pytest.mark.parametrize("format", ["cvat", "label-studio", "via-json", "via-csv"])
def test_every_tool_s_export_is_found_in_its_folder(format: str, tmp_path: Path) -> None:
    file = exports.write(format, tmp_path / "export")
    for name in ("a.png", "b.png"):
        picture(tmp_path / "export" / "images" / name)
    dataset, report = read_annotations(tmp_path / "export")
    assert (report.format, report.source, len(dataset.annotations)) == (format, file, 3)
    assert not noted(report, "are not in")
