"""From seed and number to a biopsy image with exact boxes.

Everything in view adds to two maps: `height`, the optical thickness that relief and halo are made of, and
`absorption`. The image is the field, plus the slope of the height (modulation contrast), plus its curvature
(a slightly defocused bright field shows dark rims with bright halos), less the absorption.
"""

import math
from dataclasses import dataclass, fields
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from icsilib.phantoms.biopsy.ranges import PHENOTYPES, SIZES, BiopsyRanges
from icsilib.phantoms.biopsy.shapes import Sperm, blob, draw_sperm
from icsilib.phantoms.drawing import Picture, Points, as_jpeg, as_levels, filled, noise_field, relief_of, stroked, unit

PATIENTS = 30


@dataclass(frozen=True)
class BiopsyImage:
    """One rendered image and its truth, in continuous image coordinates."""

    number: int
    patient_id: str
    kind: str  # "dense" or "diffuse"
    pixels: NDArray[np.uint8]  # (H, W, 3) RGB
    boxes: NDArray[np.float64]  # (N, 4) x, y, width, height in px
    phenotypes: list[str]  # of each box
    um_per_px: float

    @property
    def name(self) -> str:
        """Name of the image in files."""
        return f"biopsy-{self.number:04d}"


@dataclass(frozen=True)
class Look:
    """Optics and camera that the images of one patient share, drawn from the ranges of the same name; its sample."""

    direction: Points
    field_level: float
    relief: float
    phase: float
    defocus: float
    tint: NDArray[np.float64]
    gamma: float
    noise: float
    jpeg_quality: float
    richness: float  # factor on the number of cells
    dense_share: float


def draw_look(rng: np.random.Generator, ranges: BiopsyRanges) -> Look:
    """Draw what one patient's images share."""
    direction = unit(rng.uniform(0, 2 * np.pi))
    drawn: dict[str, Any] = {}
    for field in fields(Look)[1:-2]:
        low, high = getattr(ranges, field.name)
        drawn[field.name] = rng.uniform(low, high, 3) if field.name == "tint" else rng.uniform(low, high)
    return Look(direction, **drawn, richness=rng.uniform(0.4, 1.3), dense_share=rng.uniform(0.2, 0.8))


class Canvas:
    """Height and absorption maps (H, W) of an image, and drawing on parts of them."""

    def __init__(self, shape: tuple[int, int], um_per_px: float) -> None:
        self.shape, self.um_per_px = shape, um_per_px
        self.height = np.zeros(shape, np.float32)
        self.absorption = np.zeros(shape, np.float32)

    def add(self, outline: Points, height: float, absorption: float, blur: float = 0.6, hollow: float = 0.0) -> None:
        """Add a filled outline (N, 2) in px with a rounded edge of `blur` µm; `hollow` lowers its middle."""
        margin = 3 * blur / self.um_per_px + 2
        part = self._part(outline, margin)
        if part is None:
            return
        window, corner, shape = part
        local = outline - corner
        shape_map = cv2.GaussianBlur(filled(local, shape), (0, 0), max(blur / self.um_per_px, 0.3))
        if hollow:
            middle = local.mean(axis=0) + 0.55 * (local - local.mean(axis=0))
            dip = cv2.GaussianBlur(filled(middle, shape), (0, 0), max(1.6 * blur / self.um_per_px, 0.3))
            shape_map = shape_map - hollow * dip
        self.height[window] += height * shape_map
        self.absorption[window] += absorption * shape_map

    def add_lines(
        self, strokes: list[tuple[Points, float, float]], height: float, absorption: float, blur: float = 0.3
    ) -> None:
        """Add lines (N, 2) in px that form one thread, each with its width in px and its strength."""
        widest = max(width for _, width, _ in strokes)
        part = self._part(np.concatenate([line for line, _, _ in strokes]), widest + 3 * blur / self.um_per_px + 2)
        if part is None:
            return
        window, corner, shape = part
        drawn: Picture = np.zeros(shape, np.float32)
        for line, width, strength in strokes:  # the larger, not the sum, where two meet
            drawn = np.maximum(drawn, strength * stroked([line - corner], shape, width))
        drawn = cv2.GaussianBlur(drawn, (0, 0), max(blur / self.um_per_px, 0.3))
        self.height[window] += height * drawn
        self.absorption[window] += absorption * drawn

    def crowding(self, place: Points, reach: float) -> float:
        """Mean optical thickness within `reach` µm of a place (2,) in px."""
        x, y = place.astype(int)
        side = int(reach / self.um_per_px)
        return float(self.height[max(y - side, 0) : y + side, max(x - side, 0) : x + side].mean())

    def _part(self, points: Points, margin: float) -> tuple[tuple[slice, slice], Points, tuple[int, int]] | None:
        """The part of the maps that points with a margin cover: its slices, its corner, its shape."""
        low = np.maximum(np.floor(points.min(axis=0) - margin), 0).astype(int)
        high = np.minimum(np.ceil(points.max(axis=0) + margin), self.shape[::-1]).astype(int)
        if np.any(high - low < 2):
            return None
        window = (slice(low[1], high[1]), slice(low[0], high[0]))
        return window, low.astype(float), (int(high[1] - low[1]), int(high[0] - low[0]))


def biopsy_image(seed: int, number: int, ranges: BiopsyRanges | None = None, noise: bool = True) -> BiopsyImage:
    """The image `number` of the phantom with this `seed`; it belongs to patient `number % 30`.

    With `noise=False` the image is free of blur, noise, artefacts and compression.
    """
    ranges, patient = ranges or BiopsyRanges(), number % PATIENTS
    look = draw_look(np.random.default_rng([seed, patient, 1]), ranges)
    rng = np.random.default_rng([seed, number, 2])
    kind = "dense" if rng.random() < look.dense_share else "diffuse"
    shape = SIZES[kind]
    um_per_px = float(rng.uniform(*(ranges.um_per_px_dense if kind == "dense" else ranges.um_per_px_diffuse)))
    canvas = Canvas(shape, um_per_px)
    if kind == "dense":
        _add_tubules(canvas, rng, ranges)
    _add_cells(canvas, rng, ranges, kind, look.richness)
    number_of_sperm = int(rng.choice(8, p=ranges.sperm_per_image)) + ranges.extra_sperm[kind]
    sperm = [_place_sperm(canvas, rng, ranges) for _ in range(number_of_sperm)]
    boxes = np.array([one.box(*shape) for one in sperm]).reshape(-1, 4)
    return BiopsyImage(
        number=number,
        patient_id=f"patient-{patient:02d}",
        kind=kind,
        pixels=_photograph(canvas, look, rng, ranges, noise),
        boxes=boxes,
        phenotypes=[one.phenotype for one in sperm],
        um_per_px=um_per_px,
    )


def _place_sperm(canvas: Canvas, rng: np.random.Generator, ranges: BiopsyRanges) -> Sperm:
    """Draw one spermatozoon in the way of its phenotype: head well inside the image, where it is least crowded."""
    height, width = canvas.shape
    phenotype = str(rng.choice(PHENOTYPES, p=ranges.phenotype_shares))
    places = rng.uniform([0.04 * width, 0.06 * height], [0.96 * width, 0.94 * height], (ranges.places, 2))
    place = min(places, key=lambda candidate: canvas.crowding(candidate, 20.0))
    sperm = draw_sperm(rng, phenotype, place, canvas.um_per_px, ranges)
    blur = rng.uniform(1.2, 2.2) if phenotype == "out_of_focus" else 0.35
    thick, dark = rng.uniform(*ranges.sperm_height), rng.uniform(*ranges.sperm_absorption)
    for head in sperm.heads:
        canvas.add(head, thick, dark, blur)
    if sperm.tail is not None:
        faint = rng.uniform(*ranges.tail_strength)
        midpiece, *tail = sperm.strokes()
        strokes = [(*midpiece, 0.6), *((*piece, faint) for piece in tail)]
        canvas.add_lines(strokes, thick, dark, blur)
    if phenotype == "occluded":
        over = sperm.heads[0].mean(axis=0) if rng.random() < 0.5 or sperm.tail is None else sperm.tail[20]
        cover = over + rng.normal(0, 2.0, 2) / canvas.um_per_px
        canvas.add(cover + blob(rng, rng.uniform(7, 12), 0.1) / canvas.um_per_px, 1.2, 0.15, 0.8)
    return sperm


def _add_cells(canvas: Canvas, rng: np.random.Generator, ranges: BiopsyRanges, kind: str, richness: float) -> None:
    """Scatter the cells and particles that share the field with the sperm; in dense tissue many lie in clumps."""
    draw = {
        "red_cell": _red_cell,
        "white_cell": _white_cell,
        "spermatid": _spermatid,
        "epithelial_cell": _epithelial_cell,
        "debris": _debris,
    }
    size = np.array(canvas.shape[::-1], dtype=float)
    middles = rng.uniform([0, 0], size, (int(rng.uniform(*ranges.clumps)), 2))
    reach = rng.uniform(*ranges.clump_size, len(middles)) / canvas.um_per_px
    clumped = rng.uniform(*ranges.clump_share) if kind == "dense" else 0.0
    for name, (dense, diffuse) in ranges.cells.items():
        for _ in range(int(rng.uniform(*(dense if kind == "dense" else diffuse)) * richness)):
            place = rng.uniform([0, 0], size)
            if rng.random() < clumped:
                clump = int(rng.integers(len(middles)))
                place = middles[clump] + rng.normal(0, reach[clump], 2)
            if rng.random() < ranges.floating_share:
                _floating(canvas, rng, place, ranges)
            else:
                draw[name](canvas, rng, place)
    for _ in range(int(rng.uniform(*ranges.fibres)) + ranges.extra_fibres[kind]):
        line = np.cumsum(_wander(rng, int(rng.integers(15, 60))) / canvas.um_per_px, axis=0)
        strokes = [(rng.uniform([0, 0], size) + line, rng.uniform(0.4, 1.1) / canvas.um_per_px, 1.0)]
        canvas.add_lines(strokes, rng.uniform(*ranges.fibre_height), 0.08)


def _wander(rng: np.random.Generator, steps: int) -> Points:
    """Steps of 1 µm in a slowly turning direction."""
    heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.12, steps))
    return np.stack([np.cos(heading), np.sin(heading)], axis=1)


def _red_cell(canvas: Canvas, rng: np.random.Generator, place: Points) -> None:
    outline = place + blob(rng, rng.uniform(6, 8), 0.03) / canvas.um_per_px
    canvas.add(outline, rng.uniform(0.8, 1.6), rng.uniform(0.02, 0.12), 0.5, hollow=rng.uniform(0.2, 0.7))


def _white_cell(canvas: Canvas, rng: np.random.Generator, place: Points) -> None:
    canvas.add(place + blob(rng, rng.uniform(9, 14), 0.05) / canvas.um_per_px, 1.2, 0.05, 0.6)
    for _ in range(int(rng.integers(2, 5))):  # lobes of the nucleus
        lobe = place + rng.normal(0, 2.0, 2) / canvas.um_per_px
        canvas.add(lobe + blob(rng, rng.uniform(3, 5), 0.1) / canvas.um_per_px, 0.6, 0.12, 0.5)
    for _ in range(int(rng.integers(3, 12))):
        grain = place + rng.normal(0, 3.0, 2) / canvas.um_per_px
        canvas.add(grain + blob(rng, 0.8, 0.1) / canvas.um_per_px, 0.5, 0.08, 0.25)


def _spermatid(canvas: Canvas, rng: np.random.Generator, place: Points) -> None:
    """Round germ cells, and small dark heads without a tail's start: what is taken for sperm."""
    diameter = rng.uniform(3.5, 9.0)
    canvas.add(place + blob(rng, diameter, 0.04) / canvas.um_per_px, rng.uniform(1.0, 2.0), rng.uniform(0.02, 0.3), 0.4)
    nucleus = blob(rng, 0.6 * diameter, 0.05) / canvas.um_per_px
    canvas.add(place + rng.normal(0, 0.6, 2) / canvas.um_per_px + nucleus, 0.4, 0.1, 0.5)


def _epithelial_cell(canvas: Canvas, rng: np.random.Generator, place: Points) -> None:
    """Sertoli and epithelial cells: large, flat, irregular, with a round nucleus and its nucleolus."""
    size = rng.uniform(15, 32)
    canvas.add(place + blob(rng, size, 0.25) / canvas.um_per_px, rng.uniform(0.7, 1.3), rng.uniform(0.02, 0.12), 0.9)
    nucleus = place + rng.normal(0, 0.1 * size, 2) / canvas.um_per_px
    canvas.add(nucleus + blob(rng, rng.uniform(6, 9), 0.05) / canvas.um_per_px, 0.7, 0.08, 0.5)
    canvas.add(nucleus + blob(rng, 1.6, 0.1) / canvas.um_per_px, 0.6, 0.2, 0.3)


def _floating(canvas: Canvas, rng: np.random.Generator, place: Points, ranges: BiopsyRanges) -> None:
    """A cell above or below the focus, of which only a blurred disc is seen."""
    outline = place + blob(rng, rng.uniform(6, 16), 0.05) / canvas.um_per_px
    canvas.add(outline, rng.uniform(0.8, 1.8), rng.uniform(0.02, 0.15), rng.uniform(*ranges.floating_blur))


def _debris(canvas: Canvas, rng: np.random.Generator, place: Points) -> None:
    blur = rng.choice([0.25, 0.4, 1.5], p=[0.5, 0.3, 0.2])
    outline = place + blob(rng, rng.exponential(1.2) + 0.8, 0.4) / canvas.um_per_px
    canvas.add(outline, rng.uniform(-0.8, 1.8), rng.uniform(0.0, 0.45), blur)


def _add_tubules(canvas: Canvas, rng: np.random.Generator, ranges: BiopsyRanges) -> None:
    """Fragments of seminiferous tubules: broad ragged strips packed with cells, dark by thickness."""
    height, width = canvas.shape
    for _ in range(int(rng.uniform(*ranges.tubules) + 0.5)):
        path = np.cumsum(_wander(rng, int(rng.integers(80, 320))) / canvas.um_per_px, axis=0)
        path += rng.uniform([0, 0], [width, height]) - path.mean(axis=0)
        half = rng.uniform(*ranges.tubule_width) / 2
        wall = np.array([np.cumsum(rng.normal(0, 0.8, len(path))) for _ in range(2)])
        normal = np.gradient(path, axis=0) @ np.array([[0, 1], [-1, 0]]) * canvas.um_per_px
        sides = [
            path + side * normal * ((half + ragged) / canvas.um_per_px)[:, None]
            for side, ragged in zip((-1, 1), wall, strict=True)
        ]
        canvas.add(np.concatenate([sides[0], sides[1][::-1]]), 1.2, rng.uniform(0.05, 0.15), 2.0)
        spread = rng.uniform(0.35, 0.6) * half
        for _ in range(int(len(path) * half / 14)):
            place = path[rng.integers(len(path))] + rng.normal(0, spread, 2) / canvas.um_per_px
            outline = place + blob(rng, rng.uniform(6, 15), 0.12) / canvas.um_per_px
            canvas.add(outline, rng.uniform(0.3, 1.2), rng.uniform(0.0, 0.07), rng.choice([0.5, 1.0, 2.0]))


def _photograph(
    canvas: Canvas, look: Look, rng: np.random.Generator, ranges: BiopsyRanges, noise: bool
) -> NDArray[np.uint8]:
    """The image (H, W, 3) of height and absorption under a patient's optics and camera."""
    shape, scale = canvas.shape, 1.0 / canvas.um_per_px
    field = np.full(shape, look.field_level, np.float32)
    if noise:
        field += rng.uniform(*ranges.mottle) * noise_field(rng, shape, 30 * scale)
        y, x = (axis.astype(np.float32) / shape[1] for axis in np.ogrid[0 : shape[0], 0 : shape[1]])
        turn = rng.uniform(0, 2 * np.pi)
        field += rng.uniform(*ranges.field_gradient) * (math.cos(turn) * (x - 0.5) + math.sin(turn) * (y - 0.3))
    smooth = cv2.GaussianBlur(canvas.height, (0, 0), 0.35 * scale)
    halo = smooth - cv2.GaussianBlur(smooth, (0, 0), 1.3 * scale)
    image = field + 0.5 * np.tanh(look.relief * scale * relief_of(smooth, look.direction)) - look.phase * halo
    image = image * (1 - 0.8 * np.tanh(canvas.absorption))
    if noise:
        image = _artefacts(image, rng, ranges)
        image = cv2.GaussianBlur(image, (0, 0), look.defocus)
    colour = image[..., None] * (1 + look.tint.astype(np.float32))
    if noise:
        colour = colour + look.noise * rng.standard_normal(colour.shape, dtype=np.float32)
    pixels = as_levels(colour, look.gamma)
    return np.ascontiguousarray(as_jpeg(pixels[..., ::-1], look.jpeg_quality)[..., ::-1]) if noise else pixels


def _artefacts(image: Picture, rng: np.random.Generator, ranges: BiopsyRanges) -> Picture:
    """Glare and diffraction rings of the raw image, before the preprocessing that the paper names."""
    height, width = image.shape
    y, x = (axis.astype(np.float32) for axis in np.ogrid[0:height, 0:width])
    if rng.random() < ranges.glare_share:
        place, size = rng.uniform([0, 0], [width, height]).tolist(), rng.uniform(0.06, 0.25) * height
        distance = ((x - place[0]) ** 2 + (y - place[1]) ** 2) / size**2
        image = image + rng.uniform(0.15, 0.5) * np.exp(-distance)
    if rng.random() < ranges.rings_share:
        for _ in range(int(rng.integers(1, 5))):
            place, pitch = rng.uniform([0, 0], [width, height]).tolist(), rng.uniform(3, 7)
            radius = np.sqrt((x - place[0]) ** 2 + (y - place[1]) ** 2)
            fade = np.exp(-radius / rng.uniform(12, 40))
            image = image + rng.uniform(0.03, 0.12) * np.cos(2 * np.pi * radius / pitch) * fade
    return image.astype(np.float32)
