from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from icsilib.data.annotations import Image
from icsilib.data.preprocess import Preprocess, geometry
from icsilib.segmentation.dsnt import dsnt, gaussian_heatmap
from icsilib.segmentation.evaluate import frame_table, on_square
from icsilib.segmentation.frames import Labelled, load_frames
from icsilib.segmentation.nested_unet import Output
from icsilib.segmentation.second_look.closeups import (
    AROUND_TIP,
    bounding_box,
    closeup,
    closeup_of_cell,
    places_of_tip,
    training_closeups,
)
from icsilib.segmentation.second_look.joining import DOUBT
from icsilib.segmentation.second_look.looking import places, two_looks
from icsilib.segmentation.segmenter import Look, Prediction, Segmenter
from icsilib.segmentation.settings import Settings

from ..drawn import write_drawn_dataset

PLAIN = Preprocess(32, clip_limit=None)


class Brightest(torch.nn.Module):
    """The tip is the brightest place, the oolemma all that is brighter than nothing, and there is no pipette."""

    def forward(self, images):
        side = images.shape[-1]
        z = torch.softmax(5000 * images[:, 0].flatten(1), dim=1).view(-1, side, side)
        lit = (images > -1.99).float()
        return Output(torch.cat([lit, 0 * lit], dim=1), z, dsnt(z))


class About(Brightest):
    """The same, as doubtful about the next pixel as a trained network is: a normal distribution of 1.5 px."""

    def forward(self, images):
        output = super().forward(images)
        spread = gaussian_heatmap(output.y_coords, output.heatmap.shape[1:], 1.5)
        found = output.heatmap.amax(dim=(1, 2)) > 0.1
        return output._replace(heatmap=torch.where(found[:, None, None], spread, output.heatmap))


def segmenter(size=32, network=Brightest):
    return Segmenter(network(), Settings("", size=size, clip_limit=None), {})


@given(
    st.tuples(st.integers(20, 90), st.integers(20, 90)),
    st.tuples(st.floats(-20, 120), st.floats(-20, 120)),
    st.floats(1, 200),
)
def test_a_closeup_lies_inside_the_frame_and_maps_there_and_back(shape, centre, side):
    square, window = closeup(np.zeros(shape, np.uint8), np.array(centre), side, PLAIN)
    assert square.shape == (32, 32)
    assert (window.corner >= 0).all()
    assert (window.corner + window.place.source <= shape[::-1]).all()
    points = np.array([[3.0, 4.5], [0.0, 32.0]])
    np.testing.assert_allclose(window.to_square(window.to_source(points)), points, atol=1e-9)


def test_a_closeup_shows_the_frames_pixels_where_it_says():
    image = np.random.default_rng(0).integers(0, 255, (64, 96), np.uint8)
    square, window = closeup(image, np.array([50.0, 20.0]), 32, PLAIN)
    np.testing.assert_array_equal(square, image[4:36, 34:66])
    np.testing.assert_array_equal(window.to_square(np.array([34.0, 4.0])), [0, 0])


def test_the_box_about_a_cell():
    middle, extent = bounding_box(np.array([[10.0, 20.0], [30.0, 25.0]]))
    assert (middle.tolist(), extent) == ([20, 22.5], 20)
    mask = np.zeros((100, 100), bool)
    mask[40:60, 30:70] = True  # 40 px wide about (50, 50): 56 px with the margin
    _, window = closeup_of_cell(mask.astype(np.uint8), mask, PLAIN)
    assert (window.corner.tolist(), window.place.source) == ([22, 22], (56, 56))


def test_without_a_cell_the_second_look_is_at_the_whole_frame():
    _, window = closeup_of_cell(np.zeros((40, 60), np.uint8), np.zeros((40, 60), bool), PLAIN)
    assert (window.corner.tolist(), window.place.source) == ([0, 0], (60, 40))


def heatmap(*peaks, n=64):
    """Peaks (x, y, mass) in cells, a normal distribution of 1 cell about each."""
    rows, columns = np.mgrid[:n, :n] + 0.5
    z = sum(mass * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 2) for x, y, mass in peaks) / (2 * np.pi)
    return (z / z.sum()).astype(np.float32)


def test_two_peaks_are_two_places_the_higher_first():
    z = heatmap((10.5, 20.5, 0.4), (50.5, 30.5, 0.6))
    np.testing.assert_allclose(64 * places_of_tip(z), [[50.5, 30.5], [10.5, 20.5]], atol=0.05)
    # DSNT's answer is neither: 0.4 · 10.5 + 0.6 · 50.5
    np.testing.assert_allclose(32 * (dsnt(torch.from_numpy(z)[None]) + 1), [[34.5, 26.5]], atol=0.05)


def test_a_flat_heatmap_has_no_place_and_one_of_many_peaks_three():
    assert places_of_tip(np.full((64, 64), 1 / 64**2, np.float32)).shape == (0, 2)
    assert len(places_of_tip(heatmap(*((x, x, 1) for x in (8, 18, 28, 38, 48))))) == 3


@pytest.fixture(scope="module")
def annotations(tmp_path_factory):
    return write_drawn_dataset(tmp_path_factory.mktemp("drawn"), videos=6, frames=3, size=64)


def test_training_takes_a_closeup_of_each_tip_and_each_cell(annotations):
    whole = load_frames(annotations, PLAIN)
    close, again = (load_frames(annotations, PLAIN, views=training_closeups) for _ in range(2))
    of_tip_and_cell = len(whole) + np.isfinite(whole.tips[:, 0]).sum()
    assert of_tip_and_cell < len(close) < of_tip_and_cell + len(whole)  # some are of places anywhere
    np.testing.assert_array_equal(close.images, again.images)
    # The drawn tip is shown, and where it is says the scale: half of 64 px on 32.
    of_tip = [n for n, record in enumerate(close.records) if close.records.index(record) == n][:2]
    assert np.isfinite(close.tips[of_tip]).all()
    np.testing.assert_allclose(close.um_per_px[of_tip], whole.um_per_px[0] * AROUND_TIP)


def test_of_half_of_the_frames_training_sees_a_place_anywhere_too():
    """It is half of the frame's 100 px wide; close-ups of the cell, 20 px, are 22 to 36 px."""
    cell = ([np.array([[40.0, 40.0], [60.0, 40.0], [60.0, 60.0], [40.0, 60.0]])], [])
    pixels, nowhere = np.zeros((100, 100), np.uint8), np.full(2, np.nan)
    corners = set()
    for id in range(1, 401):
        record = Image(id=id, file_name="a.png", width=100, height=100)
        *elsewhere, (_, of_cell) = training_closeups(Labelled(record, pixels, cell, nowhere), PLAIN)
        assert 22 <= max(of_cell.place.source) <= 36
        for _, window in elsewhere:
            assert window.place.source == (50, 50)
            corners.add((id, *window.corner))
    assert 170 <= len(corners) <= 230  # 200 ± 3 standard deviations of a binomial
    assert len({corner[1:] for corner in corners}) > 100  # many are pushed into a corner of the frame


def test_truth_moves_with_the_closeup(annotations):
    """The centre of the drawn cell's mask is where the window puts the centre of its outline."""
    close = load_frames(annotations, Preprocess(64), views=training_closeups)
    cells = [n for n in range(len(close)) if np.concatenate(close.outlines[n][0]).min() >= 0]
    cells = [n for n in cells if np.concatenate(close.outlines[n][0]).max() <= 64]
    assert len(cells) > 5
    for n in cells:
        rows, columns = np.nonzero(close.masks[n, 0] > 127)
        middle, _ = bounding_box(np.concatenate(close.outlines[n][0]))
        np.testing.assert_allclose([columns.mean() + 0.5, rows.mean() + 0.5], middle, atol=0.5)


def test_a_tip_beyond_a_closeup_is_absent_from_it(annotations):
    def corner(frame, settings):
        return [closeup(frame.pixels, np.array([0.0, 0.0]), 4, settings)]

    assert np.isnan(load_frames(annotations, PLAIN, views=corner).tips).all()


def test_a_second_look_finds_a_dot_twice_as_exactly():
    image = np.zeros((256, 256), np.uint8)
    image[101:103, 150:152] = 255
    once, twice = segmenter(), two_looks(segmenter(), segmenter())
    # 8 px a pixel of the network at first, 4 when it looks again: answers are the middles of such pixels.
    np.testing.assert_allclose(once.predict(image).tip, [148, 100], atol=1e-3)
    found = twice.predict(image).tip
    np.testing.assert_allclose(found, [151, 102], atol=2)
    assert np.hypot(*(found - [151, 102])) < np.hypot(148 - 151, 100 - 102)


def first_look(heatmap, masks, oolemma=0.0, confidence=0.7):
    """A first look at a square photograph, by masks (2, side, side) and a heatmap over all of it."""
    look = Look(heatmap, geometry(masks.shape[1:], PLAIN))
    probabilities = np.stack([oolemma + np.zeros(masks.shape[1:]), 0.3 * oolemma + np.zeros(masks.shape[1:])])
    return Prediction(masks, look.tip, confidence, probabilities.astype(np.float32), look)


def test_a_second_look_that_sees_no_single_place_leaves_the_first_tip():
    image = np.random.default_rng(0).integers(0, 9, (64, 64), np.uint8)
    seen = first_look(heatmap((5, 6, 1)), np.zeros((2, 64, 64), bool))

    class Everywhere(Brightest):
        def forward(self, images):
            z = torch.full_like(images[:, 0], 1 / 32**2)
            return super().forward(images)._replace(heatmap=z, y_coords=dsnt(z))

    found = two_looks(segmenter(), replace(segmenter(), network=Everywhere())).look_again(image, seen)
    np.testing.assert_allclose(found.tip, [5, 6], atol=64 * DOUBT)
    assert 0.35 < found.confidence < 0.37  # the mean of 0.7 and of next to nothing


def test_of_several_places_that_of_which_a_close_up_is_sure_is_taken():
    image = np.zeros((256, 256), np.uint8)
    image[200, 30] = 255
    # Cells of 4 px: the second place's surroundings show the dot, the first look holds more of the first.
    two = heatmap((60, 5, 0.6), (8, 50, 0.4))
    seen = first_look(two, np.zeros((2, 256, 256), bool), confidence=0.2)
    np.testing.assert_allclose(places(seen), [[240, 20], [32, 200]], atol=0.5)
    found = two_looks(segmenter(), segmenter(network=About)).look_again(image, seen)
    np.testing.assert_allclose(found.tip, [30, 200], atol=3)
    assert found.confidence == pytest.approx((0.2 + 1 - np.exp(-2)) / 2, abs=0.01)  # 2 standard deviations: 1 - e^-2


def test_a_tip_in_the_cell_is_found_where_the_first_look_hardly_saw_it():
    image = np.zeros((256, 256), np.uint8)
    image[200, 30] = 255
    masks = np.zeros((2, 256, 256), bool)
    masks[0, 160:250, 5:95] = True
    unsure = 0.05 * heatmap((60, 5, 1)) + 0.95 / 64**2  # its only peak is elsewhere
    found = two_looks(segmenter(), segmenter(network=About)).look_again(image, first_look(unsure, masks))
    np.testing.assert_allclose(found.tip, [30, 200], atol=8)


def seen_with(oolemma, cell=36):
    """A first look at 64×64 px with these probabilities (64, 64); its cell of 36 px makes a close-up of 50 px."""
    masks = np.zeros((2, 64, 64), bool)
    masks[0, 32 - cell // 2 : 32 + cell // 2, 32 - cell // 2 : 32 + cell // 2] = True
    return first_look(heatmap((5, 6, 1)), masks, oolemma)


WINDOW = np.s_[7:57, 7:57]


def test_the_oolemma_is_where_either_look_is_sure_of_it_and_the_pipette_that_of_the_first():
    first = seen_with(np.random.default_rng(0).uniform(0.1, 0.9, (64, 64)))
    found = two_looks(segmenter(), segmenter()).look_again(
        np.full((64, 64), 9, np.uint8), first
    )  # to which the cell is everywhere
    expected = first.probabilities[0].copy()
    expected[WINDOW] = 1
    np.testing.assert_allclose(found.probabilities[0], expected, atol=1e-3)  # the root of rounding
    np.testing.assert_array_equal(found.probabilities[1], first.probabilities[1])
    assert found.confidence == pytest.approx((0.7 + 1 / 32) / 2)  # 32 of 32² equal cells lie within 3 of the middle


@pytest.mark.parametrize(("seen", "joined"), [(0.96, 0.8), (0.75, 0.5), (0.36, 0.2), (1.0, 1.0)])
def test_a_close_up_without_a_cell_leaves_what_the_first_look_was_sure_of(seen, joined):
    """By hand: no oolemma to the first with 1 - 0.96 = 0.04, to the second with 1: √0.04 = 0.2."""

    class Nothing(Brightest):
        def forward(self, images):
            output = super().forward(images)
            return output._replace(y_seg=torch.zeros_like(output.y_seg))

    model = two_looks(segmenter(), replace(segmenter(), network=Nothing()))
    found = model.look_again(np.full((64, 64), 9, np.uint8), seen_with(np.full((64, 64), seen)))
    np.testing.assert_allclose(found.probabilities[0][WINDOW], joined, atol=1e-5)


@pytest.mark.parametrize(("cell", "joined"), [(34, True), (32, False)])  # close-ups of 48 and 45 px on 32: 1.5, 1.4
def test_a_photograph_that_shows_the_cell_coarsely_keeps_the_first_outline(cell, joined):
    first = seen_with(np.full((64, 64), 0.5), cell)
    found = two_looks(segmenter(), segmenter()).look_again(np.full((64, 64), 9, np.uint8), first)
    assert (found.probabilities[0] != first.probabilities[0]).any() == joined


def test_a_model_that_looks_once_scores_the_same_on_files_as_on_frames(annotations):
    frames, model = load_frames(annotations, PLAIN), segmenter()
    on_frames = frame_table(model.network, frames, size=64)
    on_files = frame_table(model, frames, size=64)
    assert list(on_frames) == list(on_files)
    for column in ("iou_oolemma", "tip_px", "tip_um", "tip_confidence"):
        np.testing.assert_allclose(on_files[column], on_frames[column], atol=1e-4)


def test_probabilities_of_a_wide_photograph_lie_between_the_bars():
    square = on_square(np.ones((1, 48, 96), np.float32), geometry((96, 48), Preprocess(64)))
    assert (square[0, 16:48] == 1).all()
    assert square.sum() == 32 * 64
