"""SSD's default boxes, their matching to labelled sperm, and the offsets that the network learns (Liu et al. 2016).

Everything here is in fractions of the input's side, so that it holds at any input size.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from icsilib.detection.boxes import box_iou, cxcywh_to_xywh

PUBLISHED_RATIOS = (2.0, 3.0)  # long side : short side, each used both ways round
PUBLISHED_SCALES = (0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05)  # side of map k's square; torchvision's SSD300
AUTHORS_SCALES = (0.2, 0.35, 0.5, 0.65, 0.8, 0.95, 1.0)  # the authors' configuration, lines 33 and 34; 1 is appended
SAME = 0.5  # IoU from which on a default box counts as the sperm's
VARIANCES = (0.1, 0.1, 0.2, 0.2)  # divisors of the offsets (cx, cy, w, h)
LayoutName = Literal["published", "authors"]


@dataclass(frozen=True)
class Layout:
    """Six feature maps and the default boxes on each."""

    map_sizes: tuple[int, ...]  # cells along each side
    ratios_used: tuple[int, ...]  # how many of the ratios each map has
    lowest_square: float | None = None  # side of the first map's one square; None: two squares, as on the other maps


# "authors" is TensorFlow's SSD on MobileNetV2, which the authors' files of 2019 configure
# (github.com/Daniel-Wu/IVF_Sperm_Detection): three boxes a cell on the first map, none of them of its scale's square.
LAYOUTS: dict[LayoutName, Layout] = {
    "published": Layout((38, 19, 10, 5, 3, 1), (1, 2, 2, 2, 1, 1)),
    "authors": Layout((40, 20, 10, 5, 3, 2), (1, 2, 2, 2, 2, 2), lowest_square=0.1),
}
MAP_SIZES = LAYOUTS["published"].map_sizes


def boxes_per_cell(layout: LayoutName = "published") -> tuple[int, ...]:
    """Default boxes per cell on each map: two squares and two boxes for every aspect ratio, (4, 6, 6, 6, 4, 4).

    The first map has one square where the layout says so.
    """
    one = LAYOUTS[layout].lowest_square is not None
    return tuple(2 + 2 * used - (one and k == 0) for k, used in enumerate(LAYOUTS[layout].ratios_used))


def default_boxes(
    scales: Sequence[float] = PUBLISHED_SCALES,
    ratios: tuple[float, float] = PUBLISHED_RATIOS,
    layout: LayoutName = "published",
) -> Tensor:
    """The (8732, 4) default boxes, cxcywh as fractions of the input's side, in the order of the network's output.

    `scales` are the sides s₁ … s₇ of the squares; each map k also has a square of side √(s_k·s_{k+1}). Centres are
    those of the cells, (i + ½)/f for a map of f cells (Liu et al. 2016, section 2.2). `ratios` are those of the
    elongated boxes: the first on every map, the second on maps 2 to 4. The layout "authors" has 8,028 boxes.
    """
    maps = LAYOUTS[layout]
    if len(scales) != len(maps.map_sizes) + 1 or any(a >= b for a, b in pairwise(scales)):
        raise ValueError(f"default box scales: need {len(maps.map_sizes) + 1} rising numbers, got {tuple(scales)}")
    boxes: list[Tensor] = []
    for size, used, (scale, following) in zip(maps.map_sizes, maps.ratios_used, pairwise(scales), strict=True):
        shapes = [(scale, scale), (math.sqrt(scale * following),) * 2]
        if maps.lowest_square is not None and not boxes:
            shapes = [(maps.lowest_square,) * 2]
        for ratio in ratios[:used]:
            long, short = scale * math.sqrt(ratio), scale / math.sqrt(ratio)
            shapes += [(long, short), (short, long)]
        centres = (torch.arange(size) + 0.5) / size
        y, x = torch.meshgrid(centres, centres, indexing="ij")
        places = torch.stack([x, y], dim=-1)[:, :, None].expand(size, size, len(shapes), 2)
        boxes.append(torch.cat([places, torch.tensor(shapes).expand_as(places)], dim=-1).reshape(-1, 4))
    return torch.cat(boxes)


def coverage(shapes: NDArray[np.floating], defaults: Tensor, draw: np.random.Generator) -> float:
    """Share of sperm of `shapes` (N, 2), width and height as fractions of the input, that one of `defaults` fits.

    Each is put anywhere in the input by `draw`; it is fitted when some default box has an IoU of 0.5 with it.
    """
    places = draw.uniform(shapes / 2, np.maximum(1 - shapes / 2, shapes / 2))
    boxes = torch.from_numpy(np.concatenate([places, shapes], axis=1)).float()
    overlap = box_iou(cxcywh_to_xywh(boxes), cxcywh_to_xywh(defaults))
    return float((overlap.amax(dim=1) >= SAME).float().mean())


def encode(boxes: Tensor, defaults: Tensor) -> Tensor:
    """Offsets (N, 4) that turn each of `defaults` into the corresponding one of `boxes`; both cxcywh (N, 4)."""
    centre = (boxes[:, :2] - defaults[:, :2]) / defaults[:, 2:]
    size = torch.log(boxes[:, 2:] / defaults[:, 2:])
    return torch.cat([centre, size], dim=1) / boxes.new_tensor(VARIANCES)


def decode(offsets: Tensor, defaults: Tensor) -> Tensor:
    """Boxes cxcywh that `offsets` (…, N, 4) make of `defaults` (N, 4); the inverse of `encode`."""
    scaled = offsets * offsets.new_tensor(VARIANCES)
    centre = defaults[:, :2] + scaled[..., :2] * defaults[:, 2:]
    # An untrained network may ask for e^100: no box is larger than e^4 default boxes.
    size = torch.exp(scaled[..., 2:].clamp(max=4.0)) * defaults[:, 2:]
    return torch.cat([centre, size], dim=-1)


@dataclass(frozen=True)
class Matches:
    """What each of the N default boxes of an image is to become."""

    positive: Tensor  # (N,) bool: matched to a sperm
    sperm: Tensor  # (N,) index of the sperm that it is to become, meaningful where positive
    offsets: Tensor  # (N, 4) encoded target, 0 where not positive


def match(boxes: Tensor, defaults: Tensor) -> Matches:
    """Match the labelled `boxes` (M, 4) of one image to `defaults` (N, 4), both cxcywh.

    Every sperm gets a default box of its own, the pairs with the largest IoU first (Liu et al. 2016, section 2.2): two
    sperm that cross and share their best box both keep one. Any other default box is positive when its IoU with a
    sperm reaches 0.5, and then belongs to the sperm that it overlaps most. All others are background.
    """
    count = len(defaults)
    if len(boxes) == 0:
        nothing = torch.zeros(count, dtype=torch.bool, device=defaults.device)
        return Matches(nothing, nothing.long(), torch.zeros_like(defaults))
    overlap = box_iou(cxcywh_to_xywh(boxes), cxcywh_to_xywh(defaults))
    best_overlap, sperm = overlap.max(dim=0)
    positive = best_overlap >= SAME
    for owner, own in _one_each(overlap):
        positive[own], sperm[own] = True, owner
    offsets = torch.where(positive[:, None], encode(boxes[sperm], defaults), 0.0)
    return Matches(positive, sperm, offsets)


def _one_each(overlap: Tensor) -> Iterator[tuple[int, int]]:
    """A column for each row of `overlap` (M, N), none twice: the largest values first, until rows or columns end."""
    left = overlap.clone()
    best, column = left.max(dim=1)
    for _ in range(min(overlap.shape)):
        row = int(best.argmax())
        taken = int(column[row])
        yield row, taken
        left[:, taken], left[row], best[row] = -1, -1, -1
        for again in ((column == taken) & (best >= 0)).nonzero().flatten().tolist():
            best[again], column[again] = left[again].max(dim=0)
