"""SSD (Liu et al. 2016) on MobileNetV2: paper B's object detection network, with its 8,732 default boxes.

8,732 = 4·38² + 6·19² + 6·10² + 6·5² + 4·3² + 4·1². A 300-px input has those maps by itself: the strides 8, 16 and
32 of MobileNetV2 give 38, 19 and 10 cells. The paper's input is 640 px, where they give 80, 40 and 20, and no stride
gives 38. Here each of the three maps is brought to the size that the count asks for, by averaging (`pool`) or by
bilinear interpolation. At 300 px both do nothing, so that one network covers both readings of the paper.

The layout "authors" is another network on the same features, that of the authors' files of 2019: maps of 40, 20, 10,
5, 3 and 2 cells, which a 640-px input gives without resampling, 1×1 predictors and 8,028 boxes.

    input ─ features 0–6 ─┬─ features 7–13 ─┬─ features 14–18 ─┬─ 3×3/2 ─┬─ 3×3/2 ─┬─ 3×3 ─┐
                stride 8  38    stride 16   19     stride 32   10        5         3       1
"""

from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from icsilib.detection.default_boxes import LAYOUTS, LayoutName, boxes_per_cell
from icsilib.detection.mobilenet import LAST, MobileNetV2

CLASSES = 2  # background and sperm
Resample = Literal["pool", "bilinear"]


@dataclass(frozen=True)
class Heads:
    """What stands on MobileNetV2's features."""

    taps: tuple[int, ...]  # channels of the maps used, up to stride 32
    extras: tuple[tuple[int, int], ...]  # (1×1, 3×3) channels of the stages that make the further maps
    kernel: int  # px, side of the convolutions that predict
    normalised: bool  # batch normalisation in the extra stages
    padded: bool  # in the last step too; Liu et al. have no padding there: 3 cells become 1


# Taps are the expansions of blocks 7 and 14 (strides 8 and 16) and the last convolution (stride 32).
HEADS: dict[LayoutName, Heads] = {
    "published": Heads((192, 576, LAST), ((256, 512), (128, 256), (128, 256)), 3, normalised=False, padded=False),
    "authors": Heads((576, LAST), ((256, 512), (128, 256), (128, 256), (64, 128)), 1, normalised=True, padded=True),
}


class SSD(nn.Module):
    """Class scores and box offsets of every default box."""

    def __init__(self, resample: Resample = "pool", layout: LayoutName = "published") -> None:
        super().__init__()
        self.resample, self.sizes = resample, LAYOUTS[layout].map_sizes
        self.features = MobileNetV2().features
        heads = HEADS[layout]
        widths = [LAST, *(outputs for _, outputs in heads.extras)]
        self.extras = nn.ModuleList(
            _extra(inputs, middle, outputs, heads, last=number == len(heads.extras))
            for number, (inputs, (middle, outputs)) in enumerate(zip(widths, heads.extras, strict=False), start=1)
        )
        channels, per_cell = (*heads.taps, *widths[1:]), boxes_per_cell(layout)
        self.classify = nn.ModuleList(
            map_head(c, n * CLASSES, heads.kernel) for c, n in zip(channels, per_cell, strict=True)
        )
        self.regress = nn.ModuleList(map_head(c, n * 4, heads.kernel) for c, n in zip(channels, per_cell, strict=True))
        # Heads begin near zero: every default box undecided and left in its place.
        for layer in (*self.classify, *self.regress):
            nn.init.normal_(cast(Tensor, layer.weight), std=0.01)
            nn.init.zeros_(cast(Tensor, layer.bias))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a third faster on a CPU

    def maps(self, images: Tensor) -> list[Tensor]:
        """The six feature maps, (B, C, f, f) for f of `sizes`, of `images` (B, 3, S, S), RGB in [0, 1]."""
        # The ImageNet weights expect [−1, 1]. A stage is cut inside blocks 7 and 14, whose 1×1 expansions are the
        # widest maps at their stride; neither block has a residual connection around it.
        block7, block14 = cast(nn.Sequential, self.features[7].conv), cast(nn.Sequential, self.features[14].conv)
        stride8 = block7[0](self.features[:7](images * 2 - 1))
        stride16 = block14[0](self.features[8:14](block7[1:](stride8)))
        stride32 = self.features[15:](block14[1:](stride16))
        tapped = (stride8, stride16, stride32)[len(self.extras) - 3 :]  # six maps in all
        maps = [self._resized(m, size) for m, size in zip(tapped, self.sizes, strict=False)]
        for extra in self.extras:
            maps.append(extra(maps[-1]))
        return maps

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """`images` (B, 3, S, S), RGB in [0, 1] → logits (B, N, 2) and offsets (B, N, 4), N default boxes."""
        maps = self.maps(images)
        logits = [_rows(head(m), CLASSES) for head, m in zip(self.classify, maps, strict=True)]
        offsets = [_rows(head(m), 4) for head, m in zip(self.regress, maps, strict=True)]
        return torch.cat(logits, dim=1), torch.cat(offsets, dim=1)

    def _resized(self, x: Tensor, size: int) -> Tensor:
        if x.shape[-2:] == (size, size):
            return x
        if self.resample == "pool":
            return functional.adaptive_avg_pool2d(x, size)
        return functional.interpolate(x, (size, size), mode="bilinear", align_corners=False)


def map_head(inputs: int, outputs: int, kernel: int = 3) -> nn.Conv2d:
    """The convolution that predicts from one feature map."""
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)


def _extra(inputs: int, middle: int, outputs: int, heads: Heads, last: bool) -> nn.Sequential:
    """The stage that makes one further map, of half the cells: 1×1, then 3×3 with stride 2."""
    padding = 1 if heads.padded or not last else 0
    narrow = nn.Conv2d(inputs, middle, 1, bias=not heads.normalised)
    halve = nn.Conv2d(middle, outputs, 3, stride=2, padding=padding, bias=not heads.normalised)
    if not heads.normalised:
        return nn.Sequential(narrow, nn.ReLU(inplace=True), halve, nn.ReLU(inplace=True))
    return nn.Sequential(
        narrow, nn.BatchNorm2d(middle), nn.ReLU6(inplace=True), halve, nn.BatchNorm2d(outputs), nn.ReLU6(inplace=True)
    )


def _rows(x: Tensor, width: int) -> Tensor:
    """(B, boxes·width, H, W) → (B, H·W·boxes, width), in the order of `default_boxes`."""
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, width)
