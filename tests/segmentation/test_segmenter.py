import json

import numpy as np
import pytest
import torch
from safetensors import safe_open

from icsilib.data.annotations import polygons_to_mask
from icsilib.phantoms.icsi import procedure
from icsilib.segmentation import load
from icsilib.segmentation.dsnt import dsnt
from icsilib.segmentation.nested_unet import Output, parameter_count
from icsilib.segmentation.second_look import TwoLooks
from icsilib.segmentation.segmenter import REFERENCE, WeightsError
from icsilib.segmentation.settings import Settings
from icsilib.stats.agreement import iou
from icsilib.training.weights import save_weights

TINY = Settings("tiny", size=32, widths=(4, 8))


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    model = TINY.build()
    save_weights(model, TINY, tmp_path / "w.safetensors", data="drawn")
    return model, tmp_path / "w.safetensors"


def test_weights_come_back_with_settings_and_origin(saved):
    model, path = saved
    ready = load(path)
    assert ready.settings == TINY
    assert ready.training == {"data": "drawn"}
    assert all(
        torch.equal(a, b) for a, b in zip(model.state_dict().values(), ready.model.state_dict().values(), strict=True)
    )


def test_half_precision_is_half_the_size(saved, tmp_path):
    model, path = saved
    save_weights(model, TINY, tmp_path / "half.safetensors", half=True)
    with safe_open(tmp_path / "half.safetensors", "pt") as file:
        assert file.get_tensor("segment.weight").dtype == torch.float16
    image = np.random.default_rng(0).integers(0, 255, (40, 60), dtype=np.uint8)
    whole, half = load(path).predict(image), load(tmp_path / "half.safetensors").predict(image)
    np.testing.assert_allclose(whole.probabilities, half.probabilities, atol=2e-3)


@pytest.mark.parametrize("shape", [(40, 60), (60, 40), (32, 32), (90, 121, 3)])
def test_predictions_are_in_the_photographs_own_pixels(saved, shape):
    _, path = saved
    image = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    prediction = load(path).predict(image)
    assert prediction.masks.shape == (2, *shape[:2])
    assert (prediction.tip >= 0).all()
    assert (prediction.tip <= [shape[1], shape[0]]).all()
    assert 0 < prediction.confidence <= 1


def test_a_dot_is_found_where_it_is_in_a_wide_photograph(saved):
    """With a network that points at the brightest place, the geometry alone decides the answer."""

    class Brightest(torch.nn.Module):
        def forward(self, images):
            z = torch.softmax(50 * images[:, 0].flatten(1), dim=1).view(-1, 32, 32)
            return Output(images.repeat(1, 2, 1, 1).sigmoid(), z, dsnt(z))

    ready = load(saved[1])
    image = np.zeros((120, 240), np.uint8)
    image[60:68, 180:188] = 255
    prediction = type(ready)(Brightest(), ready.settings.with_(clip_limit=None), {}).predict(image)
    np.testing.assert_allclose(prediction.tip, [184, 64], atol=4)
    rows, columns = np.nonzero(prediction.masks[0])
    assert [columns.mean(), rows.mean()] == pytest.approx([183.5, 63.5], abs=4)


def test_photographs_of_different_sizes_go_together(saved):
    ready = load(saved[1])
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, shape, dtype=np.uint8) for shape in ((40, 60), (64, 64))]
    together, alone = ready.predict_all(images)[1], ready.predict(images[1])
    np.testing.assert_allclose(together.probabilities, alone.probabilities, atol=1e-5)


def test_files_that_are_not_weights_are_refused(tmp_path):
    with pytest.raises(WeightsError, match="no such file"):
        load(tmp_path / "none.safetensors")
    (tmp_path / "text.safetensors").write_text(json.dumps({"a": 1}))
    with pytest.raises(WeightsError, match="not weights of this study"):
        load(tmp_path / "text.safetensors")


def test_the_shipped_model_outlines_a_rendered_cell():
    ready = load()
    frame = procedure(seed=2026, video=3, size=256).frame(60)
    prediction = ready.predict(frame.image)
    truth = polygons_to_mask([frame.oolemma], 256, 256)
    assert iou(prediction.masks[0], truth) > 0.8
    assert ready.training["data"].startswith("rendered")
    assert REFERENCE.with_suffix(".md").exists()
    assert REFERENCE.stat().st_size < 2.1 * parameter_count(ready.model)  # 16 bits each, and a header


def test_the_shipped_model_looks_twice_by_whatever_path(monkeypatch):
    monkeypatch.chdir(REFERENCE.parent)
    assert isinstance(load(REFERENCE.name), TwoLooks)


def test_the_papers_method_looks_once_and_two_looks_can_be_had_for_any_weights(saved):
    image = np.random.default_rng(0).integers(0, 255, (40, 60), dtype=np.uint8)
    once, twice = load(looks=1), load()
    assert not isinstance(once, TwoLooks)
    np.testing.assert_array_equal(once.predict(image).probabilities, twice.first.predict(image).probabilities)
    assert not isinstance(load(saved[1]), TwoLooks)
    assert isinstance(load(saved[1], looks=2), TwoLooks)
    with pytest.raises(ValueError, match="looks=3"):
        load(looks=3)
