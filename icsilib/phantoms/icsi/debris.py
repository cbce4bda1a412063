"""What drifts through the medium above the cell: small particles, and now and then a clump that hides the needle."""

from dataclasses import dataclass

import cv2
import numpy as np

from icsilib.phantoms.drawing import Picture, Points, drawn_number, relief_of
from icsilib.phantoms.icsi.optics import Look
from icsilib.phantoms.icsi.ranges import IcsiRanges
from icsilib.phantoms.icsi.shapes import add_spot, circle, filled


@dataclass(frozen=True)
class Clump:
    """An opaque clump of cells or fibres that drifts; lengths in px."""

    outline: Points  # (N, 2) in frame 0
    velocity: Points  # (2,) a frame
    level: float  # brightness, 0 black to about 1 white

    def at(self, index: int) -> Points:
        """Its outline (N, 2) in frame `index`."""
        return self.outline + index * self.velocity

    def hides(self, point: Points, index: int) -> bool:
        """Whether it lies over `point` in frame `index`."""
        place = (float(point[0]), float(point[1]))
        return cv2.pointPolygonTest(self.at(index).astype(np.float32), place, False) >= 0

    def cover(self, image: Picture, index: int, look: Look, soft: float) -> None:
        """Draw it over `image` with an edge of `soft` px."""
        outline = self.at(index)
        if np.any(outline.max(axis=0) < 0) or np.any(outline.min(axis=0) > image.shape[0]):
            return
        dense = cv2.GaussianBlur(filled(outline, image.shape).astype(np.float32), (0, 0), soft)
        image += dense * (self.level - image)
        image += 0.3 * np.tanh(2 * relief_of(dense * soft, look.direction)).astype(np.float32)


def draw_clump(rng: np.random.Generator, place: Points, index: int, um_per_px: float, ranges: IcsiRanges) -> Clump:
    """A clump that drifts across `place` in frame `index`."""
    radius = rng.uniform(*ranges.clump_radius) / um_per_px
    ragged = circle(radius, 16) * (1 + 0.18 * rng.normal(size=(16, 1)).clip(-2, 2))
    velocity = rng.normal(0, ranges.clump_drift, 2) / um_per_px
    centre = place + rng.normal(0, 0.3 * radius, 2) - index * velocity
    return Clump(centre + ragged, velocity, rng.uniform(*ranges.clump_level))


def add_particles(
    image: Picture, rng: np.random.Generator, index: int, um_per_px: float, look: Look, ranges: IcsiRanges
) -> None:
    """Small particles that drift through the medium, as frame `index` shows them."""
    size = image.shape[0]
    for _ in range(drawn_number(rng, ranges.debris)):
        place = rng.uniform(0, size, 2) + rng.normal(0, 0.15, 2) * index * size / 512
        radius = rng.uniform(*ranges.debris_radius) / um_per_px
        add_spot(image, place, radius, rng.uniform(*ranges.debris_level), look.direction)
