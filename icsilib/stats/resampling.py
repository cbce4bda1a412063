"""Resampling of clusters: the bootstrap of mean agreement, and the jackknife over patients or videos.

Pairs share annotators and frames, so rows of the table are not independent and resampling them promises far too
much. The two-way bootstrap draws annotators and frames with replacement and weighs each cell by the product of
the draws (the pigeonhole bootstrap of Owen, Annals of Applied Statistics 2007).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special, stats

from icsilib.stats.cells import Cells

Draws = NDArray[np.float64]
FEWEST_GROUPS = 5  # with fewer patients or videos no interval keeps its promise, and none is given


def draw_counts(rng: np.random.Generator, items: int, resamples: int) -> Draws:
    """How often each of `items` is drawn in each resample, (resamples, items); every row sums to `items`."""
    return rng.multinomial(items, np.full(items, 1 / items), size=resamples).astype(float)


def weighted_means(cells: Cells, annotator_weights: Draws, frame_weights: Draws) -> NDArray[np.float64]:
    """Mean measure in each resample, (B,), from weights (B, A) and (B, F); NaN where no pair was drawn."""
    pairs = cells.pair_weights(annotator_weights)
    total = np.sum((pairs @ cells.total) * frame_weights, axis=1)
    count = np.sum((pairs @ cells.count) * frame_weights, axis=1)
    return np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)


def cluster_bootstrap(
    measures: Mapping[str, Cells], resamples: int = 10_000, seed: int = 0, annotators: bool = True
) -> dict[str, NDArray[np.float64]]:
    """Resampled means (B,) of several measures of the same annotators and frames, all under the same draws.

    `annotators=False` keeps the people and draws frames only. Differences may be formed draw by draw.
    """
    shapes = {(cells.annotators, cells.frames) for cells in measures.values()}
    if len(shapes) != 1:
        raise ValueError(f"measures must share annotators and frames; got (annotators, frames) {sorted(shapes)}")
    n_annotators, n_frames = shapes.pop()
    rng = np.random.default_rng(seed)
    people = draw_counts(rng, n_annotators, resamples) if annotators else np.ones((resamples, n_annotators))
    drawn = draw_counts(rng, n_frames, resamples)
    return {name: weighted_means(cells, people, drawn) for name, cells in measures.items()}


def row_bootstrap(
    table: pd.DataFrame, structure: str, kind: str, resamples: int = 10_000, seed: int = 0
) -> NDArray[np.float64]:
    """Resampled means (B,) when the rows of the table are drawn as if they were independent. They are not."""
    chosen = (table["structure"] == structure) & (table["kind"] == kind)
    values = table.loc[chosen, "value"].dropna().to_numpy()
    rng = np.random.default_rng(seed)
    return np.array([values[rng.integers(0, len(values), len(values))].mean() for _ in range(resamples)])


def percentile_interval(resampled: NDArray[np.float64], level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of resampled values, leaving out the resamples that held no pair (NaN)."""
    tail = (1 - level) / 2
    low, high = np.nanquantile(resampled, [tail, 1 - tail])
    return float(low), float(high)


def without_each(groups: Sequence[str]) -> list[NDArray[np.int64]]:
    """Places of the items that stay when each group (patient, video) is left out in turn."""
    names = np.asarray(groups)
    return [np.flatnonzero(names != group) for group in dict.fromkeys(groups)]


def jackknife_ends(
    whole: NDArray[np.float64] | float, without: NDArray[np.float64], scale: str = "plain", level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ends (…) of a t interval by the grouped jackknife: `whole` (…) from all groups, `without` (…, G) lacking one.

    The t has G − 1 degrees of freedom. A positive figure is better served by the "log" scale, a share by "logit";
    the standard error is carried there by the delta method.
    """
    groups = without.shape[-1]
    error = np.sqrt((groups - 1) * without.var(axis=-1))
    half = stats.t.ppf((1 + level) / 2, groups - 1) * error
    if scale == "plain":
        return whole - half, whole + half
    if scale == "log":
        return whole * np.exp(-half / whole), whole * np.exp(half / whole)
    centre, half = special.logit(whole), half / (whole * (1 - whole))
    return special.expit(centre - half), special.expit(centre + half)


def jackknife_interval(
    whole: float, without: Sequence[float], scale: str = "plain", level: float = 0.95
) -> tuple[float, float] | None:
    """`jackknife_ends` of one figure; None for fewer than `FEWEST_GROUPS` groups, or where nothing varies."""
    rest = np.asarray(without, dtype=float)
    if len(rest) < FEWEST_GROUPS or not np.isfinite([whole, *rest]).all() or np.ptp(rest) == 0:
        return None
    if scale != "plain" and not 0 < whole < (1 if scale == "logit" else np.inf):
        return None
    low, high = jackknife_ends(whole, rest, scale, level)
    return float(low), float(high)
