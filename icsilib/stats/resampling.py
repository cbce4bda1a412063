"""Bootstrap of mean agreement: by rows, by frames, and by annotators and frames together.

Pairs share annotators and frames, so rows of the table are not independent and resampling them promises far too
much. The two-way bootstrap draws annotators and frames with replacement and weighs each cell by the product of
the draws (the pigeonhole bootstrap of Owen, Annals of Applied Statistics 2007).
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from icsilib.stats.cells import Cells

Draws = NDArray[np.float64]


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
    measures: Mapping[str, Cells],
    resamples: int = 10_000,
    seed: int = 0,
    annotators: bool = True,
    frames: bool = True,
    clusters: NDArray[np.int64] | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Resampled means (B,) of several measures of the same annotators and frames, all under the same draws.

    `annotators=False` keeps the people and draws frames only. `clusters` (F,) numbers the video or patient of
    each frame from 0; then whole clusters are drawn. Differences between measures may be formed draw by draw.
    """
    shapes = {(cells.annotators, cells.frames) for cells in measures.values()}
    if len(shapes) != 1:
        raise ValueError(f"measures must share annotators and frames; got (annotators, frames) {sorted(shapes)}")
    n_annotators, n_frames = shapes.pop()
    rng = np.random.default_rng(seed)
    people = draw_counts(rng, n_annotators, resamples) if annotators else np.ones((resamples, n_annotators))
    units = np.arange(n_frames) if clusters is None else np.asarray(clusters)
    if units.shape != (n_frames,):
        raise ValueError(f"clusters must number the video of each of {n_frames} frames, got shape {units.shape}")
    drawn = draw_counts(rng, int(units.max()) + 1, resamples) if frames else np.ones((resamples, int(units.max()) + 1))
    return {name: weighted_means(cells, people, drawn[:, units]) for name, cells in measures.items()}


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
