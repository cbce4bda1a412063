"""Paper B's preprocessing, "Data preprocessing": scaling to [0, 1], a glare filter, diffraction correction.

The paper's images passed "through glare filters and diffraction correction" of the microscope's own software
(Hamilton Thorne HT 3), which is not published. The two steps here do what the names say with textbook means, and are
not the vendor's:

- `suppress_glare` estimates the light of the field by a wide median and takes away what exceeds its usual level;
- `suppress_rings` finds concentric rings by correlation with a template and takes away their radial mean.

Images are RGB; values are shares of full scale, lengths px.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]  # (H, W, 3) RGB in [0, 1]
Grey = NDArray[np.float32]  # (H, W)

_COARSE = 96  # px, height of the small image on which the field is estimated


@dataclass(frozen=True)
class BiopsyPreprocess:
    """What is done to an image, and how strongly."""

    glare: bool = True
    glare_reach: float = 0.3  # window of the median, as a share of the image's height: larger than any cell
    rings: bool = True
    ring_pitches: tuple[float, ...] = (3.0, 3.5, 4.0, 4.5, 5.0, 5.75, 6.5)  # px from ring to ring that are looked for
    ring_correlation: float = 0.5  # with the template, from which on rings are taken to be there
    ring_reach: int = 70  # px from the middle as far as rings are taken away


def preprocess_biopsy(image: NDArray[Any], settings: BiopsyPreprocess = BiopsyPreprocess()) -> Picture:
    """All three steps in the paper's order, for an RGB image (H, W, 3) of unsigned integers; result in [0, 1]."""
    picture = scale_to_unit(image)
    if settings.glare:
        picture = suppress_glare(picture, settings.glare_reach)
    if settings.rings:
        picture = suppress_rings(picture, settings)
    return picture


def scale_to_unit(image: NDArray[Any]) -> Picture:
    """RGB of unsigned integers (H, W, 3) as shares of the type's largest value. Raises `ValueError` for other types."""
    if image.ndim != 3 or image.shape[2] != 3 or not np.issubdtype(image.dtype, np.unsignedinteger):
        raise ValueError(f"image: shape {image.shape}, {image.dtype}; expected (H, W, 3) of unsigned integers")
    return (image / np.iinfo(image.dtype).max).astype(np.float32)


def suppress_glare(picture: Picture, reach: float = 0.3) -> Picture:
    """Take away, channel by channel, the light by which the field exceeds its median; darker parts stay as they are.

    The field is a median over windows of `reach` times the image's height, taken on a small copy: cells are smaller
    than half the window and do not enter. What the camera clipped to white cannot come back.
    """
    height, width = picture.shape[:2]
    shape = max(round(width * _COARSE / height), 3), _COARSE
    coarse = np.round(255 * cv2.resize(picture, shape, interpolation=cv2.INTER_AREA)).astype(np.uint8)
    window = int(reach * _COARSE) // 2 * 2 + 1
    framed = cv2.copyMakeBorder(coarse, window, window, window, window, cv2.BORDER_REFLECT)
    field = cv2.medianBlur(framed, window)[window:-window, window:-window]
    smooth = cv2.GaussianBlur(field.astype(np.float32) / 255, (0, 0), window / 8)
    excess = np.maximum(smooth - np.median(smooth, axis=(0, 1)), 0)
    return np.clip(picture - cv2.resize(excess, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)


def suppress_rings(picture: Picture, settings: BiopsyPreprocess = BiopsyPreprocess()) -> Picture:
    """Take away the radial mean about the middle of every set of concentric rings that is found."""
    picture = picture.copy()
    for x, y in find_rings(picture.mean(axis=2), settings):
        _take_away(picture, x, y, settings.ring_reach)
    return picture


def find_rings(grey: Grey, settings: BiopsyPreprocess = BiopsyPreprocess()) -> list[tuple[int, int]]:
    """Middles (x, y) in whole px of concentric rings in an image (H, W), the clearest first."""
    margin = round(2.5 * max(settings.ring_pitches))
    framed = cv2.copyMakeBorder(_detail(grey), margin, margin, margin, margin, cv2.BORDER_REFLECT)
    likeness = np.zeros(grey.shape, np.float32)
    for pitch in settings.ring_pitches:
        reach = round(2.5 * pitch)
        spare = margin - reach  # 0 for the widest template
        inner = framed[spare : framed.shape[0] - spare, spare : framed.shape[1] - spare]
        found = cv2.matchTemplate(inner, ring_template(pitch, reach), cv2.TM_CCOEFF_NORMED)
        likeness = np.maximum(likeness, np.abs(found))  # rings may begin bright or dark
    middles = []
    while likeness.max() >= settings.ring_correlation:
        y, x = np.unravel_index(likeness.argmax(), likeness.shape)
        middles.append((int(x), int(y)))
        cv2.circle(likeness, middles[-1], 2 * margin, 0.0, -1)
    return middles


def ring_template(pitch: float, reach: int) -> Grey:
    """Rings cos(2πr / pitch) that fade outwards, (2·reach + 1)² px."""
    radius = _radius(reach)
    return (np.cos(2 * np.pi * radius / pitch) * np.exp(-radius / (2 * pitch)) * (radius <= reach)).astype(np.float32)


def _take_away(picture: Picture, x: int, y: int, reach: int) -> None:
    """Subtract in place, within `reach` of (x, y), each radius's mean over the three channels' fine detail."""
    top, left = max(y - reach, 0), max(x - reach, 0)
    part = picture[top : y + reach + 1, left : x + reach + 1]
    radius = _radius(reach)[top - y + reach :, left - x + reach :][: part.shape[0], : part.shape[1]]
    nearest = np.minimum(radius.astype(int), reach)
    detail = _detail(part.mean(axis=2))
    usual = np.abs(detail) <= 2.5 * np.median(np.abs(detail)) / 0.6745 + 0.05  # cells and sperm do not enter
    count = np.bincount(nearest[usual], minlength=reach + 1)
    mean = np.bincount(nearest[usual], detail[usual], minlength=reach + 1) / np.maximum(count, 1)
    fade = np.clip((reach - radius) / (0.3 * reach), 0, 1)
    np.clip(part - (np.interp(radius, np.arange(reach + 1) + 0.5, mean) * fade)[..., None], 0, 1, out=part)


def _detail(grey: Grey) -> Grey:
    """What is finer than the widest rings."""
    return grey - cv2.GaussianBlur(grey, (0, 0), 4.0)


def _radius(reach: int) -> Grey:
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    return np.hypot(x, y)
