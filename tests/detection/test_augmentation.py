import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icsilib.detection.augmentation import (
    PADDING,
    SSD_COVERAGES,
    random_input,
    random_rectangle,
    ssd_rectangle,
    visible,
)
from icsilib.detection.settings import Settings

PLAIN = Settings("test", input_size=100, window=50, zoom=1.0, brightness=0.0, contrast=0.0, empty_share=0.0)


def test_a_box_follows_its_pixels_through_crop_flip_and_resampling():
    image = np.zeros((200, 300, 3), np.uint8)
    image[80:100, 140:170] = 255
    flipped = set()
    for seed in range(12):
        pixels, boxes = random_input(image, np.array([[140.0, 80, 30, 20]]), PLAIN, np.random.default_rng(seed))
        rows, columns = np.nonzero(pixels[..., 0] > 127)
        seen = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
        assert boxes.tolist() == [pytest.approx(seen, abs=1.5)]
        assert boxes[0, 2:].tolist() == pytest.approx([60, 40])  # 100 px of input for 50 px of image
        flipped.add(boxes[0, 0] > 20)
    assert flipped == {True, False}


def test_the_same_draw_gives_the_same_input():
    image = np.random.default_rng(0).integers(0, 255, (90, 120, 3)).astype(np.uint8)
    boxes = np.array([[30.0, 30, 12, 9]])
    settings = PLAIN.with_(brightness=0.3, contrast=0.3, zoom=1.4)
    first = random_input(image, boxes, settings, np.random.default_rng(5))
    again = random_input(image, boxes, settings, np.random.default_rng(5))
    other = random_input(image, boxes, settings, np.random.default_rng(6))
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])


def test_what_is_cut_away_is_cut_from_the_label():
    # Half of the first box, three tenths of the second and nothing of the third lie inside 100 × 100.
    boxes = np.array([[90.0, 10, 20, 10], [93, 50, 23.3, 10], [120, 0, 10, 10]])
    assert visible(boxes, 100, 100).tolist() == [[90, 10, 10, 10]]


@given(
    st.integers(30, 400), st.integers(30, 400), st.sampled_from([None, 60, 200]), st.floats(1, 2), st.integers(0, 10**6)
)
def test_rectangles_stay_with_the_image(width, height, window, zoom, seed):
    draw = np.random.default_rng(seed)
    settings = PLAIN.with_(window=window, zoom=zoom)
    x, y, wide, high = random_rectangle(width, height, np.zeros((0, 4)), settings, draw)
    for start, side, limit in ((x, wide, width), (y, high, height)):
        inside = min(start + side, limit) - max(start, 0)
        assert inside >= min((1 - PADDING) * side, limit) - 1


@given(st.floats(0, 270), st.floats(0, 170), st.integers(0, 10**6))
def test_a_rectangle_holds_the_sperm_that_was_drawn(x, y, seed):
    box = np.array([[x, y, 30.0, 30.0]])
    left, top, wide, high = random_rectangle(300, 200, box, PLAIN, np.random.default_rng(seed))
    assert left - 0.5 <= x + PADDING * wide
    assert x + 30 <= left + wide + PADDING * wide + 0.5
    assert top - 0.5 <= y + PADDING * high
    assert y + 30 <= top + high + PADDING * high + 0.5


def test_an_image_without_sperm_gives_an_input_without_boxes():
    pixels, boxes = random_input(np.zeros((60, 60, 3), np.uint8), np.zeros((0, 4)), PLAIN, np.random.default_rng(0))
    assert pixels.shape == (100, 100, 3)
    assert boxes.shape == (0, 4)


def test_ssd_s_crop_holds_the_share_of_a_sperm_that_it_drew():
    boxes, draw = np.array([[20.0, 30, 40, 20]]), np.random.default_rng(0)
    found = [ssd_rectangle(200, 100, boxes, draw) for _ in range(200)]
    for (left, top, wide, high), least in found:
        assert 0 <= left <= left + wide <= 200
        assert 0 <= top <= top + high <= 100
        assert len(visible(boxes - [left, top, 0, 0], wide, high, least)) == 1
        if (wide, high) != (200, 100):
            assert 0.49 <= wide / high <= 2.05  # rounded to whole px
            assert 0.095 <= wide * high / 20_000 <= 1
    assert {least for _, least in found} == set(SSD_COVERAGES)
    assert 10 <= sum(rectangle == (0, 0, 200, 100) for rectangle, _ in found) <= 60  # 0.15 of 200 are 30


def test_ssd_s_crop_of_an_image_without_sperm_is_the_image():
    assert ssd_rectangle(200, 100, np.zeros((0, 4)), np.random.default_rng(0))[0] == (0, 0, 200, 100)
    image = np.zeros((100, 200, 3), np.uint8)
    pixels, boxes = random_input(image, np.zeros((0, 4)), PLAIN.with_(crop="ssd"), np.random.default_rng(0))
    assert (pixels.shape, boxes.shape) == ((100, 100, 3), (0, 4))
