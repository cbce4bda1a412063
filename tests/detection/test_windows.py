import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icsilib.detection.windows import cut, in_core, resize, tile


def test_a_dense_image_in_six_windows():
    windows = tile(1680, 1050, 640, 100)
    assert [(w.x, w.y) for w in windows] == [(0, 0), (520, 0), (1040, 0), (0, 410), (520, 410), (1040, 410)]
    # Neighbours share 120 px in x, 230 px in y: the cores meet in the middle of what is shared.
    assert windows[1].core == (580, -np.inf, 1100, 525)


def test_without_a_window_the_image_is_one():
    assert [(w.x, w.y, w.width, w.height) for w in tile(640, 400, None)] == [(0, 0, 640, 400)]


def test_a_small_image_lies_in_the_middle_of_its_window():
    (window,) = tile(100, 60, 128, 20)
    assert (window.x, window.y) == (-14, -34)


@given(st.integers(20, 500), st.integers(20, 500), st.integers(50, 200), st.integers(0, 40), st.randoms())
def test_every_point_belongs_to_one_window_that_shows_its_surroundings(width, height, window, overlap, random):
    windows = tile(width, height, window, overlap)
    x, y = random.uniform(0, width), random.uniform(0, height)
    owners = [w for w in windows if in_core(np.array([[x, y, 0.0, 0.0]]), w)[0]]
    assert len(owners) == 1
    (owner,) = owners
    margin = (overlap - 1) / 2  # starts are whole pixels
    assert owner.x <= max(0, x - margin)
    assert owner.x + owner.width >= min(width, x + margin)
    assert owner.y <= max(0, y - margin)
    assert owner.y + owner.height >= min(height, y + margin)


def test_overlap_must_leave_progress():
    with pytest.raises(ValueError, match="smaller than the window"):
        tile(500, 500, 100, 100)


def test_cutting_repeats_the_border_outside():
    image = np.arange(12, dtype=np.uint8).reshape(3, 4, 1).repeat(3, axis=2)
    assert cut(image, 1, 1, 2, 2)[..., 0].tolist() == [[5, 6], [9, 10]]
    assert cut(image, -1, 2, 3, 2)[..., 0].tolist() == [[8, 8, 9], [8, 8, 9]]


def test_resizing_keeps_a_flat_image_flat():
    flat = np.full((37, 90, 3), 77, np.uint8)
    assert (resize(flat, 24) == 77).all()
    assert resize(flat, 24).shape == (24, 24, 3)
