"""Paper A's preprocessing: geometry both ways, aspect ratio, CLAHE."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icsilib.data.preprocess import Geometry, Preprocess, equalise, geometry, preprocess, to_grey

sides = st.integers(min_value=1, max_value=4000)
fits = st.sampled_from(["letterbox", "crop", "stretch"])
fractions = st.floats(min_value=0, max_value=1)


@given(width=sides, height=sides, size=st.sampled_from([64, 256, 512]), fit=fits, u=fractions, v=fractions)
def test_coordinates_survive_the_round_trip(width, height, size, fit, u, v):
    place = geometry((width, height), Preprocess(size=size, fit=fit))
    point = np.array([u * width, v * height])
    np.testing.assert_allclose(place.to_source(place.to_square(point)), point, atol=1e-6)


@given(width=sides, height=sides, u=fractions, v=fractions)
def test_letterbox_keeps_every_point_inside_the_square(width, height, u, v):
    square = geometry((width, height)).to_square([u * width, v * height])
    assert (square >= -1e-9).all()
    assert (square <= 512 + 1e-9).all()


@given(width=sides, height=sides)
def test_crop_covers_the_square(width, height):
    place = geometry((width, height), Preprocess(fit="crop"))
    assert (place.to_square([0, 0]) <= 0).all()
    assert (place.to_square([width, height]) >= 512 - 1e-9).all()


def test_a_wide_frame_by_hand():
    place = geometry((1024, 512), Preprocess(size=256))
    assert place == Geometry(source=(1024, 512), content=(256, 128), size=256)
    np.testing.assert_array_equal(place.to_square([[0, 0], [1024, 512], [512, 256]]), [[0, 64], [256, 192], [128, 128]])


@pytest.mark.parametrize("fit", ["letterbox", "crop", "stretch"])
@pytest.mark.parametrize("shape", [(480, 720), (768, 576), (300, 300)])
def test_a_bright_disc_lands_where_the_geometry_says(fit, shape):
    height, width = shape
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    centre = np.array([0.55 * width, 0.45 * height])
    image = np.where(np.hypot(x - centre[0], y - centre[1]) < 20, 255, 0).astype(np.uint8)
    square, place = preprocess(image, Preprocess(size=256, fit=fit, clip_limit=None, padding=0))
    rows, columns = np.indices(square.shape)
    found = np.array([(columns + 0.5) * square, (rows + 0.5) * square]).sum(axis=(1, 2)) / square.sum()
    np.testing.assert_allclose(found, place.to_square(centre), atol=0.05)


def test_the_bars_are_flat_and_do_not_enter_the_equalisation():
    content = np.random.default_rng(0).integers(60, 120, (128, 256), dtype=np.uint8)
    square, _ = preprocess(content, Preprocess(size=256))
    np.testing.assert_array_equal(square[64:192], equalise(content))
    assert np.unique(square[:64]).tolist() == np.unique(square[192:]).tolist() == [int(np.median(square[64:192]))]


def test_clahe_is_opencv_s_with_the_named_parameters():
    image = np.random.default_rng(1).integers(90, 130, (512, 512), dtype=np.uint8)
    square, _ = preprocess(image)
    np.testing.assert_array_equal(square, cv2.createCLAHE(clipLimit=2.0, tileGridSize=(8, 8)).apply(image))
    assert square.std() > image.std()
    np.testing.assert_array_equal(preprocess(image, Preprocess(clip_limit=None))[0], image)


def test_grey_is_the_luma_of_rgb():
    red = np.zeros((2, 2, 3), np.uint8)
    red[..., 0] = 100
    assert to_grey(red).tolist() == [[30, 30], [30, 30]]  # 0.299 · 100, so channels are read as RGB, not BGR


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4), np.uint16), "convert it to uint8"),
        (np.zeros((0, 4), np.uint8), "8-bit"),
        (np.zeros((4, 4, 2), np.uint8), r"shape \(4, 4, 2\)"),
    ],
)
def test_an_unusable_image_is_refused(image, message):
    with pytest.raises(ValueError, match=message):
        preprocess(image)


def test_an_unknown_fit_is_refused():
    with pytest.raises(ValueError, match="letterbox, crop or stretch"):
        geometry((4, 4), Preprocess(fit="reflect"))
