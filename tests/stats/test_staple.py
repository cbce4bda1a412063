"""STAPLE on masks whose fusion is plain."""

import numpy as np
import pytest

from icsilib.stats.staple import staple


def disc(radius: float, size: int = 80) -> np.ndarray:
    rows, columns = np.indices((size, size))
    return np.hypot(rows - size / 2, columns - size / 2) < radius


def test_agreement_is_returned_unchanged() -> None:
    found = staple(np.array([disc(20)] * 4))
    np.testing.assert_array_equal(found.mask, disc(20))
    np.testing.assert_allclose(found.sensitivity, 1, atol=1e-3)


def test_who_draws_too_small_is_insensitive_and_who_draws_too_wide_unspecific() -> None:
    found = staple(np.array([disc(20), disc(20), disc(20), disc(14), disc(26)]))
    np.testing.assert_array_equal(found.mask, disc(20))
    assert found.sensitivity[3] == pytest.approx(disc(14).sum() / disc(20).sum(), abs=0.01)
    assert found.specificity[4] < found.specificity[0]


def test_background_far_away_changes_nothing() -> None:
    masks = np.array([disc(20), disc(19), disc(22)])
    padded = staple(np.pad(masks, ((0, 0), (200, 0), (0, 300))))
    np.testing.assert_array_equal(padded.mask[200:, :80], staple(masks).mask)
    np.testing.assert_allclose(padded.specificity, staple(masks).specificity)


def test_the_estimate_is_that_of_simpleitk() -> None:
    """Sensitivities, specificities and the area that SimpleITK 2.5.7 gives for four displaced discs."""
    rows, columns = np.indices((60, 60))
    drawn = ((0, 0, 15), (1, -1, 14.5), (-2, 1, 16), (0, 3, 13))
    masks = np.array([np.hypot(rows - 30 + dy, columns - 30 + dx) < radius for dy, dx, radius in drawn])
    found = staple(masks, border=60)
    np.testing.assert_allclose(found.sensitivity, [0.97817, 0.89557, 0.96189, 0.72556], atol=2e-5)
    np.testing.assert_allclose(found.specificity, [1.0, 0.9907, 0.96274, 1.0], atol=2e-5)
    assert found.mask.sum() == 712


def test_everything_labelled() -> None:
    with pytest.raises(ValueError, match="everybody labelled the whole frame"):
        staple(np.ones((3, 8, 8), dtype=bool))


def test_nothing_labelled() -> None:
    with pytest.raises(ValueError, match="nobody labelled"):
        staple(np.zeros((3, 8, 8), dtype=bool))
