"""What the microscope and camera add: field, textures, relief, defocus, dust, noise, compression.

Images are float32 with about 0 black and 1 white until `camera` makes 8-bit grey levels of them.
"""

from dataclasses import dataclass, fields

import cv2
import numpy as np
from numpy.typing import NDArray

from icsilib.phantoms.drawing import Picture, Points, as_jpeg, as_levels, drawn_number, noise_field, unit
from icsilib.phantoms.icsi.ranges import IcsiRanges, Kit


@dataclass(frozen=True)
class Look:
    """Optics and camera of one procedure: one number from each range of `IcsiRanges` of the same name."""

    direction: Points  # (2,) unit vector along which relief turns into brightness
    needle_edge_level: float
    relief: float
    relief_contrast: float
    height_blur: float
    rim_width: float
    cytoplasm_level: float
    zona_level: float
    zona_inner_edge: float
    zona_speckle: float
    zona_fade: float
    zona_relief: float
    dome: float
    polar_body_height: float
    membrane_line: float
    membrane_halo: float
    granularity: float
    speckle: float
    pipette_edge_level: float
    pipette_wall_level: float
    pipette_bore_level: float
    needle_lumen_level: float
    needle_fade: float
    needle_inside: float
    needle_defocus: float
    sperm_level: float
    defocus: float
    gamma: float
    contrast: float
    noise: float
    jpeg_quality: float


def draw_look(rng: np.random.Generator, kit: Kit, ranges: IcsiRanges, size: int) -> Look:
    """Draw the look of one procedure with one kit, in frames of `size` px."""
    direction = unit(rng.uniform(0, 2 * np.pi))
    drawn: dict[str, float] = {}
    for field in fields(Look)[1:]:
        drawn[field.name] = float(rng.uniform(*getattr(ranges, field.name)))
        if field.name == "needle_edge_level" and rng.random() < ranges.bright_needle_share:
            drawn[field.name] *= -0.7
        elif field.name == "membrane_halo":  # half of the procedures have one
            drawn[field.name] *= float(rng.random() < 0.5)
    drawn["pipette_edge_level"] *= kit.glass
    drawn["defocus"] = drawn["defocus"] * kit.sharpness * size / 512
    return Look(direction, **drawn)


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
    for _ in range(drawn_number(rng, ranges.dust)):
        centre, radius = rng.integers(0, size, 2).tolist(), int(rng.integers(1, max(2, size // 90)))
        cv2.circle(specks, centre, radius, int(rng.integers(60, 230)), -1, cv2.LINE_AA)
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
    levels = as_levels(image, look.gamma)
    return levels if rng is None else as_jpeg(levels, look.jpeg_quality)
