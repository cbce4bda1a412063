"""Annotators crossed with frames: mean squares, variance components, ICC(A,1) and intervals of a mean.

The model of a measure or coordinate y of annotator a on frame f in round r is

    y_afr = μ + annotator_a + frame_f + interaction_af + residual_afr,

all effects random and independent; the residual is what differs when one person labels one frame again.
Balanced data only: their method-of-moments (ANOVA) estimates are unbiased and agree with REML where none is
negative (Searle, Casella & McCulloch, Variance Components, 1992, ch. 4).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats


class MeanSquares(NamedTuple):
    """Mean squares of an (A, F) layout with one value in each cell, in units squared."""

    annotator: float
    frame: float
    interaction: float


class Components(NamedTuple):
    """Variance components, in the measure's unit squared; negative estimates are set to 0."""

    annotator: float
    frame: float
    interaction: float
    residual: float


class Interval(NamedTuple):
    """An estimate with the ends of its interval, in the measure's unit, and the degrees of freedom used."""

    estimate: float
    low: float
    high: float
    df: float


def mean_squares(values: NDArray[np.float64]) -> MeanSquares:
    """Mean squares of `values` (A, F); with more axes in front, of each layout at once."""
    values = np.asarray(values, dtype=float)
    n_annotators, n_frames = values.shape[-2:]
    if n_annotators < 2 or n_frames < 2:
        raise ValueError(f"needs at least 2 annotators and 2 frames, got {n_annotators} and {n_frames}")
    mean = values.mean(axis=(-2, -1), keepdims=True)
    rows = values.mean(axis=-1, keepdims=True)
    columns = values.mean(axis=-2, keepdims=True)
    rest = values - rows - columns + mean
    return MeanSquares(
        n_frames * np.sum((rows - mean) ** 2, axis=(-2, -1)) / (n_annotators - 1),
        n_annotators * np.sum((columns - mean) ** 2, axis=(-2, -1)) / (n_frames - 1),
        np.sum(rest**2, axis=(-2, -1)) / ((n_annotators - 1) * (n_frames - 1)),
    )


def effect_sds(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """SDs of annotator, frame and what remains of a cell, estimated from one value in each cell, (A, F)."""
    n_annotators, n_frames = np.shape(values)
    ms = mean_squares(values)
    annotator, frame = (ms.annotator - ms.interaction) / n_frames, (ms.frame - ms.interaction) / n_annotators
    found = np.sqrt(np.maximum([annotator, frame, ms.interaction], 0))
    return float(found[0]), float(found[1]), float(found[2])


def variance_components(values: NDArray[np.float64]) -> Components:
    """Components of scalar labels `values` (A, R, F), e.g. a coordinate of the tip or a region's radius."""
    values = np.asarray(values, dtype=float)
    if values.ndim != 3 or np.isnan(values).any():
        raise ValueError(f"needs complete labels (annotator, round, frame), got shape {values.shape} or NaN in it")
    n_annotators, n_rounds, n_frames = values.shape
    cell = values.mean(axis=1)
    residual = float(np.mean(values.var(axis=1, ddof=1))) if n_rounds > 1 else 0.0
    # Mean squares of cell means estimate σ²_interaction + σ²_residual/R and so on.
    ms = mean_squares(cell)
    return Components(
        max(0.0, (ms.annotator - ms.interaction) / n_frames),
        max(0.0, (ms.frame - ms.interaction) / n_annotators),
        max(0.0, ms.interaction - residual / n_rounds),
        residual,
    )


def icc_a1(values: NDArray[np.float64]) -> float:
    """ICC(A,1) of one round of scalar labels (A, F): absolute agreement, single rater (McGraw & Wong 1996).

    The share of one label's variance that is due to the frames; 1 where people agree perfectly.
    """
    n_annotators, n_frames = np.shape(values)
    ms = mean_squares(values)
    people = (n_annotators / n_frames) * (ms.annotator - ms.interaction)
    return float((ms.frame - ms.interaction) / (ms.frame + (n_annotators - 1) * ms.interaction + people))


def simulate_crossed(
    effects: tuple[float, float, float], annotators: int, frames: int, studies: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Values (studies, A, F) with true mean 0 and normal effects; `effects` as `effect_sds` gives them."""
    annotator, frame, rest = effects
    values = rng.normal(0, rest, (studies, annotators, frames))
    values += rng.normal(0, annotator, (studies, annotators, 1))
    values += rng.normal(0, frame, (studies, 1, frames))
    return values


def standard_error(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Standard error of the mean of `values` (…, A, F) over annotators and frames, and its degrees of freedom.

    Var(mean) = σ²_a/A + σ²_f/F + σ²_af/(AF), components estimated from the mean squares and never below 0;
    the degrees of freedom are Satterthwaite's (1946).
    """
    n_annotators, n_frames = np.shape(values)[-2:]
    ms = mean_squares(values)
    annotator = np.maximum(ms.annotator - ms.interaction, 0)
    frame = np.maximum(ms.frame - ms.interaction, 0)
    sum_of_squares = annotator + frame + ms.interaction
    df_annotator, df_frame = n_annotators - 1, n_frames - 1
    df_interaction = df_annotator * df_frame
    # A component estimated as 0 brings no mean square of its own into the sum, and so no degrees of freedom.
    spread = (
        np.where(annotator > 0, ms.annotator, 0) ** 2 / df_annotator
        + np.where(frame > 0, ms.frame, 0) ** 2 / df_frame
        + np.asarray(ms.interaction) ** 2 / df_interaction
    )
    df = np.divide(sum_of_squares**2, spread, out=np.full(np.shape(spread), float(df_interaction)), where=spread > 0)
    return np.sqrt(sum_of_squares / (n_annotators * n_frames)), np.clip(df, min(df_annotator, df_frame), df_interaction)


def crossed_interval(values: NDArray[np.float64], level: float = 0.95, log: bool = False) -> Interval:
    """t interval of the mean of `values` (A, F) when annotators and frames are both samples of many.

    For pairs of annotators, `values` are `cells.pseudo_values`. With `log`, for a measure that is never negative,
    the interval is formed for the mean's logarithm (standard error by the delta method, se/mean): a mean of skewed
    distances errs by a factor rather than by a sum. `coverage` shows what either keeps of its promise.
    """
    error, df = standard_error(values)
    mean = float(np.mean(values))
    half = float(stats.t.ppf((1 + level) / 2, df) * error)
    if log:
        if mean <= 0:
            raise ValueError(f"an interval on the log scale needs a positive mean, got {mean:.4g}")
        return Interval(mean, mean * np.exp(-half / mean), mean * np.exp(half / mean), float(df))
    return Interval(mean, mean - half, mean + half, float(df))
