"""From pixels to one IoU: by frame or pooled, and what a frame counts on which both masks are empty.

Papers seldom say. `choices` gives the mean by each rule, so that it can be seen whether a conclusion depends on it.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BY_FRAME, BY_FRAME_EMPTY_1, BY_FRAME_EMPTY_0, POOLED = (
    "by frame, empty left out",
    "by frame, empty counts 1",
    "by frame, empty counts 0",
    "pooled over frames",
)


class Overlap(NamedTuple):
    """Pixels of intersection and union of pairs of masks; any shape."""

    intersection: NDArray[np.int64]
    union: NDArray[np.int64]

    @property
    def empty(self) -> int:
        """Number of pairs in which both masks are empty."""
        return int(np.sum(self.union == 0))


def overlap(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> Overlap:
    """Overlap of masks (…, H, W) with masks of a shape that broadcasts to it."""
    return Overlap(np.logical_and(a, b).sum(axis=(-2, -1)), np.logical_or(a, b).sum(axis=(-2, -1)))


def joined(overlaps: list[Overlap]) -> Overlap:
    """Several overlaps as one flat list of pairs."""
    return Overlap(*(np.concatenate([part.ravel() for part in parts]) for parts in zip(*overlaps, strict=True)))


def choices(pairs: Overlap) -> dict[str, float]:
    """Mean IoU by each rule; NaN where a rule has nothing to average."""
    filled = pairs.union > 0
    iou = pairs.intersection[filled] / pairs.union[filled]
    every = pairs.union.size
    total = pairs.union.sum()
    return {
        BY_FRAME: float(iou.mean()) if len(iou) else np.nan,
        BY_FRAME_EMPTY_1: float((iou.sum() + pairs.empty) / every) if every else np.nan,
        BY_FRAME_EMPTY_0: float(iou.sum() / every) if every else np.nan,
        POOLED: float(pairs.intersection.sum() / total) if total else np.nan,
    }
