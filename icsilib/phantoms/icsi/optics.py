"""What the microscope and camera add: field, textures, relief, defocus, dust, noise, compression.

Images are float32 with about 0 black and 1 white until `camera` makes 8-bit grey levels of them.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from icsilib.phantoms.icsi.ranges import IcsiRanges, Kit

Picture = NDArray[Any]  # (S, S) float32


@dataclass(frozen=True)
class Look:
    """Optics and camera of one procedure."""

    direction: NDArray[np.float64]  # (2,) unit vector along which relief turns into brightness
    relief: float
    rim: float  # width of the membrane's relief, of the radius
    cytoplasm_level: float
    zona_level: float
    membrane_line: float
    membrane_halo: float
    granularity: float
    speckle: float
    edge_level: float  # of the pipette's walls
    wall_level: float
    bore_level: float
    needle_edge: float
    needle_lumen: float
    needle_fade: float
    needle_inside: float
    needle_defocus: float
    sperm_level: float
    defocus: float
    gamma: float
    contrast: float
    noise: float
    quality: int


def draw_look(rng: np.random.Generator, kit: Kit, ranges: IcsiRanges) -> Look:
    """Draw the look of one procedure with one kit."""

    def draw(limits: tuple[float, float]) -> float:
        return float(rng.uniform(*limits))

    angle = rng.uniform(0, 2 * np.pi)
    needle_edge = draw(ranges.needle_edge_level)
    if rng.random() < ranges.bright_needle_share:
        needle_edge *= -0.7
    return Look(
        direction=np.array([np.cos(angle), np.sin(angle)]),
        relief=draw(ranges.relief),
        rim=draw(ranges.rim_width),
        cytoplasm_level=draw(ranges.cytoplasm_level),
        zona_level=draw(ranges.zona_level),
        membrane_line=draw(ranges.membrane_line),
        membrane_halo=draw(ranges.membrane_halo) * float(rng.random() < 0.5),
        granularity=draw(ranges.granularity),
        speckle=draw(ranges.speckle),
        edge_level=draw(ranges.pipette_edge_level) * kit.glass,
        wall_level=draw(ranges.pipette_wall_level),
        bore_level=draw(ranges.pipette_bore_level),
        needle_edge=needle_edge,
        needle_lumen=draw(ranges.needle_lumen_level),
        needle_fade=draw(ranges.needle_fade),
        needle_inside=draw(ranges.needle_inside),
        needle_defocus=draw(ranges.needle_defocus),
        sperm_level=draw(ranges.sperm_level),
        defocus=draw(ranges.defocus) * kit.sharpness,
        gamma=draw(ranges.gamma),
        contrast=draw(ranges.contrast),
        noise=draw(ranges.noise),
        quality=int(draw(ranges.jpeg_quality)),
    )


def noise_field(rng: np.random.Generator, size: int, grain: float) -> Picture:
    """Zero-mean, unit-variance noise (S, S) whose grain is about `grain` px."""
    step = max(1, int(grain / 2.5))
    side = size // step + 4
    field = cv2.GaussianBlur(rng.standard_normal((side, side), dtype=np.float32), (0, 0), max(grain / step, 0.4))
    field = cv2.resize(field, (side * step, side * step), interpolation=cv2.INTER_CUBIC)[:size, :size]
    return (field - field.mean()) / field.std()


def empty_field(rng: np.random.Generator, size: int, kit: Kit, ranges: IcsiRanges) -> Picture:
    """The field without oocyte or tools: level, gradient, mottle."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size - 0.5
    angle = rng.uniform(0, 2 * np.pi)
    slope = rng.uniform(*ranges.field_gradient) * (np.cos(angle) * x + np.sin(angle) * y)
    mottle = noise_field(rng, size, size / 14) + 0.6 * noise_field(rng, size, size / 90)
    level = np.clip(rng.uniform(*ranges.field_level) + kit.light, 0.25, 0.8)
    field = level + slope + rng.uniform(*ranges.mottle) * mottle
    if rng.random() < ranges.well_share:
        field += _well(rng, x, y)
    return field.astype(np.float32)


def _well(rng: np.random.Generator, x: Picture, y: Picture) -> Picture:
    """Wall of a culture well: a bright ring, darkness outside it; x and y run from -0.5 to 0.5."""
    across, down = rng.uniform(-0.15, 0.15, 2)
    outward = np.sqrt((x - across) ** 2 + (y - down) ** 2) - rng.uniform(0.38, 0.55)
    width = rng.uniform(0.015, 0.06)
    dark = 1 / (1 + np.exp(-(outward - 2 * width) / width * 2))
    return rng.uniform(0.2, 0.6) * np.exp(-((outward / width) ** 2)) - rng.uniform(0.1, 0.5) * dark


def shading(rng: np.random.Generator, size: int, ranges: IcsiRanges) -> Picture:
    """What lies on the optics and stays: vignetting, round field stop, dust; multiplies the image."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size - 0.5
    radius2 = x**2 + y**2
    field = 1 - rng.uniform(*ranges.vignetting) * 2 * radius2
    if rng.random() < ranges.round_field_share:
        field *= 1 / (1 + np.exp((np.sqrt(radius2) - rng.uniform(0.48, 0.62)) * 90))
    specks = np.zeros((size, size), np.uint8)
    for _ in range(int(rng.integers(int(ranges.dust[0]), int(ranges.dust[1]) + 1))):
        centre = rng.integers(0, size, 2).tolist()
        cv2.circle(
            specks, centre, int(rng.integers(1, max(2, size // 90))), int(rng.integers(60, 230)), -1, cv2.LINE_AA
        )
    dust = cv2.GaussianBlur(specks, (0, 0), size / 300).astype(np.float32) / 255
    return (field * (1 - 0.5 * dust)).astype(np.float32)


def filled(points: NDArray[np.float64], size: int) -> Picture:
    """A polygon (N, 2) filled with 1 on 0, its edge anti-aliased."""
    canvas = np.zeros((size, size), np.uint8)
    corners = [_fixed_point(points)]
    cv2.fillPoly(canvas, corners, 255, cv2.LINE_AA, _SHIFT)
    # OpenCV fills the pixels under the edge wholly; half of each belongs outside.
    cv2.polylines(canvas, corners, True, 128, 1, cv2.LINE_AA, _SHIFT)
    return canvas.astype(np.float32) / 255


def stroked(lines: list[NDArray[np.float64]], size: int, width: float, closed: bool = False) -> Picture:
    """Lines (N, 2) drawn `width` px wide with 1 on 0, anti-aliased."""
    canvas = np.zeros((size, size), np.uint8)
    thickness = max(1, round(width))
    strength = int(255 * min(1.0, width / thickness))
    cv2.polylines(canvas, [_fixed_point(line) for line in lines], closed, strength, thickness, cv2.LINE_AA, _SHIFT)
    return canvas.astype(np.float32) / 255


_SHIFT = 4  # bits of sub-pixel position in OpenCV's drawing


def _fixed_point(points: NDArray[np.float64]) -> NDArray[np.int32]:
    """OpenCV puts pixel centres at whole numbers, the study at halves."""
    return np.round((np.clip(points, -20000, 20000) - 0.5) * 2**_SHIFT).astype(np.int32)


def relief_of(height: Picture, direction: NDArray[np.float64]) -> Picture:
    """Slope of a height map along `direction`: what modulation contrast shows (Hoffman & Gross 1975)."""
    x = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], np.float32) / 8
    kernel = direction[0] * x + direction[1] * x.T
    return cv2.filter2D(height, cv2.CV_32F, kernel.astype(np.float32), borderType=cv2.BORDER_REPLICATE)


def camera(image: Picture, look: Look, rng: np.random.Generator | None) -> NDArray[np.uint8]:
    """Contrast, defocus, gamma, sensor noise and JPEG compression; without `rng` only contrast and gamma."""
    middle = float(image.mean())
    image = middle + look.contrast * (image - middle)
    if rng is not None:
        image = cv2.GaussianBlur(image, (0, 0), look.defocus)
        image = image + look.noise * rng.standard_normal(image.shape, dtype=np.float32)
    levels = np.clip(image * 255, 0, 255).astype(np.uint8)
    curve = np.round(255 * (np.arange(256) / 255) ** look.gamma).astype(np.uint8)
    levels = curve[levels]
    if rng is None:
        return levels
    _, data = cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, look.quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
