"""Which interval keeps its promise? Studies are simulated many times over, each with new people and new frames,
and the intervals that hold the true mean are counted. A 95 % interval should hold it 95 times in 100.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from icsilib.stats.cells import Cells, pseudo_values
from icsilib.stats.resampling import Draws, draw_counts, percentile_interval, weighted_means
from icsilib.stats.variance import crossed_interval, simulate_crossed, standard_error

ROWS, FRAMES, TWO_WAY = "rows", "frames", "two_way"
ANNOTATOR_T, CROSSED_T, CROSSED_LOG_T = "annotator_t", "crossed_t", "crossed_log_t"
LABELS = {
    ROWS: "rows resampled",
    FRAMES: "frames resampled",
    TWO_WAY: "annotators × frames resampled",
    ANNOTATOR_T: "t on annotators' means",
    CROSSED_T: "crossed t",
    CROSSED_LOG_T: "crossed t, log scale",
}


@dataclass(frozen=True)
class MeasureDesign:
    """A measure with normal crossed effects; `repeats` counts the round pairs of each annotator on a frame."""

    annotators: int = 5
    frames: int = 14
    repeats: int = 10
    annotator_sd: float = 0.7
    frame_sd: float = 1.0
    interaction_sd: float = 1.0
    residual_sd: float = 1.0


@dataclass(frozen=True)
class TipDesign:
    """Needle tips as people place them: with lasting offsets, unequal care, and frames of unequal difficulty."""

    annotators: int = 5
    rounds: int = 5
    frames: int = 14
    offset_px: float = 1.0  # SD of a person's lasting offset along the needle
    along_px: float = 2.0  # SD of a label's own error along the needle
    across_px: float = 1.0  # SD across it
    care_spread: float = 0.2  # SD between people of the logarithm of their error
    difficulty: float = 0.3  # SD between frames of the logarithm of the error
    slip_px: float = 12.0  # along the needle, in place of the label's own error
    slip_rate: float = 0.04


Rows = dict[str, tuple[Cells, NDArray[np.float64]]]  # measure → its cells and the rows behind them


def simulate_measure(design: MeasureDesign, rng: np.random.Generator) -> Rows:
    """One study of a scalar measure with true mean 0."""
    shape = (design.annotators, design.repeats, design.frames)
    values = (
        rng.normal(0, design.annotator_sd, (design.annotators, 1, 1))
        + rng.normal(0, design.frame_sd, (1, 1, design.frames))
        + rng.normal(0, design.interaction_sd, (design.annotators, 1, design.frames))
        + rng.normal(0, design.residual_sd, shape)
    )
    people = np.arange(design.annotators)
    return {"mean": _with_cells(values, people, people, design.annotators)}


def simulate_tips(design: TipDesign, rng: np.random.Generator) -> Rows:
    """One study of tip distances in px, inter and intra, every draw independent."""
    people, shape = design.annotators, (design.annotators, design.rounds, design.frames)
    spread = np.exp(
        rng.normal(0, design.care_spread, (people, 1, 1))
        + rng.normal(-(design.difficulty**2), design.difficulty, (1, 1, design.frames))
    )
    slip = design.slip_px * rng.choice([-1, 1], shape)
    along = np.where(rng.random(shape) < design.slip_rate, slip, spread * rng.normal(0, design.along_px, shape))
    along += rng.normal(0, design.offset_px, (people, 1, 1))
    points = np.stack([along, spread * rng.normal(0, design.across_px, shape)], axis=-1)
    first, second = np.triu_indices(people, 1)
    one, other = np.triu_indices(design.rounds, 1)
    inter = np.linalg.norm(points[first] - points[second], axis=-1)
    intra = np.linalg.norm(points[:, one] - points[:, other], axis=-1)
    own = np.arange(people)
    return {"inter": _with_cells(inter, first, second, people), "intra": _with_cells(intra, own, own, people)}


def _with_cells(
    values: NDArray[np.float64], first: NDArray[np.int64], second: NDArray[np.int64], annotators: int
) -> tuple[Cells, NDArray[np.float64]]:
    """Cells of complete values (P, K, F), beside the values."""
    count = np.full((values.shape[0], values.shape[2]), values.shape[1])
    return Cells(values.sum(axis=1), count, first, second, annotators), values


def intervals(
    study: Rows, signs: Mapping[str, float], rng: np.random.Generator, resamples: int = 400, level: float = 0.95
) -> dict[str, tuple[float, float]]:
    """The interval of Σ sign · mean by each method of `LABELS`; signs {"inter": 1, "intra": −1} give the difference.

    The log scale is for measures that are never negative, so it is left out for others and for differences.
    """
    cells = {name: study[name][0] for name in signs}
    one = next(iter(cells.values()))
    people, frames = draw_counts(rng, one.annotators, resamples), draw_counts(rng, one.frames, resamples)

    def resampled(annotator_weights: Draws) -> NDArray[np.float64]:
        means = (signs[name] * weighted_means(cells[name], annotator_weights, frames) for name in signs)
        return np.sum(list(means), axis=0)

    pseudo = np.sum([signs[name] * pseudo_values(cells[name]) for name in signs], axis=0)
    by_annotator = pseudo.mean(axis=1)
    half = stats.t.ppf((1 + level) / 2, len(by_annotator) - 1) * stats.sem(by_annotator)
    found = {
        ROWS: percentile_interval(
            np.sum([sign * _row_means(study[name][1], rng, resamples) for name, sign in signs.items()], axis=0), level
        ),
        FRAMES: percentile_interval(resampled(np.ones_like(people)), level),
        TWO_WAY: percentile_interval(resampled(people), level),
        ANNOTATOR_T: (float(by_annotator.mean() - half), float(by_annotator.mean() + half)),
        CROSSED_T: crossed_interval(pseudo, level)[1:3],
    }
    if len(signs) == 1 and all(study[name][1].min() >= 0 for name in signs):
        found[CROSSED_LOG_T] = crossed_interval(pseudo, level, log=True)[1:3]
    return found


def _row_means(values: NDArray[np.float64], rng: np.random.Generator, resamples: int) -> NDArray[np.float64]:
    flat = values.ravel()
    return flat[rng.integers(0, len(flat), (resamples, len(flat)))].mean(axis=1)


def coverage(
    simulate: Callable[[np.random.Generator], Rows],
    signs: Mapping[str, float],
    truth: float,
    studies: int = 400,
    seed: int = 0,
    resamples: int = 400,
    level: float = 0.95,
) -> pd.DataFrame:
    """Share of simulated studies whose interval holds `truth`, by method, with the share's own 95 % interval."""
    rng = np.random.default_rng(seed)
    ends = [intervals(simulate(rng), signs, rng, resamples, level) for _ in range(studies)]
    rows = []
    for method in ends[0]:
        low, high = np.array([study[method] for study in ends]).T
        count = int(np.sum((low <= truth) & (truth <= high)))
        wilson = stats.binomtest(count, studies).proportion_ci(method="wilson")
        row = {"method": method, "coverage": count / studies, "low": wilson.low, "high": wilson.high}
        rows.append(row | {"width": float(np.mean(high - low)), "studies": studies})
    return pd.DataFrame(rows).set_index("method")


def crossed_t_coverage(
    effects: tuple[float, float, float],
    annotators: int,
    frames: int,
    studies: int = 4000,
    seed: int = 0,
    level: float = 0.95,
) -> float:
    """Coverage of `variance.crossed_interval` for normal effects, many studies at once.

    `effects` are the SDs of annotator, frame and what remains of a cell, as estimated from data.
    """
    values = simulate_crossed(effects, annotators, frames, studies, np.random.default_rng(seed))
    error, df = standard_error(values)
    return float(np.mean(np.abs(values.mean(axis=(1, 2))) <= stats.t.ppf((1 + level) / 2, df) * error))


def true_mean(
    simulate: Callable[[np.random.Generator], Rows], signs: Mapping[str, float], studies: int = 20_000, seed: int = 1
) -> float:
    """Σ sign · mean over many simulated studies: the truth that an interval should hold."""
    rng = np.random.default_rng(seed)
    means = []
    for _ in range(studies):
        study = simulate(rng)
        means.append(sum(sign * study[name][1].mean() for name, sign in signs.items()))
    return float(np.mean(means))
