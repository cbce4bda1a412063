"""Both papers' networks on every device that is here, and on torch's meta device, where tensors have shapes alone.

An operation that mixes the meta device with the CPU fails as it would on a GPU, so that a tensor that was left behind
is found without one. What a path reads out at its end cannot be copied from the meta device: that error says that
everything before it ran there.
"""

import numpy as np
import pytest
import torch

from icsilib import detection, segmentation
from icsilib.detection.detector import Detector
from icsilib.detection.losses import l2_regularisation, multibox_loss
from icsilib.detection.settings import PROFILES, Settings
from icsilib.detection.train import rmsprop
from icsilib.segmentation.evaluate import speed
from icsilib.segmentation.frames import network_input
from icsilib.segmentation.losses import Target, total_loss
from icsilib.segmentation.optim import DiffGrad
from icsilib.segmentation.second_look import TwoLooks, with_flips
from icsilib.segmentation.segmenter import Segmenter
from icsilib.segmentation.settings import Settings as SegmentationSettings
from icsilib.training.devices import DeviceError, device_name, device_of, resolve_device

META = torch.device("meta")
HERE = [name for name in ("cpu", "cuda", "mps") if name == "cpu" or getattr(torch, name).is_available()]
TINY = SegmentationSettings("tiny", size=32, widths=(4, 8))
SMALL = Settings("small", input_size=64, window=64, overlap=16)
PHOTOGRAPH = np.random.default_rng(0).integers(0, 255, (60, 80), dtype=np.uint8)
READ_OUT = "Cannot copy out of meta tensor"


def on_meta(settings):
    with META:
        return settings.build().eval()


def test_segmentation_learns_on_the_device():
    network = on_meta(TINY).train()
    optimizer = DiffGrad(network.parameters())
    target = Target(
        torch.zeros(3, 2, 32, 32, device=META), torch.zeros(3, 2, device=META), torch.ones(3, device=META) > 0
    )
    images = torch.zeros(3, 1, 32, 32, dtype=torch.uint8, device=META)
    losses = total_loss(network(network_input(images)), target, 1.0, 1.0, 1.0, lambda_absent=0.1)
    losses.total.backward()
    optimizer.step()
    assert all(value.device == META for value in (*losses, optimizer.friction))


@pytest.mark.parametrize("flips", [False, True])
def test_a_segmenter_predicts_on_the_device(flips):
    segmenter = Segmenter(on_meta(TINY), TINY, {})
    with pytest.raises(NotImplementedError, match=READ_OUT):
        (with_flips(segmenter) if flips else segmenter).predict(PHOTOGRAPH)
    assert speed(segmenter, frames=1).device == "meta"


def test_second_look_is_on_the_device_of_the_first():
    model = segmentation.load(device=META)
    assert isinstance(model, TwoLooks)
    assert model.second.device == META


@pytest.mark.parametrize("profile", ["paper", "authors", "quick"])
def test_detection_learns_on_the_device(profile):
    settings = PROFILES[profile].with_(input_size=640 if profile == "authors" else 300)
    network = on_meta(settings).train()
    optimizer = rmsprop(network, settings)
    logits, offsets = network(torch.zeros(2, 3, settings.input_size, settings.input_size, device=META))
    positive, sperm = torch.zeros(logits.shape[:2], device=META) > 0, torch.ones(2, device=META)
    loss = multibox_loss(logits, offsets, positive, torch.zeros_like(offsets), 3, 6, sperm)
    (loss.classification + loss.localisation + l2_regularisation(network.parameters())).backward()
    optimizer.step()
    assert all(value.device == META for value in vars(loss).values())


@pytest.mark.parametrize("score", ["softmax", "sigmoid"])
def test_a_detector_predicts_on_the_device(score):
    with pytest.raises(NotImplementedError, match=READ_OUT):
        Detector(on_meta(SMALL), SMALL.with_(score=score), META).predict(PHOTOGRAPH)


def test_a_tensor_left_on_the_cpu_is_found():
    detector = Detector(on_meta(SMALL), SMALL, META)
    detector._defaults = detector._defaults.new_zeros(8732, 4, device="cpu")
    with pytest.raises(RuntimeError, match="device"):
        detector.predict(PHOTOGRAPH)


@pytest.mark.parametrize("device", HERE)
def test_the_shipped_models_say_the_same_on_every_device(device):
    there, cpu = (segmentation.load(device=name).predict(PHOTOGRAPH) for name in (device, "cpu"))
    np.testing.assert_allclose(there.tip, cpu.tip, atol=0.1)
    photograph = np.repeat(PHOTOGRAPH[..., None], 3, axis=2)
    there, cpu = (detection.load(device=name).predict(photograph) for name in (device, "cpu"))
    np.testing.assert_allclose(there.scores[:5], cpu.scores[:5], atol=1e-3)


def test_a_device_that_is_not_here_is_refused_by_name():
    with pytest.raises(DeviceError, match=r"device 'abacus': is not here; choose auto, .*cpu"):
        resolve_device("abacus")


def test_auto_is_a_gpu_where_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto") == torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert resolve_device("auto") == torch.device("cpu")
    assert device_name(device_of(torch.nn.Linear(1, 1))) == "cpu"
