import numpy as np
import pytest
import torch

from icsilib.segmentation.export import with_openvino
from icsilib.segmentation.second_look.looking import two_looks
from icsilib.segmentation.segmenter import Segmenter
from icsilib.segmentation.settings import Settings


@pytest.fixture(scope="module")
def segmenter():
    torch.manual_seed(0)
    settings = Settings("tiny", size=32, widths=(4, 8, 16))
    return Segmenter(settings.build().eval(), settings, {})


@pytest.fixture(scope="module")
def photograph():
    return np.random.default_rng(0).integers(0, 255, (48, 64), dtype=np.uint8)


def test_openvino_agrees_with_torch(segmenter, photograph):
    fast, slow = (each.predict(photograph) for each in (with_openvino(segmenter), segmenter))
    np.testing.assert_allclose(fast.probabilities, slow.probabilities, atol=1e-4)
    np.testing.assert_allclose(fast.tip, slow.tip, atol=1e-2)
    assert fast.confidence == pytest.approx(slow.confidence, abs=1e-4)


def test_openvino_agrees_with_torch_for_several_photographs_and_both_looks(segmenter, photograph):
    twice = two_looks(segmenter, segmenter)
    images = [photograph, photograph[::-1], photograph[:, ::-1]]
    for fast, slow in zip(with_openvino(twice).predict_all(images), twice.predict_all(images), strict=True):
        np.testing.assert_allclose(fast.probabilities, slow.probabilities, atol=1e-4)
        np.testing.assert_allclose(fast.tip, slow.tip, atol=1e-2)


def test_an_exported_program_has_no_torch_module(segmenter):
    with pytest.raises(TypeError, match="load the weights again"):
        _ = with_openvino(segmenter).model
