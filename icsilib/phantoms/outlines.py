"""Simple cell-like outlines with a pipette and a tip: frames to label where no rendered video is wanted."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from icsilib.data.annotations import Polygon


@dataclass(frozen=True)
class Outline:
    """What one frame holds, in px."""

    oolemma: Polygon
    pipette: Polygon
    tip: NDArray[np.float64]
    tip_axis: NDArray[np.float64]  # unit vector along the needle, towards its tip


def cell_outline(rng: np.random.Generator, size: int = 512) -> Outline:
    """A wobbly ellipse, a round-ended pipette from the left that touches it, a needle from the right."""
    radius = rng.uniform(0.26, 0.34) * size
    centre = np.array([rng.uniform(0.55, 0.6), rng.uniform(0.45, 0.55)]) * size
    angle = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    wobble = 1 + sum(0.02 * rng.normal() / k * np.cos(k * angle + rng.uniform(0, 2 * np.pi)) for k in (2, 3, 4, 5))
    oolemma = centre + radius * wobble[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    half, end = rng.uniform(0.1, 0.16) * size, oolemma[:, 0].min() - 0.03 * size
    turn = np.linspace(-np.pi / 2, np.pi / 2, 30)
    cap = np.stack([end - 0.3 * half + 0.3 * half * np.cos(turn), centre[1] + half * np.sin(turn)], axis=1)
    pipette = np.vstack([[0, centre[1] - half], cap, [0, centre[1] + half]])
    direction = np.deg2rad(180 + rng.uniform(-12, 12))
    tip = centre + rng.uniform(-0.4, 0.4, 2) * radius
    return Outline(oolemma, pipette, tip, np.array([np.cos(direction), np.sin(direction)]))


def cell_outlines(seed: int, frames: int = 14, size: int = 512) -> list[Outline]:
    """`frames` outlines from a seed, inside frames of `size` px."""
    rng = np.random.default_rng(seed)
    return [cell_outline(rng, size) for _ in range(frames)]
