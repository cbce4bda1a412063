"""Close-ups: what the study's model looks at when it looks a second time. Not in the paper.

The paper's network sees 512 px. One that a CPU can train sees fewer, and there a needle's wall is thinner than a pixel
and an outline is known to a few pixels only. So it looks twice: at the whole frame, which tells where cell and tip are,
and then at the cell and at the tip's surroundings by themselves, whose pixels are then worth more. Where its heatmap
has several peaks, it looks at each. The network of the second look is of the same kind, trained on close-ups of both.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from icsilib.data.preprocess import Geometry, Preprocess, preprocess
from icsilib.segmentation.frames import Labelled, Points
from icsilib.training.runs import generator

AROUND_TIP = 0.5  # side of a close-up of the tip, of the frame's longer side
AROUND_CELL = 1.4  # side of a close-up of the cell, of the longer side of its bounding box
# Peaks of a first look's heatmap
_PLACES = 3  # looked at again, at most
_PEAK = 0.05  # of the heatmap's side: radius of a peak, about `CONFIDENCE_RADIUS` cells
_LEAST = 0.04  # mass of a peak that is looked at
# How far training's close-ups lie off what they are of, as first looks may do
_MARGINS = (1.1, 1.8)  # in place of AROUND_CELL
_CELL_OFF = 0.06  # of a close-up's side: standard deviation of its middle about the cell's
_TIP_OFF = 0.04  # likewise about the tip, for one half of the close-ups
_TIP_ANYWHERE = 0.4  # of a close-up's side, for the other half, whose tip lies anywhere
_ELSEWHERE = 0.5  # share of the frames of which a place anywhere is shown, too


@dataclass(frozen=True)
class Window:
    """A part of a frame, and where it lies in the square that the network sees; maps points as `Geometry` does."""

    corner: NDArray[np.int64]  # (2,) px of the frame, left and top
    place: Geometry  # of the part in the square

    @property
    def size(self) -> int:
        """Side of the square, px."""
        return self.place.size

    @property
    def scale(self) -> Points:
        """Square px per px of the frame along x and y."""
        return self.place.scale

    def to_square(self, points: Points) -> Points:
        """Points (..., 2) in the frame → points in the square."""
        return self.place.to_square(points - self.corner)

    def to_source(self, points: Points) -> Points:
        """Points (..., 2) in the square → points in the frame."""
        return self.place.to_source(points) + self.corner


def closeup(
    image: NDArray[np.uint8], centre: Points, side: float, settings: Preprocess
) -> tuple[NDArray[np.uint8], Window]:
    """The part of an image (H, W[, 3]) about `centre` (2,), `side` px wide, as the network's input.

    A part that would reach beyond the image is moved inside, and is the whole of its width or height at most.
    """
    sides = np.array(image.shape[1::-1])
    whole = np.minimum(max(1, round(side)), sides)
    left, top = corner = np.clip(np.round(centre - whole / 2).astype(int), 0, sides - whole)
    square, place = preprocess(image[top : top + whole[1], left : left + whole[0]], settings)
    return square, Window(corner, place)


def places_of_tip(heatmap: NDArray[np.float32]) -> Points:
    """Peaks (K, 2) of a heatmap (n, n) whose sum is 1, x and y in parts of its side, the highest first.

    The tip as DSNT reads it lies between two peaks, where there may be nothing. None where the heatmap is flat.
    """
    n = len(heatmap)
    rows, columns = np.mgrid[:n, :n]
    left, found = heatmap.copy(), []
    for _ in range(_PLACES):
        top, beside = np.unravel_index(cv2.GaussianBlur(left, (0, 0), 1.0).argmax(), left.shape)
        near = np.hypot(columns - beside, rows - top) <= _PEAK * n
        mass = float(left[near].sum())
        if mass < _LEAST:
            break
        found.append([float((left * axis)[near].sum()) / mass for axis in (columns, rows)])
        left[near] = 0
    return (np.array(found).reshape(-1, 2) + 0.5) / n


def closeup_of_tip(image: NDArray[np.uint8], tip: Points, settings: Preprocess) -> tuple[NDArray[np.uint8], Window]:
    """The surroundings of a place (2,) where a first look saw the tip."""
    return closeup(image, tip, AROUND_TIP * max(image.shape[:2]), settings)


def closeup_of_cell(
    image: NDArray[np.uint8], mask: NDArray[np.bool_], settings: Preprocess
) -> tuple[NDArray[np.uint8], Window]:
    """The surroundings of an oolemma (H, W) that a first look has found; the whole image where it has found none."""
    height, width = mask.shape
    if not mask.any():
        return closeup(image, np.array([width / 2, height / 2]), max(height, width), settings)
    middle, extent = bounding_box(np.asarray(np.argwhere(mask)[:, ::-1], float) + 0.5)
    return closeup(image, middle, AROUND_CELL * (extent + 1), settings)


def bounding_box(points: Points) -> tuple[Points, float]:
    """Middle (2,) and longer side of the upright box about points (N, 2)."""
    low, high = points.min(axis=0), points.max(axis=0)
    return (low + high) / 2, float((high - low).max())


def training_closeups(frame: Labelled, settings: Preprocess) -> Sequence[tuple[NDArray[np.uint8], Window]]:
    """A close-up of the tip and one of the cell, where the frame has them; for `load_frames`.

    They lie as far off as a first look may be. Of half of the frames, a place anywhere is shown, too: most such show no
    tip, as do the places that a first look takes for one. All depends on the frame's id alone.
    """
    rng = generator(2, frame.record.id)
    found = []
    side = AROUND_TIP * max(frame.pixels.shape)
    if not np.isnan(frame.tip).any():
        near = rng.random() < 0.5
        off = rng.normal(0, _TIP_OFF, 2) if near else rng.uniform(-_TIP_ANYWHERE, _TIP_ANYWHERE, 2)
        found.append(closeup(frame.pixels, frame.tip + side * off, side, settings))
    if rng.random() < _ELSEWHERE:
        found.append(closeup(frame.pixels, rng.uniform(0, frame.pixels.shape[::-1]), side, settings))
    if oolemma := frame.outlines[0]:
        middle, extent = bounding_box(np.concatenate(oolemma))
        side = extent * rng.uniform(*_MARGINS)
        found.append(closeup(frame.pixels, middle + side * rng.normal(0, _CELL_OFF, 2), side, settings))
    return found
