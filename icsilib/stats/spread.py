"""Do two sets of pairs differ in spread? Tests of a ratio of standard deviations that know of people and frames.

The F-test takes pairs as independent and normal. They share people and frames, and their law is skewed: at the size of
paper A's study it calls more than half of equal spreads unequal (`tests/stats/test_spread.py`).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from icsilib.stats.agreement import INTER, INTRA, repeated_only
from icsilib.stats.cells import cells_of, pseudo_values
from icsilib.stats.coverage import study_of
from icsilib.stats.variance import standard_error

Array = NDArray[np.float64]


class SpreadTest(NamedTuple):
    """A ratio of two standard deviations and the two-sided p-value of its being 1."""

    ratio: float
    p: float


def inter_against_intra(table: pd.DataFrame, structure: str) -> SpreadTest:
    """Crossed t-test of log(SD of inter pairs / SD of intra pairs), over the annotators who have both.

    Squared deviations from the kind's mean become pseudo-values of person and frame, whose relative difference is the
    linear part of the log ratio of variances.
    """
    rows = repeated_only(table[table["structure"] == structure])
    parts, variances = [], []
    for kind in (INTER, INTRA):
        values = rows.loc[rows["kind"] == kind, "value"]
        squares = rows.assign(value=(rows["value"] - values.mean()) ** 2)
        variances.append(float(values.var(ddof=0)))
        parts.append(pseudo_values(cells_of(squares, structure, kind)) / variances[-1])
    error, df = standard_error(parts[0] - parts[1])
    log_ratio = np.log(variances[0] / variances[1])
    return SpreadTest(float(np.exp(log_ratio / 2)), float(2 * stats.t.sf(abs(log_ratio) / error, df)))


def model_against_people(similarity: Array, swaps: int = 4999, seed: int = 0) -> SpreadTest:
    """Randomisation test of SD(model with people) / SD(people with people) from `similarity` (1 + A, 1 + A, F).

    If the model is one more person, then on each frame its label could as well be anybody's: in each of `swaps`
    the model trades places with a person drawn anew for each frame, or stays. The labels must be of one round.
    Frames on which a measure is missing are left out.
    """
    people = similarity.shape[0]
    kept = ~np.isnan(similarity[~np.eye(people, dtype=bool)]).any(axis=0)
    values = np.where(np.eye(people, dtype=bool)[..., None], 0.0, similarity[..., kept])
    own = np.stack([values.sum(axis=1), (values**2).sum(axis=1)])  # (2, 1 + A, F), of each one's pairs
    every = own.sum(axis=1) / 2
    rng = np.random.default_rng(seed)
    drawn = rng.integers(people, size=(swaps + 1, values.shape[2]))
    drawn[0] = 0  # as it was
    model = own[:, drawn, np.arange(values.shape[2])].sum(axis=2)
    counts = np.array([people - 1, (people - 1) * (people - 2) / 2]) * values.shape[2]
    sums = np.stack([model, every.sum(axis=1)[:, None] - model], axis=1) / counts[:, None]
    variances = sums[1] - sums[0] ** 2
    return _against_reference(np.log(variances[0] / variances[1]))


def equal_spread_ratios(
    draw: Callable[[tuple[int, int, int]], Array],
    disagreement: Callable[[Array, Array], Array],
    people: tuple[int, int, int],
    model: tuple[int, int],
    studies: int = 400,
) -> Array:
    """SD of a model's errors over SD of inter pairs (studies,) where the model errs as the people do.

    `draw` gives errors (A, R, F, K) of a shape: of the `people` (A, R, F), and of the model and one labeller on
    `model` = (frames of a video, videos), whose frames are as easy or hard as their video.
    """
    found = np.empty(studies)
    for k in range(studies):
        inter = study_of(draw(people), disagreement)["inter"][1]
        own, label = draw((2, *model))
        found[k] = disagreement(own, label).std(ddof=1) / inter.std(ddof=1)
    return found


def against_simulated(ratio: float, simulated: Array) -> SpreadTest:
    """A published ratio of SDs against ratios (N,) of `equal_spread_ratios`."""
    return _against_reference(2 * np.log(np.concatenate([[ratio], simulated])))


def _against_reference(log_ratios: Array) -> SpreadTest:
    """The first of the log variance ratios against all of them, itself included; both tails, doubled."""
    first = log_ratios[0]
    tail = min(np.mean(log_ratios >= first), np.mean(log_ratios <= first))
    return SpreadTest(float(np.exp(first / 2)), float(min(1.0, 2 * tail)))
