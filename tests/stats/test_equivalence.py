"""TOST and paired differences against statsmodels and simulation."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.weightstats import ttost_paired

from icsilib.stats import agreement
from icsilib.stats.cells import cells_of
from icsilib.stats.equivalence import crossed_equivalence, model_against_people, tost
from icsilib.stats.variance import simulate_crossed, standard_error


def test_tost_agrees_with_statsmodels():
    rng = np.random.default_rng(0)
    differences = rng.normal(0.01, 0.05, 40)
    error = differences.std(ddof=1) / np.sqrt(40)
    found = tost(differences.mean(), error, 39, margin=0.02)
    p, _, _ = ttost_paired(differences, np.zeros(40), -0.02, 0.02)
    assert found.p == pytest.approx(p)
    assert found.equivalent == (p <= 0.05) == (found.low >= -0.02 and found.high <= 0.02)


def test_a_margin_must_be_positive():
    with pytest.raises(ValueError, match="state it before"):
        tost(0.0, 1.0, 10, margin=0.0)


def test_no_error_at_all():
    assert tost(0.1, 0.0, 4, margin=0.2).equivalent
    assert not tost(0.3, 0.0, 4, margin=0.2).equivalent


def test_the_model_as_one_more_person_differs_by_nothing_on_average():
    """A model that labels as the people do has differences whose mean is that of the two kinds of pairs."""
    points = np.random.default_rng(2).normal(size=(6, 1, 14, 2))
    table = agreement.distance_table(points[:5], "needle")
    model = np.linalg.norm(points[5] - points[:5, 0], axis=-1)
    values = model_against_people(model, cells_of(table, "needle", "inter"))
    assert values.mean() == pytest.approx(model.mean() - table["value"].mean())
    assert crossed_equivalence(values, margin=3.0).equivalent
    with pytest.raises(ValueError, match="people, frames"):
        model_against_people(model.T, cells_of(table, "needle", "inter"))


def declared_equivalent(effects, frames, margin, difference, studies):
    """Share of simulated studies by five people whose 90 % interval lies inside ±margin."""
    values = difference + simulate_crossed(effects, 5, frames, studies, np.random.default_rng(0))
    error, df = standard_error(values)
    return np.mean(np.abs(values.mean(axis=(1, 2))) + stats.t.ppf(0.95, df) * error <= margin)


@pytest.mark.parametrize("effects", [(0.5, 1, 1), (1, 0.5, 1), (0.2, 0.2, 1), (1, 1, 0.5), (0, 1, 1)])
@pytest.mark.parametrize("margin", [0.8, 2.0])
def test_the_error_rate_at_the_margin_is_at_most_5_5_percent(effects, margin):
    for difference in (-margin, margin):
        assert declared_equivalent(effects, 14, margin, difference, studies=40_000) <= 0.055


def test_equivalence_is_found_where_it_holds_and_the_study_is_large():
    assert declared_equivalent((0.1, 0.1, 1), 200, 0.5, 0.0, studies=2000) > 0.95
