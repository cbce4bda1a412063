"""Simulated labellers, who vary as the people of paper A's Table 1 did.

A labeller draws the outline of the oolemma and of the suction pipette and clicks on the needle tip. What they do
differs from the truth by

- a lasting offset of their own (some draw outside the membrane, some inside), and a lasting way of clicking:
  few vertices or many, smooth or wobbly;
- an error of each label, correlated along the contour, larger on difficult frames;
- now and then a *reading* of a frame that is theirs and that they repeat in every round (where does the glass
  end?), and now and then a *slip* that they do not repeat.

Lengths along a contour's normal are shares of the region's size, 2 · area / length of the contour inside the frame
(the radius, for a disc): an error of the same share then costs the same IoU whatever the shape and magnification.
The numbers in `annotators.json` were fitted to Table 1 by `scripts/fit_annotators.py`; they are no measurement
of any person. That lasting differences are small beside the labels' own error is what Table 1 itself says: its
inter- and intra-annotator means hardly differ.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import stats

from icsilib.data.annotations import Polygon, outward_normals, polygon_area, resampled

Array = NDArray[np.float64]

HARMONICS = 8  # of the contour error; with the mean there are 2 · 8 + 1 coefficients
COEFFICIENTS = 2 * HARMONICS + 1
_POINTS = 256  # of the contour before the labeller's clicks are chosen from it
BUMP = 0.05  # SD of a slip or reading along the contour, as a share of its length inside the frame
_FITTED = Path(__file__).with_name("annotators.json")


@dataclass(frozen=True)
class Hand:
    """How one person draws one structure; lengths are shares of the region's size unless said otherwise."""

    offset: float  # lasting, outwards
    noise: float  # SD of each label's error
    correlation: float  # length over which the error stays alike, as a share of the contour
    click_tolerance: float  # how far a contour may leave its vertices: small means many clicks
    reading: float  # size of a lasting misreading of a frame
    reading_rate: float  # share of frames with one
    slip: float  # size of a slip
    slip_rate: float  # share of labels with one


@dataclass(frozen=True)
class Pointing:
    """How one person places the needle tip, px; the first axis is along the needle, towards its tip."""

    offset: float  # lasting, along the needle
    along: float  # SD of each label's error along the needle
    across: float  # SD across it
    slip: float  # size of a slip along the needle, in place of the label's own error
    slip_rate: float  # share of labels with one


@dataclass(frozen=True)
class Annotator:
    """One simulated person."""

    name: str
    hands: dict[str, Hand]  # by structure
    tip: Pointing


@dataclass(frozen=True)
class Population:
    """The people of which teams are made; spreads between people are SDs."""

    hands: dict[str, Hand]  # by structure
    tip: Pointing
    offset_spread: dict[str, float]  # SD of the lasting offset between people: share of size, px for the tip
    care_spread: float  # SD between people of the logarithm of their noise
    click_spread: float  # SD between people of the logarithm of their click tolerance
    difficulty: dict[str, float]  # SD between frames of the logarithm of the error, by structure


def fitted_population(path: Path | str = _FITTED) -> Population:
    """The population fitted to Table 1 (`annotators.json`)."""
    values = json.loads(Path(path).read_text(encoding="utf-8"))["population"]
    hands = {name: Hand(**hand) for name, hand in values.pop("hands").items()}
    return Population(hands, Pointing(**values.pop("tip")), **values)


def annotator_team(
    seed: int, n: int = 5, population: Population | None = None, matched: bool = False
) -> list[Annotator]:
    """A team of `n` people named A, B, C, … with traits drawn independently from the population.

    A `matched` team holds the same traits whatever the seed, which only deals them out (`standard_traits`).
    """
    population = population or fitted_population()
    names = (*population.hands, "tip", "care", "clicking")  # of traits: lasting offsets, then two of the person
    rows = standard_traits(np.random.default_rng([seed, n]), n, len(names), matched).tolist()
    traits = [dict(zip(names, row, strict=True)) for row in rows]
    return [_person(chr(ord("A") + i), population, one) for i, one in enumerate(traits)]


def standard_traits(rng: np.random.Generator, n: int, k: int, matched: bool) -> Array:
    """`k` standardised traits (n, k) of n people: independent normals, or the permuted normal quantiles."""
    if matched:
        return np.stack([rng.permutation(normal_scores(n)) for _ in range(k)], axis=1)
    return rng.normal(size=(n, k))


def normal_scores(n: int) -> Array:
    """n normal quantiles with mean 0 and standard deviation (ddof 1) 1; a single one is 0."""
    if n == 1:
        return np.zeros(1)
    scores = stats.norm.ppf(np.arange(1, n + 1) / (n + 1))
    return scores / scores.std(ddof=1)


def _person(name: str, population: Population, traits: dict[str, float]) -> Annotator:
    """A person with standardised traits by name."""
    care = np.exp(population.care_spread * traits["care"])
    clicks = np.exp(population.click_spread * traits["clicking"])
    lasting = {structure: spread * traits[structure] for structure, spread in population.offset_spread.items()}
    hands = {
        structure: replace(
            hand,
            offset=hand.offset + lasting[structure],
            noise=hand.noise * care,
            click_tolerance=hand.click_tolerance * clicks,
        )
        for structure, hand in population.hands.items()
    }
    tip = population.tip
    pointing = replace(tip, offset=tip.offset + lasting["tip"], along=tip.along * care, across=tip.across * care)
    return Annotator(name, hands, pointing)


def draw_polygon(
    hand: Hand,
    polygon: Polygon,
    rng: np.random.Generator,
    difficulty: float = 1.0,
    frame: tuple[int, int] | None = None,
) -> Polygon:
    """One labelling of a true outline (N, 2) in px, as (M, 2); `frame` is the image's (height, width) in px."""
    bumps = [bump(rng, hand.reading)] if rng.random() < hand.reading_rate else []
    bumps += [bump(rng, hand.slip)] if rng.random() < hand.slip_rate else []
    return trace(hand, polygon, difficulty * rng.normal(size=COEFFICIENTS), bumps, frame)


def bump(rng: np.random.Generator, size: float) -> Array:
    """A local error of the contour: where, as a share of its free length, and how large, as a share of its size."""
    return np.array([rng.random(), size * rng.choice([-1, 1])])


def trace(
    hand: Hand,
    polygon: Polygon,
    coefficients: Array,
    bumps: list[Array],
    frame: tuple[int, int] | None = None,
) -> Polygon:
    """`draw_polygon` with its chances given: normal `coefficients` (COEFFICIENTS,), their SD the difficulty; bumps."""
    contour, perimeter = resampled(polygon, _POINTS)
    at = np.arange(_POINTS) / _POINTS
    error = hand.offset + hand.noise * waves(hand.correlation, at) @ coefficients
    held = _at_edge(contour, frame)  # what the frame cuts off cannot be drawn wrong
    free = at[~held.any(axis=1)]
    share = len(free) / _POINTS
    if share == 0:  # a sliver along the frame's edge
        return np.array(polygon, dtype=float)
    for where, size in bumps:
        distance = (at - free[int(where * len(free))] + 0.5) % 1 - 0.5
        error = error + size * np.exp(-0.5 * (distance / (BUMP * share)) ** 2)
    size_px = 2 * polygon_area(polygon) / (perimeter * share)
    drawn = contour + size_px * error[:, None] * outward_normals(contour, smoothing=2.0)
    if frame is not None:  # where the frame cuts the object, the label ends there: points only slide along it
        edge = np.array(frame[::-1], dtype=float)
        drawn = np.clip(np.where(held, np.round(contour / edge) * edge, drawn), 0, edge)
    clicked = cv2.approxPolyDP(drawn.astype(np.float32), hand.click_tolerance * size_px, True)[:, 0]
    return clicked.astype(float)


def waves(correlation: float, at: Array) -> Array:
    """Basis (points, COEFFICIENTS) whose sum with standard normal weights has SD 1 and the given correlation."""
    order = np.arange(HARMONICS + 1)
    amplitude = np.exp(-0.5 * (2 * np.pi * order * correlation) ** 2 / 2)
    amplitude /= np.linalg.norm(amplitude)
    phase = 2 * np.pi * at[:, None] * order
    return np.hstack([amplitude * np.cos(phase), (amplitude * np.sin(phase))[:, 1:]])


def _at_edge(contour: Polygon, frame: tuple[int, int] | None) -> NDArray[np.bool_]:
    """Which coordinates of the contour (N, 2) lie within 1 px of the frame's edge."""
    if frame is None:
        return np.zeros(contour.shape, dtype=bool)
    return (contour <= 1.0) | (contour >= np.array(frame[::-1]) - 1.0)


def draw_tip(pointing: Pointing, tip: Array, axis: Array, rng: np.random.Generator, difficulty: float = 1.0) -> Array:
    """One labelling of a true tip (2,) in px; `axis` (2,) points along the needle towards its tip."""
    slipped = rng.random() < pointing.slip_rate
    return place(pointing, tip, axis, difficulty * rng.normal(size=2), float(slipped) * rng.choice([-1, 1]))


def place(pointing: Pointing, tip: Array, axis: Array, coefficients: Array, slip: float) -> Array:
    """`draw_tip` with its chances given: normal `coefficients` (2,) with SD difficulty, and `slip` −1, 0 or 1."""
    direction = np.asarray(axis, dtype=float) / np.linalg.norm(axis)
    along = pointing.offset + (pointing.slip * slip if slip else pointing.along * coefficients[0])
    across = pointing.across * coefficients[1]
    return np.asarray(tip, dtype=float) + along * direction + across * np.array([-direction[1], direction[0]])
