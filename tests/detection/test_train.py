import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from icsilib.detection import load
from icsilib.detection import train as training
from icsilib.detection.images import LabelledImage, TrainingInputs, training_batches
from icsilib.detection.settings import PROFILES, Settings
from icsilib.detection.train import TrainingError, best_validation, initialised, train, training_mode
from icsilib.training.checkpoints import CheckpointError, load_checkpoint
from icsilib.training.runs import NonFiniteLossError
from icsilib.training.weights import read_weights

SMALL = Settings(
    "test", input_size=64, window=64, overlap=16, initialisation="scratch",
    batch_size=2, steps=6, validate_every=3, warm_up=2, sperm_per_visit=1, turns=True,
)  # fmt: skip


def write_images(folder, count=4):
    """Bright squares of 12 px on noise; the last image is empty."""
    draw = np.random.default_rng(0)
    images = []
    for number in range(count):
        pixels = draw.integers(60, 100, (80, 96, 3)).astype(np.uint8)
        boxes = draw.integers(5, 60, (1 if number < count - 1 else 0, 2))
        for x, y in boxes:
            pixels[y : y + 12, x : x + 12] = 230
        path = Path(folder) / f"{number}.png"
        cv2.imwrite(str(path), pixels)
        labels = np.c_[boxes, np.full((len(boxes), 2), 12)].astype(float)
        images.append(LabelledImage(number + 1, path, 96, 80, f"p{number}", labels, ("",) * len(labels)))
    return images


def run_in(folder, threads):
    """A run that saves after every step, so that a kill finds it in any state."""
    torch.set_num_threads(threads)
    images = write_images(folder)
    train(images, images[:1], SMALL, Path(folder) / "run", save_every=1)


def test_a_killed_run_ends_with_the_same_bits(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    threads = torch.get_num_threads()
    begun = time.monotonic()
    run_in(whole, threads)
    needed = time.monotonic() - begun
    here = str(Path(__file__).parent)
    code = f"import sys; sys.path.insert(0, {here!r}); import test_train as t; t.run_in({str(killed)!r}, {threads})"
    process = subprocess.Popen([sys.executable, "-c", code])
    while not (killed / "run" / "checkpoint.safetensors").exists() and process.poll() is None:
        time.sleep(0.01)
    time.sleep(random.Random(time.time_ns()).uniform(0, needed))
    process.kill()
    process.wait()
    assert (killed / "run" / "checkpoint.safetensors").exists()
    run_in(killed, threads)
    assert_equal_runs(whole / "run", killed / "run")


def assert_equal_runs(a, b):
    for name in ("checkpoint", "weights"):
        assert (a / f"{name}.safetensors").read_bytes() == (b / f"{name}.safetensors").read_bytes()
    assert (a / "log.csv").read_text() == (b / "log.csv").read_text()


def test_a_run_stopped_between_two_saves_ends_with_the_same_bits(tmp_path, monkeypatch):
    images = write_images(tmp_path)
    train(images, images[:1], SMALL, tmp_path / "whole", save_every=2)

    class Stop(Exception):
        pass

    real, steps = training.learning_rate, []

    def stopping(step, *schedule):
        steps.append(step)
        if step == 3 and steps.count(3) == 1:
            raise Stop
        return real(step, *schedule)

    monkeypatch.setattr(training, "learning_rate", stopping)
    with pytest.raises(Stop):
        train(images, images[:1], SMALL, tmp_path / "stopped", save_every=2)
    train(images, images[:1], SMALL, tmp_path / "stopped", save_every=2)
    assert steps == [0, 1, 2, 3, 2, 3, 4, 5]
    assert_equal_runs(tmp_path / "whole", tmp_path / "stopped")


@pytest.mark.parametrize("profile", ["paper", "authors"])
def test_the_published_profiles_train_resume_and_predict(tmp_path, monkeypatch, profile):
    """At 64 px and two images a step, from scratch; everything else is the profile's."""
    images = write_images(tmp_path)
    small = PROFILES[profile].with_(input_size=64, batch_size=2, steps=3, validate_every=3, initialisation="scratch")
    train(images, images, small, tmp_path / "whole", save_every=1)
    real = training.multibox_loss
    calls = []

    def stopping(*inputs):
        calls.append(inputs)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*inputs)

    monkeypatch.setattr(training, "multibox_loss", stopping)
    with pytest.raises(KeyboardInterrupt):
        train(images, images, small, tmp_path / "stopped", save_every=1)
    train(images, images, small, tmp_path / "stopped", save_every=1)
    assert_equal_runs(tmp_path / "whole", tmp_path / "stopped")
    per_step = [sperm for *_, sperm in calls]
    assert all((sperm is None) == (profile == "authors") for sperm in per_step)  # `paper` mines 3k, k spermatozoa
    boxes, scores = load(tmp_path / "whole" / "weights.safetensors").predict(np.full((80, 96, 3), 200, np.uint8))
    assert len(boxes) == len(scores) <= 100
    seen = load_checkpoint(tmp_path / "whole" / "checkpoint.safetensors")["images"]
    assert seen == ([1, 2, 3] if profile == "authors" else [1, 2, 3, 4])  # the fourth has no sperm


def test_the_loss_falls_on_two_images(tmp_path):
    images = write_images(tmp_path, 3)[:2]
    settings = SMALL.with_(steps=150, validate_every=150, learning_rate=3e-3, zoom=1.0, empty_share=0.0)
    log = train(images, images, settings, tmp_path / "run").log
    losses = [row["classification"] + row["localisation"] for row in log if "loss" in row]
    assert losses[-1] < losses[0] / 3


def test_a_finished_run_is_returned_as_it_is(tmp_path):
    images = write_images(tmp_path)
    first = train(images, images[:1], SMALL, tmp_path / "run")
    before = first.weights.stat().st_mtime_ns
    assert train(images, images[:1], SMALL, tmp_path / "run") == first
    assert first.weights.stat().st_mtime_ns == before


def test_a_folder_of_another_run_is_refused(tmp_path):
    images = write_images(tmp_path)
    train(images, images[:1], SMALL.with_(steps=1), tmp_path / "run")
    with pytest.raises(CheckpointError, match="other settings, seed; choose another folder"):
        train(images, images[:1], SMALL, tmp_path / "run", seed=1)


def test_a_folder_of_a_run_on_other_boxes_or_pixels_is_refused(tmp_path):
    images = write_images(tmp_path)
    train(images, images[:1], SMALL.with_(steps=1), tmp_path / "run")
    moved = [replace(images[0], boxes=images[0].boxes + 1), *images[1:]]
    with pytest.raises(CheckpointError, match="other data; choose another folder"):
        train(moved, images[:1], SMALL.with_(steps=1), tmp_path / "run")
    with pytest.raises(CheckpointError, match="other data; choose another folder"):
        train(images, moved[:1], SMALL.with_(steps=1), tmp_path / "run")
    cv2.imwrite(str(images[0].path), np.zeros((80, 96, 3), np.uint8))
    with pytest.raises(CheckpointError, match="other data; choose another folder"):
        train(images, images[:1], SMALL.with_(steps=1), tmp_path / "run")


def test_a_part_without_sperm_is_refused_before_anything_is_written(tmp_path):
    images = write_images(tmp_path)
    with pytest.raises(TrainingError, match="none of the 1 validation images has a sperm"):
        train(images, images[-1:], SMALL, tmp_path / "run")
    with pytest.raises(TrainingError, match="none of the 1 training images has a sperm"):
        train(images[-1:], images, SMALL, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_weights_to_start_from_are_not_silently_left_aside(tmp_path):
    images = write_images(tmp_path)
    with pytest.raises(TrainingError, match="starts from scratch, not from mine; leave start_from out"):
        train(images, images[:1], SMALL, tmp_path / "run", start_from="mine")


def test_a_loss_that_is_no_number_stops_the_run_and_spares_the_checkpoint(tmp_path, monkeypatch):
    images = write_images(tmp_path)
    real = training.l2_regularisation
    calls = []

    def spoiled(weights):
        calls.append(1)
        return real(weights) * (float("nan") if len(calls) == 4 else 1)

    monkeypatch.setattr(training, "l2_regularisation", spoiled)
    with pytest.raises(NonFiniteLossError, match=r"step 4: the loss is not finite; .*smaller learning_rate"):
        train(images, images[:1], SMALL, tmp_path / "run", save_every=3)
    saved = load_checkpoint(tmp_path / "run" / "checkpoint.safetensors")
    assert saved["step"] == 3
    assert all(torch.isfinite(t).all() for t in saved["network"].values())


def test_without_imagenet_weights_it_says_so_on_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(training, "find_imagenet_weights", lambda: None)
    _, initialisation = initialised(Settings("test"))
    assert initialisation == "scratch"
    assert "No ImageNet weights found: training from scratch" in capsys.readouterr().err


def test_frozen_stages_keep_weights_and_statistics(monkeypatch):
    monkeypatch.setattr(training, "find_imagenet_weights", lambda: "x")
    monkeypatch.setattr(training, "load_imagenet", lambda *_: 312)
    settings = Settings("test", frozen_stages=2)
    network, _ = initialised(settings)
    training_mode(network, settings)
    before = network.features[0][1].running_mean.clone()
    network(torch.rand(2, 3, 64, 64))
    assert torch.equal(network.features[0][1].running_mean, before)
    assert network.features[2].training
    assert not any(weight.requires_grad for weight in network.features[:2].parameters())


def test_a_step_sees_the_same_images_however_the_run_got_there(tmp_path):
    images = write_images(tmp_path, 5)
    every = dict(training_batches(TrainingInputs(images, SMALL, 7), 0, 6))
    later = dict(training_batches(TrainingInputs(images, SMALL, 7), 3, 6))
    assert list(later) == [3, 4, 5]
    for step, batch in later.items():
        assert torch.equal(batch.images, every[step].images)
        assert torch.equal(batch.targets, every[step].targets)
    other = dict(training_batches(TrainingInputs(images, SMALL, 8), 0, 1))
    assert not torch.equal(other[0].images, every[0].images)


def test_weights_come_back_with_their_settings(tmp_path):
    images = write_images(tmp_path)
    trained = train(images, images[:1], SMALL.with_(steps=1), tmp_path / "run")
    network, settings, _ = read_weights(trained.weights, Settings)
    assert settings == SMALL.with_(steps=1)
    assert not network.training


def test_a_run_can_go_on_from_the_shipped_weights():
    network, origin = initialised(SMALL.with_(initialisation="shipped", frozen_stages=2))
    assert origin == "shipped"
    shipped = load().network.state_dict()
    assert all(torch.equal(tensor, shipped[name]) for name, tensor in network.state_dict().items())
    assert not next(network.features[1].parameters()).requires_grad
    assert next(network.features[2].parameters()).requires_grad


def test_weights_are_kept_by_average_precision_and_recall_together():
    log = [{"step": 1, "loss": 1.0}]
    log += [{"step": n, "validation_ap": ap, "validation_ar": ar} for n, ap, ar in ((2, 0.8, 0.6), (3, 0.79, 0.7))]
    assert best_validation(log)["step"] == 3


def test_a_finished_run_without_its_best_weights_is_refused(tmp_path):
    images = write_images(tmp_path)
    train(images, images[:1], SMALL.with_(steps=1), tmp_path / "run").weights.unlink()
    with pytest.raises(CheckpointError, match=r"weights\.safetensors: is missing, .*delete .*checkpoint\.safetensors"):
        train(images, images[:1], SMALL.with_(steps=1), tmp_path / "run")
