"""Tests of spread: by hand, and their size on studies whose spreads are equal."""

import numpy as np
import pytest

from icsilib.phantoms.people.errors import disagreement, label_errors
from icsilib.stats import spread
from icsilib.stats.agreement import distance_table


def test_ratio_is_that_of_the_pairs():
    points = np.random.default_rng(0).normal(size=(4, 3, 6, 2)) * np.array([3.0, 1.0])
    table = distance_table(points, "needle")
    sd = table.groupby("kind")["value"].std(ddof=0)
    assert spread.inter_against_intra(table, "needle").ratio == pytest.approx(sd["inter"] / sd["intra"])


def test_people_who_stand_apart_differ_in_spread():
    rng = np.random.default_rng(1)
    points = rng.normal(size=(5, 5, 14, 2)) + np.array([0, 0, 0, 0, 30.0])[:, None, None, None]
    assert spread.inter_against_intra(distance_table(points, "needle"), "needle").p < 0.1
    shuffled = rng.normal(size=(5, 5, 14, 2))
    assert spread.inter_against_intra(distance_table(shuffled, "needle"), "needle").p > 0.2


def test_a_wild_model_is_found_and_a_missing_frame_left_out():
    errors = np.random.default_rng(2).normal(size=(6, 14, 2))
    errors[0] *= np.linspace(0.1, 12, 14)[:, None]
    similarity = disagreement(errors[:, None], errors[None])
    found = spread.model_against_people(similarity, 999)
    assert found.ratio > 3
    assert found.p == pytest.approx(2 / 1000, abs=0.003)
    gap = np.concatenate([similarity, np.full((6, 6, 1), np.nan)], axis=2)
    assert spread.model_against_people(gap, 999) == found


def test_a_published_ratio_among_simulated_ones():
    simulated = np.linspace(0.5, 1.5, 99)
    assert spread.against_simulated(2.0, simulated).p == pytest.approx(2 / 100)
    assert spread.against_simulated(1.0, simulated).p == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("structure", ["pipette", "needle"])
def test_size_is_no_more_than_promised_where_the_f_test_fails(structure):
    rng = np.random.default_rng(3)
    calls = []
    for _ in range(300):
        errors = label_errors(structure, (6, 1, 14), rng)[:, 0]
        calls.append(spread.model_against_people(disagreement(errors[:, None], errors[None]), 199).p <= 0.05)
    assert np.mean(calls) <= 0.06 + 2 * np.sqrt(0.05 * 0.95 / 300)


def test_equal_laws_have_ratios_about_one():
    rng = np.random.default_rng(4)

    def draw(shape):
        return label_errors("needle", shape, rng)

    found = spread.equal_spread_ratios(draw, disagreement, (5, 5, 14), (20, 23), studies=60)
    assert np.median(found) == pytest.approx(1, abs=0.1)
    assert found.max() < published_ratio()


def published_ratio():
    from icsilib.study.claims import published

    return published("A.model.tip.sd") / published("A.table1.needle.inter.sd")
