"""MobileNetV2 (Sandler et al. 2018), paper B's feature extraction network.

Modules are nested and named as in torchvision's `mobilenet_v2`, so that every published set of its weights loads
key by key. The paper speaks of 19 residual bottleneck layers; the table of Sandler et al. has 17 (the sum of n in
`ROWS`), which is what this module builds. Stem and last convolution included it has 19 stages.
"""

import os
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from icsilib.data.manifest import data_root
from icsilib.training.stored import WeightsError

# Expansion t, output channels c, repeats n, stride s: Table 2 of Sandler et al.
ROWS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
STEM, LAST = 32, 1280  # channels of the first and the last convolution
WEIGHTS_FILE = "mobilenet_v2_imagenet.safetensors"


def conv_bn_relu(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolution without bias, batch normalisation, ReLU6; `same` padding for odd kernels."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU6(inplace=True),
    )


class InvertedResidual(nn.Module):
    """A bottleneck: 1×1 expansion by `expand`, 3×3 depthwise convolution, linear 1×1 projection."""

    def __init__(self, inputs: int, outputs: int, stride: int, expand: int) -> None:
        super().__init__()
        hidden = inputs * expand
        layers: list[nn.Module] = [conv_bn_relu(inputs, hidden, kernel=1)] if expand != 1 else []
        layers += [
            conv_bn_relu(hidden, hidden, stride=stride, groups=hidden),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        self.conv = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) → (B, outputs, ⌈H/stride⌉, ⌈W/stride⌉)."""
        return x + self.conv(x) if self.residual else self.conv(x)


class MobileNetV2(nn.Module):
    """Features and, with `classes`, the classifier. Input: RGB in [−1, 1], (B, 3, H, W)."""

    def __init__(self, classes: int | None = None) -> None:
        super().__init__()
        layers: list[nn.Module] = [conv_bn_relu(3, STEM, stride=2)]
        channels = STEM
        for expand, outputs, repeats, stride in ROWS:
            for number in range(repeats):
                layers.append(InvertedResidual(channels, outputs, stride if number == 0 else 1, expand))
                channels = outputs
        layers.append(conv_bn_relu(channels, LAST, kernel=1))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(LAST, classes)) if classes else None

    def forward(self, x: Tensor) -> Tensor:
        """Class scores (B, classes), or without classifier the pooled features (B, 1280)."""
        pooled = self.features(x).mean(dim=(2, 3))
        return pooled if self.classifier is None else self.classifier(pooled)


def parameter_count(module: nn.Module) -> int:
    """Number of trainable weights."""
    return sum(weight.numel() for weight in module.parameters())


def find_imagenet_weights() -> Path | None:
    """The file of ImageNet weights, or None: in `$ICSILIB_WEIGHTS`, beside the mirror, or in data/."""
    folders = [data_root() / "mobilenet-v2-imagenet"]
    if mirror := os.environ.get("ICSILIB_MIRROR"):
        folders.insert(0, Path(mirror).parent / "weights")
    if own := os.environ.get("ICSILIB_WEIGHTS"):
        folders.insert(0, Path(own))
    return next((folder / WEIGHTS_FILE for folder in folders if (folder / WEIGHTS_FILE).is_file()), None)


def load_imagenet(features: nn.Module, path: Path | str) -> int:
    """Load the `features.*` tensors of `path` into a MobileNetV2's `features` in float32; returns how many.

    Every key must match; raises `WeightsError` otherwise.
    """
    stored = load_file(path)
    chosen = {name.removeprefix("features."): t for name, t in stored.items() if name.startswith("features.")}
    chosen = {name: t.to(torch.float32) if t.is_floating_point() else t for name, t in chosen.items()}
    try:
        features.load_state_dict(chosen, strict=True)
    except RuntimeError as error:
        raise WeightsError(f"{path}: not MobileNetV2 under torchvision's names: {error}") from None
    return len(chosen)
