import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask

from icsilib.detection.boxes import (
    box_iou,
    cxcywh_to_xywh,
    xywh_to_cxcywh,
    xywh_to_xyxy,
    xyxy_to_xywh,
)

BOXES = arrays(
    np.float64,
    st.tuples(st.integers(0, 5), st.just(4)),
    elements=st.integers(1, 200).map(lambda quarter: quarter / 4),
)


def test_overlap_of_hand_drawn_boxes():
    square = np.array([[0.0, 0.0, 2.0, 2.0]])
    others = np.array(
        [[0, 0, 2, 2], [1, 0, 2, 2], [1, 1, 2, 2], [2, 0, 2, 2], [0.5, 0.5, 1, 1], [0, 0, 0, 0]], dtype=float
    )
    # Intersections 4, 2, 1, 0, 1, 0 px²; unions 4, 6, 7, 8, 4, 4 px².
    assert box_iou(square, others)[0].tolist() == pytest.approx([1, 2 / 6, 1 / 7, 0, 1 / 4, 0])


@given(BOXES, BOXES)
def test_overlap_agrees_with_pycocotools(a, b):
    expected = coco_mask.iou(a, b, [0] * len(b)) if len(a) and len(b) else np.zeros((len(a), len(b)))
    assert np.allclose(box_iou(a, b), expected)
    assert np.allclose(box_iou(torch.from_numpy(a), torch.from_numpy(b)).numpy(), expected)


@given(BOXES)
def test_conversions_are_each_others_inverse(boxes):
    assert np.allclose(xyxy_to_xywh(xywh_to_xyxy(boxes)), boxes)
    assert np.allclose(cxcywh_to_xywh(xywh_to_cxcywh(boxes)), boxes)
    tensor = torch.from_numpy(boxes)
    assert torch.allclose(cxcywh_to_xywh(xywh_to_cxcywh(tensor)), tensor)


def test_conversions_of_one_box():
    box = np.array([10.0, 20.0, 4.0, 6.0])
    assert xywh_to_xyxy(box).tolist() == [10, 20, 14, 26]
    assert xywh_to_cxcywh(box).tolist() == [12, 23, 4, 6]
