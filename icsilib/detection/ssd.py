"""SSD (Liu et al. 2016) on MobileNetV2: paper B's object detection network, with its 8,732 default boxes.

8,732 = 4·38² + 6·19² + 6·10² + 6·5² + 4·3² + 4·1². A 300-px input has those maps by itself: the strides 8, 16 and
32 of MobileNetV2 give 38, 19 and 10 cells. The paper's input is 640 px, where they give 80, 40 and 20, and no stride
gives 38. Here each of the three maps is brought to the size that the count asks for, by averaging (`pool`) or by
bilinear interpolation. At 300 px both do nothing, so that one network covers both readings of the paper.

    input ─ features 0–6 ─┬─ features 7–13 ─┬─ features 14–18 ─┬─ 3×3/2 ─┬─ 3×3/2 ─┬─ 3×3 ─┐
                stride 8  38    stride 16   19     stride 32   10        5         3       1
"""

from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from icsilib.detection.default_boxes import MAP_SIZES, boxes_per_cell
from icsilib.detection.mobilenet import LAST, MobileNetV2

CLASSES = 2  # background and sperm
TAPS = (192, 576, LAST)  # channels at strides 8, 16 and 32: expansions of blocks 7 and 14, last convolution
EXTRAS = ((256, 512), (128, 256), (128, 256))  # (1×1, 3×3) channels of the maps of 5, 3 and 1 cells
Resample = Literal["pool", "bilinear"]


class SSD(nn.Module):
    """Class scores and box offsets of every default box."""

    def __init__(self, resample: Resample = "pool") -> None:
        super().__init__()
        self.resample = resample
        self.features = MobileNetV2().features
        widths = [LAST, *(outputs for _, outputs in EXTRAS)]
        # Liu et al. have no padding in the last step: 3 cells become 1.
        self.extras = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(inputs, middle, 1),
                nn.ReLU(inplace=True),
                nn.Conv2d(middle, outputs, 3, stride=2, padding=1 if number < 2 else 0),
                nn.ReLU(inplace=True),
            )
            for number, (inputs, (middle, outputs)) in enumerate(zip(widths, EXTRAS, strict=False))
        )
        channels = (*TAPS, *widths[1:])
        self.classify = nn.ModuleList(map_head(c, n * CLASSES) for c, n in zip(channels, boxes_per_cell(), strict=True))
        self.regress = nn.ModuleList(map_head(c, n * 4) for c, n in zip(channels, boxes_per_cell(), strict=True))
        # Heads begin near zero: every default box undecided and left in its place.
        for layer in (*self.classify, *self.regress):
            nn.init.normal_(cast(Tensor, layer.weight), std=0.01)
            nn.init.zeros_(cast(Tensor, layer.bias))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a third faster on a CPU

    def maps(self, images: Tensor) -> list[Tensor]:
        """The six feature maps, (B, C, 38, 38) … (B, C, 1, 1), of `images` (B, 3, S, S), RGB in [0, 1]."""
        # The ImageNet weights expect [−1, 1]. A stage is cut inside blocks 7 and 14, whose 1×1 expansions are the
        # widest maps at their stride; neither block has a residual connection around it.
        block7, block14 = cast(nn.Sequential, self.features[7].conv), cast(nn.Sequential, self.features[14].conv)
        stride8 = block7[0](self.features[:7](images * 2 - 1))
        stride16 = block14[0](self.features[8:14](block7[1:](stride8)))
        stride32 = self.features[15:](block14[1:](stride16))
        maps = [self._resized(m, size) for m, size in zip((stride8, stride16, stride32), MAP_SIZES, strict=False)]
        for extra in self.extras:
            maps.append(extra(maps[-1]))
        return maps

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """`images` (B, 3, S, S), RGB in [0, 1] → logits (B, 8732, 2) and offsets (B, 8732, 4)."""
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


def map_head(inputs: int, outputs: int) -> nn.Conv2d:
    """The 3×3 convolution that predicts from one feature map."""
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def _rows(x: Tensor, width: int) -> Tensor:
    """(B, boxes·width, H, W) → (B, H·W·boxes, width), in the order of `default_boxes`."""
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, width)
