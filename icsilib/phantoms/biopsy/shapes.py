"""Outlines of spermatozoa and of the cells around them, in µm about an origin, before they are placed."""

from dataclasses import dataclass

import numpy as np

from icsilib.phantoms.biopsy.ranges import BiopsyRanges
from icsilib.phantoms.drawing import Points


@dataclass(frozen=True)
class Sperm:
    """One spermatozoon in px of its image."""

    phenotype: str
    heads: list[Points]  # outlines (N, 2); two for a double head
    midpiece: Points | None  # (M, 2) midline
    tail: Points | None  # (K, 2) midline
    midpiece_width: float
    tail_width: float

    def strokes(self) -> list[tuple[Points, float]]:
        """Midpiece and tail as lines (N, 2) with their width in px; the tail in pieces that taper to half."""
        if self.midpiece is None or self.tail is None:
            return []
        starts = range(0, len(self.tail) - 1, 7)
        widths = self.tail_width * np.linspace(1, 0.5, len(starts))
        pieces = [(self.tail[start : start + 8], float(width)) for start, width in zip(starts, widths, strict=True)]
        return [(self.midpiece, self.midpiece_width), *pieces]

    def box(self, height: int, width: int) -> Points:
        """The whole visible spermatozoon, head to end of tail, as x, y, width, height within the image."""
        points = [*self.heads]
        for line, thickness in self.strokes():
            points += [line - thickness / 2, line + thickness / 2]
        corners = np.concatenate(points)
        low = np.clip(corners.min(axis=0), 0, [width, height])
        high = np.clip(corners.max(axis=0), 0, [width, height])
        return np.concatenate([low, high - low])


def draw_sperm(
    rng: np.random.Generator, phenotype: str, place: Points, um_per_px: float, ranges: BiopsyRanges
) -> Sperm:
    """A spermatozoon of a phenotype with its head at `place` (px), in a random direction."""

    def draw(limits: tuple[float, float]) -> float:
        return float(rng.uniform(*limits))

    length, width = draw(ranges.head_length), draw(ranges.head_width)
    heads = [_ellipse(length, width, taper=0.25)]
    if phenotype == "deformed":
        heads = _deformed_heads(rng, length, width)
    neck = np.array([[-length / 2, 0.0], [-length / 2 - draw(ranges.midpiece_length), 0.0]])
    midpiece = neck if phenotype != "head_only" else None
    tail = _tail(rng, phenotype, neck[1], ranges) if midpiece is not None else None
    turn = rng.uniform(0, 2 * np.pi)
    axes = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) / um_per_px
    return Sperm(
        phenotype=phenotype,
        heads=[place + head @ axes for head in heads],
        midpiece=None if midpiece is None else place + midpiece @ axes,
        tail=None if tail is None else place + tail @ axes,
        midpiece_width=1.1 / um_per_px,
        tail_width=draw(ranges.tail_width) / um_per_px,
    )


def _deformed_heads(rng: np.random.Generator, length: float, width: float) -> list[Points]:
    """Giant, pin, tapered or double heads."""
    kind = rng.integers(4)
    if kind == 0:
        return [_ellipse(1.5 * length, 1.6 * width, taper=0.1)]
    if kind == 1:
        return [_ellipse(0.55 * length, 0.6 * width, taper=0.0)]
    if kind == 2:
        return [_ellipse(1.5 * length, 0.75 * width, taper=0.6)]
    return [_ellipse(0.9 * length, 0.8 * width, 0.2) + np.array([0.0, sign * 0.55 * width]) for sign in (-1, 1)]


def _tail(rng: np.random.Generator, phenotype: str, start: Points, ranges: BiopsyRanges) -> Points:
    """Midline of a tail that leaves `start` backwards and swings; a bent one turns sharply or coils up."""
    length = rng.uniform(*ranges.tail_length) * (rng.uniform(0.3, 0.8) if phenotype == "deformed" else 1.0)
    share = np.linspace(0, 1, 50)
    swing = rng.uniform(*ranges.tail_swing)
    heading = np.pi + swing * np.sin(np.pi * rng.uniform(*ranges.tail_waves) * share + rng.uniform(0, 0.6))
    heading = heading + rng.normal(0, 0.5) * share
    if phenotype == "bent_tail":
        where, side = rng.uniform(0.02, 0.3), rng.choice([-1, 1])
        if rng.random() < ranges.coiled_share:
            heading = heading + side * rng.uniform(*ranges.coil) * np.maximum(share - where, 0)
        else:
            heading = heading + side * rng.uniform(*ranges.bend) / (1 + np.exp(-(share - where) / 0.015))
    steps = np.stack([np.cos(heading), np.sin(heading)], axis=1) * length / len(share)
    return start + np.concatenate([[[0.0, 0.0]], np.cumsum(steps, axis=0)])


def _ellipse(length: float, width: float, taper: float) -> Points:
    """An oval along x; `taper` narrows its back."""
    turn = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    x = np.cos(turn)
    return np.stack([length / 2 * x, width / 2 * np.sin(turn) * (1 + taper * (x - 1) / 2)], axis=1)


def blob(rng: np.random.Generator, diameter: float, roughness: float) -> Points:
    """A closed outline of about `diameter`, ragged by `roughness`."""
    turn, order = np.linspace(0, 2 * np.pi, 40, endpoint=False), np.arange(2, 9)
    waves = np.cos(order[:, None] * turn + rng.uniform(0, 6.3, (len(order), 1)))
    radius = np.maximum(1 + (roughness / order * rng.normal(size=len(order))) @ waves, 0.3)
    return diameter / 2 * radius[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)
