"""Scores where labels are the heads of sperm and detections hold head and tail: is the head in the box?

What a box holds is a property of a set of labels. Paper B's boxes hold the whole sperm, those of SVIA the head and
little else; an IoU between the two says nothing, since a head fills a tenth of its sperm's box. Here a detection is
right if the middle of a labelled head that no better detection has taken lies in it.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from icsilib.detection.detector import Detections, check_finite
from icsilib.detection.evaluate import Matched
from icsilib.detection.images import LabelledImage


def heads_in_boxes(images: Sequence[LabelledImage], found: Mapping[int, Detections]) -> Matched:
    """Every detection, best first, `correct` where it holds a head; as `evaluate.matched_detections` for the IoU.

    The boxes of `images` are heads; `found` is by image id. The best detection chooses first, and takes the head
    nearest to its own middle; each head counts once. Raises `ValueError` where a box or score is not finite.
    """
    nothing = Detections(np.zeros((0, 4)), np.zeros(0))
    each = [found.get(image.id, nothing) for image in images]
    for image, one in zip(images, each, strict=True):
        check_finite(one, f"image {image.id}")
    ranked = [one.scores.argsort()[::-1] for one in each]
    score = np.concatenate([one.scores[order] for one, order in zip(each, ranked, strict=True)])
    correct = np.concatenate(
        [_holds_head(one.boxes[order], image.boxes) for image, one, order in zip(images, each, ranked, strict=True)]
    )
    place = np.repeat(np.arange(len(images)), [len(one.scores) for one in each])
    order = np.argsort(-score, kind="stable")
    return Matched(place[order], score[order], correct[order], np.array([len(image.boxes) for image in images]))


def _holds_head(boxes: NDArray[np.float64], heads: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each box (K, 4), the best first, holds the middle of a head (N, 4) that is still free."""
    middles = heads[:, :2] + heads[:, 2:] / 2
    offset = middles[None] - boxes[:, None, :2]  # (K, N, 2) from the box's corner
    inside = ((offset >= 0) & (offset <= boxes[:, None, 2:])).all(axis=-1)
    distance = np.where(inside, np.hypot(*np.moveaxis(offset - boxes[:, None, 2:] / 2, -1, 0)), np.inf)
    correct = np.zeros(len(boxes), bool)
    for k in range(len(boxes)):
        if np.isfinite(distance[k].min(initial=np.inf)):
            correct[k] = True
            distance[:, distance[k].argmin()] = np.inf
    return correct
