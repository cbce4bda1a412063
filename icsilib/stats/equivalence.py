"""Is a model as good as a person, within a margin? Paired differences and two one-sided tests (TOST).

"Not significantly different" only says that a study was too small to see a difference. Equivalence turns the
question round: the null hypothesis is that the difference is at least as large as a margin, stated beforehand, and
the data must speak against it (Schuirmann 1987; Lakens 2017). Equivalence at α = 5 % is the same as a 90 % interval
inside ±margin.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from icsilib.stats.cells import Cells, pseudo_values
from icsilib.stats.variance import standard_error


class Equivalence(NamedTuple):
    """A mean difference, its 1 − 2α interval, and the two one-sided tests against ±margin."""

    difference: float  # in the measure's unit
    low: float
    high: float
    df: float
    margin: float
    p: float  # the larger of the two one-sided p-values
    equivalent: bool  # p ≤ α: the interval lies inside ±margin


def model_against_people(model: NDArray[np.float64], people: Cells) -> NDArray[np.float64]:
    """How much better a model agrees with each person than other people do, frame by frame.

    `model` (A, F) is the measure between the model and each person on each frame; `people` the cells of inter
    pairs of the same people and frames. The result (A, F) has the mean difference as its mean; where distances are
    measured, positive means worse. Frames without every measure are left out.
    """
    if model.shape != (people.annotators, people.frames):
        raise ValueError(f"model must be {(people.annotators, people.frames)} (people, frames), got {model.shape}")
    complete = (people.count > 0).all(axis=0)
    if np.isnan(model[:, complete]).any():
        raise ValueError("the model lacks a measure on a frame that people have; leave that frame out of both")
    return model[:, complete] - pseudo_values(people)


def tost(difference: float, error: float, df: float, margin: float, alpha: float = 0.05) -> Equivalence:
    """Two one-sided t-tests of a difference with its standard error against ±margin."""
    if margin <= 0:
        raise ValueError(f"the margin must be positive, got {margin}; state it before looking at the result")
    half = float(stats.t.ppf(1 - alpha, df)) * error
    if error == 0:
        p = 0.0 if abs(difference) < margin else 1.0
    else:
        p = float(max(stats.t.sf((difference + margin) / error, df), stats.t.cdf((difference - margin) / error, df)))
    return Equivalence(difference, difference - half, difference + half, df, margin, p, p <= alpha)


def crossed_equivalence(values: NDArray[np.float64], margin: float, alpha: float = 0.05) -> Equivalence:
    """TOST of the mean of differences (A, F), people and frames both being samples of many."""
    error, df = standard_error(values)
    return tost(float(np.mean(values)), float(error), float(df), margin, alpha)
