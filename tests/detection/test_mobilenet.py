import pytest
import torch
from safetensors.torch import load_file, save_file

from icsilib.detection.mobilenet import (
    ROWS,
    MobileNetV2,
    WeightsError,
    find_imagenet_weights,
    load_imagenet,
    parameter_count,
)


def test_parameter_counts_are_the_published_ones():
    assert parameter_count(MobileNetV2()) == 2_223_872
    assert parameter_count(MobileNetV2(classes=1000)) == 3_504_872


def test_it_has_seventeen_blocks_in_nineteen_stages():
    assert sum(repeats for _, _, repeats, _ in ROWS) == 17
    assert len(MobileNetV2().features) == 19


def test_shapes_follow_the_strides():
    network = MobileNetV2(classes=7).eval()
    x = torch.zeros(2, 3, 64, 96)
    assert network.features[:7](x).shape == (2, 32, 8, 12)
    assert network.features(x).shape == (2, 1280, 2, 3)
    assert network(x).shape == (2, 7)


def test_keys_are_torchvisions():
    names = set(MobileNetV2(classes=1000).state_dict())
    assert len(names) == 314
    assert {
        "features.0.0.weight",
        "features.1.conv.0.0.weight",
        "features.1.conv.2.running_var",
        "features.17.conv.1.1.bias",
        "features.18.1.num_batches_tracked",
        "classifier.1.bias",
    } <= names


def test_imagenet_weights_load_with_every_key():
    path = find_imagenet_weights()
    if path is None:
        pytest.skip("no ImageNet weights: set ICSILIB_WEIGHTS to the folder that holds them")
    whole = MobileNetV2(classes=1000)
    whole.load_state_dict(load_file(path), strict=True)
    features = MobileNetV2().features
    assert load_imagenet(features, path) == len(features.state_dict()) == 312
    x = torch.rand(1, 3, 64, 64) * 2 - 1
    assert torch.allclose(features.eval()(x), whole.eval().features(x), atol=1e-5)


def test_weights_of_another_network_are_refused(tmp_path):
    save_file({"features.0.0.weight": torch.zeros(32, 3, 3, 3)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match=r"other\.safetensors: not MobileNetV2"):
        load_imagenet(MobileNetV2().features, tmp_path / "other.safetensors")
