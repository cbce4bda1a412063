"""The two-way bootstrap against analytic variances; naive tests against the published figures."""

import numpy as np
import pytest
from scipy import stats

from icsilib.stats import agreement, naive
from icsilib.stats.cells import Cells, cells_of, pseudo_values
from icsilib.stats.crossed import DIFFERENCE, compare_intervals, difference_interval, mean_interval
from icsilib.stats.resampling import (
    cluster_bootstrap,
    jackknife_interval,
    percentile_interval,
    row_bootstrap,
    without_each,
)


def scalar_cells(values):
    """Cells of one value for each annotator and frame."""
    people = np.arange(len(values))
    return Cells(values, np.ones(values.shape, dtype=np.int64), people, people, len(values))


def needle_table(seed=0, shape=(5, 5, 14, 2)):
    return agreement.distance_table(np.random.default_rng(seed).normal(0, 3, shape), "needle")


def test_two_way_bootstrap_has_the_analytic_variance_of_a_balanced_design():
    rng = np.random.default_rng(3)
    values = rng.normal(size=(5, 1)) + 2 * rng.normal(size=(1, 14)) + rng.normal(size=(5, 14))
    resampled = cluster_bootstrap({"mean": scalar_cells(values)}, resamples=40_000, seed=1)["mean"]
    rows, columns, mean = values.mean(1), values.mean(0), values.mean()
    rest = values - rows[:, None] - columns[None, :] + mean
    # Var* = σ̂²_rows/A + σ̂²_columns/F + σ̂²_rest/(AF) with divisors A, F and AF (Owen 2007, product weights)
    expected = rows.var() / 5 + columns.var() / 14 + rest.var() / (5 * 14)
    assert resampled.var() == pytest.approx(expected, rel=0.03)
    assert resampled.mean() == pytest.approx(mean, abs=4 * np.sqrt(expected / 40_000))


def test_frame_bootstrap_agrees_with_scipy():
    values = np.random.default_rng(4).normal(size=(5, 30))
    resampled = cluster_bootstrap({"mean": scalar_cells(values)}, resamples=20_000, annotators=False)["mean"]
    oracle = stats.bootstrap(
        (values.mean(0),), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    assert percentile_interval(resampled) == pytest.approx((oracle.low, oracle.high), abs=0.01)


def test_row_bootstrap_has_the_standard_error_of_independent_rows():
    table = needle_table()
    values = table.loc[table["kind"] == "inter", "value"]
    assert row_bootstrap(table, "needle", "inter", 4000).std() == pytest.approx(stats.sem(values), rel=0.05)


def test_pairs_of_a_person_with_their_own_copy_are_left_out():
    table = needle_table(shape=(3, 2, 4, 2))
    cells = cells_of(table, "needle", "inter")
    weights = cells.pair_weights(np.array([[2.0, 1.0, 0.0], [3.0, 0.0, 0.0]]))
    assert sorted(weights[0]) == [0, 0, 2]  # a drawn twice and b once: two a–b pairs, and none of a with a
    assert weights[1].sum() == 0
    resampled = cluster_bootstrap({"inter": cells}, resamples=2000)["inter"]
    assert np.isnan(resampled).mean() == pytest.approx(3 / 27, abs=0.03)  # all three draws the same person
    assert np.isfinite(percentile_interval(resampled)).all()


def test_groups_are_left_out_whole():
    found = without_each(["b", "a", "b", "c"])
    assert [places.tolist() for places in found] == [[1, 3], [0, 2, 3], [0, 1, 2]]


def test_jackknife_of_a_mean_is_the_t_interval():
    values = np.random.default_rng(0).gamma(2, size=12)
    without = (values.sum() - values) / 11
    expected = stats.t.interval(0.95, 11, values.mean(), stats.sem(values))
    assert jackknife_interval(values.mean(), without) == pytest.approx(expected)
    low, high = jackknife_interval(values.mean(), without, "log")
    assert low * high == pytest.approx(values.mean() ** 2)
    low, high = jackknife_interval(0.98, [0.97, 0.98, 0.99, 0.98, 0.98], "logit")
    assert 0 < low < 0.98 < high < 1


@pytest.mark.parametrize(
    ("whole", "without", "scale"),
    [(0.5, [0.4, 0.5, 0.6, 0.5], "plain"), (1.0, [1.0] * 9, "logit"), (1.0, [1, 1, 1, 1, 0.9], "logit"),
     (0.0, [0, 0, 0, 0, 0.1], "log"), (0.5, [0.5, 0.4, float("nan"), 0.5, 0.5], "plain")],
)  # fmt: skip
def test_no_interval_without_enough_groups_or_variation(whole, without, scale):
    assert jackknife_interval(whole, without, scale) is None


def test_pseudo_values_average_to_the_mean_over_pairs():
    table = needle_table()
    for kind in ("inter", "intra"):
        values = pseudo_values(cells_of(table, "needle", kind))
        assert values.shape == (5, 14)
        assert values.mean() == pytest.approx(table.loc[table["kind"] == kind, "value"].mean())


def test_pseudo_values_of_additive_people_are_the_people():
    effect = np.array([0.0, 1.0, 2.0, 5.0])
    first, second = np.triu_indices(4, 1)
    sums = (effect[first] + effect[second])[:, None] * np.ones((1, 3))
    cells = Cells(sums, np.ones_like(sums, dtype=np.int64), first, second, 4)
    np.testing.assert_allclose(pseudo_values(cells), 2 * effect[:, None] * np.ones((1, 3)))


def test_frames_without_a_measure_are_left_out():
    points = np.random.default_rng(0).normal(size=(5, 5, 6, 2))
    points[:, :, 2] = np.nan
    table = agreement.distance_table(points, "needle")
    assert pseudo_values(cells_of(table, "needle", "inter")).shape == (5, 5)
    assert np.isfinite(mean_interval(table, "needle", "inter")).all()


def test_summary_orders_its_ends():
    for found in (mean_interval(needle_table(), "needle", "inter"), difference_interval(needle_table(), "needle")):
        assert found.low < found.estimate < found.high
    with pytest.raises(ValueError, match="no inter pairs of oolemma"):
        cells_of(needle_table(), "oolemma", "inter")


@pytest.mark.parametrize(
    ("model", "people", "published"),
    [
        ((0.961, 0.021), (0.960, 0.016), 0.51),
        ((0.963, 0.064), (0.964, 0.021), 0.71),
        ((3.793, 6.981), (3.731, 3.043), 0.85),
    ],
)
def test_welch_from_the_published_summaries(model, people, published):
    assert naive.welch_from_summary(*model, 1000, *people, 140).p == pytest.approx(published, abs=0.006)


def test_welch_over_pairs_is_scipys():
    table = needle_table()
    groups = [table.loc[table["kind"] == kind, "value"] for kind in ("inter", "intra")]
    expected = stats.ttest_ind(*groups, equal_var=False)
    found = naive.welch(table, "needle")
    assert (found.statistic, found.df, found.p) == pytest.approx((expected.statistic, expected.df, expected.pvalue))
    summaries = [value for group in groups for value in (group.mean(), group.std(), len(group))]
    assert tuple(naive.welch_from_summary(*summaries)) == pytest.approx(tuple(found))
    assert naive.mann_whitney(table, "needle").p == pytest.approx(stats.mannwhitneyu(*groups).pvalue)


def test_intervals_are_compared_about_one_estimate():
    table = needle_table()
    found = compare_intervals(table, "needle", resamples=500)
    means = agreement.summary(table)["mean"]
    assert found.loc[("inter", "rows"), "estimate"] == pytest.approx(means["needle", "inter"])
    difference = means["needle", "inter"] - means["needle", "intra"]
    assert found.loc[DIFFERENCE, "estimate"].to_numpy() == pytest.approx([difference] * 3)
    assert found.loc[(DIFFERENCE, "crossed t"), "low"] == pytest.approx(difference_interval(table, "needle").low)


def test_a_person_who_repeated_nothing_is_left_out_of_the_difference():
    table = needle_table()
    without = table[~((table["kind"] == "intra") & (table["annotator_a"] == 2))]
    four = table[(table["annotator_a"] != 2) & (table["annotator_b"] != 2)]
    assert difference_interval(without, "needle") == pytest.approx(difference_interval(four, "needle"))
