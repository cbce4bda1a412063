import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from icsilib.detection.boxes import box_iou, cxcywh_to_xywh, xywh_to_cxcywh
from icsilib.detection.default_boxes import (
    AUTHORS_SCALES,
    MAP_SIZES,
    PUBLISHED_SCALES,
    boxes_per_cell,
    coverage,
    decode,
    default_boxes,
    encode,
    match,
)

FRACTION = st.floats(0.02, 0.98)


def test_there_are_the_published_8732():
    assert boxes_per_cell() == (4, 6, 6, 6, 4, 4)
    assert default_boxes().shape == (8732, 4)
    assert sum(size**2 * n for size, n in zip(MAP_SIZES, boxes_per_cell(), strict=True)) == 8732


def test_first_cell_has_torchvisions_sizes_at_300_px():
    # SSD300 of torchvision: squares of 21 and √(21·45) px, then 2 : 1 and 1 : 2, centred on the first cell.
    expected = [[21, 21], [30.74, 30.74], [29.70, 14.85], [14.85, 29.70]]
    assert (default_boxes()[:4, 2:] * 300).tolist() == pytest.approx(torch.tensor(expected), abs=0.01)
    assert default_boxes()[:4, :2].tolist() == [[pytest.approx(0.5 / 38)] * 2] * 4


def test_every_map_has_its_published_scale_and_ratios():
    boxes = default_boxes()
    start = 0
    for k, (size, n) in enumerate(zip(MAP_SIZES, boxes_per_cell(), strict=True)):
        on_map = boxes[start : start + size**2 * n].reshape(size, size, n, 4)
        assert on_map[0, 0, 0, 2:].tolist() == pytest.approx([PUBLISHED_SCALES[k]] * 2)
        assert on_map[0, 0, 1, 2].item() == pytest.approx(math.sqrt(PUBLISHED_SCALES[k] * PUBLISHED_SCALES[k + 1]))
        ratios = (on_map[0, 0, 2:, 2] / on_map[0, 0, 2:, 3]).tolist()
        assert ratios == pytest.approx([2, 1 / 2] if n == 4 else [2, 1 / 2, 3, 1 / 3])
        # Rows run down, columns to the right: the second cell lies right of the first.
        assert on_map[0, -1, 0, 0].item() == pytest.approx((size - 0.5) / size)
        assert on_map[0, -1, 0, 1].item() == pytest.approx(0.5 / size)
        start += size**2 * n


def test_the_authors_8028_boxes_lie_on_six_maps():
    assert boxes_per_cell("authors") == (3, 6, 6, 6, 6, 6)
    boxes = default_boxes(AUTHORS_SCALES, layout="authors")
    assert len(boxes) == 3 * 40**2 + 6 * (20**2 + 10**2 + 5**2 + 3**2 + 2**2) == 8028
    # TensorFlow's first map: a square of a tenth of the input, then 2 : 1 and 1 : 2 of its scale 0.2.
    long, short = 0.2 * math.sqrt(2), 0.2 / math.sqrt(2)
    first = [[0.5 / 40] * 2 + shape for shape in ([0.1, 0.1], [long, short], [short, long])]
    assert boxes[:3].tolist() == [pytest.approx(box) for box in first]
    # Last map: scale 0.95 and the square between it and 1.
    assert boxes[-6, 2:].tolist() == pytest.approx([0.95, 0.95])
    assert boxes[-5, 2:].tolist() == pytest.approx([math.sqrt(0.95)] * 2)
    assert boxes[-1, :2].tolist() == [0.75, 0.75]


def test_ratios_change_the_elongated_boxes_alone():
    shapes = default_boxes(ratios=(2, 5))[-4 - 36 - 150 : -4 - 36 - 144, 2:]  # first cell of the map of 5 cells
    usual = default_boxes()[-4 - 36 - 150 : -4 - 36 - 144, 2:]
    assert torch.equal(shapes[:4], usual[:4])
    assert (shapes[4:, 0] / shapes[4:, 1]).tolist() == pytest.approx([5, 1 / 5])
    assert shapes.prod(dim=1)[2:].tolist() == pytest.approx([PUBLISHED_SCALES[3] ** 2] * 4)


def test_coverage_is_the_share_that_a_default_box_fits():
    # One default box, in the middle, and sperm as large as the input: they can only lie on its centre.
    box = torch.tensor([[0.5, 0.5, 1.0, 1.0]])
    shapes = np.array([[1.0, 1.0], [1.0, 0.6], [1.0, 0.4], [0.4, 1.0]])
    assert coverage(shapes, box, np.random.default_rng(0)) == 0.5


@pytest.mark.parametrize("scales", [(0.1, 0.2), (0.1, 0.2, 0.3, 0.3, 0.5, 0.6, 0.7)])
def test_scales_must_be_seven_and_rise(scales):
    with pytest.raises(ValueError, match="need 7 rising numbers"):
        default_boxes(scales)


@given(st.lists(st.tuples(FRACTION, FRACTION, FRACTION, FRACTION), min_size=1, max_size=8))
def test_decoding_undoes_encoding(numbers):
    boxes = torch.tensor(numbers, dtype=torch.float64)
    defaults = default_boxes()[torch.linspace(0, 8731, len(boxes)).long()].double()
    encoded = encode(boxes, defaults)
    kept = (encoded[:, 2:].abs() < 20).all(dim=1)  # decode limits the growth to e⁴
    assert torch.allclose(decode(encoded, defaults)[kept], boxes[kept], atol=1e-9)
    assert torch.allclose(encode(decode(encoded[kept], defaults[kept]), defaults[kept]), encoded[kept], atol=1e-9)


def test_encoding_follows_the_equations():
    default = torch.tensor([[0.5, 0.5, 0.2, 0.4]])
    box = torch.tensor([[0.52, 0.46, 0.4, 0.2]])
    # (0.02/0.2)/0.1, (−0.04/0.4)/0.1, ln 2/0.2, ln ½/0.2
    assert encode(box, default)[0].tolist() == pytest.approx(
        [1.0, -1.0, math.log(2) / 0.2, -math.log(2) / 0.2], rel=1e-5
    )


def test_matching_takes_half_overlap_and_every_sperms_best_box():
    defaults = xywh_to_cxcywh(torch.tensor([[0.0, 0, 4, 4], [1, 0, 4, 4], [10, 10, 2, 2], [20, 20, 9, 9]]))
    sperm = xywh_to_cxcywh(torch.tensor([[0.0, 0, 4, 4], [10, 10, 4, 4]]))
    # IoU of sperm 0: 1, 12/20, 0, 0; of sperm 1: 0, 0, 4/16, 0. The quarter is not enough but is its best.
    found = match(sperm, defaults)
    assert found.positive.tolist() == [True, True, True, False]
    assert found.sperm[:3].tolist() == [0, 0, 1]
    assert torch.allclose(decode(found.offsets, defaults)[:3], sperm[[0, 0, 1]])
    assert not found.offsets[3].any()


def test_an_image_without_sperm_matches_nothing():
    found = match(torch.zeros(0, 4), default_boxes())
    assert not found.positive.any()
    assert found.offsets.shape == (8732, 4)


@given(st.lists(st.tuples(FRACTION, FRACTION, st.floats(0.03, 0.3), st.floats(0.03, 0.3)), min_size=1, max_size=6))
def test_the_best_box_of_every_sperm_is_positive(numbers):
    sperm, defaults = torch.tensor(numbers), default_boxes()
    best = box_iou(cxcywh_to_xywh(sperm), cxcywh_to_xywh(defaults)).argmax(dim=1)
    assert match(sperm, defaults).positive[best].all()


@given(
    st.tuples(FRACTION, FRACTION),
    st.lists(st.tuples(st.floats(0.05, 0.4), st.floats(0.02, 0.4)), min_size=2, max_size=6),
)
def test_sperm_that_cross_get_a_default_box_each(centre, sizes):
    sperm = torch.tensor([[*centre, *size] for size in sizes])
    found = match(sperm, default_boxes())
    assert set(found.sperm[found.positive].tolist()) == set(range(len(sperm)))


def test_the_larger_overlap_takes_a_shared_default_box():
    defaults = xywh_to_cxcywh(torch.tensor([[0.0, 0, 4, 4], [1, 0, 4, 4], [20, 20, 4, 4]]))
    sperm = xywh_to_cxcywh(torch.tensor([[0.0, 0, 4, 3], [0, 0, 4, 4]]))
    # IoU of sperm 0: 3/4, 9/19, 0; of sperm 1: 1, 12/20, 0. Both prefer box 0; sperm 0, second, gets box 1 below 0.5.
    found = match(sperm, defaults)
    assert found.positive.tolist() == [True, True, False]
    assert found.sperm[:2].tolist() == [1, 0]


def test_more_sperm_than_default_boxes_leave_none_unused():
    sperm = torch.tensor([[0.5, 0.5, size, size] for size in (0.2, 0.4, 0.6)])
    assert sorted(match(sperm, sperm[[0, 2]]).sperm.tolist()) == [0, 2]


def test_coverage_of_sizes_that_always_and_never_fit():
    draw = np.random.default_rng(0)
    # Squares of the published scales find a box wherever they lie; a fiftieth of the input is too small for any.
    assert coverage(np.full((50, 2), 0.33), default_boxes(), draw) == 1
    assert coverage(np.full((50, 2), 0.02), default_boxes(), draw) == 0
    assert coverage(np.full((50, 2), 0.02), default_boxes([scale / 3.5 for scale in PUBLISHED_SCALES]), draw) > 0
