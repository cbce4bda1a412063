"""Variance components against statsmodels, ICC against Shrout & Fleiss."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from icsilib.stats.variance import crossed_interval, icc_a1, mean_squares, standard_error, variance_components


def labels(seed=0, annotators=5, rounds=4, frames=14):
    rng = np.random.default_rng(seed)
    return (
        rng.normal(0, 1.5, (annotators, 1, 1))
        + rng.normal(0, 3, (1, 1, frames))
        + rng.normal(0, 1.2, (annotators, 1, frames))
        + rng.normal(0, 0.8, (annotators, rounds, frames))
    )


def test_components_agree_with_mixed_models():
    import statsmodels.formula.api as smf

    values = labels()
    annotator, _, frame = np.indices(values.shape)
    data = pd.DataFrame({"y": values.ravel(), "a": annotator.ravel(), "f": frame.ravel(), "all": 1})
    data["af"] = data["a"].astype(str) + "-" + data["f"].astype(str)
    crossed = {name: f"0 + C({name})" for name in ("a", "f", "af")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = smf.mixedlm("y ~ 1", data, groups="all", vc_formula=crossed).fit(reml=True)
    oracle = dict(zip(fit.model.exog_vc.names, fit.vcomp, strict=True))
    found = variance_components(values)
    assert (found.annotator, found.frame, found.interaction) == pytest.approx(
        (oracle["a"], oracle["f"], oracle["af"]), rel=0.02
    )
    assert found.residual == pytest.approx(fit.scale, rel=0.02)


def test_icc_of_shrout_and_fleiss():
    """Table 2 of Shrout & Fleiss (1979), whose ICC(2,1) is .29: six targets, four judges."""
    judged = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)
    assert icc_a1(judged.T) == pytest.approx(0.2898, abs=5e-5)


def test_mean_squares_by_hand():
    # rows 1, 3 and columns 1, 3 about the mean 2, no interaction
    found = mean_squares(np.array([[0.0, 2.0], [2.0, 4.0]]))
    assert tuple(found) == pytest.approx((4, 4, 0))


def test_interval_is_the_one_sample_t_when_only_frames_differ():
    frames = np.random.default_rng(0).normal(size=14)
    values = np.tile(frames, (5, 1))
    found = crossed_interval(values)
    expected = stats.ttest_1samp(frames, 0).confidence_interval()
    assert found.df == pytest.approx(13)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_log_interval_is_symmetric_in_ratio():
    values = 10 + labels()[:, 0]
    found = crossed_interval(values, log=True)
    assert found.estimate / found.low == pytest.approx(found.high / found.estimate)
    with pytest.raises(ValueError, match="positive mean"):
        crossed_interval(-values, log=True)


def test_constant_values_have_no_error():
    error, df = standard_error(np.ones((5, 14)))
    assert error == 0
    assert df == 4 * 13
    with pytest.raises(ValueError, match="at least 2 annotators"):
        mean_squares(np.ones((1, 14)))
    with pytest.raises(ValueError, match="complete labels"):
        variance_components(np.full((5, 5, 14), np.nan))
