"""What the intervals keep of their promise, in simulated studies with a fixed seed."""

from functools import partial

import numpy as np
import pytest

from icsilib.stats import coverage as cov


@pytest.fixture(scope="module")
def crossed():
    return cov.coverage(partial(cov.simulate_measure, cov.MeasureDesign()), {"mean": 1}, 0.0, studies=600, seed=2)


def test_rows_promise_far_too_much(crossed):
    assert crossed.loc[cov.ROWS, "coverage"] < 0.35
    assert crossed.loc[cov.FRAMES, "coverage"] < 0.88


def test_two_way_intervals_cover_90_to_97_percent(crossed):
    assert 0.90 <= crossed.loc[cov.TWO_WAY, "coverage"] <= 0.97
    assert 0.93 <= crossed.loc[cov.CROSSED_T, "coverage"] <= 0.97


@pytest.mark.parametrize("annotator_sd", [0.3, 0.7, 1.0, 2.0])
@pytest.mark.parametrize("frame_sd", [0.3, 1.0])
def test_crossed_t_covers_93_to_97_percent_where_people_differ(annotator_sd, frame_sd):
    assert 0.93 <= cov.crossed_t_coverage((annotator_sd, frame_sd, 1.0), 5, 14, seed=5) <= 0.97


def test_crossed_t_is_cautious_where_only_single_labels_differ():
    assert cov.crossed_t_coverage((0.0, 0.0, 1.0), 5, 14) > 0.97


def test_tip_studies_have_the_pairs_and_the_mean_of_geometry():
    plain = cov.TipDesign(offset_px=0, along_px=2, across_px=2, care_spread=0, difficulty=0, slip_rate=0)
    study = cov.simulate_tips(plain, np.random.default_rng(0))
    assert study["inter"][1].size == study["intra"][1].size == 700
    truth = cov.true_mean(partial(cov.simulate_tips, plain), {"inter": 1}, 300)
    assert truth == pytest.approx(2.0 * np.sqrt(np.pi), rel=0.02)  # distance of two points with SD 2 on each axis
