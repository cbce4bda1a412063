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
from icsilib.stats.variance import crossed_interval

ROWS, FRAMES, TWO_WAY, ANNOTATOR_T = "rows", "frames", "annotators × frames", "t on annotators' means"
CROSSED_T, CROSSED_LOG_T = "crossed t", "crossed t, log scale"
METHODS = (ROWS, FRAMES, TWO_WAY, ANNOTATOR_T, CROSSED_T, CROSSED_LOG_T)


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
    bias_px: float = 1.0  # SD of a person's lasting offset, each axis
    noise_px: float = 2.0  # SD of a label's own error, each axis
    person_spread: float = 0.25  # SD of the logarithm of a person's noise
    frame_spread: float = 0.5  # SD of the logarithm of a frame's difficulty


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
    people = design.annotators
    spread = np.exp(
        rng.normal(0, design.person_spread, (people, 1, 1, 1))
        + rng.normal(0, design.frame_spread, (1, 1, design.frames, 1))
    )
    points = rng.normal(0, design.bias_px, (people, 1, 1, 2)) + spread * rng.normal(
        0, design.noise_px, (people, design.rounds, design.frames, 2)
    )
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
    """The interval of Σ sign · mean by each of `METHODS`; signs {"inter": 1, "intra": −1} give the difference.

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
