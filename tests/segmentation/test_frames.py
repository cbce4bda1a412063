import json

import numpy as np
import pytest
import torch

from icsilib.data.annotations import AnnotationError
from icsilib.data.preprocess import Preprocess
from icsilib.segmentation.frames import TrainingFrames, coverage, describe, load_frames, network_input

from .drawn import write_drawn_dataset


@pytest.fixture
def annotations(tmp_path):
    return write_drawn_dataset(tmp_path, videos=4, frames=3, size=64)


def test_parts_of_the_split_and_their_counts(annotations):
    frames = {part: load_frames(annotations, Preprocess(32), part) for part in ("train", "validation", "test")}
    assert [len(each) for each in frames.values()] == [6, 3, 3]
    assert {record.video_id for record in frames["train"].records} == {"v0", "v1"}
    assert describe(frames["train"]) == {
        "frames": 6,
        "videos": 2,
        "without oolemma": 0,
        "without pipette": 2,
        "without tip": 2,
    }


def test_truth_scales_with_the_square(annotations):
    at_64, at_32 = load_frames(annotations, Preprocess(64)), load_frames(annotations, Preprocess(32))
    np.testing.assert_allclose(at_32.tips * 2, at_64.tips)
    np.testing.assert_allclose(at_32.um_per_px, 1.0)  # 0.5 µm/px at 64 px
    assert at_64.truth_at(0, 512).shape == (2, 512, 512)
    np.testing.assert_array_equal(at_64.truth_at(0, 512), at_32.truth_at(0, 512))
    # A disc of radius 0.2 · 64 px, drawn as a polygon of 60 corners.
    area = at_64.masks[0, 0].sum() / 255
    assert area == pytest.approx(30 * (0.2 * 64) ** 2 * np.sin(2 * np.pi / 60), rel=0.01)


def test_coverage_of_half_a_pixel():
    square = np.array([[1, 1], [2.5, 1], [2.5, 3], [1, 3]])
    assert (coverage([square], 4, finer=64)[1] == [0, 255, 128, 0]).all()


def test_samples_depend_on_seed_epoch_and_frame_alone(annotations):
    frames = load_frames(annotations, Preprocess(32))
    one, two = TrainingFrames(frames, ("rotation", "noise"), 0), TrainingFrames(frames, ("rotation", "noise"), 0)
    two[1, 2]  # drawing another first changes nothing
    torch.testing.assert_close(one[3, 1][0], two[3, 1][0], rtol=0, atol=0)
    assert any((one[3, n][0] != one[4, n][0]).any() for n in range(3))


def test_target_of_a_frame(annotations):
    frames = load_frames(annotations, Preprocess(64))
    image, target = TrainingFrames(frames, (), 0)[0, 0]
    assert image.shape == (1, 64, 64)
    assert target.masks.shape == (2, 64, 64)
    assert target.present
    np.testing.assert_allclose(target.tip, frames.tips[0] / 32 - 1, rtol=1e-5)
    assert not TrainingFrames(frames, (), 0)[0, 2][1].present


def test_network_input_has_about_zero_mean():
    assert network_input(torch.tensor([0, 255], dtype=torch.uint8)).tolist() == [-2, 2]


def test_a_missing_frame_is_named_with_its_record(annotations):
    (annotations.parent / "frames/v1/0.png").unlink()
    with pytest.raises(AnnotationError, match=r"v1/0\.png: no such file; check its path"):
        load_frames(annotations, Preprocess(32))


def test_a_frame_of_another_size_is_refused(annotations):
    content = json.loads(annotations.read_text())
    content["images"][0]["width"] = 80
    annotations.write_text(json.dumps(content))
    with pytest.raises(AnnotationError, match="is 64×64 px, its record says 80×64; correct image 1"):
        load_frames(annotations, Preprocess(32))


def test_labels_of_several_people_need_a_choice(annotations):
    content = json.loads(annotations.read_text())
    content["annotations"][0]["annotator"] = "E1"
    annotations.write_text(json.dumps(content))
    with pytest.raises(AnnotationError, match="image 1 has labels of several annotators or rounds; name one"):
        load_frames(annotations, Preprocess(32))
    assert load_frames(annotations, Preprocess(32), annotator="E1").outlines[0][1] == []


@pytest.mark.parametrize(("names", "wrong"), [(("suction_pipette", "oolemma"), 1), (("oolemma", "zona"), 2)])
def test_categories_numbered_otherwise_are_refused(annotations, names, wrong):
    content = json.loads(annotations.read_text())
    for category, name in zip(content["categories"], names, strict=False):
        category["name"] = name
    annotations.write_text(json.dumps(content))
    with pytest.raises(AnnotationError, match=f"category {wrong} is '.*1 oolemma, 2 suction_.*icsi data convert"):
        load_frames(annotations, Preprocess(32))


def test_categories_beside_the_studys_are_no_matter(annotations):
    content = json.loads(annotations.read_text())
    content["categories"].append({"id": 9, "name": "zona"})
    annotations.write_text(json.dumps(content))
    assert len(load_frames(annotations, Preprocess(32))) == 12
