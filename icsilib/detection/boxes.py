"""Boxes in the three ways they are written, and how much two of them overlap.

`xywh` is COCO's: left, top, width, height. `xyxy` is left, top, right, bottom. `cxcywh` is centre and size, which
SSD's equations use. The functions take NumPy arrays and torch tensors alike and return the same kind; the last axis
holds the four numbers, in pixels or as fractions of the image.
"""

from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Boxes = TypeVar("Boxes", NDArray[Any], Tensor)


def xywh_to_xyxy(boxes: Boxes) -> Boxes:
    """(…, 4) left, top, width, height → left, top, right, bottom."""
    return _join(boxes[..., :2], boxes[..., :2] + boxes[..., 2:])


def xyxy_to_xywh(boxes: Boxes) -> Boxes:
    """(…, 4) left, top, right, bottom → left, top, width, height."""
    return _join(boxes[..., :2], boxes[..., 2:] - boxes[..., :2])


def xywh_to_cxcywh(boxes: Boxes) -> Boxes:
    """(…, 4) left, top, width, height → centre x, centre y, width, height."""
    return _join(boxes[..., :2] + boxes[..., 2:] / 2, boxes[..., 2:])


def cxcywh_to_xywh(boxes: Boxes) -> Boxes:
    """(…, 4) centre x, centre y, width, height → left, top, width, height."""
    return _join(boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., 2:])


def box_iou(a: Boxes, b: Boxes) -> Boxes:
    """Intersection over union of every box of `a` (N, 4) with every box of `b` (M, 4), both xywh: (N, M) in [0, 1].

    Paper B, Figure 2. Boxes that touch at an edge overlap by 0, and so does a box without area.
    """
    least, most = (torch.minimum, torch.maximum) if isinstance(a, Tensor) else (np.minimum, np.maximum)
    low = most(a[:, None, :2], b[None, :, :2])
    high = least((a[:, :2] + a[:, 2:])[:, None], (b[:, :2] + b[:, 2:])[None])
    overlap = (high - low).clip(0)
    intersection = overlap[..., 0] * overlap[..., 1]
    union = (a[:, 2] * a[:, 3])[:, None] + (b[:, 2] * b[:, 3])[None] - intersection
    return intersection / union.clip(1e-12)


def _join(first: Boxes, last: Boxes) -> Boxes:
    if isinstance(first, Tensor):
        return torch.cat([first, last], dim=-1)
    return np.concatenate([first, last], axis=-1)
