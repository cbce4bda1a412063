"""Paper A's preprocessing, §2.1: greyscale, 512×512, contrast-limited adaptive histogram equalisation (CLAHE).

Two things the paper leaves open are settled here and are parameters of `Preprocess`:

- *CLAHE's strength.* Clip limit 2.0 on 8×8 tiles, the values most in use (OpenCV's own default limit of 40
  hardly limits at all).
- *Aspect ratio.* "Resized to 512 × 512" does not say what happens to a wide frame. The default is letterbox:
  the whole frame is kept, in proportion, between two flat bars of its own median grey, and CLAHE works on the
  content alone so that the bars do not enter any histogram. Stretching would turn round cells into ellipses and
  make one pixel error mean two lengths; padding by reflection would draw a second suction pipette; cropping
  (`fit="crop"`) loses the frame's ends, where both tools come in.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Grey = NDArray[np.uint8]  # (height, width)
Fit = Literal["letterbox", "crop", "stretch"]


@dataclass(frozen=True)
class Preprocess:
    """How a frame becomes the network's input."""

    size: int = 512  # px, side of the square
    fit: Fit = "letterbox"  # what is done about a frame that is not square
    clip_limit: float | None = 2.0  # of CLAHE, in multiples of a flat histogram's bin; None leaves CLAHE out
    tiles: int = 8  # CLAHE's tiles along each side
    padding: int | None = None  # grey level of letterbox bars; None takes the content's median


@dataclass(frozen=True)
class Geometry:
    """Where a frame's content lies in the square; maps coordinates both ways.

    Both sides are continuous image coordinates in px (see `icsilib.data.annotations`), so that
    square = source · scale + offset holds exactly, axis by axis.
    """

    source: tuple[int, int]  # width, height of the frame, px
    content: tuple[int, int]  # width, height of the whole frame after resizing, px
    size: int  # side of the square, px

    @property
    def scale(self) -> NDArray[np.float64]:
        """Square px per source px along x and y; they differ only by rounding to whole pixels, unless stretched."""
        return np.divide(self.content, self.source)

    @property
    def offset(self) -> NDArray[np.int64]:
        """Position in the square, x and y in px, of the frame's upper-left corner; negative where it is cropped."""
        return (self.size - np.asarray(self.content)) // 2

    def to_square(self, points: ArrayLike) -> NDArray[np.float64]:
        """Points (..., 2) in the source frame → points in the square."""
        return np.asarray(points, dtype=float) * self.scale + self.offset

    def to_source(self, points: ArrayLike) -> NDArray[np.float64]:
        """Points (..., 2) in the square → points in the source frame."""
        return (np.asarray(points, dtype=float) - self.offset) / self.scale


def preprocess(image: NDArray[np.uint8], settings: Preprocess = Preprocess()) -> tuple[Grey, Geometry]:
    """A frame, grey (H, W) or RGB (H, W, 3), as the (size, size) input of paper A, and the geometry between them."""
    grey = to_grey(image)
    place = geometry((grey.shape[1], grey.shape[0]), settings)
    shrinking = place.content[0] < place.source[0] or place.content[1] < place.source[1]
    resized = cv2.resize(grey, place.content, interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)
    x, y = np.maximum(-place.offset, 0)  # what a crop takes away
    content = equalise(np.asarray(resized, dtype=np.uint8)[y : y + settings.size, x : x + settings.size], settings)
    padding = int(np.median(content)) if settings.padding is None else settings.padding
    square = np.full((settings.size, settings.size), padding, np.uint8)
    x, y = np.maximum(place.offset, 0)  # where a letterbox begins
    square[y : y + content.shape[0], x : x + content.shape[1]] = content
    return square, place


def geometry(source: tuple[int, int], settings: Preprocess = Preprocess()) -> Geometry:
    """Where a frame of `source` = (width, height) px comes to lie in the square."""
    size, (width, height) = settings.size, source
    if settings.fit == "stretch":
        return Geometry(source, (size, size), size)
    sides = {"letterbox": max(source), "crop": min(source)}
    if settings.fit not in sides:
        raise ValueError(f"fit={settings.fit!r}: unknown; choose letterbox, crop or stretch")
    factor = size / sides[settings.fit]
    return Geometry(source, (max(1, round(width * factor)), max(1, round(height * factor))), size)


def to_grey(image: NDArray[np.uint8]) -> Grey:
    """A grey (H, W), RGB (H, W, 3) or RGBA (H, W, 4) image of 8 bits as (H, W), by ITU-R BT.601 luma."""
    if image.dtype != np.uint8 or image.size == 0:
        raise ValueError(f"image of {image.dtype}, shape {image.shape}: needs 8-bit grey levels; convert it to uint8")
    if image.ndim == 2:
        return image
    codes = {3: cv2.COLOR_RGB2GRAY, 4: cv2.COLOR_RGBA2GRAY}
    if image.ndim != 3 or image.shape[2] not in codes:
        raise ValueError(f"image of shape {image.shape}: needs (height, width) or (height, width, 3 or 4)")
    return np.asarray(cv2.cvtColor(image, codes[image.shape[2]]), dtype=np.uint8)


def equalise(grey: Grey, settings: Preprocess = Preprocess()) -> Grey:
    """CLAHE of a grey image (H, W) with the settings' clip limit and tiles; unchanged where the limit is None.

    Zuiderveld, "Contrast limited adaptive histogram equalization", Graphics Gems IV (1994).
    """
    if settings.clip_limit is None:
        return grey
    clahe = cv2.createCLAHE(settings.clip_limit, (settings.tiles, settings.tiles))
    return np.asarray(clahe.apply(np.ascontiguousarray(grey)), dtype=np.uint8)
