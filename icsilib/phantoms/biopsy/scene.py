"""One biopsy image: the patient it is from, what lies in it and where, and its rendering with exact boxes."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from icsilib.phantoms.biopsy.clutter import Canvas, Stamps, clump, fibre, tubule
from icsilib.phantoms.biopsy.optics import (
    Look,
    blurred,
    camera,
    colours,
    contrast_of,
    draw_look,
    field_of,
    glare_of,
    rings_of,
)
from icsilib.phantoms.biopsy.ranges import DENSE, DIFFUSE, BiopsyRanges, Kind, Range
from icsilib.phantoms.biopsy.sperm import Picture, Placed, Points, Sperm, draw_sperm

RANGES = BiopsyRanges()
PATIENTS = 30  # of paper B
SPERM_PER_IMAGE = 111 / 110  # of paper B's test set
TRIES = 8  # places tried for a sperm; it takes the clearest, as a sperm under a clump is not seen by anyone


@dataclass(frozen=True)
class Patient:
    """What all images of one patient share: kind of image, scale, mix of cells, microscope, how many sperm."""

    number: int
    kind: Kind
    um_per_px: float
    cells: float  # per mm²
    clump_share: float
    mix: tuple[tuple[str, float], ...]  # shares of the kinds of cell
    fibres: float  # per mm²
    specks: float  # per mm²
    richness: float  # sperm in an image, against the mean over patients
    look: Look

    @property
    def patient_id(self) -> str:
        """Name in the annotations; patients are counted from 1."""
        return f"patient-{self.number + 1:02d}"


@dataclass(frozen=True)
class BiopsyImage:
    """One image with its truth. Boxes run around the whole visible spermatozoon, tail included."""

    number: int
    name: str  # stem of its file
    patient_id: str
    kind: str  # "dense" or "diffuse"
    pixels: NDArray[np.uint8]  # (H, W, 3) RGB
    boxes: NDArray[np.float64]  # (N, 4) x, y, width, height in continuous px
    phenotypes: tuple[str, ...]  # (N,)
    um_per_px: float


@lru_cache(maxsize=64)
def patient(seed: int, number: int) -> Patient:
    """The `number`-th patient of a seed; every third is imaged as dense tissue, the others as diffuse (choice)."""
    rng = np.random.default_rng((seed, 1, number))
    kind = DENSE if number % 3 == 0 else DIFFUSE

    def draw(limits: Range) -> float:
        return float(rng.uniform(*limits))

    names, weights = zip(*RANGES.mix, strict=True)
    mix = tuple(zip(names, rng.dirichlet(weights).tolist(), strict=True))
    return Patient(
        number=number,
        kind=kind,
        um_per_px=draw(kind.um_per_px),
        cells=draw(kind.cells),
        clump_share=draw(kind.clump_share),
        mix=mix,
        fibres=draw(kind.fibres),
        specks=draw(kind.specks),
        richness=float(rng.gamma(RANGES.density_shape)) / RANGES.density_shape,
        look=draw_look(rng, RANGES),
    )


def biopsy_image(
    seed: int,
    number: int,
    patient_number: int | None = None,
    sperm: int | None = None,
    faults: bool = True,
    noise: bool = True,
) -> BiopsyImage:
    """Render image `number` of a seed: always the same pixels and boxes for the same arguments.

    It is of patient `number` modulo 30 unless `patient_number` says otherwise, and holds `sperm` spermatozoa, or as
    many as the patient's richness gives. `faults` adds glare and diffraction rings, which the paper's images had
    before the vendor's filters; `noise` the camera's noise, defocus of the optics and compression.
    """
    who = patient(seed, number % PATIENTS if patient_number is None else patient_number)
    scene = _Scene(np.random.default_rng((seed, 2, number)), who)
    scene.fill()
    scene.add_sperm(sperm_count(seed, number, who) if sperm is None else sperm)
    rng = np.random.default_rng((seed, 3, number))
    grey = field_of(rng, who.kind.width, who.kind.height, who.look, RANGES) + scene.contrast(sharp=not noise)
    rgb = colours(grey, scene.sharp, who.look)
    if faults:
        rgb *= _rings(seed, who)[..., None]
        if rng.random() < RANGES.glare_share:
            rgb += glare_of(rng, who.kind.width, who.kind.height, RANGES)[..., None]
    return BiopsyImage(
        number=number,
        name=f"{who.patient_id}-{number:05d}",
        patient_id=who.patient_id,
        kind=who.kind.name,
        pixels=camera(rgb, who.look, rng if noise else None),
        boxes=np.array([box for _, box in scene.found], dtype=float).reshape(-1, 4),
        phenotypes=tuple(phenotype for phenotype, _ in scene.found),
        um_per_px=who.um_per_px,
    )


def sperm_rate(seed: int, number: int, who: Patient) -> float:
    """Expected number of sperm in one image, with mean 1 over patients and images."""
    rng = np.random.default_rng((seed, 4, number))
    return who.richness * float(rng.gamma(RANGES.image_shape)) / RANGES.image_shape


def sperm_count(seed: int, number: int, who: Patient, per_image: float = SPERM_PER_IMAGE) -> int:
    """Number of sperm in one image: Poisson about its rate, so that many images hold none and a few several."""
    rng = np.random.default_rng((seed, 5, number))
    return min(int(rng.poisson(per_image * sperm_rate(seed, number, who))), RANGES.most_sperm)


def _rings(seed: int, who: Patient) -> Picture:
    rng = np.random.default_rng((seed, 6, who.number))
    return rings_of(rng, who.kind.width, who.kind.height, RANGES)


class _Scene:
    """The preparation under the microscope: three layers of clutter, and the sperm."""

    def __init__(self, rng: np.random.Generator, who: Patient) -> None:
        self.rng, self.who = rng, who
        size = (who.kind.width, who.kind.height)
        self.sharp, self.soft, self.far = (Canvas.empty(*size) for _ in range(3))
        self.stamps = Stamps(rng, who.um_per_px, RANGES)
        self.found: list[tuple[str, Points]] = []  # phenotype and box

    def fill(self) -> None:
        """Lay out everything that is not sperm."""
        who, kind, rng = self.who, self.who.kind, self.rng
        area = kind.width * kind.height * who.um_per_px**2 / 1e6  # mm²
        for _ in range(_whole(rng, rng.uniform(*kind.tubules))):
            layer = self.soft if rng.random() < 0.7 else self.sharp
            tubule(self.stamps, layer, *self._anywhere())
        crowd = who.cells * area * rng.lognormal(0, 0.35)
        clumped = crowd * who.clump_share
        while clumped > 0:
            number = int(rng.integers(int(kind.clump_cells[0]), int(kind.clump_cells[1]) + 1))
            clump(self.stamps, self._layer(), *self._anywhere(), kinds=self._kinds(number))
            clumped -= number
        for name in self._kinds(_whole(rng, crowd * (1 - who.clump_share))):
            self.stamps.put(name, self._layer(), *self._anywhere())
        for _ in range(rng.poisson(who.fibres * area)):
            fibre(self.stamps, self._layer(), *self._anywhere())
        for _ in range(rng.poisson(who.specks * area)):
            self.stamps.put("speck", self._layer(), *self._anywhere())

    def add_sperm(self, number: int) -> None:
        """Lay `number` spermatozoa into the preparation and keep their boxes."""
        names, shares = zip(*RANGES.phenotypes, strict=True)
        for phenotype in self.rng.choice(names, size=number, p=shares):
            self._add_one(str(phenotype))

    def contrast(self, sharp: bool = False) -> Picture:
        """Brightness that the layers add to or take from the field; `sharp` leaves the optics' defocus out."""
        scale, look = self.who.um_per_px, self.who.look
        height = self.sharp.height if sharp else blurred(self.sharp.height, look.defocus / scale)
        height = height + blurred(self.soft.height, look.soft / scale) + blurred(self.far.height, look.far / scale)
        self.sharp.dark += 0.5 * blurred(self.soft.dark, look.soft / scale)
        self.sharp.haem += blurred(self.soft.haem, look.soft / scale) + blurred(self.far.haem, look.far / scale)
        return contrast_of(height, look, scale)

    def _add_one(self, phenotype: str) -> None:
        placed = self._place(draw_sperm(self.rng, phenotype, RANGES))
        edge = placed.edge()
        limits = np.array([self.who.kind.width, self.who.kind.height], dtype=float)
        low = np.clip(np.floor(edge.min(axis=0)) - 3, 0, limits).astype(int)
        high = np.clip(np.ceil(edge.max(axis=0)) + 3, 0, limits).astype(int)
        height = placed.height(*low.tolist(), *(high - low).tolist())
        if phenotype == "occluded":
            cover, middle, radius = self._cover(placed)
            height *= 1 - cover[low[1] : high[1], low[0] : high[0]]
            edge = edge[np.hypot(*(edge - middle).T) > radius]
        if phenotype == "out_of_focus":
            sigma = self.rng.uniform(*RANGES.defocus_sperm) / self.who.um_per_px
            height = cv2.GaussianBlur(height, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)
        self.sharp.height[low[1] : high[1], low[0] : high[0]] += height
        inside = np.clip(edge, 0, limits)
        (x0, y0), (x1, y1) = inside.min(axis=0), inside.max(axis=0)
        self.found.append((phenotype, np.array([x0, y0, x1 - x0, y1 - y0])))

    def _place(self, sperm: Sperm) -> Placed:
        """The clearest of a few random places, wholly in the image but for a few that its border cuts."""
        limits = np.array([self.who.kind.width, self.who.kind.height], dtype=float)
        tries: list[tuple[float, Placed]] = []
        while len(tries) < TRIES:
            angle = float(self.rng.uniform(0, 2 * np.pi))
            placed = Placed(sperm, self._anywhere(), angle, self.who.um_per_px)
            edge = placed.edge()
            cut = bool((edge < 2).any() or (edge > limits - 2).any())
            if cut and self.rng.random() > RANGES.cut_share / 4:
                continue
            columns, rows = np.clip(edge, 0, limits - 1).astype(int).T
            clutter = self.sharp.height[rows, columns] + 0.7 * self.soft.height[rows, columns]
            tries.append((float(clutter.mean()), placed))
        return min(tries, key=lambda one: one[0])[1]

    def _cover(self, placed: Placed) -> tuple[Picture, Points, float]:
        """Lay a clump of cells over a part of a sperm: what it hides (H, W) of 0..1, its middle and radius in px."""
        cells = int(self.rng.integers(int(RANGES.occluder_cells[0]), int(RANGES.occluder_cells[1]) + 1))
        line = placed.in_image(placed.sperm.tail)
        middle = line[int(self.rng.uniform(0.12, 0.6) * len(line))]
        radius = (2.2 + 1.5 * np.sqrt(cells)) / self.who.um_per_px
        kinds = self.rng.choice(["spermatid", "red_cell", "white_cell"], size=cells).tolist()
        clump(self.stamps, self.sharp, *middle.tolist(), kinds=kinds)
        y, x = np.mgrid[0 : self.who.kind.height, 0 : self.who.kind.width].astype(np.float32)
        cover = (np.hypot(x + 0.5 - middle[0], y + 0.5 - middle[1]) < radius).astype(np.float32)
        return cover, middle, float(radius)

    def _kinds(self, number: int) -> list[str]:
        names, shares = zip(*self.who.mix, strict=True)
        return [str(name) for name in self.rng.choice(names, size=number, p=shares)]

    def _layer(self) -> Canvas:
        """Most things lie in focus; some float above it."""
        return (self.sharp, self.soft, self.far)[int(np.searchsorted([0.7, 0.92], self.rng.random()))]

    def _anywhere(self) -> tuple[float, float]:
        x, y = self.rng.uniform(0, [self.who.kind.width, self.who.kind.height])
        return float(x), float(y)


def _whole(rng: np.random.Generator, expected: float) -> int:
    """A whole number whose mean is `expected`."""
    return int(expected) + int(rng.random() < expected % 1)
