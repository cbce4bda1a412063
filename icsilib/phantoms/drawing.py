"""Anti-aliased shapes, noise and relief, in float32 pictures of 0 to 1: what both phantoms draw with.

Points are continuous image coordinates (`icsilib.data.annotations`): the first pixel's centre is at (0.5, 0.5).
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[Any]  # (H, W) float32
Points = NDArray[np.float64]  # (N, 2) px

_SHIFT = 4  # bits of sub-pixel position in OpenCV's drawing


def noise_field(rng: np.random.Generator, shape: tuple[int, int], grain: float) -> Picture:
    """Zero-mean, unit-variance noise (H, W) whose grain is about `grain` px."""
    step = max(1, int(grain / 2.5))
    height, width = (side // step + 4 for side in shape)
    field: Picture = rng.standard_normal((height, width), dtype=np.float32)
    field = cv2.GaussianBlur(field, (0, 0), max(grain / step, 0.4))
    field = cv2.resize(field, (width * step, height * step), interpolation=cv2.INTER_CUBIC)[: shape[0], : shape[1]]
    return (field - field.mean()) / field.std()


def filled(points: Points, shape: tuple[int, int]) -> Picture:
    """A polygon (N, 2) filled with 1 on 0, its edge anti-aliased."""
    canvas = np.zeros(shape, np.uint8)
    corners = [_fixed_point(points)]
    cv2.fillPoly(canvas, corners, 255, cv2.LINE_AA, _SHIFT)
    # OpenCV fills the pixels under the edge wholly; half of each belongs outside.
    cv2.polylines(canvas, corners, True, 128, 1, cv2.LINE_AA, _SHIFT)
    return canvas.astype(np.float32) / 255


def stroked(lines: list[Points], shape: tuple[int, int], width: float, closed: bool = False) -> Picture:
    """Lines (N, 2) drawn `width` px wide with 1 on 0, anti-aliased; thinner than a pixel is fainter instead."""
    canvas = np.zeros(shape, np.uint8)
    thickness = max(1, round(width))
    strength = int(255 * min(1.0, width / thickness))
    cv2.polylines(canvas, [_fixed_point(line) for line in lines], closed, strength, thickness, cv2.LINE_AA, _SHIFT)
    return canvas.astype(np.float32) / 255


def relief_of(height: Picture, direction: Points) -> Picture:
    """Slope of a height map along `direction` (2,): what modulation contrast shows (Hoffman & Gross 1975)."""
    x = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], np.float32) / 8
    kernel = direction[0] * x + direction[1] * x.T
    return cv2.filter2D(height, cv2.CV_32F, kernel.astype(np.float32), borderType=cv2.BORDER_REPLICATE)


def unit(angle: float) -> Points:
    """Unit vector (2,) at an angle in radians."""
    return np.array([np.cos(angle), np.sin(angle)])


def drawn_number(rng: np.random.Generator, limits: tuple[float, float]) -> int:
    """A whole number from the first to the second limit."""
    return int(rng.integers(int(limits[0]), int(limits[1]) + 1))


def as_levels(picture: Picture, gamma: float) -> NDArray[np.uint8]:
    """Levels 0..1 as 8 bits, by a camera's gamma."""
    curve = np.round(255 * (np.arange(256) / 255) ** gamma).astype(np.uint8)
    return curve[np.clip(picture * 255, 0, 255).astype(np.uint8)]


def as_jpeg(pixels: NDArray[np.uint8], quality: float) -> NDArray[np.uint8]:
    """Grey (H, W) or BGR (H, W, 3) pixels after JPEG compression."""
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_UNCHANGED), dtype=np.uint8)


def _fixed_point(points: Points) -> NDArray[np.int32]:
    """OpenCV puts pixel centres at whole numbers, the study at halves."""
    return np.round((np.clip(points, -20000, 20000) - 0.5) * 2**_SHIFT).astype(np.int32)
