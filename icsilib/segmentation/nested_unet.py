"""The network of paper A, §2.2 and Figure 1: a nested U-Net with a segmentation and a localisation head.

Nodes carry the names of the UNet++ paper (Zhou et al. 2020): `conv{i}_{j}` is X^{i,j}, at level i (i poolings below
the input) and position j along the skip pathway of that level. For four widths:

    level 0   X00 ───► X01 ───► X02 ───► X03 ──3×3 conv──► y_seg      X^{i,0}: encoder
    level 1      X10 ───► X11 ───► X12                                X^{i,j}: sees every earlier node of its level
    level 2         X20 ───► X21                                               and X^{i+1,j-1}, upsampled
    level 3            X30 ──1×1 conv──► softmax ──► Z ──DSNT──► y_coords

§2.2 describes the upsampling of "each layer of the decoder branch": bilinear, two 3×3 convolutions, concatenation, two
more. The reading `"decoder"` puts the pair after the upsampling on the nodes of the decoder branch alone (X21, X12,
X03); the nodes of the nested skips raise their input by bilinear upsampling, as in UNet++. It has 2,622,691 parameters;
the paper prints 2.6 million. `READINGS` holds it with its alternatives; `reading_table` counts them all.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import NamedTuple

import torch
from torch import Tensor, nn

from icsilib.data.structures import OUTLINES
from icsilib.segmentation.dsnt import dsnt, spatial_softmax

PAPER_WIDTHS = (32, 64, 128, 256)


class Output(NamedTuple):
    """What the network says about a batch of B images of side S."""

    y_seg: Tensor  # (B, 2, S, S) in [0, 1]: oolemma, suction pipette
    heatmap: Tensor  # (B, h, h), Z of the paper: sums to 1 over its cells
    y_coords: Tensor  # (B, 2) in (-1, 1): the needle tip, x then y


class NestedUNet(nn.Module):
    """Nested U-Net of paper A.

    `widths` are the channels of each level, so `len(widths) - 1` is the number of poolings; `size` is the side of the
    square input in px. `heatmap_level` is the level whose last node feeds the localisation branch: the paper's is the
    bottleneck (the default), which at 512 px and three poolings gives a heatmap of 64×64 cells. `nested=False` leaves
    out the nodes of the nested skips, which makes it a plain U-Net of the same blocks.
    """

    def __init__(
        self,
        widths: Sequence[int] = PAPER_WIDTHS,
        size: int = 512,
        reading: str = "decoder",
        nested: bool = True,
        heatmap_level: int | None = None,
    ) -> None:
        super().__init__()
        self.bottom = len(widths) - 1
        self.heatmap_level = self.bottom if heatmap_level is None else heatmap_level
        _check(widths, size, reading, self.heatmap_level)
        self.size, self.nested = size, nested
        branch, skip, block = READINGS[reading]
        for i, width in enumerate(widths):
            self.add_module(f"conv{i}_0", block(1 if i == 0 else widths[i - 1], width))
        for i, j in self.decoder_nodes():
            up, channels = (branch if i + j == self.bottom else skip)(widths[i + 1], widths[i])
            self.add_module(f"up{i}_{j}", up)
            self.add_module(f"conv{i}_{j}", block(channels + len(self.skips(i, j)) * widths[i], widths[i]))
        self.pool = nn.MaxPool2d(2)
        self.segment = nn.Conv2d(widths[0], len(OUTLINES), 3, padding=1)
        self.locate = nn.Conv2d(widths[self.heatmap_level], 1, 1)

    def decoder_nodes(self) -> list[tuple[int, int]]:
        """Indices (i, j) of the nodes X^{i,j}, j > 0, in the order in which they are computed."""
        nodes = [(i, j) for j in range(1, self.bottom + 1) for i in range(self.bottom - j + 1)]
        return nodes if self.nested else [(i, j) for i, j in nodes if i + j == self.bottom]

    def skips(self, i: int, j: int) -> list[tuple[int, int]]:
        """The nodes of level i that X^{i,j} is given beside its upsampled input."""
        return [(i, k) for k in range(j)] if self.nested else [(i, 0)]

    def forward(self, image: Tensor) -> Output:
        """Masks, heatmap and tip of a batch (B, 1, S, S) of preprocessed images, scaled to about zero mean."""
        x: dict[tuple[int, int], Tensor] = {(0, 0): self.get_submodule("conv0_0")(image)}
        for i in range(1, self.bottom + 1):
            x[i, 0] = self.get_submodule(f"conv{i}_0")(self.pool(x[i - 1, 0]))
        for i, j in self.decoder_nodes():
            raised = self.get_submodule(f"up{i}_{j}")(x[i + 1, j - 1])
            joined = torch.cat([x[node] for node in self.skips(i, j)] + [raised], dim=1)
            x[i, j] = self.get_submodule(f"conv{i}_{j}")(joined)
        level = self.heatmap_level
        # Masks and heatmap in 32 bits whatever the network's precision: the losses need their small values.
        y_seg = self.segment(x[0, self.bottom]).float().sigmoid()
        heatmap = spatial_softmax(self.locate(x[level, self.bottom - level]).float().squeeze(1))
        return Output(y_seg, heatmap, dsnt(heatmap))


def double_conv(channels_in: int, channels: int) -> nn.Sequential:
    """Two 3×3 convolutions, each followed by batch normalisation (which makes a bias superfluous) and ReLU."""
    layers: list[nn.Module] = []
    for before in (channels_in, channels):
        layers += [nn.Conv2d(before, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(True)]
    return nn.Sequential(*layers)


class ResidualConv(nn.Module):
    """A double convolution with a 1×1 shortcut around it."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.body = double_conv(channels_in, channels)
        self.shortcut = nn.Conv2d(channels_in, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels_in, H, W) → (B, channels, H, W)."""
        return self.body(x) + self.shortcut(x)


def bilinear() -> nn.Upsample:
    """Bilinear upsampling by two."""
    return nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)


def up_alone(coarse: int, fine: int) -> tuple[nn.Module, int]:
    """Upsampling and nothing else; gives `coarse` channels."""
    return bilinear(), coarse


def up_conv(coarse: int, fine: int) -> tuple[nn.Module, int]:
    """Upsampling and one 3×3 convolution; gives `fine` channels."""
    conv = nn.Conv2d(coarse, fine, 3, padding=1, bias=False)
    return nn.Sequential(bilinear(), conv, nn.BatchNorm2d(fine), nn.ReLU(True)), fine


def up_double_conv(coarse: int, fine: int) -> tuple[nn.Module, int]:
    """Upsampling and two 3×3 convolutions; gives `fine` channels."""
    return nn.Sequential(bilinear(), double_conv(coarse, fine)), fine


Raise = Callable[[int, int], tuple[nn.Module, int]]  # (coarse width, fine width) → (module, channels it gives)


class Reading(NamedTuple):
    """A reading of §2.2: how X^{i+1,j-1} is raised to level i, and the block that computes a node."""

    branch: Raise  # for the nodes of the decoder branch
    skip: Raise  # for the nodes of the nested skips
    block: Callable[[int, int], nn.Module]  # (channels in, channels) → module


READINGS = {
    "decoder": Reading(up_double_conv, up_alone, double_conv),
    "every node": Reading(up_double_conv, up_double_conv, double_conv),
    "bilinear": Reading(up_alone, up_alone, double_conv),
    "up-convolution": Reading(up_conv, up_conv, double_conv),
    "residual": Reading(up_conv, up_conv, ResidualConv),
}


def parameter_count(model: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def node_shapes(model: NestedUNet) -> dict[tuple[int, int], tuple[int, int]]:
    """Channels and side (px) of every node X^{i,j}, as a forward pass of a copy on the meta device gives them."""
    shapes: dict[tuple[int, int], tuple[int, int]] = {}
    copy = deepcopy(model).to("meta")
    for i, j in [(i, 0) for i in range(model.bottom + 1)] + model.decoder_nodes():
        node = copy.get_submodule(f"conv{i}_{j}")
        node.register_forward_hook(lambda _, __, out, at=(i, j): shapes.update({at: (out.shape[1], out.shape[2])}))
    copy(torch.empty(1, 1, model.size, model.size, device="meta"))
    return shapes


def reading_table() -> list[dict[str, str | int]]:
    """Every reading at the published widths with its parameters, nested and plain: one mapping per row."""
    variants = [(reading, nested) for reading in READINGS for nested in (True, False)]
    return [
        {
            "reading": reading,
            "skips": "nested" if nested else "plain",
            "parameters": parameter_count(NestedUNet(PAPER_WIDTHS, reading=reading, nested=nested)),
        }
        for reading, nested in variants
    ]


def _check(widths: Sequence[int], size: int, reading: str, heatmap_level: int) -> None:
    poolings = len(widths) - 1
    if poolings < 1 or min(widths) < 1:
        raise ValueError(f"widths={tuple(widths)}: needs two or more positive numbers of channels")
    if size % 2**poolings:
        raise ValueError(f"size={size}: must be a multiple of {2**poolings} for {poolings} poolings")
    if reading not in READINGS:
        raise ValueError(f"reading={reading!r}: unknown; choose one of {', '.join(READINGS)}")
    if not 0 <= heatmap_level <= poolings:
        raise ValueError(f"heatmap_level={heatmap_level}: must lie from 0 to {poolings}")
