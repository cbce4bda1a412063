import errno
import json
import os
import subprocess
import sys
import time

import av
import cv2
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from icsilib.cli import app
from icsilib.data.annotations import Image, read_coco
from icsilib.data.preprocess import Preprocess
from icsilib.data.structures import NEEDLE
from icsilib.data.video import read_frames, stated_timing, write_mp4
from icsilib.segmentation import settings
from icsilib.segmentation.frames import load_frames
from icsilib.segmentation.records import Journal
from icsilib.study.provenance import read_results

from .drawn import write_drawn_dataset
from .test_train import TINY

SMALL = TINY.with_(epochs=2)


def run(*words):
    return CliRunner().invoke(app, ["segment", *map(str, words)])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A drawn data set, and a model trained on it through the command line."""
    folder = tmp_path_factory.mktemp("cli")
    write_drawn_dataset(folder, videos=5, frames=3, size=32).rename(folder / "annotations.json")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(settings.PROFILES, "quick", SMALL)
        result = run("train", folder, "--out", folder / "run", "--device", "cpu")
    assert result.exit_code == 0, result.output
    return folder


def test_training_names_its_weights(trained):
    assert (trained / "run" / "weights.safetensors").exists()


def test_a_finished_run_of_other_labels_is_refused(trained, tmp_path):
    write_drawn_dataset(tmp_path, videos=5, frames=3, size=32, seed=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(settings.PROFILES, "quick", SMALL)
        refused = run("train", tmp_path / "a.json", "--out", trained / "run", "--device", "cpu")
        assert run("train", trained, "--out", trained / "run", "--device", "cpu").exit_code == 0
    assert refused.exit_code == 1
    assert "is of a run with other data" in refused.output


def test_a_trained_model_can_be_trained_on(trained, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(settings.PROFILES, "quick", SMALL)
        weights = trained / "run" / "weights.safetensors"
        result = run("train", trained, "--out", tmp_path, "--device", "cpu", "--start-from", weights)
    assert result.exit_code == 0, result.output
    first = [(folder / "log.csv").read_text().splitlines()[1].split(",")[2] for folder in (trained / "run", tmp_path)]
    assert float(first[1]) < float(first[0])


def test_evaluation_prints_and_writes_scores(trained, tmp_path):
    weights = trained / "run" / "weights.safetensors"
    files = ("--table", tmp_path / "t.csv", "--results", tmp_path / "r.json")
    result = run("evaluate", trained, "--weights", weights, *files, "--origin", "drawn")
    assert result.exit_code == 0, result.output
    assert "3 frames, 1 videos, 0 without oolemma, 1 without pipette, 1 without tip" in result.output
    assert len((tmp_path / "t.csv").read_text().splitlines()) == 4
    values = read_results(tmp_path / "r.json").values
    assert values["tip.mean"].n == 2
    assert values["pipette.iou.left_out"].value == 1
    assert {"oolemma.iou.mean", "oolemma.iou.sd", "iou.mean", "tip.sd", "inference.ms"} <= set(values)


def test_frames_without_a_tip_are_evaluated(trained, tmp_path):
    content = json.loads((trained / "annotations.json").read_text())
    content["annotations"] = [label for label in content["annotations"] if label["category_id"] != NEEDLE.id]
    (trained / "tipless.json").write_text(json.dumps(content))
    weights, files = trained / "run" / "weights.safetensors", ("--results", tmp_path / "r.json", "--origin", "drawn")
    result = run("evaluate", trained / "tipless.json", "--weights", weights, *files)
    assert result.exit_code == 0, result.output
    assert "tip, px       no frame has one" in result.output
    assert "(no interval: too few videos)" in result.output
    assert read_results(tmp_path / "r.json").values["tip.mean"].n == 0


def test_a_second_look_is_trained_and_evaluated(trained, tmp_path):
    weights, closeups = trained / "run" / "weights.safetensors", tmp_path / "weights.safetensors"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(settings.PROFILES, "closeup", SMALL.with_(closeups=True, epochs=1))
        result = run("train", trained, "--profile", "closeup", "--out", tmp_path, "--device", "cpu")
    assert result.exit_code == 0, result.output
    once = run("evaluate", trained, "--weights", weights)
    with pytest.MonkeyPatch.context() as patch:  # drawn frames are coarser than any outline that counts
        patch.setattr("icsilib.segmentation.second_look.joining.FINE", 0.1)
        look_again = ("--closeups", closeups, "--results", tmp_path / "r.json", "--origin", "drawn")
        twice = run("evaluate", trained, "--weights", weights, *look_again)
    assert twice.exit_code == 0, twice.output
    first, both = ([line for line in each.output.splitlines() if "IoU" in line] for each in (once, twice))
    assert first[0] != both[0]
    assert first[1] == both[1]  # the pipette's outline is the first look's
    written = read_results(tmp_path / "r.json")
    assert {"training", "second_look"} <= set(written.parameters)
    assert {"inference.ms", "two_looks.closeup.ms", "two_looks.tip.mean"} <= set(written.values)
    assert "tip.mean" not in written.values  # without a prefix it would be the paper's method
    refused = run("evaluate", trained, "--weights", weights, "--closeups", weights)
    assert refused.exit_code == 1
    assert "was trained on whole frames" in refused.output
    refused = run("evaluate", trained, "--weights", closeups)
    assert refused.exit_code == 1
    assert "was trained on close-ups" in refused.output
    refused = run("evaluate", trained, "--weights", weights, "--closeups", closeups, "--once")
    assert refused.exit_code == 1
    assert "leave out one of the two" in refused.output


def test_images_and_videos_are_segmented_and_what_is_neither_is_counted(trained, tmp_path):
    rng = np.random.default_rng(0)
    cv2.imwrite(str(tmp_path / "a.png"), rng.integers(0, 255, (48, 64), dtype=np.uint8))
    write_mp4([rng.integers(0, 255, (32, 32), dtype=np.uint8) for _ in range(7)], tmp_path / "v.mp4")
    (tmp_path / "b.png").write_text("text")
    files = [tmp_path / name for name in ("a.png", "b.png", "v.mp4")]
    result = run("predict", *files, "--out", tmp_path / "out", "--weights", trained / "run" / "weights.safetensors")
    assert result.exit_code == 1
    assert "1 of 3 files could not be read whole" in result.output
    predicted = read_coco(tmp_path / "out" / "predictions.json")
    assert [image.frame_index for image in predicted.images] == [None, 0, 3, 6]
    assert predicted.images[3].model_dump()["picture"] == "pictures/v.mp4/v_000006.png"
    assert all((tmp_path / "out" / image.model_dump()["picture"]).exists() for image in predicted.images)
    table = pd.read_csv(tmp_path / "out" / "frames.csv")
    assert table["file"].tolist() == ["../a.png", *["v.mp4"] * 3]
    assert table["seconds"].tolist()[1:] == [0.0, 0.2, 0.4]  # of 15 frames/s
    assert table["tip_confidence"].between(0, 1).all()
    labelled = [frame for _, frame in read_frames(tmp_path / "out" / "videos" / "v.mp4", grey=False)]
    assert [frame.shape for frame in labelled] == [(32, 32, 3)] * 3
    assert stated_timing(tmp_path / "out" / "videos" / "v.mp4") == (5, 3)


def test_a_labelled_video_of_odd_sides_and_lengths_in_micrometres(trained, tmp_path):
    with av.open(str(tmp_path / "v.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 33, 35, "gray"
        for level in (60, 90):
            frame = av.VideoFrame.from_ndarray(np.full((35, 33), level, np.uint8), format="gray")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    words = ("--every", 1, "--confidence", 0, "--um-per-px", 0.5, "--weights", trained / "run" / "weights.safetensors")
    result = run("predict", tmp_path / "v.mkv", "--out", tmp_path / "out", *words)
    assert result.exit_code == 0, result.output
    labelled = [frame for _, frame in read_frames(tmp_path / "out" / "videos" / "v.mkv.mp4", grey=False)]
    assert [frame.shape for frame in labelled] == [(36, 34, 3)] * 2
    table = pd.read_csv(tmp_path / "out" / "frames.csv")
    np.testing.assert_allclose(table["tip_x_um"], table["tip_x_px"] / 2, atol=0.01)


def test_predictions_name_what_was_seen_not_its_picture(trained, tmp_path):
    """Two videos of one name stay two, and frames are loaded as they were, without the answer painted in."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (48, 64), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), image)
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        write_mp4([image[:32, :32]] * 2, tmp_path / folder / "v.mp4")
    files = [tmp_path / name for name in ("a.png", "one/v.mp4", "two/v.mp4")]
    result = run("predict", *files, "--out", tmp_path / "out", "--weights", trained / "run" / "weights.safetensors")
    assert result.exit_code == 0, result.output
    frames = load_frames(tmp_path / "out" / "predictions.json", Preprocess(64, clip_limit=None))
    assert [record.file_name for record in frames.records][:2] == ["../a.png", "frames/one/v.mp4/v_000000.png"]
    assert [record.video_id for record in frames.records] == [None, "one/v.mp4", "two/v.mp4"]
    np.testing.assert_array_equal(frames.images[0, 8:56], image)


def test_photographs_are_not_replaced_by_pictures(trained, tmp_path):
    (tmp_path / "pictures").mkdir()
    image, weights = tmp_path / "pictures" / "a.png", trained / "run" / "weights.safetensors"
    cv2.imwrite(str(image), np.full((32, 32), 90, np.uint8))
    content = image.read_bytes()
    refused = run("predict", image, "--out", tmp_path, "--weights", weights)
    assert refused.exit_code == 1
    assert f"{image}: would be replaced" in refused.output
    (tmp_path / "a.png").write_bytes(content)
    refused = run("predict", tmp_path / "a.png", "--out", tmp_path, "--weights", weights)  # not asked about, but there
    assert refused.exit_code == 1
    assert image.read_bytes() == content
    assert not (tmp_path / "predictions.json").exists()
    image.unlink()
    for _ in range(2):  # pictures of an earlier call are replaced
        assert run("predict", tmp_path / "a.png", "--out", tmp_path, "--weights", weights).exit_code == 0
    assert (tmp_path / "a.png").read_bytes() == content


def outputs(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_killed_prediction_goes_on_and_ends_as_one_that_was_not(trained, tmp_path):
    rng = np.random.default_rng(0)
    cv2.imwrite(str(tmp_path / "a.png"), rng.integers(0, 255, (48, 64), dtype=np.uint8))
    write_mp4((rng.integers(0, 255, (32, 32), dtype=np.uint8) for _ in range(300)), tmp_path / "v.mp4")
    weights, files = trained / "run" / "weights.safetensors", (tmp_path / "a.png", tmp_path / "v.mp4")
    words = ["segment", "predict", *files, "--every", 1, "--weights", weights, "--out"]
    start = [sys.executable, "-c", "from icsilib.cli import app; app()", *map(str, words)]
    for frames in rng.choice(np.arange(20, 280), 3, replace=False).tolist():
        with subprocess.Popen([*start, tmp_path / "killed"], stdout=subprocess.DEVNULL) as process:
            wait_for(
                lambda count=frames: len(list((tmp_path / "killed" / "pictures").rglob("*.png"))) >= count, process
            )
            process.kill()
        assert (tmp_path / "killed" / "predictions.jsonl").exists()
        assert not (tmp_path / "killed" / "predictions.json").exists()
    (tmp_path / "killed" / "pictures" / ".partial-x.png").write_bytes(b"left behind")
    for folder in ("killed", "whole"):
        result = run(*words[1:], tmp_path / folder)
        assert result.exit_code == 0, result.output
    killed, whole = (outputs(tmp_path / folder) for folder in ("killed", "whole"))
    assert len(whole) == 3 + 1 + 300 + 300  # labels, table, labelled video; pictures and frames
    assert killed == whole


def wait_for(condition, process, seconds=120):
    end = time.monotonic() + seconds
    while not condition() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.005)


def test_only_the_same_command_goes_on(tmp_path):
    """A journal of other options is begun again, and a line that was cut short is dropped."""
    image = Image(id=1, file_name="a.png", width=4, height=4).model_copy(update={"picture": "pictures/a.png"})
    journal = Journal(tmp_path / "j.jsonl", {"every": 3})
    journal.add(image, [])
    with (tmp_path / "j.jsonl").open("a") as file:
        file.write('{"image": {"id": 2, "fi')
    assert Journal(tmp_path / "j.jsonl", {"every": 3}).known("pictures/a.png") == (image, [])
    assert (tmp_path / "j.jsonl").read_text().count("\n") == 2
    assert Journal(tmp_path / "j.jsonl", {"every": 1}).known("pictures/a.png") is None


@pytest.mark.parametrize("written", [1, 4, 9, 15, 20])
def test_a_full_disk_ends_a_prediction_with_one_line_and_whole_files(trained, tmp_path, monkeypatch, written):
    """The disk takes so many files; then the command is run again with room."""
    write_mp4((np.full((32, 32), 20 * k, np.uint8) for k in range(10)), tmp_path / "v.mp4")
    words = ("predict", tmp_path / "v.mp4", "--every", 1, "--weights", trained / "run" / "weights.safetensors", "--out")
    assert run(*words, tmp_path / "whole").exit_code == 0
    with monkeypatch.context() as patch:
        left = iter(range(written))
        replace = os.replace

        def full(source, target):
            if next(left, None) is None:
                raise OSError(errno.ENOSPC, "No space left on device", str(target))
            replace(source, target)

        patch.setattr("os.replace", full)
        result = run(*words, tmp_path / "out")
    assert result.exit_code == 1
    assert "No space left on device" in result.output.splitlines()[-1]
    assert "Traceback" not in result.output
    whole = outputs(tmp_path / "whole")
    assert all(whole[name] == content for name, content in outputs(tmp_path / "out").items() if name.suffix != ".jsonl")
    assert run(*words, tmp_path / "out").exit_code == 0
    assert outputs(tmp_path / "out") == whole


def test_a_damaged_video_does_not_lose_those_after_it(trained, tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (12, 64, 64), dtype=np.uint8)
    for name in ("a.mp4", "b.mp4"):
        write_mp4(noise, tmp_path / name)
    content = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(content[: len(content) * 2 // 3])
    weights = trained / "run" / "weights.safetensors"
    files = (tmp_path / "a.mp4", tmp_path / "b.mp4")
    result = run("predict", *files, "--out", tmp_path / "out", "--weights", weights)
    assert result.exit_code == 1
    assert "Warning: " in result.output
    assert "a.mp4: is damaged or cut short" in result.output
    videos = [image.video_id for image in read_coco(tmp_path / "out" / "predictions.json").images]
    assert (videos.count("b.mp4"), 0 < videos.count("a.mp4") < 5) == (4, True)
    frames = CliRunner().invoke(app, ["data", "frames", *map(str, files), "--out", str(tmp_path / "frames")])
    assert frames.exit_code == 1
    assert "1 of 2 videos could not be read whole" in frames.output
    assert len(list((tmp_path / "frames" / "b").iterdir())) == 4


def test_a_video_is_segmented_beside_itself(trained, tmp_path):
    write_mp4([np.full((32, 32), 90, np.uint8)], tmp_path / "v.mp4")
    weights = trained / "run" / "weights.safetensors"
    result = run("predict", tmp_path / "v.mp4", "--out", tmp_path, "--weights", weights)
    assert result.exit_code == 0, result.output
    (tmp_path / "frames" / "w.mp4").write_bytes((tmp_path / "v.mp4").read_bytes())
    result = run("predict", tmp_path / "frames" / "w.mp4", "--out", tmp_path, "--weights", weights)
    assert "w.mp4: would be replaced" in result.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("train", "{data}", "--out", "{out}", "--profile", "fast"), "profile 'fast': choose paper"),
        (("evaluate", "{data}", "--weights", "{data}/run"), "run: is a folder; name the file in it"),
        (("train", "{data}", "--out", "{out}", "--start-from", "none.safetensors"), "none.safetensors: no such file"),
        (("evaluate", "{data}", "--part", "half"), "part 'half': choose train"),
        (("evaluate", "{data}", "--results", "{out}/r.json"), "say with --origin what the frames are"),
        (("evaluate", "{data}", "--weights", "none.safetensors"), "none.safetensors: no such file"),
        (("benchmark", "--profile", "quick", "--engine", "tpu"), "engine 'tpu': choose torch or openvino"),
    ],
)
def test_mistakes_get_one_line(trained, tmp_path, words, message):
    result = run(*(word.format(data=trained, out=tmp_path) for word in words))
    assert result.exit_code == 1
    assert message in result.output
    assert "Traceback" not in result.output


def test_benchmark_of_a_profile():
    result = run("benchmark", "--profile", "quick", "--frames", "2")
    assert f"first look, torch, {settings.PROFILES['quick'].size} px, batch 1" in result.output
    assert "second look" not in result.output


def test_benchmark_times_both_looks_of_the_shipped_model():
    first, second = run("benchmark", "--frames", "1").output.splitlines()
    assert f"first look, torch, {settings.PROFILES['standard'].size} px, batch 1" in first
    assert f"second look, torch, {settings.PROFILES['closeup'].size} px, batch 1" in second
    assert "ms a close-up" in second
