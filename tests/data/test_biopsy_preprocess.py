"""Scaling, glare and rings: before and after, on glare and rings whose truth is known."""

import numpy as np
import pytest

from icsilib.data.biopsy_preprocess import (
    BiopsyPreprocess,
    find_rings,
    preprocess_biopsy,
    scale_to_unit,
    suppress_glare,
    suppress_rings,
)
from icsilib.phantoms.biopsy import BiopsyRanges, biopsy_image

CLEAN = BiopsyRanges(glare_share=0.0, rings_share=0.0)


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    """A diffuse image of the phantom without artefacts, in [0, 1]."""
    pictures = (biopsy_image(3, number, CLEAN) for number in range(8, 20))
    return scale_to_unit(next(one.pixels for one in pictures if one.kind == "diffuse"))


def grid(shape: tuple[int, ...], x: float, y: float) -> np.ndarray:
    """Distance in px of each pixel's centre from (x, y)."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return np.hypot(columns - x, rows - y)


def rms(difference: np.ndarray) -> float:
    return float(np.sqrt(np.mean(difference**2)))


def test_scaling_is_by_the_largest_value_of_the_type() -> None:
    assert scale_to_unit(np.full((1, 1, 3), 51, np.uint8)).tolist() == [[[pytest.approx(0.2)] * 3]]
    assert scale_to_unit(np.full((1, 1, 3), 65535, np.uint16)).max() == 1
    assert scale_to_unit(np.zeros((2, 2, 3), np.uint8)).dtype == np.float32


@pytest.mark.parametrize("image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((4, 4, 4), np.uint8)])
def test_other_images_are_refused(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected"):
        scale_to_unit(image)


def test_glare_shrinks_to_less_than_half(scene: np.ndarray) -> None:
    glare = 0.25 * np.exp(-((grid(scene.shape, 200, 150) / 90) ** 2))[..., None].astype(np.float32)
    spoilt = np.clip(scene + glare, 0, 1)
    lit = glare[..., 0] > 0.05
    before, after = spoilt - scene, suppress_glare(spoilt) - suppress_glare(scene)
    assert rms(after[lit]) < 0.5 * rms(before[lit])


def test_level_field_stays_and_glare_on_it_shrinks_to_a_third() -> None:
    level = np.full((400, 640, 3), 0.5, np.float32)
    np.testing.assert_allclose(suppress_glare(level), level, atol=1 / 255)
    glare = 0.3 * np.exp(-((grid(level.shape, 300, 200) / 80) ** 2))[..., None].astype(np.float32)
    assert rms(suppress_glare(level + glare) - level) < rms(glare) / 3


def test_cells_keep_their_contrast_under_the_glare_filter(scene: np.ndarray) -> None:
    fine = slice(2, None, 5)
    before = np.diff(scene[fine, fine], axis=0)
    after = np.diff(suppress_glare(scene)[fine, fine], axis=0)
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.98


def rings(shape: tuple[int, ...], x: int, y: int, pitch: float, phase: float = 0.0) -> np.ndarray:
    radius = grid(shape, x, y)
    return (0.1 * np.cos(2 * np.pi * radius / pitch + phase) * np.exp(-radius / 30))[..., None].astype(np.float32)


@pytest.mark.parametrize(("pitch", "phase"), [(3.3, 0.0), (4.2, np.pi), (5.3, 0.0), (6.8, 0.3)])
def test_rings_are_found_and_lose_half_of_their_strength(scene: np.ndarray, pitch: float, phase: float) -> None:
    places = [(x, y) for x in (120, 330, 520) for y in (90, 210, 320)]
    calm = min(places, key=lambda place: scene[..., 0][grid(scene.shape, *place) < 60].std())
    drawn = rings(scene.shape, *calm, pitch, phase)
    spoilt = scene + drawn
    middles = find_rings(spoilt.mean(axis=2))
    assert any(np.hypot(x - calm[0], y - calm[1]) <= 1.5 for x, y in middles)
    near = grid(scene.shape, *calm) < 60
    assert rms((suppress_rings(spoilt) - scene)[near]) < 0.5 * rms(drawn[near])


def test_rings_at_the_edge_of_the_image() -> None:
    level = np.full((200, 300, 3), 0.5, np.float32)
    spoilt = level + rings(level.shape, 3, 100, 5.0)
    assert rms(suppress_rings(spoilt) - level) < 0.5 * rms(spoilt - level)


def test_image_without_rings_stays_as_it_is(scene: np.ndarray) -> None:
    assert find_rings(scene.mean(axis=2)) == []
    np.testing.assert_array_equal(suppress_rings(scene), scene)


def test_steps_can_be_left_out(scene: np.ndarray) -> None:
    pixels = np.round(255 * scene).astype(np.uint8)
    nothing = preprocess_biopsy(pixels, BiopsyPreprocess(glare=False, rings=False))
    np.testing.assert_array_equal(nothing, scale_to_unit(pixels))
    whole = preprocess_biopsy(pixels)
    assert whole.dtype == np.float32
    assert whole.min() >= 0
    assert whole.max() <= 1
