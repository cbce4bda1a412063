"""A user's recordings and labels, with the faults that exports have, end in the study's layout."""

import json

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from icsilib.cli import app
from icsilib.data.annotations import AnnotationError, Dataset, Image, read_coco
from icsilib.data.images import read_grey, read_rgb
from icsilib.data.video import write_mp4
from icsilib.labels.own import grouped_by_folder, with_names_from

CVAT = """<annotations><version>1.1</version>{}</annotations>"""
FRAME = """<image id="{n}" name="{name}" width="64" height="48">
<polygon label="Oolemma" points="10,10;30,10;30,30;10,30"/><points label="Tip" points="40,20"/></image>"""


def run(*words):
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, result.output


def test_from_videos_and_a_cvat_export_to_a_split(tmp_path):
    mine = tmp_path / "mine"
    videos = [tmp_path / f"p{n}.mp4" for n in range(3)]
    for video in videos:
        write_mp4((np.full((48, 64), 40 * k, np.uint8) for k in range(4)), video)
    assert run("data", "frames", *videos, "--out", mine / "frames")[0] == 0
    names = sorted(path.relative_to(mine / "frames").as_posix() for path in mine.rglob("*.png"))
    assert names == [f"p{n}/p{n}_00000{k}.png" for n in range(3) for k in (0, 3)]
    frames = "".join(FRAME.format(n=n, name=name) for n, name in enumerate(names))
    (tmp_path / "cvat.xml").write_text(CVAT.format(frames))
    words = ("--images", mine / "frames", "--label", "tip=needle", "--folder-is", "video_id")
    code, text = run("data", "convert", tmp_path / "cvat.xml", mine / "annotations.json", *words)
    assert (code, "12 of 12 objects kept" in text) == (0, True), text
    dataset = read_coco(mine / "annotations.json")
    assert {image.video_id for image in dataset.images} == {"p0", "p1", "p2"}
    assert all((mine / image.file_name).is_file() for image in dataset.images)
    assert {category.name for category in dataset.categories} == {"oolemma", "needle"}
    assert run("data", "split", mine / "annotations.json", "--share", 1, 1, 1)[0] == 0
    split = json.loads((mine / "split.json").read_text())
    assert sorted(split["train"] + split["validation"] + split["test"]) == ["p0", "p1", "p2"]


def test_a_split_without_groups_names_the_remedy(tmp_path):
    image = {"id": 1, "file_name": "a.png", "width": 4, "height": 4}
    content = {"images": [image], "annotations": [], "categories": []}
    (tmp_path / "a.json").write_text(json.dumps(content))
    code, text = run("data", "split", tmp_path / "a.json")
    assert (code, "--folder-is video_id" in text) == (1, True)


def test_images_outside_the_folder_of_the_annotations_are_refused(tmp_path):
    dataset = Dataset(images=[Image(id=1, file_name="a.png", width=4, height=4)], annotations=[], categories=[])
    assert with_names_from(dataset, tmp_path / "b" / "c", tmp_path / "b").images[0].file_name == "c/a.png"
    with pytest.raises(AnnotationError, match="is not below"):
        with_names_from(dataset, tmp_path / "b", tmp_path / "c")
    with pytest.raises(AnnotationError, match="lies in no folder"):
        grouped_by_folder(dataset, "patient_id")


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_deep_images_keep_their_grey_levels(tmp_path, bits):
    levels = np.tile(np.arange(256, dtype=np.uint16), (4, 1))
    deep = (levels << (bits - 8)).astype(np.uint8 if bits == 8 else np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), deep)
    np.testing.assert_array_equal(read_grey(tmp_path / "a.png"), levels)


def test_deep_colours_keep_their_levels(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((2, 2, 3), (0, 64, 4095), np.uint16))
    assert read_rgb(tmp_path / "a.png")[0, 0].tolist() == [255, 4, 0]


@pytest.mark.parametrize("read", [read_grey, read_rgb])
def test_what_is_no_image_is_named(tmp_path, read):
    (tmp_path / "a.png").write_text("text")
    cv2.imwrite(str(tmp_path / "f.tif"), np.zeros((2, 2), np.float32))
    for name, what in {
        "a.png": "a.png: no image",
        "b.png": "b.png: no such file",
        "f.tif": "float32|no image",
        "": "is a folder",
    }.items():
        with pytest.raises(AnnotationError, match=what):
            read(tmp_path / name)


def test_a_jpeg_that_ends_early_is_refused(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (60, 80), dtype=np.uint8)
    data = cv2.imencode(".jpg", noise)[1].tobytes()
    thumbnail = b"\xff\xe1" + (2 + len(data)).to_bytes(2, "big") + data  # a picture within the metadata
    contents = {
        "whole": data,
        "with_thumbnail": data[:2] + thumbnail + data[2:],
        "with_film": data + b"\xff\xda of another format",
        "cut": data[:-99],
        "no_end": data[:-2],
        "cut_with_thumbnail": data[:2] + thumbnail + data[2:-99],
    }
    for name, content in contents.items():
        (tmp_path / f"{name}.jpg").write_bytes(content)
    for name in ("with_thumbnail", "with_film"):
        assert (read_grey(tmp_path / "whole.jpg") == read_grey(tmp_path / f"{name}.jpg")).all()
    for name in ("cut", "no_end", "cut_with_thumbnail"):
        with pytest.raises(AnnotationError, match=f"{name}.jpg: ends before its last pixel"):
            read_grey(tmp_path / f"{name}.jpg")


def test_a_renamed_or_moved_image_is_found_by_its_name_and_two_are_not_confused(tmp_path):
    for name in ("x/a.png", "x/b.png", "y/b.png"):
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / "images" / name), np.zeros((5, 7), np.uint8))
    region = {"shape_attributes": {"name": "rect", "x": 1, "y": 1, "width": 2, "height": 2}, "region_attributes": {}}
    cv2.imwrite(str(tmp_path / "images" / "y" / "c d.png"), np.zeros((5, 7), np.uint8))
    names = ("C:\\ada\\A.png", "/home/ada/b.png", "0123abcd-c%20d.png")
    export = {n: {"filename": n, "size": -1, "regions": [region], "file_attributes": {}} for n in names}
    (tmp_path / "via.json").write_text(json.dumps(export))
    words = ("--images", tmp_path / "images", "--default-label", "sperm")
    code, text = run("data", "convert", tmp_path / "via.json", tmp_path / "out.json", *words)
    assert code == 0, text
    assert [image.file_name for image in read_coco(tmp_path / "out.json").images] == [
        "images/x/a.png",
        "images/y/c d.png",
    ]
    assert "1 images skipped: path of another computer, and several images of its name" in text
