"""Which interval keeps its promise? Studies are simulated many times over, each with new people and new frames,
and the intervals that hold the true mean are counted. A 95 % interval should hold it 95 times in 100.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from icsilib.stats.cells import Cells, pseudo_values
from icsilib.stats.resampling import Draws, draw_counts, jackknife_ends, percentile_interval, weighted_means
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


Labels = NDArray[np.float64]
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


def study_of(labels: Labels, disagreement: Callable[[Labels, Labels], Labels]) -> Rows:
    """The inter and intra pairs of one study from its labels (A, R, F, K) and the measure between two of them."""
    people, rounds = labels.shape[:2]
    first, second = np.triu_indices(people, 1)
    one, other = np.triu_indices(rounds, 1)
    own = np.arange(people)
    return {
        "inter": _with_cells(disagreement(labels[first], labels[second]), first, second, people),
        "intra": _with_cells(disagreement(labels[:, one], labels[:, other]), own, own, people),
    }


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
    studies: Sequence[Rows],
    signs: Mapping[str, float],
    truth: float | None = None,
    seed: int = 0,
    resamples: int = 400,
    level: float = 0.95,
) -> pd.DataFrame:
    """Share of simulated studies whose interval holds the truth, by method, with the share's own 95 % interval.

    Without `truth`, Σ sign · mean over all studies takes its place.
    """
    rng = np.random.default_rng(seed)
    if truth is None:
        truth = float(np.mean([sum(sign * one[name][1].mean() for name, sign in signs.items()) for one in studies]))
    ends = [intervals(one, signs, rng, resamples, level) for one in studies]
    rows = []
    for method in ends[0]:
        low, high = np.array([one[method] for one in ends]).T
        rows.append({"method": method} | share_held((low <= truth) & (truth <= high)))
        rows[-1]["width"] = float(np.mean(high - low))
    return pd.DataFrame(rows).set_index("method")


def share_held(held: NDArray[np.bool_]) -> dict[str, float]:
    """Coverage, the ends of its own 95 % interval (Wilson), and the number of studies."""
    wilson = stats.binomtest(int(held.sum()), len(held)).proportion_ci(method="wilson")
    return {"coverage": float(held.mean()), "low": wilson.low, "high": wilson.high, "studies": len(held)}


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


def group_coverage(totals: Labels, counts: NDArray[np.int64], studies: int = 2000, seed: int = 0) -> float:
    """Coverage of the jackknife interval (log scale) of a mean over frames of G videos like these.

    Videos' means are log-normal with the spread of `totals` / `counts` (G,), their numbers of frames those given.
    """
    rng = np.random.default_rng(seed)
    spread = np.log(totals / counts).std(ddof=1)
    frames = rng.choice(counts, (studies, len(counts)))
    sums = frames * np.exp(spread * rng.normal(size=frames.shape) - spread**2 / 2)  # means with expectation 1
    all_sums, all_frames = sums.sum(axis=1), frames.sum(axis=1)
    without = (all_sums[:, None] - sums) / (all_frames[:, None] - frames)
    low, high = jackknife_ends(all_sums / all_frames, without, "log")
    return float(np.mean((low <= 1) & (high >= 1)))
