import numpy as np
import pytest

from icsilib.study.photo_views import views


@pytest.fixture
def scene():
    """A photograph of 60×90 px that is brighter where the truth is, on noise."""
    mask = np.zeros((60, 90), bool)
    mask[10:30, 50:62] = mask[18:30, 62:80] = True  # an L: no two views of it look alike
    noise = np.random.default_rng(0).integers(0, 60, mask.shape)
    return (noise + 140 * mask).astype(np.uint8), mask


def test_the_truth_goes_with_the_picture(scene):
    found = views(*scene)
    assert len(found) == 11
    for name, (image, mask) in found.items():
        assert image.shape == mask.shape, name
        inside, outside = np.median(image[mask]), np.median(image[~mask])
        assert (inside < outside) if name == "negative" else (inside > outside + 50), name


def test_views_of_place_hold_every_pixel_of_the_truth_and_differ(scene):
    photo, mask = scene
    found = views(photo, mask)
    assert (found["as it is"][0] == photo).all()
    assert {each.sum() for _, each in found.values()} == {mask.sum()}
    assert len({(image.shape, image.tobytes()) for image, _ in found.values()}) == 11


def test_a_cut_is_as_wide_as_it_says(scene):
    # The L is 20 px high and 30 wide, its centre far enough from the edges for 1.4 times that at the right and left.
    image, _ = views(*scene)["cut out, 1.4 times as wide"]
    assert image.shape[1] in (42, 43)
