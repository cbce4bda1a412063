"""Pre-filtering: which images a person need not look at when the detector looks first.

An image's score is that of its best detection. Images below a threshold are put aside unseen. The threshold is chosen
so that a given share of the images with sperm stays; *sensitivity* here is that share. A threshold must not be chosen
on the patients it is measured on: `cross_fitted` chooses it, for each patient, on all others.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from icsilib.detection.detector import Detections
from icsilib.detection.images import LabelledImage


class Workload(NamedTuple):
    """What is left for a person, as shares."""

    saved: float  # of all images: put aside unseen
    sensitivity: float  # of the images with sperm: still seen
    sperm_seen: float  # of all sperm: in an image that is still seen


def image_scores(images: Sequence[LabelledImage], found: Mapping[int, Detections]) -> NDArray[np.float64]:
    """Best score of each image (I,), 0 where nothing was found."""
    return np.array([max(found[image.id].scores, default=0.0) if image.id in found else 0.0 for image in images])


def screening_threshold(scores: NDArray[np.float64], sperm: NDArray[np.int64], sensitivity: float) -> float:
    """The highest threshold that at least `sensitivity` of the images with sperm reach.

    `scores` and `sperm` (I,) are the images' best scores and numbers of sperm.
    """
    if not 0 < sensitivity <= 1:
        raise ValueError(f"sensitivity must be above 0 and at most 1, got {sensitivity}")
    ranked = np.sort(scores[sperm > 0])[::-1]
    if not len(ranked):
        raise ValueError("no image holds a sperm: nothing to choose a threshold from")
    return float(ranked[int(np.ceil(round(sensitivity * len(ranked), 9))) - 1])


def cross_fitted(
    scores: NDArray[np.float64], sperm: NDArray[np.int64], patients: Sequence[str], sensitivity: float
) -> NDArray[np.bool_]:
    """Which images (I,) a person is shown when each patient's threshold is chosen on the other patients."""
    groups = np.asarray(patients)
    shown = np.zeros(len(groups), dtype=bool)
    for group in dict.fromkeys(patients):
        own = groups == group
        shown[own] = scores[own] >= screening_threshold(scores[~own], sperm[~own], sensitivity)
    return shown


def workload(
    shown: NDArray[np.bool_], sperm: NDArray[np.int64], places: NDArray[np.int64] | slice = slice(None)
) -> Workload:
    """Workload of the images at `places`, each as often as named; NaN where they hold no sperm."""
    seen, number = shown[places], sperm[places]
    holds = number > 0
    if not holds.any():
        return Workload(float(np.mean(~seen)), np.nan, np.nan)
    return Workload(float(np.mean(~seen)), float(seen[holds].mean()), float(number[seen].sum() / number.sum()))
