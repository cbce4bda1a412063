"""Power against statsmodels and simulation."""

import numpy as np
import pytest
from statsmodels.stats.power import TTestPower

from icsilib.stats import power
from icsilib.stats.equivalence import tost


def test_one_sample_power_and_detectable_difference_agree_with_statsmodels():
    precision = power.paired_precision(sd=2.0, n=14)
    oracle = TTestPower()
    assert power.difference_power(1.0, precision) == pytest.approx(oracle.power(0.5, 14, 0.05), abs=1e-9)
    expected = oracle.solve_power(nobs=14, alpha=0.05, power=0.8)
    assert power.detectable_difference(precision) == pytest.approx(2.0 * expected, rel=1e-6)
    assert power.difference_power(0.0, precision) == pytest.approx(0.05)


def test_published_sizes():
    """Fourteen frames see far less than a thousand: the ratio follows from the standard errors."""
    many, few = (power.detectable_difference(power.paired_precision(0.021, n)) for n in (1000, 14))
    assert 8 < few / many < 11  # √(1000/14) = 8.5, and a little more for the degrees of freedom


@pytest.mark.parametrize("difference", [0.0, 0.5])
def test_equivalence_power_agrees_with_simulation(difference):
    values = np.random.default_rng(0).normal(difference, 1.0, (20_000, 14))
    errors = values.std(axis=1, ddof=1) / np.sqrt(14)
    found = [
        tost(mean, error, 13, margin=0.8).equivalent for mean, error in zip(values.mean(axis=1), errors, strict=True)
    ]
    precision = power.paired_precision(1.0, 14)
    assert power.equivalence_power(0.8, precision, difference) == pytest.approx(np.mean(found), abs=0.012)


def test_the_smallest_margin_has_the_power_asked_for():
    precision = power.paired_precision(1.3, 14)
    margin = power.smallest_margin(precision, power=0.9)
    assert power.equivalence_power(margin, precision) == pytest.approx(0.9)


def test_equivalence_cannot_be_found_within_a_tiny_margin():
    assert power.equivalence_power(0.01, power.paired_precision(1.0, 14)) < 1e-3


def test_power_must_exceed_alpha():
    with pytest.raises(ValueError, match="power must lie"):
        power.detectable_difference(power.paired_precision(1.0, 14), power=0.01)


def test_frames_needed_and_smallest_margin_are_inverse():
    margin = power.smallest_margin(power.paired_precision(2.0, 14))
    assert power.frames_needed(2.0, margin * 1.01) == 14
    assert power.frames_needed(2.0, margin * 0.99) == 15
    assert power.frames_needed(1e-6, 1.0) == 2
    with pytest.raises(ValueError, match="out of reach"):
        power.frames_needed(1.0, 1e-5)
