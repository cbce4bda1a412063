"""From optical thickness to what the camera stores: contrast, colour, glare and rings, noise, compression.

Brightness is float32 with about 0 black and 1 white until `camera` makes 8-bit RGB of it.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from icsilib.phantoms.biopsy.clutter import Canvas
from icsilib.phantoms.biopsy.ranges import BiopsyRanges, Range
from icsilib.phantoms.icsi.optics import noise_field, relief_of

Picture = NDArray[np.float32]  # (H, W)
HAEM = np.array([0.18, 0.55, 0.9], np.float32)  # how much of red, green and blue haemoglobin takes
RELIEF, PHASE, FRINGE, SHADE = 0.062, 0.105, 0.085, 0.028  # brightness for a µm of thickness, at strength 1 (choice)


@dataclass(frozen=True)
class Look:
    """Microscope and camera of one patient's session."""

    contrast: str
    strength: float
    positive: float  # 1: thick is dark, as in positive phase contrast; -1: thick is bright
    direction: tuple[float, float]  # along which relief turns into brightness
    halo: float  # µm
    defocus: float  # µm
    soft: float  # µm
    far: float  # µm
    level: float
    cast: tuple[float, float, float]
    gamma: float
    noise: float
    quality: int


def draw_look(rng: np.random.Generator, ranges: BiopsyRanges) -> Look:
    """Draw the look of one patient's session."""

    def draw(limits: Range) -> float:
        return float(rng.uniform(*limits))

    names, shares = zip(*ranges.contrasts, strict=True)
    angle = draw(ranges.light_from)
    return Look(
        contrast=str(rng.choice(names, p=shares)),
        strength=draw(ranges.strength),
        positive=1.0 if rng.random() < 0.75 else -1.0,
        direction=(float(np.cos(angle)), float(np.sin(angle))),
        halo=draw(ranges.halo),
        defocus=draw(ranges.defocus),
        soft=draw(ranges.soft),
        far=draw(ranges.far),
        level=draw(ranges.level),
        cast=(1 + draw(ranges.cast), 1.0, 1 + draw(ranges.cast)),
        gamma=draw(ranges.gamma),
        noise=draw(ranges.noise),
        quality=int(draw(ranges.jpeg_quality)),
    )


def blurred(picture: Picture, sigma: float) -> Picture:
    """Gaussian blur with a standard deviation in px; wide ones are made on a coarser raster."""
    if sigma < 0.3:
        return picture
    factor = int(min(8, sigma // 2))
    if factor < 2:
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), dtype=np.float32)
    height, width = picture.shape
    small = cv2.resize(picture, (-(-width // factor), -(-height // factor)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / factor)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def contrast_of(height: Picture, look: Look, um_per_px: float) -> Picture:
    """Change of brightness that optical thickness (µm) makes in this microscope.

    Relief: the slope towards the light (Hoffman & Gross 1975). Phase: thickness against its surroundings, with a
    halo. Bright field: dark bodies with a bright rim, the curvature of thickness, as a little defocus shows them.
    """
    if look.contrast == "relief":
        slope = relief_of(height, np.array(look.direction)) / um_per_px
        change = RELIEF * 2.4 * slope - 0.3 * SHADE * height
    elif look.contrast == "phase":
        change = PHASE * look.positive * (blurred(height, look.halo / um_per_px) - height)
    else:
        rim = blurred(height, 0.9 / um_per_px) - height
        change = FRINGE * 1.9 * rim - SHADE * height
    change *= look.strength
    return np.asarray(0.42 * np.tanh(change / 0.42), dtype=np.float32)  # light does not fall below nothing


def field_of(rng: np.random.Generator, width: int, height: int, look: Look, ranges: BiopsyRanges) -> Picture:
    """The empty field: level, gradient, vignetting and the unevenness of the medium."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / width
    x, y = x - 0.5, y - 0.5 * height / width
    angle = rng.uniform(0, 2 * np.pi)
    field = look.level + rng.uniform(*ranges.gradient) * (np.cos(angle) * x + np.sin(angle) * y)
    field *= 1 - rng.uniform(*ranges.vignetting) * 2 * (x**2 + y**2)
    mottle = noise_field(rng, width, width / 16)[:height]
    return np.asarray(field + rng.uniform(*ranges.mottle) * mottle, dtype=np.float32)


def colours(grey: Picture, canvas: Canvas, look: Look) -> Picture:
    """(H, W, 3) brightness of red, green and blue: the lamp's cast and what the preparation absorbs."""
    grey = grey * np.exp(-canvas.dark)
    planes = [grey * cast * np.exp(-haem * canvas.haem) for cast, haem in zip(look.cast, HAEM, strict=True)]
    return np.stack(planes, axis=-1).astype(np.float32)


def rings_of(rng: np.random.Generator, width: int, height: int, ranges: BiopsyRanges) -> Picture:
    """Factor (H, W) of the diffraction rings that dust on the optics throws: it stays while the sample moves.

    Around each speck the brightness oscillates with the square of the distance, as behind a small obstacle.
    """
    factor = np.ones((height, width), np.float32)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    for _ in range(int(rng.integers(int(ranges.rings[0]), int(ranges.rings[1]) + 1))):
        reach = rng.uniform(*ranges.ring_reach)
        square = ((x - rng.uniform(0, width)) ** 2 + (y - rng.uniform(0, height)) ** 2) / np.float32(reach**2)
        waves = np.cos(rng.uniform(9, 16) * square) * np.exp(-1.6 * square)
        factor -= np.float32(rng.uniform(*ranges.ring_strength)) * waves
    return factor


def glare_of(rng: np.random.Generator, width: int, height: int, ranges: BiopsyRanges) -> Picture:
    """Brightness (H, W) that light reflected in the dish adds: a broad veil, and saturated spots within it."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    cx, cy, reach = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(*ranges.glare_reach) * width
    distance = (x - cx) ** 2 + ((y - cy) * rng.uniform(0.8, 1.6)) ** 2
    glare = rng.uniform(*ranges.glare_veil) * np.exp(-distance / np.float32(2 * reach**2))
    for _ in range(int(rng.integers(int(ranges.glare_spots[0]), int(ranges.glare_spots[1]) + 1))):
        sx, sy = rng.normal(cx, reach / 3), rng.normal(cy, reach / 3)
        size = rng.uniform(2.5, 8)
        spot = (((x - sx) / size) ** 2 + ((y - sy) / (size * rng.uniform(0.5, 1))) ** 2) / 2
        glare = glare + 1.2 * np.exp(-spot)
    return np.asarray(glare, dtype=np.float32)


def camera(rgb: Picture, look: Look, rng: np.random.Generator | None) -> NDArray[np.uint8]:
    """Gamma, sensor noise and JPEG compression of (H, W, 3) brightness; without `rng` gamma only."""
    if rng is not None:
        shared = rng.standard_normal(rgb.shape[:2], dtype=np.float32)  # grey noise is stronger than colour noise
        rgb = rgb + look.noise * shared[..., None]
        coloured = cv2.resize(rng.standard_normal((rgb.shape[0] // 2, rgb.shape[1] // 2, 3), dtype=np.float32),
                              (rgb.shape[1], rgb.shape[0]))  # fmt: skip
        rgb = rgb + 0.35 * look.noise * coloured
    levels = np.clip(rgb * 255, 0, 255).astype(np.uint8)
    curve = np.round(255 * (np.arange(256) / 255) ** look.gamma).astype(np.uint8)
    levels = curve[levels]
    if rng is None:
        return np.asarray(levels, dtype=np.uint8)
    _, data = cv2.imencode(".jpg", levels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, look.quality])
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])
