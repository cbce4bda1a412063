import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from icsilib.detection import load
from icsilib.detection.boxes import box_iou, xywh_to_cxcywh
from icsilib.detection.default_boxes import default_boxes, encode
from icsilib.detection.detector import Detections, Detector, suppress
from icsilib.detection.evaluate import coco_evaluation
from icsilib.detection.export import with_openvino
from icsilib.detection.images import LabelledImage
from icsilib.detection.settings import Settings
from icsilib.detection.ssd import SSD
from icsilib.phantoms.biopsy import biopsy_image
from icsilib.training.compiled import precisions

WINDOWS = Settings("test", input_size=300, window=300, overlap=80)


class FindsBright:
    """Stands in for a network: one confident box around the bright pixels of each input."""

    def __init__(self):
        self.defaults, self.batches = default_boxes(), []

    def __call__(self, images):
        self.batches.append(len(images))
        logits, offsets = torch.zeros(len(images), 8732, 2), torch.zeros(len(images), 8732, 4)
        logits[..., 0] = 20
        for number, image in enumerate(images):
            rows, columns = torch.where(image[0] > 0.9)
            if len(rows) == 0:
                continue
            x, y = columns.min().item(), rows.min().item()
            size = [columns.max().item() + 1 - x, rows.max().item() + 1 - y]
            box = xywh_to_cxcywh(torch.tensor([[x, y, *size]], dtype=torch.float32)) / image.shape[-1]
            nearest = (self.defaults - box).abs().sum(dim=1).argmin()
            logits[number, nearest] = torch.tensor([0.0, 3.0])
            offsets[number, nearest] = encode(box, self.defaults[nearest][None])[0]
        return logits, offsets


def with_square(height, width, x, y, side=40):
    image = np.zeros((height, width, 3), np.uint8)
    image[y : y + side, x : x + side] = 255
    return image


@pytest.mark.parametrize("place", [(5, 5), (200, 150), (250, 230), (470, 300), (555, 355)])
def test_a_sperm_is_found_once_wherever_windows_meet(place):
    boxes, scores = Detector(FindsBright(), WINDOWS).predict(with_square(400, 600, *place))
    assert boxes.tolist() == [pytest.approx([*place, 40, 40], abs=1e-3)]
    assert scores.tolist() == [pytest.approx(1 / (1 + math.exp(-3)))]


def test_a_whole_image_is_stretched_to_the_input_and_back():
    whole = Settings("test", input_size=300)
    boxes, _ = Detector(FindsBright(), whole).predict(with_square(600, 900, 300, 200, side=60))
    assert boxes.tolist() == [pytest.approx([300, 200, 60, 60], abs=3)]


def test_grey_and_small_images_are_taken():
    boxes, _ = Detector(FindsBright(), WINDOWS).predict(with_square(90, 120, 30, 20)[..., 0])
    assert boxes.tolist() == [pytest.approx([30, 20, 40, 40], abs=1e-3)]


@pytest.mark.parametrize("image", [np.zeros((9, 9), np.float32), np.zeros((9, 9, 4), np.uint8), np.zeros(9, np.uint8)])
def test_other_arrays_are_refused(image):
    with pytest.raises(ValueError, match="needs 8-bit grey"):
        Detector(FindsBright(), WINDOWS).predict(image)


@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_windows_of_several_images_share_batches(batch_size):
    images = [with_square(400, 600, 10, 20), np.zeros((300, 300, 3), np.uint8), with_square(300, 520, 400, 200)]
    network = FindsBright()
    found = list(Detector(network, WINDOWS).predict_many(images, batch_size))
    assert [len(one.boxes) for one in found] == [1, 0, 1]
    assert found[2].boxes[0].tolist() == pytest.approx([400, 200, 40, 40], abs=1e-3)
    assert sum(network.batches) == 6 + 1 + 2
    assert max(network.batches) <= batch_size


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 40), st.integers(0, 2**31))
def test_suppression_is_the_textbook_loop(count, seed):
    draw = np.random.default_rng(seed)
    boxes = np.c_[draw.uniform(0, 100, (count, 2)), draw.uniform(5, 40, (count, 2))]
    scores = draw.permutation(count) / 40 + 0.005
    overlap, kept = box_iou(boxes, boxes), []
    for place in np.argsort(-scores):
        if scores[place] > 0.01 and all(overlap[place, other] <= 0.45 for other in kept):
            kept.append(place)
    found = suppress(Detections(boxes, scores), 0.45, 0.01, 10)
    assert found.boxes.tolist() == boxes[kept[:10]].tolist()
    assert found.scores.tolist() == scores[kept[:10]].tolist()


def test_no_more_than_a_hundred_boxes_are_kept():
    torch.manual_seed(0)
    detector = Detector(SSD().eval(), Settings("test", input_size=96, window=96))
    assert len(detector.predict(np.random.default_rng(0).integers(0, 255, (300, 300), np.uint8)).boxes) == 100


def test_openvino_computes_what_torch_computes():
    torch.manual_seed(0)
    network = SSD().eval()
    detector = Detector(network, Settings("test", input_size=128, window=128, overlap=20))
    fast = with_openvino(detector)
    batch = torch.rand(3, 3, 128, 128)
    with torch.inference_mode():
        for ours, theirs in zip(network(batch), fast.network(batch), strict=True):
            assert torch.allclose(ours, theirs, atol=1e-4)
    image = np.random.default_rng(0).integers(0, 255, (150, 200, 3)).astype(np.uint8)
    assert np.allclose(fast.predict(image).scores, detector.predict(image).scores, atol=1e-4)


@pytest.mark.parametrize("precision", precisions())
def test_openvino_finds_the_same_sperm_in_every_precision(precision):
    pixels = biopsy_image(0, 1).pixels[:400, :640]
    exact, fast = (each.predict(pixels) for each in (load(), with_openvino(load(), precision)))
    assert exact.scores[0] > 0.2
    assert np.abs(exact.scores[:3] - fast.scores[:3]).max() < {"f32": 1e-4, "bf16": 0.05}[precision]
    assert np.abs(exact.boxes[0] - fast.boxes[0]).max() < 3  # px


def test_a_sigmoid_score_takes_the_logit_of_sperm_alone():
    """Logits 2 and 1: softmax gives 1 / (1 + e), the sigmoid of 1 gives e / (1 + e)."""

    def undecided(images):
        return torch.tensor([2.0, 1.0]).expand(len(images), 8732, 2), torch.zeros(len(images), 8732, 4)

    image = np.zeros((300, 300, 3), np.uint8)
    by_softmax = Detector(undecided, WINDOWS).predict(image).scores[0]
    by_sigmoid = Detector(undecided, WINDOWS.with_(score="sigmoid")).predict(image).scores[0]
    assert by_softmax == pytest.approx(1 / (1 + math.e))
    assert by_sigmoid == pytest.approx(math.e / (1 + math.e))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("place", ["boxes", "scores"])
def test_what_is_not_a_number_is_refused(bad, place):
    values = {"boxes": np.array([[0.0, 0, 10, 10], [50, 50, 10, 10]]), "scores": np.array([0.9, 0.8])}
    values[place][1] = bad
    with pytest.raises(ValueError, match="not a finite number"):
        suppress(Detections(**values), 0.5, 0.1, 10)
    images = [LabelledImage(7, Path("7.png"), 100, 100, "p", np.zeros((0, 4)), ())]
    with pytest.raises(ValueError, match="image 7: a box or score is not a finite number"):
        coco_evaluation(images, {7: Detections(**values)})
