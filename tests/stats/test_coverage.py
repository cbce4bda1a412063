"""What the intervals keep of their promise, in simulated studies with a fixed seed."""

import numpy as np
import pytest

from icsilib.phantoms.people.errors import disagreement, label_errors
from icsilib.stats import coverage as cov


@pytest.fixture(scope="module")
def crossed():
    rng = np.random.default_rng(2)
    studies = [cov.simulate_measure(cov.MeasureDesign(), rng) for _ in range(600)]
    return cov.coverage(studies, {"mean": 1}, 0.0, seed=2)


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


def test_studies_have_the_pairs_and_the_mean_of_geometry():
    labels = np.random.default_rng(0).normal(0, 2, (5, 5, 2000, 2))
    study = cov.study_of(labels, disagreement)
    assert study["inter"][1].shape == (10, 5, 2000)
    assert study["intra"][1].shape == (5, 10, 2000)
    for _, values in study.values():  # distance of two points with SD 2 on each axis
        assert values.mean() == pytest.approx(2.0 * np.sqrt(np.pi), rel=0.01)


@pytest.mark.parametrize("structure", ["oolemma", "pipette", "needle"])
def test_means_of_fitted_people_are_covered_and_the_difference_of_pipettes_is_not(structure):
    rng = np.random.default_rng(1)
    studies = [cov.study_of(label_errors(structure, (5, 5, 14), rng), disagreement) for _ in range(150)]
    assert cov.coverage(studies, {"inter": 1}, resamples=20).loc[cov.CROSSED_LOG_T, "coverage"] >= 0.91
    difference = cov.coverage(studies, {"inter": 1, "intra": -1}, resamples=20).loc[cov.CROSSED_T, "coverage"]
    assert (difference < 0.8) == (structure == "pipette")


def test_coverage_of_a_mean_over_videos_falls_with_their_skewness():
    frames = np.full(23, 10)
    alike, skewed = (np.exp(spread * np.linspace(-2, 2, 23)) * frames for spread in (0.2, 1.2))
    assert 0.93 <= cov.group_coverage(alike, frames) <= 0.97
    assert cov.group_coverage(skewed, frames) < 0.90
