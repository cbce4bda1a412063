"""Rules of pooling on three frames worked by hand."""

import numpy as np
import pytest

from icsilib.stats import pooling


def test_by_hand() -> None:
    # Frame 1: 2 of 4 pixels; frame 2: 90 of 100; frame 3: nothing on either.
    pairs = pooling.Overlap(np.array([2, 90, 0]), np.array([4, 100, 0]))
    found = pooling.choices(pairs)
    assert pairs.empty == 1
    assert found[pooling.BY_FRAME] == pytest.approx(0.7)  # (0.5 + 0.9)/2
    assert found[pooling.BY_FRAME_EMPTY_1] == pytest.approx(0.8)  # (0.5 + 0.9 + 1)/3
    assert found[pooling.BY_FRAME_EMPTY_0] == pytest.approx(1.4 / 3)
    assert found[pooling.POOLED] == pytest.approx(92 / 104)


def test_overlap_counts_pixels_and_broadcasts() -> None:
    wide, narrow = np.ones((4, 8), dtype=bool), np.tile(np.arange(8) < 2, (4, 1))
    found = pooling.overlap(narrow, np.stack([wide, narrow, np.zeros_like(wide)]))
    assert found.intersection.tolist() == [8, 8, 0]
    assert found.union.tolist() == [32, 8, 8]
    assert pooling.joined([found, found]).union.tolist() == [32, 8, 8, 32, 8, 8]


def test_only_empty_frames() -> None:
    found = pooling.choices(pooling.Overlap(np.zeros(2, dtype=int), np.zeros(2, dtype=int)))
    assert np.isnan(found[pooling.BY_FRAME])
    assert np.isnan(found[pooling.POOLED])
    assert found[pooling.BY_FRAME_EMPTY_1] == 1
    assert found[pooling.BY_FRAME_EMPTY_0] == 0
