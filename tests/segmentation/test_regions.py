import numpy as np

from icsilib.segmentation.regions import LOBE, whole_regions


def masks_of(*rectangles, size=120):
    oolemma = np.zeros((size, size), bool)
    for top, bottom, left, right in rectangles:
        oolemma[top:bottom, left:right] = True
    return np.stack([oolemma, oolemma])


def test_specks_of_either_class_are_left_out():
    kept = whole_regions(masks_of((10, 70, 10, 70), (100, 104, 100, 104)))
    assert kept.sum(axis=(1, 2)).tolist() == [3600, 3600]


def test_two_lobes_of_a_cell_are_joined_and_those_of_a_pipette_are_not():
    # Closing by a disc of radius .1 · sqrt(2 · 40 · 60) = 7 px bridges a gap of 10 px.
    oolemma, pipette = whole_regions(masks_of((10, 50, 30, 90), (60, 101, 30, 90)))
    assert oolemma[50:60, 40:80].all()
    assert 0 <= 91 * 60 - oolemma.sum() <= 4 * 10  # the disc rounds the gap's ends
    assert pipette.sum() == 41 * 60


def test_a_region_counts_as_a_lobe_from_a_share_of_the_largest():
    big, small = (10, 60, 10, 60), (100, 120, 80, 100)
    least = LOBE * 50 * 50
    assert 20 * 20 < least < 20 * 26
    assert whole_regions(masks_of(big, small))[0].sum() == 2500
    assert whole_regions(masks_of(big, (100, 120, 80, 106)))[0].sum() == 2500 + 520


def test_a_notch_along_the_needle_is_closed_and_a_deep_dent_stays():
    notched = masks_of((10, 110, 10, 110))
    notched[0, 58:62, 60:110] = False
    assert whole_regions(notched)[0].sum() == 100 * 100
    dented = masks_of((10, 110, 10, 110))
    dented[0, 40:80, 60:110] = False
    assert not whole_regions(dented)[0, 45:75, 80:110].any()


def test_a_cell_at_the_edge_of_the_frame_stays_as_it_is():
    masks = masks_of((0, 60, 0, 60))
    assert np.array_equal(whole_regions(masks), masks)


def test_what_an_outline_surrounds_belongs_to_it():
    masks = np.zeros((2, 20, 30), dtype=bool)
    masks[0, 2:15, 3:20] = True
    masks[0, 5:9, 6:12] = False  # a hole
    masks[0, 7, 8] = True  # an island in it
    filled = np.zeros((20, 30), dtype=bool)
    filled[2:15, 3:20] = True
    assert np.array_equal(whole_regions(masks)[0], filled)
    assert not whole_regions(masks)[1].any()
