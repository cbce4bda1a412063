"""Square windows of an image as the network's inputs, and the way back of their boxes.

The paper resamples whole images to 640×640 px. A sperm in a 1680×1050 image then loses two thirds of its pixels in
width, and the image its proportions. Windows of a fixed number of source pixels keep a sperm at the size that the
default boxes were laid out for, whatever the image. Both are settings: `window=None` is the paper's way.

Windows overlap, and each owns a part of the image, its core. The cores tile the image without overlap. A detection
counts where its centre lies in the window's core, so that a sperm cut in two by one window's edge is taken from the
neighbour that shows it whole.
"""

from dataclasses import dataclass
from itertools import pairwise, product

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # (height, width, 3)


@dataclass(frozen=True)
class Window:
    """A rectangle of the image in px, and the core (left, top, right, bottom) for which it answers."""

    x: int
    y: int
    width: int
    height: int
    core: tuple[float, float, float, float]


def tile(width: int, height: int, window: int | None, overlap: int = 0) -> list[Window]:
    """Windows that cover an image of `width` × `height` px, at least `overlap` px of each shared with the next.

    An image smaller than a window gets one window, which reaches beyond it; None gives the whole image.
    """
    if window is None:
        return [Window(0, 0, width, height, (0, 0, width, height))]
    if not 0 <= overlap < window:
        raise ValueError(f"overlap={overlap}: must be at least 0 and smaller than the window of {window} px")
    columns, rows = _starts(width, window, overlap), _starts(height, window, overlap)
    return [
        Window(x, y, window, window, (left, top, right, bottom))
        for (y, top, bottom), (x, left, right) in product(rows, columns)
    ]


def cut(image: Pixels, x: int, y: int, width: int, height: int) -> Pixels:
    """The rectangle of `image` at (x, y), in px; what lies beyond the image repeats its border."""
    rows, columns = image.shape[:2]
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + width, columns), min(y + height, rows)
    inside = image[top:bottom, left:right]
    if inside.shape[:2] == (height, width):
        return inside
    edges = (top - y, y + height - bottom, left - x, x + width - right)
    return np.asarray(cv2.copyMakeBorder(inside, *edges, cv2.BORDER_REPLICATE), dtype=np.uint8)


def resize(image: Pixels, size: int) -> Pixels:
    """`image` linearly resampled to size × size px, averaging where it shrinks to less than half."""
    if image.shape[:2] == (size, size):
        return image
    shrinks = max(image.shape[:2]) > 2 * size
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(np.ascontiguousarray(image), (size, size), interpolation=how), dtype=np.uint8)


def in_core(boxes: NDArray[np.floating], window: Window) -> NDArray[np.bool_]:
    """Which of the boxes (N, 4), xywh in px of the image, have their centre in the window's core."""
    x, y = boxes[:, 0] + boxes[:, 2] / 2, boxes[:, 1] + boxes[:, 3] / 2
    left, top, right, bottom = window.core
    return (x >= left) & (x < right) & (y >= top) & (y < bottom)


def _starts(length: int, window: int, overlap: int) -> list[tuple[int, float, float]]:
    """Start, and first and last coordinate of the core, of each window along an axis; borders answer outwards."""
    if length <= window:
        return [((length - window) // 2, -np.inf, np.inf)]
    count = int(np.ceil((length - overlap) / (window - overlap)))
    starts = [round(i * (length - window) / (count - 1)) for i in range(count)]
    cuts = [-np.inf, *((a + window + b) / 2 for a, b in pairwise(starts)), np.inf]
    return [(start, low, high) for start, (low, high) in zip(starts, pairwise(cuts), strict=True)]
