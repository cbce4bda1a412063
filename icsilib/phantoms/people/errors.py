"""Errors of simulated people without images: studies quick enough to be simulated by the thousand.

They follow the fitted population as `labelling.label_study` does, on an outline cut straight and laid out flat:
nothing is rendered, clicked or cut off by the frame. All chances are drawn independently.
"""

import numpy as np
from numpy.typing import NDArray

from icsilib.phantoms.people.annotators import BUMP, COEFFICIENTS, Population, fitted_population, waves
from icsilib.phantoms.people.labelling import independent_difficulty, independent_signs

Array = NDArray[np.float64]
_POINTS = 48  # of an outline


def label_errors(
    structure: str, shape: tuple[int, int, int], rng: np.random.Generator, population: Population | None = None
) -> Array:
    """Errors (A, R, F, K) of people's labels of `shape` (A, R, F).

    Of the needle, px along and across it (K = 2); of an outline, the error along its normal at K places of it, as a
    share of the region's size.
    """
    population = population or fitted_population()
    name = "tip" if structure == "needle" else structure
    people, _, frames = shape
    steadiness = np.exp(population.care_spread * rng.normal(size=(people, 1, 1)))
    scale = steadiness * independent_difficulty(rng, frames, population.difficulty[name])
    offset = population.offset_spread[name] * rng.normal(size=(people, 1, 1))
    if name == "tip":
        tip = population.tip
        slips = independent_signs(rng, shape, tip.slip_rate)
        along = np.where(slips != 0, tip.slip * slips, scale * tip.along * rng.normal(size=shape)) + offset
        return np.stack([along, scale * tip.across * rng.normal(size=shape)], axis=-1)
    hand = population.hands[name]
    at = np.arange(_POINTS) / _POINTS
    error = scale[..., None] * hand.noise * (rng.normal(size=(*shape, COEFFICIENTS)) @ waves(hand.correlation, at).T)
    error += offset[..., None]
    for size, rate, places in (
        (hand.reading, hand.reading_rate, (people, 1, frames)),
        (hand.slip, hand.slip_rate, shape),
    ):
        distance = (at - rng.random(places)[..., None] + 0.5) % 1 - 0.5
        error += size * independent_signs(rng, places, rate)[..., None] * np.exp(-0.5 * (distance / BUMP) ** 2)
    return error


def disagreement(a: Array, b: Array) -> Array:
    """Disagreement (…) of two labels' errors (…, K): distance in px for K = 2, otherwise 1 − IoU.

    Outlines whose distance along the normal is a share δ of the radius have 1 − IoU ≈ 2 · mean |δ|.
    """
    return np.linalg.norm(a - b, axis=-1) if a.shape[-1] == 2 else 2 * np.abs(a - b).mean(axis=-1)
