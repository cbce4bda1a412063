import numpy as np
import pytest

from icsilib.segmentation.augmentation import KINDS, RandomConvolution, Sample, augment, compose, transforms

SIZE, TRIALS = 128, 25


def bright_dot(size, x, y):
    """A dot of 2 px spread at continuous coordinates (x, y)."""
    rows, columns = np.mgrid[:size, :size] + 0.5
    return (255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8)).astype(np.uint8)


def centroid(image):
    weights = image * (image > 0.1 * image.max()).astype(float)
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]] + 0.5
    return np.array([(weights * columns).sum(), (weights * rows).sum()]) / weights.sum()


def always(kind):
    """The transforms of a kind, one at a time, each certain to act."""
    import albumentations as A

    for transform in transforms(SIZE)[kind]:
        transform.p = 1.0
        yield A.Compose([transform], keypoint_params=A.KeypointParams("xy", remove_invisible=False))


def test_the_six_kinds_of_the_paper():
    assert tuple(transforms(64)) == (*KINDS, "appearance")
    assert len(KINDS) == 6


def test_a_changed_appearance_leaves_tip_masks_and_shapes():
    rows, columns = np.mgrid[:SIZE, :SIZE]
    disc = np.where(np.hypot(rows - 64, columns - 50) < 30, 150, 90).astype(np.uint8)
    sample = Sample(disc, np.stack([disc, disc]), np.array([50.5, 64.5]))
    for transform in always("appearance"):
        for seed in range(TRIALS):
            out = augment(sample, transform, seed)
            assert out.image.dtype == np.uint8
            assert np.array_equal(out.masks, sample.masks)
            assert out.tip == pytest.approx(sample.tip, abs=1e-4)


def test_a_random_convolution_keeps_brightness_and_contrast():
    image = np.random.default_rng(1).normal(120, 15, (SIZE, SIZE)).clip(0, 255).astype(np.uint8)
    kernel = np.array([[0, 0, 0], [0, -2, 0], [0, 0, 0]], np.float32)
    turned = RandomConvolution().apply(image, kernel, 1.0)  # a negative
    expected = 2 * image.mean() - image.astype(float)
    assert np.abs(turned - expected).max() <= 1
    assert np.array_equal(RandomConvolution().apply(image, kernel, 0.0), image)


# Mean distance in px between the tip and the dot's centroid; an elastic transform also changes the dot's shape.
BOUNDS = {"Elastic": 0.15}


@pytest.mark.parametrize("kind", KINDS)
def test_tip_follows_a_bright_dot_in_image_and_masks(kind):
    rng, moved = np.random.default_rng(0), []
    for transform in always(kind):
        errors = []
        for seed in range(TRIALS):
            place = rng.uniform(0.2 * SIZE, 0.8 * SIZE, 2)
            dot = bright_dot(SIZE, *place)
            out = augment(Sample(dot, np.stack([dot, dot]), place), transform, seed)
            if np.isfinite(out.tip).all() and ((out.tip > 8) & (out.tip < SIZE - 8)).all():
                seen = [*out.masks] + ([] if kind in ("noise", "erasing") else [out.image])
                errors += [np.linalg.norm(centroid(each.astype(float)) - out.tip) for each in seen]
                moved.append(np.linalg.norm(out.tip - place))
        assert len(errors) > TRIALS
        assert np.mean(errors) < BOUNDS.get(type(transform.transforms[0]).__name__, 0.05)
    assert (np.mean(moved) > 1) == (kind not in ("noise", "erasing"))


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_changes_the_image(kind):
    image = np.random.default_rng(1).integers(0, 255, (SIZE, SIZE), dtype=np.uint8)
    sample = Sample(image, np.zeros((2, SIZE, SIZE), np.uint8), np.array([60.0, 60.0]))
    for transform in always(kind):
        assert (augment(sample, transform, 3).image != image).any()


def test_a_tip_that_leaves_the_frame_becomes_absent_and_an_absent_one_stays_so():
    dot = bright_dot(SIZE, 2, 2)
    (crop,) = always("crop")
    tips = [augment(Sample(dot, np.stack([dot, dot]), np.array([2.0, 2.0])), crop, seed).tip for seed in range(10)]
    assert any(np.isnan(tip).all() for tip in tips)
    absent = augment(Sample(dot, np.stack([dot, dot]), np.full(2, np.nan)), compose(SIZE), 0)
    assert np.isnan(absent.tip).all()


def test_kinds_act_independently_of_each_other():
    """A third of all samples gets noise but no crop or the reverse; with one seed for each transform none would."""
    image = np.full((SIZE, SIZE), 100, np.uint8)
    image[30:90, 30:90] = 200
    sample = Sample(image, np.stack([image, image]), np.array([40.0, 80.0]))
    chosen = compose(SIZE, ("crop", "noise"))
    noisy, cropped = np.array(
        [
            (len(np.unique(out.image)) > 20, (out.masks[0] != image).any())
            for out in (augment(sample, chosen, seed) for seed in range(60))
        ]
    ).T
    assert abs(np.corrcoef(noisy, cropped)[0, 1]) < 0.4
    assert 0.2 < noisy.mean() < 0.6
    assert 0.3 < cropped.mean() < 0.7


def test_same_seed_same_sample():
    image = np.random.default_rng(2).integers(0, 255, (SIZE, SIZE), dtype=np.uint8)
    sample = Sample(image, np.stack([image, image]), np.array([40.0, 80.0]))
    first, second, other = (augment(sample, compose(SIZE), seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.masks, second.masks)
    np.testing.assert_array_equal(first.tip, second.tip)
    assert (first.image != other.image).any()
