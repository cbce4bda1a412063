"""The six kinds of augmentation that paper A, §2.3, names, by albumentations; masks and tip move with the image.

A seventh, "appearance", is not in the paper: it changes texture, relief and grey levels, so that a model trained on
drawings does not rely on how they are drawn.

Their ranges are open in the paper; those here are moderate, and lengths are fractions of the image's side, so that they
mean the same at any size. Rotation stops at 30°, since tools enter a frame from its sides. What comes in from outside
the frame (rotation, distortion) is filled with the frame's median grey, like the bars of a letterbox: reflection would
draw a second pipette, and a second tip.
"""

import functools
import os
import random
from typing import Any, NamedTuple

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it asks the network at import otherwise

import albumentations as A
import cv2
import numpy as np
from albumentations.augmentations.geometric.distortion import BaseDistortion
from numpy.typing import NDArray

KINDS = ("crop", "rotation", "flips", "distortion", "noise", "erasing")


class Sample(NamedTuple):
    """One frame of side S with its truth."""

    image: NDArray[np.uint8]  # (S, S) grey, preprocessed
    masks: NDArray[np.uint8]  # (2, S, S): oolemma and suction pipette, 255 where they cover a pixel whole
    tip: NDArray[np.float64]  # (2,) continuous image coordinates in px; NaN where there is none


class ExactKeypoints(BaseDistortion):
    """A distortion that puts keypoints where the image's content goes.

    albumentations 2.0.8 inverts the whole map in Python, on whole pixels: 0.3 s a frame and about a pixel off.
    """

    def apply_to_keypoints(
        self, keypoints: NDArray[Any], map_x: NDArray[Any], map_y: NDArray[Any], **params: Any
    ) -> NDArray[Any]:
        """Keypoints (N, 2+) p in px → the places q that the map sends to p, by iterating q ← p - (map(q) - q)."""
        if not len(keypoints):
            return keypoints
        p = keypoints[:, :2].astype(np.float32)
        last = np.array(map_x.shape[::-1], np.float32) - 1
        q = p.copy()
        for _ in range(12):
            inside = np.clip(q, 0, last)[None]
            mapped = [cv2.remap(each, inside, np.empty(0), cv2.INTER_LINEAR)[0] for each in (map_x, map_y)]
            q = p - (np.stack(mapped, axis=-1) - inside[0])
        return np.column_stack([q, keypoints[:, 2:]])


class RandomConvolution(A.ImageOnlyTransform):
    """A random shallow convolution, mixed with the image: the shapes stay, texture and relief change.

    After RandConv (Xu et al. 2021, arXiv:2007.13003), with one layer and one channel. The result has the image's mean
    and standard deviation, so that it is seen at the same brightness and contrast.
    """

    def apply(self, img: NDArray[np.uint8], kernel: NDArray[Any], share: float, **params: Any) -> NDArray[np.uint8]:
        """Mix image (S, S), at 1 - `share`, with its convolution by `kernel`, at `share`."""
        grey = img.astype(np.float32)
        found = cv2.filter2D(grey, -1, kernel, borderType=cv2.BORDER_REPLICATE)
        found = grey.mean() + (found - found.mean()) * (grey.std() / max(float(found.std()), 1e-6))
        return np.rint((1 - share) * grey + share * found).clip(0, 255).astype(np.uint8)

    def get_params(self) -> dict[str, Any]:
        """A kernel of 1, 3 or 5 px on a side and the share of its result."""
        rng = self.random_generator
        side = int(rng.choice([1, 3, 5]))
        return {"kernel": rng.normal(0, 1 / side, (side, side)).astype(np.float32), "share": float(rng.uniform(0, 0.7))}


class Elastic(ExactKeypoints, A.ElasticTransform):
    """albumentations' elastic transform with exact keypoints."""


class Optical(ExactKeypoints, A.OpticalDistortion):
    """albumentations' optical distortion with exact keypoints."""


class Crop(A.RandomSizedCrop):
    """albumentations' crop with keypoints scaled by the rule that scales pixels.

    albumentations 2.0.8 scales a keypoint's distance from the first pixel's *centre*; `cv2.resize` scales pixels from
    the first pixel's *corner*. A crop to 60 % would put the tip a third of a pixel beside its place in the image.
    """

    def apply_to_keypoints(self, keypoints: NDArray[Any], crop_coords: Any, **params: Any) -> NDArray[Any]:
        """Keypoints (N, 2+) in px from the first pixel's centre, in the crop (left, top, right, bottom)."""
        left, top, right, bottom = crop_coords
        moved = keypoints.copy()
        scale = np.array([self.size[1] / (right - left), self.size[0] / (bottom - top)])
        moved[:, :2] = (keypoints[:, :2] + 0.5 - (left, top)) * scale - 0.5
        return moved


def transforms(size: int, fill: float = 0.0) -> dict[str, list[A.BasicTransform]]:
    """The transforms of each kind, for square images of `size` px; outside lies grey level `fill`."""
    edge: dict[str, Any] = {"border_mode": cv2.BORDER_CONSTANT, "fill": fill, "mask_interpolation": cv2.INTER_LINEAR}
    sigma = size / 14  # px over which noise is blurred; the displacements then have a standard deviation of 1 %
    return {
        "crop": [Crop((int(0.6 * size), size), (size, size), mask_interpolation=cv2.INTER_LINEAR, p=0.5)],
        "rotation": [A.Rotate((-30, 30), **edge, p=0.5)],
        "flips": [A.HorizontalFlip(p=0.5), A.VerticalFlip(p=0.5)],
        "distortion": [Elastic(0.15 * size * sigma, sigma, **edge, p=0.25), Optical((-0.4, 0.4), **edge, p=0.25)],
        "noise": [A.GaussNoise((0.01, 0.06), p=0.4)],
        "erasing": [A.CoarseDropout((1, 4), (0.04, 0.15), (0.04, 0.15), fill="random_uniform", p=0.3)],
        "appearance": [
            RandomConvolution(p=0.4),
            A.RandomToneCurve(0.3, p=0.3),
            A.OneOf(
                [A.GaussianBlur(0, sigma_limit=(0.3, 1.2)), A.Sharpen(), A.Emboss(), A.Downscale((0.5, 0.9))], p=0.4
            ),
            A.ImageCompression(quality_range=(30, 90), p=0.2),
        ],
    }


@functools.cache
def compose(size: int, kinds: tuple[str, ...] = KINDS, fill: float = 0.0) -> A.Compose:
    """The transforms of `kinds`, one after the other, for images with masks and keypoints; slow to make, so kept."""
    chosen = [transform for kind in kinds for transform in transforms(size, fill)[kind]]
    return A.Compose(chosen, keypoint_params=A.KeypointParams("xy", remove_invisible=False))


def augment(sample: Sample, transform: A.Compose, seed: int) -> Sample:
    """`sample` through `transform` with the random choices of `seed`; a tip that leaves the frame becomes absent."""
    # One generator for all: `set_random_seed` gives each transform its own from the same seed, so that all act or none.
    transform.set_random_state(np.random.default_rng(seed), random.Random(seed))
    size = sample.image.shape[0]
    # albumentations counts keypoints from the first pixel's centre, this study from its corner: half a pixel apart.
    points = [] if np.isnan(sample.tip).any() else [sample.tip - 0.5]
    out = transform(image=sample.image, masks=sample.masks, keypoints=np.array(points, np.float32).reshape(-1, 2))
    tip = np.asarray(out["keypoints"][0][:2], float) + 0.5 if len(out["keypoints"]) else np.full(2, np.nan)
    if not ((tip >= 0) & (tip < size)).all():
        tip = np.full(2, np.nan)
    return Sample(out["image"], np.asarray(out["masks"]), tip)
