"""Pre-filtering worked by hand."""

import numpy as np
import pytest

from icsilib.detection.workload import cross_fitted, screening_threshold, workload

SCORES = np.array([0.9, 0.8, 0.7, 0.2, 0.6, 0.1])
SPERM = np.array([1, 3, 1, 1, 0, 0])


def test_threshold_keeps_the_share_asked_for() -> None:
    assert screening_threshold(SCORES, SPERM, 0.75) == 0.7  # three of the four images with sperm
    assert screening_threshold(SCORES, SPERM, 0.76) == 0.2
    assert screening_threshold(SCORES, SPERM, 1.0) == 0.2


def test_workload_by_hand() -> None:
    found = workload(SCORES >= 0.7, SPERM)
    assert found.saved == 0.5  # three of six images
    assert found.sensitivity == 0.75
    assert found.sperm_seen == pytest.approx(5 / 6)
    assert np.isnan(workload(SCORES >= 0.7, SPERM, np.array([4, 5])).sensitivity)


def test_own_patient_does_not_choose_the_threshold() -> None:
    patients = ["a", "a", "b", "b", "c", "c"]
    shown = cross_fitted(SCORES, SPERM, patients, 1.0)
    # b's sperm scores 0.2; without b the threshold is 0.8, so both its images are put aside.
    assert shown.tolist() == [True, True, False, False, True, False]


def test_errors_say_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="no image holds a sperm"):
        screening_threshold(SCORES, np.zeros(6, dtype=int), 0.95)
    with pytest.raises(ValueError, match="sensitivity must be above 0"):
        screening_threshold(SCORES, SPERM, 0.0)
