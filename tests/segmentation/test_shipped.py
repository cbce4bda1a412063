"""The shipped weights answer as they did when they were released, on ten frames stored beside this test."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from icsilib.segmentation import Segmenter, load

STORED = Path(__file__).parent / "shipped"  # frames.png: ten frames of the phantom, one below the other


def frames():
    sheet = cv2.imread(str(STORED / "frames.png"), cv2.IMREAD_GRAYSCALE)
    return sheet.reshape(-1, sheet.shape[1], sheet.shape[1])


def answers(segmenter: Segmenter):
    """Per frame: areas in px² where oolemma and pipette are more likely than not, tip in px, confidence."""
    found = [segmenter.predict(frame) for frame in frames()]
    return [[*map(int, (one.probabilities > 0.5).sum(axis=(1, 2))), *one.tip.tolist(), one.confidence] for one in found]


@pytest.mark.parametrize("looks", ["one look", "two looks"])
def test_masks_and_tips_are_as_released(looks):
    segmenter = load() if looks == "two looks" else load(looks=1)
    found, released = np.array(answers(segmenter)), np.array(json.loads((STORED / "answers.json").read_text())[looks])
    assert len(released) == 10
    np.testing.assert_allclose(found[:, :2], released[:, :2], atol=3)  # px²: other processors round otherwise
    np.testing.assert_allclose(found[:, 2:4], released[:, 2:4], atol=0.02)  # px
    np.testing.assert_allclose(found[:, 4], released[:, 4], atol=2e-3)
