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
from icsilib.stats.variance import simulate_crossed, standard_error


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


def cluster_error(values: NDArray[np.float64], clusters: NDArray[np.int64]) -> tuple[float, float]:
    """Standard error of the mean of `values` (N,) when whole clusters (videos, patients) were sampled, and its df.

    The cluster-robust variance with the G/(G−1) correction (Cameron & Miller 2015), df = G − 1.
    """
    values, clusters = np.asarray(values, dtype=float), np.asarray(clusters)
    if values.shape != clusters.shape or values.ndim != 1:
        raise ValueError(f"values and clusters must be (N,), got {values.shape} and {clusters.shape}")
    _, group = np.unique(clusters, return_inverse=True)
    totals = np.bincount(group, weights=values - values.mean())
    if len(totals) < 2:
        raise ValueError("all values come from one cluster; an interval needs at least two")
    variance = np.sum(totals**2) * len(totals) / (len(totals) - 1) / len(values) ** 2
    return float(np.sqrt(variance)), float(len(totals) - 1)


def cluster_equivalence(
    values: NDArray[np.float64], clusters: NDArray[np.int64], margin: float, alpha: float = 0.05
) -> Equivalence:
    """TOST of the mean of differences (N,) by frame or image, clustered by video or patient."""
    error, df = cluster_error(values, clusters)
    return tost(float(np.mean(values)), error, df, margin, alpha)


def tost_share(
    effects: tuple[float, float, float],
    annotators: int,
    frames: int,
    margin: float,
    difference: float,
    studies: int = 10_000,
    seed: int = 0,
    alpha: float = 0.05,
) -> float:
    """Share of simulated crossed studies that declare equivalence when the true difference is `difference`.

    At |difference| = margin that is the error rate, which must not exceed α; at 0 it is the power. `effects` are
    the SDs of annotator, frame and the rest of a cell.
    """
    values = difference + simulate_crossed(effects, annotators, frames, studies, np.random.default_rng(seed))
    error, df = standard_error(values)
    reach = np.abs(values.mean(axis=(1, 2))) + stats.t.ppf(1 - alpha, df) * error
    return float(np.mean(reach <= margin))
