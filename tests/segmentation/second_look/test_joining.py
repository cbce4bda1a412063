import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from icsilib.data.preprocess import Preprocess, geometry
from icsilib.segmentation.dsnt import gaussian_heatmap, to_normalised
from icsilib.segmentation.second_look.closeups import closeup
from icsilib.segmentation.second_look.joining import CELLS, CLOSER, DOUBT, joined, opinion, with_cell
from icsilib.segmentation.segmenter import Look

SQUARE = geometry((256, 256), Preprocess(32))
FLAT = np.full((32, 32), 1 / 32**2, np.float32)


def window(x, y, side=64):
    """Of a photograph of 256×256 px, about (x, y)."""
    return closeup(np.zeros((256, 256), np.uint8), np.array([x, y]), side, Preprocess(32, clip_limit=None))[1]


def peak(x, y, n=32, sigma=1.0):
    """A normal distribution about (x, y) in cells."""
    return gaussian_heatmap(to_normalised(torch.tensor([[x, y]], dtype=torch.float32), n), (n, n), sigma)[0].numpy()


def test_the_joined_heatmap_is_the_product_by_hand():
    """Corners of 2×2 cells, over the same square: z · y² to a constant, with doubt; all 4 cells are near y's tip."""
    z, y = np.array([[0.4, 0.1], [0.3, 0.2]], np.float32), np.array([[0.1, 0.2], [0.3, 0.4]], np.float32)
    found = joined(Look(z, SQUARE), [Look(y, SQUARE)]).heatmap
    corners = found[:: CELLS - 1, :: CELLS - 1]
    expected = (DOUBT / 4 + (1 - DOUBT) * z) * (DOUBT / 4 + (1 - DOUBT) * y) ** CLOSER
    np.testing.assert_allclose(corners / corners.sum(), expected / expected.sum(), rtol=1e-4)
    assert found.sum() == pytest.approx(1, abs=1e-5)


def test_a_close_up_counts_by_its_confidence():
    """Two peaks of a half each, far apart: DSNT's place between them has none of either near it, so there is no say."""
    z, y = peak(8, 24, sigma=3), 0.5 * peak(4, 4) + 0.5 * peak(28, 28)
    alone, found = joined(Look(z, SQUARE), [Look(FLAT, SQUARE)]), joined(Look(z, SQUARE), [Look(y, SQUARE)])
    assert Look(y, SQUARE).confidence < 1e-6
    np.testing.assert_allclose(found.heatmap, alone.heatmap, atol=1e-6)


def test_a_heatmap_is_none_beyond_its_square():
    look = Look(FLAT, window(64, 64))
    inside, beyond = opinion(look, np.array([[[64.0, 64.0], [200.0, 64.0]]]))[0]
    assert inside == pytest.approx(0, abs=1e-5)
    assert beyond == pytest.approx(np.log(DOUBT))


def test_close_ups_that_see_nothing_leave_the_first_looks_tip():
    """But for its own share of doubt, whose tip is the frame's middle, (128, 128)."""
    found = joined(Look(peak(8, 24), SQUARE), [Look(FLAT, window(64, 192)), Look(FLAT, window(200, 40))])
    np.testing.assert_allclose(found.tip, [64 + DOUBT * 64, 192 - DOUBT * 64], atol=0.3)


def test_a_first_look_that_sees_nothing_leaves_the_tip_to_the_close_up():
    """A peak in the middle of a window is where the window's middle is."""
    found = joined(Look(FLAT, SQUARE), [Look(peak(16, 16), window(80, 200))])
    np.testing.assert_allclose(found.tip, [80, 200], atol=0.1)


def test_of_two_places_that_one_look_sees_the_one_is_taken_that_another_sees_too():
    """Though the first look is surer of the other."""
    two = 0.3 * peak(8, 24) + 0.7 * peak(25, 5)
    found = joined(Look(two, SQUARE), [Look(peak(16, 16), window(64, 192)), Look(FLAT, window(200, 40))])
    np.testing.assert_allclose(found.tip, [64, 192], atol=1)


@given(st.floats(40, 210), st.floats(40, 120))
def test_the_tip_of_a_wide_photograph_is_where_both_looks_see_it(x, y):
    """A frame of 256×160 px, letterboxed to 32; the close-up's peak lies at (x, y), the first look's near it."""
    place = geometry((256, 160), Preprocess(32))
    close = closeup(np.zeros((160, 256), np.uint8), np.array([x, y]), 64, Preprocess(32, clip_limit=None))[1]
    first = Look(peak(*place.to_square(np.array([x + 3, y - 2])), sigma=2), place)
    found = joined(first, [Look(peak(*close.to_square(np.array([x, y]))), close)])
    np.testing.assert_allclose(found.tip, [x, y], atol=1.5)


def test_the_oolemma_of_a_close_up_is_joined_where_the_close_up_lies():
    seen = np.full((2, 64, 64), 0.75, np.float32)
    close = closeup(np.zeros((64, 64), np.uint8), np.array([32.0, 32.0]), 50, Preprocess(32, clip_limit=None))[1]
    found = with_cell(seen, np.full((50, 50), 0.0, np.float32), close)
    expected = seen.copy()
    expected[0, 7:57, 7:57] = 0.5  # 1 - √(0.25 · 1)
    np.testing.assert_allclose(found, expected, atol=1e-6)
