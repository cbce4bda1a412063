"""Close-ups of the needle's tip: what the network is shown when it looks a second time. Not in the paper.

The paper's network sees 512 px. One that a CPU can train sees fewer, and a needle's wall is then thinner than a pixel.
So it looks twice: at the whole frame, which tells where about the tip is, and then at the half of the frame around that
place, whose pixels are worth twice as much. The network of the second look is of the same kind, trained on close-ups.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from icsilib.checkpoints import generator
from icsilib.data.annotations import Image
from icsilib.data.preprocess import Geometry, Preprocess, preprocess
from icsilib.segmentation.dataset import Points

CLOSEUP = 0.5  # of a frame's longer side
_FIRST_LOOK = 0.04  # standard deviation of where a first look puts the tip when it does so well, of a close-up's side
_ANYWHERE = 0.4  # of a close-up's side, from its middle


@dataclass(frozen=True)
class Window:
    """A part of a frame, and where it lies in the square that the network sees; maps points as `Geometry` does."""

    corner: NDArray[np.int64]  # (2,) px of the frame, left and top
    place: Geometry  # of the part in the square

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


def closeup(image: NDArray[np.uint8], centre: Points, settings: Preprocess) -> tuple[NDArray[np.uint8], Window]:
    """The part of a frame (H, W) about `centre` (2,), but inside the frame, as the network's input."""
    sides = np.array(image.shape[1::-1])
    side = max(1, round(CLOSEUP * sides.max()))
    corner = np.clip(np.round(centre - side / 2), 0, np.maximum(sides - side, 0)).astype(int)
    left, top = corner
    square, place = preprocess(image[top : top + side, left : left + side], settings)
    return square, Window(corner, place)


def training_closeups(
    pixels: NDArray[np.uint8], tip: Points, image: Image, settings: Preprocess
) -> Sequence[tuple[NDArray[np.uint8], Window]]:
    """Two close-ups of a frame with a tip: one centred as after a good first look, one anywhere about the tip.

    For `icsilib.segmentation.dataset.load_frames`. Where they lie depends on the frame's id alone.
    """
    if np.isnan(tip).any():
        return []
    rng, side = generator(2, image.id), CLOSEUP * max(pixels.shape)
    off = rng.normal(0, _FIRST_LOOK, 2), rng.uniform(-_ANYWHERE, _ANYWHERE, 2)
    return [closeup(pixels, tip + side * each, settings) for each in off]
