"""The ICSI phantom on disk: records are the renderer's truth, split and frames as in paper A, killed and continued."""

import signal
import subprocess
import sys
import time

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from icsilib.cli import app
from icsilib.data.annotations import Dataset, Image, polygons_of, read_coco, tip_of
from icsilib.data.manifest import load_manifest
from icsilib.data.splits import PARTS, SplitError, read_split
from icsilib.data.structures import NEEDLE, OOLEMMA, SUCTION_PIPETTE
from icsilib.data.video import read_frames
from icsilib.phantoms.dataset import DatasetError, read_description, settings_of, verify_phantom_set
from icsilib.phantoms.icsi import IcsiRanges, procedure
from icsilib.phantoms.icsi_dataset import (
    ICSI_PROFILES,
    IcsiData,
    benchmark,
    bright_needles,
    icsi_set,
    split_videos,
    tip_contrasts,
    write_icsi_dataset,
)

SMALL = {"videos": 3, "seed": 5, "size": 64, "every": 40}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_icsi_dataset(tmp_path_factory.mktemp("icsi"), **SMALL, mp4=True, workers=1)


@pytest.fixture(scope="module")
def data(folder):
    return read_coco(folder / "annotations.json")


def test_every_nth_frame_of_every_video_is_there(folder, data):
    expected = [
        (f"icsi-{number:04d}", index)
        for number in range(3)
        for index in range(0, procedure(5, number, 64).n_frames, 40)
    ]
    assert [(image.video_id, image.frame_index) for image in data.images] == expected
    assert {path.stem for path in (folder / "frames").rglob("*.png")} == {f"{index:05d}" for _, index in expected}


def test_records_and_pixels_are_the_renderer_s(folder, data):
    image = data.images[5]
    video = procedure(5, int(image.video_id[-4:]), 64)
    frame = video.frame(image.frame_index)
    np.testing.assert_array_equal(cv2.imread(str(folder / image.file_name), cv2.IMREAD_GRAYSCALE), frame.image)
    assert (image.kit, image.operator, image.model_extra["phase"]) == (video.kit, video.operator, frame.phase)
    assert image.um_per_px == pytest.approx(video.um_per_px, abs=1e-6)
    labels = {item.category_id: item for item in data.annotations if item.image_id == image.id}
    np.testing.assert_allclose(polygons_of(labels[OOLEMMA.id])[0], frame.oolemma, atol=0.0051)
    assert (SUCTION_PIPETTE.id in labels) == (frame.pipette is not None)
    assert (NEEDLE.id in labels) == (frame.tip is not None)


def test_tips_lie_inside_their_frames_with_the_needle_s_direction(data):
    needles = [item for item in data.annotations if item.category_id == NEEDLE.id]
    assert len(needles) >= 3
    for needle in needles:
        assert ((tip_of(needle) > 0) & (tip_of(needle) < 64)).all()
        assert np.hypot(*needle.model_extra["tip_axis"]) == pytest.approx(1, abs=1e-3)


def test_contrasts_are_asked_of_the_generator_and_labelled_tips_stand_out(folder, data):
    contrasts = tip_contrasts(folder, [(str(image.video_id), int(image.frame_index)) for image in data.images])
    labelled = {item.image_id for item in data.annotations if item.category_id == NEEDLE.id}
    present = np.array([image.id in labelled for image in data.images])
    assert contrasts[present].min() > IcsiRanges().tip_contrast_to_texture
    assert (contrasts[~present] == 0).any()  # needle out of the frame
    image = data.images[5]
    frame = procedure(5, int(image.video_id[-4:]), 64).frame(image.frame_index)
    assert contrasts[5] == pytest.approx(frame.tip_contrast)


def test_bright_needles_are_those_whose_edges_outshine_the_field(folder, data):
    videos = [f"icsi-{k:04d}" for k in range(8)]  # a set's first videos and those that it would go on with
    edges = np.array([procedure(5, k, 64).look.needle_edge_level for k in range(8)])
    assert bright_needles(folder, videos).tolist() == (edges > 0).tolist()
    assert 0 < (edges > 0).sum() < 8


def test_the_video_holds_all_frames(folder):
    video = procedure(5, 1, 64)
    with av.open(str(folder / "videos/icsi-0001.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.frames, stream.average_rate, stream.width) == (video.n_frames, 15, 64)
    decoded = dict(read_frames(folder / "videos/icsi-0001.mp4", every=40))
    assert np.abs(decoded[40].astype(float) - video.frame(40).image).mean() < 8


def test_same_seed_same_bytes(folder, tmp_path):
    again = write_icsi_dataset(tmp_path / "again", **SMALL, mp4=True, workers=2)
    for name in ("annotations.json", "split.json", "dataset.json"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()
    assert verify_phantom_set(again) == {}


def test_the_labels_are_those_of_the_manifest(folder):
    about = read_description(folder)
    assert load_manifest().entry("icsi-phantom").digests[settings_of(about)] == about["annotations_sha256"]
    assert "labels are those of icsi-phantom" in icsi("verify", folder).output


def made_up(groups):
    """A data set of one frame a video; `groups` holds kit and operator of each."""
    images = [
        Image(id=k + 1, file_name=f"{k}.png", width=8, height=8, video_id=f"v{k}", kit=kit, operator=operator)
        for k, (kit, operator) in enumerate(groups)
    ]
    return Dataset(images=images, annotations=[], categories=[])


def test_the_published_split():
    split = split_videos(made_up([("k", "o")] * 156), seed=0)
    assert [len(getattr(split, part)) for part in PARTS] == [130, 3, 23]


def test_the_quick_split_has_every_part():
    split = split_videos(made_up([("k", "o")] * ICSI_PROFILES["quick"].videos), seed=0)
    assert min(len(getattr(split, part)) for part in PARTS) >= 1


@settings(max_examples=50)
@given(
    groups=st.lists(st.tuples(st.sampled_from("ABC"), st.sampled_from("1234")), min_size=3, max_size=60),
    seed=st.integers(0, 1000),
    leak=st.data(),
)
def test_no_video_is_in_two_parts_whatever_the_data(tmp_path_factory, groups, seed, leak):
    data = made_up(groups)
    path = tmp_path_factory.mktemp("split") / "split.json"
    split = split_videos(data, seed)
    path.write_text(split.model_dump_json())
    loaded = read_split(path, data)
    videos = [video for part in PARTS for video in getattr(loaded, part)]
    assert sorted(videos) == sorted({image.video_id for image in data.images})
    video = leak.draw(st.sampled_from(loaded.train))
    path.write_text(split.model_copy(update={"test": (*split.test, video)}).model_dump_json())
    with pytest.raises(SplitError, match=f"'{video}' is in train and in test"):
        read_split(path, data)


def test_the_digest_covers_every_module_that_renders():
    code = "import sys, icsilib.phantoms.icsi; print(*[m for m in sys.modules if m.startswith('icsilib.phantoms.')])"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    files = {name.removeprefix("icsilib.phantoms.").replace(".", "/") + ".py" for name in modules} - {"icsi.py"}
    assert files == set(icsi_set(IcsiData(), 0).sources)


@pytest.mark.parametrize(("bright", "sign"), [(1.0, 1), (0.0, -1)])
def test_needles_are_as_bright_as_asked_for(bright, sign):
    data = IcsiData(hard=0.5, bright=bright)
    assert {np.sign(procedure(3, k, 64, data.ranges()).look.needle_edge_level) for k in range(12)} == {sign}


def test_only_a_set_whose_needles_were_asked_for_names_them():
    assert "bright" not in icsi_set(IcsiData(), 0).parameters  # a set of before there was the choice is the same set
    assert icsi_set(IcsiData(bright=0.6), 0).parameters["bright"] == 0.6


def test_impossible_sizes_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="bright=2: is a share"):
        write_icsi_dataset(tmp_path, bright=2)
    with pytest.raises(DatasetError, match="videos=2: needs 3 or more"):
        write_icsi_dataset(tmp_path, videos=2)
    with pytest.raises(DatasetError, match="size=33"):
        write_icsi_dataset(tmp_path, size=33)


def test_the_benchmark_counts_what_it_rendered():
    speed = benchmark(size=64, videos=2, frames=4)
    assert speed.frames >= 8
    assert speed.fps == speed.frames / speed.core_seconds


def icsi(*words):
    return CliRunner().invoke(app, ["phantom", *map(str, words)])


def test_the_command_continues_and_verifies(folder, tmp_path):
    words = ["icsi", "--out", tmp_path / "set", "--videos", 3, "--seed", 5, "--size", 64, "--every", 40]
    assert icsi(*words).exit_code == 0
    assert (tmp_path / "set/annotations.json").exists()
    assert "bright" not in read_description(tmp_path / "set")["parameters"]  # the command's usual share is the ranges'
    assert icsi("verify", tmp_path / "set").exit_code == 0
    (tmp_path / "set/frames/icsi-0001/00040.png").unlink()
    broken = icsi("verify", tmp_path / "set")
    assert broken.exit_code == 1
    assert "00040.png: missing" in broken.output
    assert icsi(*words).exit_code == 0
    assert icsi("verify", tmp_path / "set").exit_code == 0


def test_the_command_s_errors_are_one_line(folder, tmp_path):
    other = icsi("icsi", "--out", folder, "--videos", 4)
    assert other.exit_code == 1
    assert other.output.strip().splitlines()[-1].endswith("or --force to replace it")
    (tmp_path / "file").write_text("")
    unwritable = icsi("icsi", "--out", tmp_path / "file/set", "--videos", 3)
    assert unwritable.exit_code == 1
    assert "Not a directory" in unwritable.output


def test_the_command_killed_leaves_no_broken_frame_and_continues(folder, tmp_path):
    words = ["phantom", "icsi", "--out", tmp_path / "set", "--videos", 3, "--seed", 5, "--size", 64, "--every", 3]
    command = [sys.executable, "-c", "from icsilib.cli import app; app()", *map(str, words)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + 60
    while len(list((tmp_path / "set").rglob("frames/*/[0-9]*.png"))) < 20 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)
    frames = list((tmp_path / "set").rglob("frames/*/[0-9]*.png"))
    assert len(frames) >= 20
    assert all(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).shape == (64, 64) for path in frames)
    write_icsi_dataset(tmp_path / "set", 3, 5, 64, 3)
    assert verify_phantom_set(tmp_path / "set") == {}
    assert not list((tmp_path / "set").rglob(".partial-*"))
