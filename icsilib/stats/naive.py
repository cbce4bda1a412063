"""The tests as a first reader of the paper would do them: over pairs, as if pairs were independent."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from icsilib.stats.agreement import INTER, INTRA


class Comparison(NamedTuple):
    """A test statistic, its degrees of freedom (NaN where it has none) and its two-sided p-value."""

    statistic: float
    df: float
    p: float


def welch(table: pd.DataFrame, structure: str) -> Comparison:
    """Welch's t-test of inter against intra pairs, rows taken as independent."""
    result = stats.ttest_ind(*_inter_intra(table, structure), equal_var=False)
    return Comparison(float(result.statistic), float(result.df), float(result.pvalue))


def mann_whitney(table: pd.DataFrame, structure: str) -> Comparison:
    """Mann–Whitney U test of inter against intra pairs, rows taken as independent."""
    result = stats.mannwhitneyu(*_inter_intra(table, structure))
    return Comparison(float(result.statistic), np.nan, float(result.pvalue))


def welch_from_summary(mean_a: float, sd_a: float, n_a: int, mean_b: float, sd_b: float, n_b: int) -> Comparison:
    """Welch's t-test from two published means, SDs and numbers of values."""
    result = stats.ttest_ind_from_stats(mean_a, sd_a, n_a, mean_b, sd_b, n_b, equal_var=False)
    variance_a, variance_b = sd_a**2 / n_a, sd_b**2 / n_b
    df = (variance_a + variance_b) ** 2 / (variance_a**2 / (n_a - 1) + variance_b**2 / (n_b - 1))
    return Comparison(float(result.statistic), df, float(result.pvalue))


def _inter_intra(table: pd.DataFrame, structure: str) -> tuple[pd.Series, pd.Series]:
    rows = table[table["structure"] == structure].dropna(subset="value")
    return rows.loc[rows["kind"] == INTER, "value"], rows.loc[rows["kind"] == INTRA, "value"]
