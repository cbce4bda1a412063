"""What the microscope and camera add: field, textures, relief, defocus, dust, noise, compression.

Images are float32 with about 0 black and 1 white until `camera` makes 8-bit grey levels of them.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from icsilib.phantoms.drawing import Picture, noise_field
from icsilib.phantoms.icsi.laboratory import Kit
from icsilib.phantoms.icsi.ranges import IcsiRanges


@dataclass(frozen=True)
class Look:
    """Optics and camera of one procedure."""

    direction: NDArray[np.float64]  # (2,) unit vector along which relief turns into brightness
    relief: float
    relief_contrast: float
    height_blur: float
    rim: float  # width of the membrane's relief, of the radius
    cytoplasm_level: float
    zona_level: float
    zona_inner_edge: float
    zona_speckle: float
    zona_fade: float
    zona_relief: float
    dome: float  # of the radius
    polar_body: float  # height, of its radius
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


def draw_look(rng: np.random.Generator, kit: Kit, ranges: IcsiRanges, size: int) -> Look:
    """Draw the look of one procedure with one kit, in frames of `size` px."""

    def draw(limits: tuple[float, float]) -> float:
        return float(rng.uniform(*limits))

    angle = rng.uniform(0, 2 * np.pi)
    needle_edge = draw(ranges.needle_edge_level)
    if rng.random() < ranges.bright_needle_share:
        needle_edge *= -0.7
    return Look(
        direction=np.array([np.cos(angle), np.sin(angle)]),
        relief=draw(ranges.relief),
        relief_contrast=draw(ranges.relief_contrast),
        height_blur=draw(ranges.height_blur),
        rim=draw(ranges.rim_width),
        cytoplasm_level=draw(ranges.cytoplasm_level),
        zona_level=draw(ranges.zona_level),
        zona_inner_edge=draw(ranges.zona_inner_edge),
        zona_speckle=draw(ranges.zona_speckle),
        zona_fade=draw(ranges.zona_fade),
        zona_relief=draw(ranges.zona_relief),
        dome=draw(ranges.dome),
        polar_body=draw(ranges.polar_body_height),
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
        defocus=draw(ranges.defocus) * kit.sharpness * size / 512,
        gamma=draw(ranges.gamma),
        contrast=draw(ranges.contrast),
        noise=draw(ranges.noise),
        quality=int(draw(ranges.jpeg_quality)),
    )


def empty_field(rng: np.random.Generator, size: int, kit: Kit, ranges: IcsiRanges) -> Picture:
    """The field without oocyte or tools: level, gradient, mottle."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size - 0.5
    angle = rng.uniform(0, 2 * np.pi)
    slope = rng.uniform(*ranges.field_gradient) * (np.cos(angle) * x + np.sin(angle) * y)
    mottle = noise_field(rng, (size, size), size / 14) + 0.6 * noise_field(rng, (size, size), size / 90)
    level = np.clip(rng.uniform(*ranges.field_level) + kit.light, 0.25, ranges.brightest_field)
    field = level + slope + rng.uniform(*ranges.mottle) * mottle
    return field.astype(np.float32)


def shading(rng: np.random.Generator, size: int, ranges: IcsiRanges) -> Picture:
    """What lies on the optics and stays: vignetting, round field stop, dust; multiplies the image."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size - 0.5
    radius2 = x**2 + y**2
    field = 1 - rng.uniform(*ranges.vignetting) * 2 * radius2
    if rng.random() < ranges.round_field_share:
        across, down = rng.uniform(*ranges.field_stop_shift, 2)
        outward = np.sqrt((x - across) ** 2 + (y - down) ** 2) - rng.uniform(*ranges.field_stop)
        field *= 1 / (1 + np.exp(outward * rng.uniform(*ranges.field_stop_edge)))
    specks = np.zeros((size, size), np.uint8)
    for _ in range(int(rng.integers(int(ranges.dust[0]), int(ranges.dust[1]) + 1))):
        centre = rng.integers(0, size, 2).tolist()
        cv2.circle(
            specks, centre, int(rng.integers(1, max(2, size // 90))), int(rng.integers(60, 230)), -1, cv2.LINE_AA
        )
    dust = cv2.GaussianBlur(specks, (0, 0), size / 300).astype(np.float32) / 255
    return (field * (1 - 0.5 * dust)).astype(np.float32)


def graded(image: Picture, look: Look, middle: float) -> Picture:
    """Contrast about the level `middle`, then gamma: grey levels 0..255 before noise and rounding."""
    levels = np.clip(middle + look.contrast * (image - middle), 0, 1)
    return np.asarray(255 * levels**look.gamma, dtype=np.float32)


def camera(image: Picture, look: Look, rng: np.random.Generator | None, focus: float = 1.0) -> NDArray[np.uint8]:
    """Contrast, defocus, gamma, sensor noise and JPEG compression; without `rng` only contrast and gamma."""
    middle = float(image.mean())
    image = middle + look.contrast * (image - middle)
    if rng is not None:
        image = cv2.GaussianBlur(image, (0, 0), look.defocus * focus)
        image = image + look.noise * rng.standard_normal(image.shape, dtype=np.float32)
    levels = np.clip(image * 255, 0, 255).astype(np.uint8)
    curve = np.round(255 * (np.arange(256) / 255) ** look.gamma).astype(np.uint8)
    levels = curve[levels]
    if rng is None:
        return levels
    _, data = cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, look.quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
