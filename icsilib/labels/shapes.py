"""Shapes in px: outlines of shapes that tools describe by other figures, painted masks, and the cut at the border.

Packed masks say how large they are before they say what is in them, and both are checked before anything is filled.
"""

import base64
import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from icsilib.data.annotations import clip_to_box, polygon_area
from icsilib.labels.records import Points, Unusable, number, sequence, text

CURVE_VERTICES = 128  # of the polygon that stands for a circle or ellipse: its area is 0.04 % smaller
Mask = NDArray[np.bool_]  # (H, W)
MOST_PIXELS = 100_000_000  # of one mask; more is a fault of the file
SEVERAL_POINTS = "several points in one shape; each is kept by itself"
_CHANNELS = 4  # Label Studio packs red, green, blue and alpha of a canvas; alpha is the mask


def from_cvat(rle: str, width: int, height: int) -> Mask:
    """The mask (`height`, `width`) of run lengths "3, 2, 7": row by row, background first."""
    runs = [number(each, "rle") for each in rle.split(",")]
    if any(run < 0 or run != int(run) for run in runs) or sum(runs) != width * height or sum(runs) > MOST_PIXELS:
        raise Unusable("run lengths do not fill their box")
    painted = np.arange(len(runs)) % 2 == 1
    return np.repeat(painted, np.array(runs, dtype=np.int64)).reshape(height, width)


def from_label_studio(rle: Any, width: int, height: int) -> Mask:
    """The mask (`height`, `width`) of a list of bytes in the format of thi.ng's rle-pack.

    That is, in bits: 32 for the count of words, 5 for a word's size less one, 4 times 4 for the sizes, less one, of a
    run's length. Then runs until the words are full: one bit that says whether the run repeats one word, two that
    choose the size of its length, the length less one, and its word or words.
    """
    values = [number(each, "rle") for each in sequence(rle, "rle")]
    if any(not 0 <= value <= 255 or value != int(value) for value in values):
        raise Unusable("brush mask is not a list of bytes")
    bits = _Bits(np.array(values, dtype=np.uint8))
    count, word = bits.read(32), bits.read(5) + 1
    lengths = [bits.read(4) + 1 for _ in range(4)]
    if count != width * height * _CHANNELS or count > MOST_PIXELS * _CHANNELS:
        raise Unusable("brush mask is of another size than its image")
    filled: Mask = np.zeros(width * height, dtype=bool)
    at = 0
    while at < count:
        repeats = bits.read(1)
        end = at + bits.read(lengths[bits.read(2)]) + 1
        if end > count:
            raise Unusable("brush mask does not fill its image")
        words = [bits.read(word) > 0 for _ in range(1 if repeats else end - at)]
        last = _CHANNELS - 1
        filled[at // _CHANNELS : end // _CHANNELS] = words if repeats else words[last - at % _CHANNELS :: _CHANNELS]
        at = end
    return filled.reshape(height, width)


def from_labelme(packed: Any, width: int, height: int) -> Mask:
    """The mask (`height`, `width`) of a PNG image as text (base64)."""
    try:
        with PIL.Image.open(io.BytesIO(base64.b64decode(text(packed) or "", validate=True)), formats=["PNG"]) as image:
            if image.size == (width, height):
                return np.asarray(image.convert("L")) > 0
    except Exception:  # Pillow raises all kinds
        raise Unusable("mask is no PNG image") from None
    raise Unusable("mask is of another size than its box")


def extent_of_runs(runs: Sequence[int], height: int) -> tuple[list[float], float]:
    """Box (x, y, width, height) and area, in px, of COCO run lengths: column by column, background first.

    Nothing is filled: a run that reaches into another column touches the upper and the lower border.
    """
    ends = np.cumsum(runs)
    starts, lasts = ends[:-1][::2][: len(ends[1::2])], ends[1::2] - 1
    starts, lasts = starts[lasts >= starts], lasts[lasts >= starts]
    if not len(starts):
        return [0.0, 0.0, 0.0, 0.0], 0.0
    left, right = starts[0] // height, lasts[-1] // height
    crossing = (starts // height < lasts // height).any()
    top = 0 if crossing else (starts % height).min()
    bottom = height - 1 if crossing else (lasts % height).max()
    box = [float(each) for each in (left, top, right + 1 - left, bottom + 1 - top)]
    return box, float((lasts + 1 - starts).sum())


class _Bits:
    """Bits of bytes, read from the first on."""

    def __init__(self, packed: NDArray[np.uint8]) -> None:
        self.digits = (np.unpackbits(packed) + ord("0")).tobytes().decode("ascii")
        self.at = 0

    def read(self, size: int) -> int:
        """The next `size` bits as a number, the highest first."""
        found = self.digits[self.at : self.at + size]
        if len(found) < size:
            raise Unusable("brush mask ends too early")
        self.at += size
        return int(found, 2)


def box(x0: float, y0: float, x1: float, y1: float) -> Points:
    """Corners (2, 2) of an upright box."""
    return np.array([[x0, y0], [x1, y1]], dtype=float)


def rotated_box(x: float, y: float, width: float, height: float, degrees: float, pivot: tuple[float, float]) -> Points:
    """Corners (4, 2) of the box at (x, y), turned clockwise on the screen by `degrees` about `pivot`."""
    corners = np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], dtype=float)
    return _turned(corners - pivot, math.radians(degrees)) + pivot


def turned_box(x: float, y: float, width: float, height: float, degrees: float) -> Points:
    """Corners of the box at (x, y), turned clockwise about its centre: (2, 2) while it is upright, else (4, 2)."""
    if not degrees % 360:
        return box(x, y, x + width, y + height)
    return rotated_box(x, y, width, height, degrees, (x + width / 2, y + height / 2))


def ellipse(cx: float, cy: float, rx: float, ry: float, radians: float = 0.0) -> Points:
    """Polygon (128, 2) on the ellipse of half-axes rx, ry, turned clockwise on the screen by `radians`."""
    if rx <= 0 or ry <= 0:
        raise Unusable("zero size")
    angles = np.arange(CURVE_VERTICES) * (2 * math.pi / CURVE_VERTICES)
    ring = np.stack([rx * np.cos(angles), ry * np.sin(angles)], axis=1)
    return _turned(ring, radians) + np.array([cx, cy])


def _turned(points: Points, radians: float) -> Points:
    cos, sin = math.cos(radians), math.sin(radians)
    return points @ np.array([[cos, sin], [-sin, cos]])  # y points down: positive angles turn clockwise


def clip(kind: str, points: Points, width: int, height: int) -> Points | None:
    """The part inside the image of a "box" (2, 2), "polygon" (N, 2) or "point" (1, 2) in px; None if all of it is.

    Raises `Unusable` for a shape without area and for one that lies outside the image.
    """
    limits = np.array([width, height], dtype=float)
    if kind == "polygon" and (len(np.unique(points, axis=0)) < 3 or polygon_area(points) == 0):
        raise Unusable("zero size")
    if kind == "box" and (points[0] == points[1]).any():
        raise Unusable("zero size")
    if ((points >= 0) & (points <= limits)).all():
        return None
    inside = clip_to_box(points, (0.0, 0.0, width, height)) if kind == "polygon" else np.clip(points, 0, limits)
    if kind == "point" or inside is None or (inside.min(axis=0) == inside.max(axis=0)).any():
        raise Unusable("outside the image")
    return inside
