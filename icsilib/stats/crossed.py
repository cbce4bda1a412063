"""Table 1 with intervals that respect the crossing of annotators and frames."""

import pandas as pd

from icsilib.stats.agreement import INTER, INTRA, repeated_only
from icsilib.stats.cells import cells_of, pseudo_values
from icsilib.stats.resampling import cluster_bootstrap, percentile_interval, row_bootstrap
from icsilib.stats.variance import Interval, crossed_interval

DIFFERENCE = "inter − intra"


def mean_interval(table: pd.DataFrame, structure: str, kind: str, level: float = 0.95) -> Interval:
    """Mean of one structure and kind with its crossed interval, on the log scale of the disagreement.

    A distance is a disagreement itself; for IoU the disagreement is 1 − IoU.
    """
    values = pseudo_values(cells_of(table, structure, kind))
    unit = table.loc[table["structure"] == structure, "unit"].iloc[0]
    if unit != "IoU":
        return crossed_interval(values, level, log=True)
    loss = crossed_interval(1 - values, level, log=True)
    # An IoU is never negative; the logarithm of 1 − IoU does not know it.
    return Interval(1 - loss.estimate, max(0.0, 1 - loss.high), 1 - loss.low, loss.df)


def difference_interval(table: pd.DataFrame, structure: str, level: float = 0.95) -> Interval:
    """Inter minus intra, paired by annotator and frame, over the annotators who have both."""
    rows = repeated_only(table[table["structure"] == structure])
    inter, intra = (pseudo_values(cells_of(rows, structure, kind)) for kind in (INTER, INTRA))
    if inter.shape != intra.shape:
        raise ValueError(f"{structure}: inter and intra pairs exist on different frames; use the complete frames only")
    return crossed_interval(inter - intra, level)


def compare_intervals(table: pd.DataFrame, structure: str, seed: int = 0, resamples: int = 10_000) -> pd.DataFrame:
    """The mean inter and the difference inter − intra by three intervals: rows, two-way bootstrap, crossed t.

    Columns estimate, low, high; index (quantity, method). Over the annotators who have both kinds of pairs.
    """
    rows = repeated_only(table[table["structure"] == structure])
    cells = {kind: cells_of(rows, structure, kind) for kind in (INTER, INTRA)}
    two_way = cluster_bootstrap(cells, resamples, seed)
    by_row = {kind: row_bootstrap(rows, structure, kind, resamples, seed + i) for i, kind in enumerate(cells)}
    crossed = {INTER: mean_interval(rows, structure, INTER), DIFFERENCE: difference_interval(rows, structure)}
    found = {}
    for quantity, interval in crossed.items():
        for method, means in (("rows", by_row), ("two-way", two_way)):
            resampled = means[INTER] - means[INTRA] if quantity == DIFFERENCE else means[INTER]
            found[quantity, method] = (interval.estimate, *percentile_interval(resampled))
        found[quantity, "crossed t"] = interval[:3]
    return pd.DataFrame(found, index=["estimate", "low", "high"]).T
