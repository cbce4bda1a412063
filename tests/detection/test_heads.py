from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icsilib.detection.detector import Detections
from icsilib.detection.evaluate import operating_point
from icsilib.detection.heads import heads_in_boxes
from icsilib.detection.images import LabelledImage

NONE = np.zeros((0, 4))


def image(id, *heads):
    boxes = np.array(heads, float).reshape(-1, 4)
    return LabelledImage(id, Path(f"{id}.png"), 200, 200, "g", boxes, ("",) * len(boxes))


def found(*rows):
    values = np.array(rows, float).reshape(-1, 5)
    return Detections(values[:, :4], values[:, 4])


def test_a_box_with_head_and_tail_is_right_though_it_overlaps_by_a_tenth():
    matched = heads_in_boxes([image(1, (10, 10, 8, 8))], {1: found((5, 5, 40, 20, 0.9))})
    assert matched.correct.tolist() == [True]
    assert operating_point(matched, 0.5).recall == 1


def test_each_head_counts_once_for_the_best_box():
    boxes = found((5, 5, 40, 20, 0.6), (6, 6, 30, 20, 0.9), (100, 100, 10, 10, 0.7))
    matched = heads_in_boxes([image(1, (10, 10, 8, 8))], {1: boxes})
    assert matched.score.tolist() == [0.9, 0.7, 0.6]
    assert matched.correct.tolist() == [True, False, False]


def test_the_best_box_takes_the_head_nearest_to_its_middle_and_leaves_the_other():
    heads = (0, 0, 4, 4), (16, 16, 8, 8)  # middles (2, 2) and (20, 20)
    matched = heads_in_boxes([image(1, *heads)], {1: found((0, 0, 40, 40, 0.9), (0, 0, 6, 6, 0.5))})
    assert matched.correct.tolist() == [True, True]


def test_images_without_heads_or_detections_count():
    matched = heads_in_boxes([image(1), image(2, (10, 10, 4, 4))], {1: found((0, 0, 9, 9, 0.5))})
    assert (matched.sperm.tolist(), matched.image.tolist(), matched.correct.tolist()) == ([0, 1], [0], [False])


def test_what_is_no_number_is_refused():
    with pytest.raises(ValueError, match="image 1"):
        heads_in_boxes([image(1)], {1: found((0, 0, np.nan, 9, 0.5))})


@given(st.integers(0, 2**32 - 1))
def test_no_more_heads_are_found_than_there_are_and_each_right_box_holds_one(seed):
    rng = np.random.default_rng(seed)
    heads, boxes = rng.uniform(0, 50, (rng.integers(0, 6), 4)), rng.uniform(0, 50, (rng.integers(0, 8), 4))
    matched = heads_in_boxes([image(1, *heads)], {1: Detections(boxes, rng.uniform(0, 1, len(boxes)))})
    middles = heads[:, :2] + heads[:, 2:] / 2
    any_inside = sum(bool(((middles >= box[:2]) & (middles <= box[:2] + box[2:])).all(axis=1).any()) for box in boxes)
    assert matched.correct.sum() <= min(len(heads), any_inside)
    assert (matched.correct.sum() > 0) == (any_inside > 0)
