import csv
import multiprocessing
import shutil
import signal
import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from icsilib.files import sha256_of
from icsilib.segmentation import load
from icsilib.segmentation import train as training
from icsilib.segmentation.frames import load_frames
from icsilib.segmentation.second_look.closeups import training_closeups
from icsilib.segmentation.second_look.widening import widened
from icsilib.segmentation.segmenter import REFERENCE
from icsilib.segmentation.settings import PROFILES, SHIPPED, Settings
from icsilib.segmentation.settings import stages as profile_stages
from icsilib.segmentation.train import moving_average, read_log, train, train_stages
from icsilib.training.checkpoints import CheckpointError, load_checkpoint
from icsilib.training.runs import NonFiniteLossError, TimeUpError

from .drawn import write_drawn_dataset

TINY = Settings(
    "tiny", size=32, widths=(4, 8), batch_size=2, epochs=20, averaging=0.9, precision="32-true", learning_rate=3e-3
)
# A server that has imported torch once starts each process; forking pytest itself would copy its threads' locks.
PROCESSES = multiprocessing.get_context("forkserver")


def train_alone(annotations, out):
    """Train on drawn frames in a process of its own, saving at every step."""
    torch.set_num_threads(1)
    frames = [load_frames(annotations, TINY.preprocess, part) for part in ("train", "validation")]
    train(TINY.with_(epochs=10), *frames, out, device="cpu", progress=False, checkpoint_seconds=0)


def start(annotations, out):
    PROCESSES.set_forkserver_preload(["icsilib.segmentation.train"])
    process = PROCESSES.Process(target=train_alone, args=(annotations, out))
    process.start()
    return process


def finish(process):
    process.join(timeout=120)
    return process.exitcode


def wait_for(path):
    while not path.exists():
        time.sleep(0.005)


@pytest.fixture(scope="module")
def annotations(tmp_path_factory):
    return write_drawn_dataset(tmp_path_factory.mktemp("drawn"), videos=5, frames=3, size=32)


@pytest.fixture(scope="module")
def frames(annotations):
    return [load_frames(annotations, TINY.preprocess, part) for part in ("train", "validation")]


def rows(out):
    with (out / "log.csv").open() as file:
        return list(csv.DictReader(file))


def test_killed_five_times_and_resumed_the_weights_are_the_same_bit_by_bit(annotations, frames, tmp_path):
    assert finish(start(annotations, tmp_path / "warm-up")) == 0
    began = time.monotonic()
    assert finish(start(annotations, tmp_path / "whole")) == 0
    duration = time.monotonic() - began
    kills = 0
    for share in np.random.default_rng().uniform(0, 0.3, 5):
        process = start(annotations, tmp_path / "killed")
        wait_for(tmp_path / "killed" / "checkpoint.safetensors")
        time.sleep(share * duration)
        process.kill()
        kills += finish(process) == -signal.SIGKILL
    assert finish(start(annotations, tmp_path / "killed")) == 0
    one, two = (load_file(tmp_path / name / "weights.safetensors") for name in ("whole", "killed"))
    assert kills >= 3, f"{kills} of 5 kills came before the end"
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert untimed(tmp_path / "whole") == untimed(tmp_path / "killed")


def untimed(out):
    """The log without the columns that are measured times."""
    return [{k: v for k, v in row.items() if k not in ("waiting_for_data", "seconds")} for row in rows(out)]


def test_training_learns_and_logs(frames, tmp_path):
    train(TINY.with_(epochs=15, batch_size=3), *frames, tmp_path, device="cpu", progress=False)
    log = rows(tmp_path)
    assert len(log) == 15
    assert float(log[-1]["loss"]) < 0.9 * float(log[0]["loss"])
    assert all(0.5 <= float(row["friction"]) < 1 for row in log)
    assert all(0 <= float(row["waiting_for_data"]) < 1 for row in log)
    assert float(log[-1]["tips"]) <= 3


def test_validation_frames_without_an_object_leave_its_score_open(frames, tmp_path):
    first, validation = frames
    bare = replace(validation, tips=np.full_like(validation.tips, np.nan), outlines=[([], [])] * len(validation))
    train(TINY.with_(epochs=1), first, bare, tmp_path, device="cpu")  # with the bar, which shows the scores
    scores = ["iou_oolemma", "iou_pipette", "tip_px_at_512"]
    assert [rows(tmp_path)[0][name] for name in scores] == ["", "", ""]
    assert read_log([TINY], tmp_path)[scores].isna().all(axis=None)


def test_a_loss_that_is_not_finite_stops_and_names_the_last_good_checkpoint(frames, tmp_path, monkeypatch):
    real, calls = training.total_loss, []

    def poisoned(*arguments):
        calls.append(1)
        losses = real(*arguments)
        return losses._replace(total=losses.total * float("nan")) if len(calls) == 8 else losses

    monkeypatch.setattr(training, "total_loss", poisoned)
    with pytest.raises(NonFiniteLossError, match=r"step 7: the loss is not finite; .*checkpoint\.safetensors"):
        train(TINY, *frames, tmp_path, device="cpu", progress=False, checkpoint_seconds=0)
    monkeypatch.undo()
    assert train(TINY, *frames, tmp_path, device="cpu", progress=False).exists()


@pytest.fixture(scope="module")
def finished(frames, tmp_path_factory):
    """Folder of a finished run of one epoch."""
    return train(TINY.with_(epochs=1), *frames, tmp_path_factory.mktemp("finished"), device="cpu").parent


OTHERS = {
    "settings": {"settings": TINY.with_(epochs=2)},
    "seed": {"seed": 1},
    "devices": {"devices": 2},
    "start": {"start_from": REFERENCE},
    "frames": {"reverse": True},
}


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("done", [True, False])
def test_a_folder_of_another_run_is_refused(frames, finished, tmp_path, other, done):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    if not done:
        (tmp_path / "weights.safetensors").unlink()
    how = {"settings": TINY.with_(epochs=1), "device": "cpu", "progress": False} | OTHERS[other]
    training, validation = frames[:: -1 if how.pop("reverse", False) else 1]
    with pytest.raises(CheckpointError, match=f"is of a run with other {other}; choose another folder"):
        train(training=training, validation=validation, out=tmp_path, **how)


def test_weights_alone_of_other_settings_are_refused(frames, finished, tmp_path):
    shutil.copy(finished / "weights.safetensors", tmp_path)
    with pytest.raises(CheckpointError, match=r"weights\.safetensors: is of a run with other settings"):
        train(TINY.with_(epochs=2), *frames, tmp_path)
    with pytest.raises(CheckpointError, match="other settings"):
        train_stages([TINY.with_(epochs=2)], lambda *_: pytest.fail("frames are not needed"), tmp_path)


def test_a_run_that_is_out_of_time_is_saved_and_ends_like_an_undisturbed_one(frames, finished, tmp_path):
    pieces = 0
    while pieces < 50 and not (tmp_path / "weights.safetensors").exists():
        with suppress(TimeUpError):
            train(TINY.with_(epochs=1), *frames, tmp_path, device="cpu", progress=False, until=0.0)
        pieces += 1
    assert pieces > 1
    ended, undisturbed = (load_file(folder / "weights.safetensors") for folder in (tmp_path, finished))
    assert all(torch.equal(tensor, undisturbed[name]) for name, tensor in ended.items())


def test_finished_work_is_returned_at_once(frames, finished, monkeypatch):
    monkeypatch.setattr(training, "_start", lambda *_: pytest.fail("began again"))
    assert train(TINY.with_(epochs=1), *frames, finished) == finished / "weights.safetensors"


def test_moving_average_forgets_its_beginning():
    average = [torch.tensor([100.0])]
    for n in range(60):
        moving_average(average, [torch.tensor([1.0])], n, decay=0.9)
    assert average[0].item() == pytest.approx(1, abs=0.5)
    counters = [torch.tensor([3])]
    moving_average(counters, [torch.tensor([9])], 5, decay=0.9)
    assert counters[0].item() == 9


def test_paper_profile_is_what_the_paper_states():
    paper = PROFILES["paper"]
    assert (paper.size, paper.widths, paper.heatmap_level) == (512, (32, 64, 128, 256), None)
    assert (paper.batch_size, paper.epochs, paper.learning_rate) == (4, 31, 1e-3)
    assert Settings.from_record(paper.as_record()) == paper


def test_stages_go_on_from_each_other_and_are_not_repeated(annotations, tmp_path):
    asked = []

    def load(preprocess, part):
        asked.append((preprocess.size, part))
        return load_frames(annotations, preprocess, part)

    stages = [TINY.with_(profile="small", size=16, epochs=1), TINY.with_(epochs=2)]
    weights = train_stages(stages, load, tmp_path, device="cpu", progress=False)
    assert asked == [(16, "train"), (16, "validation"), (32, "train"), (32, "validation")]
    assert read_log(stages, tmp_path)[["stage", "epoch"]].to_numpy().tolist() == [
        ["small", 1],
        ["tiny", 1],
        ["tiny", 2],
    ]
    alone = train(
        stages[1],
        *[load(TINY.preprocess, part) for part in ("train", "validation")],
        tmp_path / "alone",
        device="cpu",
        progress=False,
        start_from=tmp_path / "small" / "weights.safetensors",
    )
    assert all(torch.equal(value, load_file(alone)[name]) for name, value in load_file(weights).items())
    asked.clear()
    assert train_stages(stages, load, tmp_path) == weights
    assert not asked


def test_profiles_end_with_themselves_and_a_stage_fits_the_one_before():
    for name, settings in PROFILES.items():
        chain = profile_stages(name)
        assert chain[-1] is settings
        for narrow, wide in pairwise(chain):
            widened(narrow.build().state_dict(), wide.build())  # raises where it does not fit


def test_a_stage_may_be_wider_than_the_one_before(annotations, tmp_path):
    wide = TINY.with_(profile="wide", widths=(8, 16), epochs=1, learning_rate=0.0)
    stages = [TINY.with_(profile="narrow", epochs=1), wide]
    last = train_stages(stages, partial(load_frames, annotations), tmp_path, device="cpu", progress=False)
    before, after = load_file(tmp_path / "narrow" / "weights.safetensors"), load_file(last)
    first = "conv0_0.0.weight"  # reads the image: nothing to share among copies
    torch.testing.assert_close(after[first], before[first].repeat_interleave(2, 0))


def test_finished_weights_keep_a_share_of_those_that_the_run_began_with(annotations, tmp_path):
    whole = [TINY.with_(epochs=1), TINY.with_(profile="next", epochs=1)]
    half = [whole[0], whole[1].with_(kept_of_start=0.5)]
    how = {"frames": partial(load_frames, annotations), "device": "cpu", "progress": False}
    end = load_file(train_stages(whole, out=tmp_path / "whole", **how))
    middle = load_file(train_stages(half, out=tmp_path / "half", **how))
    start = load_file(tmp_path / "whole" / "tiny" / "weights.safetensors")
    for name, value in end.items():
        if value.is_floating_point():
            torch.testing.assert_close(middle[name], (start[name] + value) / 2)
        else:
            assert torch.equal(middle[name], value)


def test_a_stage_after_the_shipped_weights_begins_with_them(annotations, tmp_path):
    shipped = load().settings
    stage = shipped.with_(profile="own", after=SHIPPED, epochs=1, batch_size=2, augmentation=(), warm_up=0)
    weights = train_stages([stage], partial(load_frames, annotations), tmp_path, device="cpu", progress=False)
    assert load_checkpoint(tmp_path / "checkpoint.safetensors")["start"] == sha256_of(REFERENCE)
    moved = [
        float((a - b).detach().abs().max())
        for a, b in zip(load().model.parameters(), load(weights).model.parameters(), strict=True)
    ]
    assert 0 < max(moved) < 0.1


def test_a_stage_on_closeups_is_shown_closeups(annotations, tmp_path):
    shown = []

    def load(preprocess, part, **how):
        shown.append((how.get("views"), len(load_frames(annotations, preprocess, part, **how))))
        return load_frames(annotations, preprocess, part, **how)

    stages = [TINY.with_(profile="whole", epochs=1), TINY.with_(profile="close", epochs=1, closeups=True)]
    train_stages(stages, load, tmp_path, device="cpu", progress=False)
    (_, frames), _, (views, closeups), _ = shown
    assert views is training_closeups
    assert frames < closeups <= 2 * frames  # one of each cell, one of each tip
