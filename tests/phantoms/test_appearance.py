"""Measures of how alike two kinds of images are, on images whose measures are known."""

import numpy as np
import pytest

from icsilib.phantoms.appearance import boundary_contrast, close_up, gradient_spectrum, grey_histogram

TURN = np.linspace(0, 2 * np.pi, 100, endpoint=False)
CIRCLE = 64 + 30 * np.stack([np.cos(TURN), np.sin(TURN)], axis=1)
X, Y = np.meshgrid(np.arange(128) + 0.5, np.arange(128) + 0.5)


def test_histogram_by_hand():
    levels, shares = grey_histogram([np.array([[0, 3], [4, 255]], np.uint8)])
    assert (levels[0], levels[-1]) == (2.0, 254.0)
    assert (shares[0], shares[1], shares[-1]) == (0.5, 0.25, 0.25)  # 0 and 3 share the first bin of four levels


@pytest.mark.parametrize("frequency", [0.05, 0.2, 0.4])
def test_a_wave_shows_at_its_frequency(frequency):
    wave = (128 + 60 * np.sin(2 * np.pi * frequency * X)).astype(np.uint8)
    frequencies, energy = gradient_spectrum([wave])
    assert frequencies[np.argmax(energy)] == pytest.approx(frequency, abs=0.0125)
    assert energy.sum() == pytest.approx(1)


@pytest.mark.parametrize("outline", [CIRCLE, CIRCLE[::-1]])
def test_a_dark_disc_contrasts_alike_all_round(outline):
    image = np.where(np.hypot(X - 64, Y - 64) < 30, 100, 150).astype(np.uint8)
    np.testing.assert_allclose(boundary_contrast(image, outline), 50)


def test_relief_has_spread_but_no_mean():
    inside = np.hypot(X - 64, Y - 64) < 30
    image = (128 + 20 * np.sign(X - 64) * ~inside).astype(np.uint8)  # bright on the right, dark on the left
    contrast = boundary_contrast(image, CIRCLE)
    assert contrast.mean() == pytest.approx(0, abs=0.5)
    assert contrast.std() == pytest.approx(20, abs=0.5)


def test_what_lies_beyond_the_frame_is_left_out():
    contrast = boundary_contrast(np.full((128, 128), 9, np.uint8), CIRCLE - [60, 0])
    assert 0 < len(contrast) < 256
    assert not contrast.any()


def test_a_close_up_brings_cell_and_outline_to_one_size():
    image = np.where(np.hypot(X - 64, Y - 64) < 30, 100, 150).astype(np.uint8)
    near, outline = close_up(image, CIRCLE, margin=2.0, size=60)
    assert near.shape == (60, 60)
    np.testing.assert_allclose(outline.min(axis=0), 15, atol=0.6)
    assert (near < 125).mean() == pytest.approx(np.pi / 16, rel=0.03)  # a disc of half the square's width


def test_a_close_up_of_a_cell_at_the_border_stays_inside():
    near, outline = close_up(np.zeros((128, 128), np.uint8), CIRCLE - [34, 0], margin=2.0, size=120)
    assert near.shape == (120, 120)
    assert outline[:, 0].min() == pytest.approx(0, abs=0.1)
