"""Images that lost objects, frames of videos, and what no person drew: nothing of these becomes a label by itself."""

from pathlib import Path

import pytest
from test_export_faults import coco, icsi, noted, picture

from icsilib.data.annotations import AnnotationError, Dataset, Image, read_coco
from icsilib.labels import read_annotations
from icsilib.labels.own import grouped_by_folder

META = """<meta><task><id>3</id><name>t</name><mode>interpolation</mode><start_frame>0</start_frame>
<stop_frame>6</stop_frame><frame_filter>step=3</frame_filter><original_size><width>100</width><height>80</height>
</original_size><source>C:\\films\\op1.mp4</source></task></meta>"""
TRACK = """<track id="0" label="needle"><points frame="0" keyframe="1" outside="0" points="50.5,40.5"/>
<points frame="3" keyframe="0" outside="0" points="53.5,40.5"/>
<points frame="6" keyframe="1" outside="1" points="1,1"/></track>"""
FRAMES = """<image id="0" name="frame_000000" width="100" height="80">
<points label="needle" points="50.5,40.5"/></image>
<image id="3" name="frame_000003.png" width="100" height="80">
<points label="needle" points="53.5,40.5"/></image>"""
NOTHING, SLIVER = {"image_id": 1, "bbox": [1, 1, 0, 0]}, {"image_id": 2, "bbox": [1, 1, 0, 0]}


def cvat(folder: Path, content: str) -> Path:
    """A CVAT export of a video, with the product's own frames of it in `frames/op1`."""
    for number in (0, 3, 6):
        picture(folder / "frames" / "op1" / f"op1_{number:06d}.png")
    (folder / "a.xml").write_text(f"<annotations>{META}{content}</annotations>")
    return folder / "a.xml"


def test_an_image_that_lost_all_its_objects_is_no_negative_and_one_that_lost_some_is_named(tmp_path: Path) -> None:
    images = [{"id": number, "file_name": f"{number}.png"} for number in (1, 2)]
    dataset, report = read_annotations(coco(tmp_path, images, [NOTHING, SLIVER, SLIVER, {"image_id": 2}]))
    assert [image.file_name for image in dataset.images] == ["2.png"]
    assert report.skipped_images == {"all its objects were skipped": 1}
    assert noted(report, "1 images lost some of their objects")
    assert noted(report, "2.png lost 2 of its 3 objects")


def test_a_file_of_which_no_object_is_kept_ends_with_an_error_and_writes_nothing(tmp_path: Path) -> None:
    images = [{"id": number, "file_name": f"{number}.png"} for number in (1, 2)]
    code, text = icsi("data", "convert", coco(tmp_path, images, [NOTHING]), tmp_path / "out.json")
    assert (code, "no object of it can be used" in text, (tmp_path / "out.json").exists()) == (1, True, False)


@pytest.mark.parametrize("content", [TRACK, FRAMES])
def test_labels_drawn_on_a_video_meet_the_frames_cut_from_it(tmp_path: Path, content: str) -> None:
    dataset, report = read_annotations(cvat(tmp_path, content), images=tmp_path / "frames")
    names = {image.id: image.file_name for image in dataset.images}
    tips = {names[each.image_id]: each.keypoints[0] for each in dataset.annotations}
    assert tips == {"op1/op1_000000.png": 50.5, "op1/op1_000003.png": 53.5}
    assert [image.frame_index for image in dataset.images][:2] == [0, 3]
    assert not noted(report, "are not in")


def test_points_that_nobody_drew_count_apart_and_can_be_left_out(tmp_path: Path) -> None:
    file = cvat(tmp_path, TRACK)
    assert noted(read_annotations(file, images=tmp_path / "frames")[1], "1 objects were interpolated by the tool")
    code, text = icsi("data", "convert", file, tmp_path / "out.json", "--images", tmp_path / "frames", "--drawn-only")
    assert code == 0, text
    assert [image.file_name for image in read_coco(tmp_path / "out.json").images] == [
        "frames/op1/op1_000000.png",
        "frames/op1/op1_000006.png",
    ]


def test_an_export_that_cannot_say_who_drew_says_so(tmp_path: Path) -> None:
    _, report = read_annotations(cvat(tmp_path, FRAMES), images=tmp_path / "frames")
    assert noted(report, "2 objects are of a video, and the file does not say which were interpolated")
    _, report = read_annotations(cvat(tmp_path, FRAMES), images=tmp_path / "frames", drawn_only=True)
    assert report.skipped == {"perhaps interpolated: left out on request": 2}


def named(*files: str) -> Dataset:
    images = [Image(id=id, file_name=name, width=4, height=4) for id, name in enumerate(files)]
    return Dataset(images=images, annotations=[], categories=[])


def test_the_folder_that_names_a_video_is_not_one_that_says_how_the_set_is_stored() -> None:
    files = ("Train/11/images/a.png", "Train/12/Images/train/b.png", "Train/11/labels/c.png")
    assert [image.video_id for image in grouped_by_folder(named(*files), "video_id").images] == ["11", "12", "11"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["images/a.png"], "lies in no folder"),
        (["a.png"], "lies in no folder"),
        (["Train/11/images/a.png", "Test/11/images/a.png"], "Train/11 and Test/11: two folders are called 11"),
    ],
)
def test_folders_that_cannot_name_a_video_are_refused(files: list[str], message: str) -> None:
    with pytest.raises(AnnotationError, match=message):
        grouped_by_folder(named(*files), "video_id")


def test_a_split_that_would_leave_a_part_empty_is_refused(tmp_path: Path) -> None:
    for video in ("p0", "p1"):
        picture(tmp_path / video / f"{video}.png")
    images = [{"id": id, "file_name": f"p{id}/p{id}.png", "video_id": f"p{id}"} for id in (0, 1)]
    file = coco(tmp_path, images, [])
    code, text = icsi("data", "split", file)
    assert (code, "would be empty" in text, (tmp_path / "split.json").exists()) == (1, True, False), text
    assert icsi("data", "split", file, "--share", 0.5, 0, 0.5)[0] == 0
