import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from icsilib.detection.losses import l2_regularisation, mine_negatives, multibox_loss


def test_mining_takes_exactly_three_to_one_by_largest_loss():
    losses = torch.tensor([[9.0, 0.1, 0.8, 0.3, 0.9, 0.2, 0.7]])
    positive = torch.tensor([[True, False, False, False, False, False, False]])
    # One positive: the three largest of the rest are 0.9, 0.8 and 0.7; the positive's own 9.0 does not count.
    chosen = mine_negatives(losses, positive, ratio=3, minimum=1)
    assert chosen.tolist() == [[False, False, True, False, True, False, True]]


def test_mining_is_done_image_by_image():
    losses = torch.tensor([[5.0, 5, 5, 5, 5, 5], [1, 2, 3, 4, 5, 6]])
    positive = torch.tensor([[False] * 6, [True, False, False, False, False, False]])
    chosen = mine_negatives(losses, positive, ratio=3, minimum=2)
    assert chosen.sum(dim=1).tolist() == [2, 3]
    assert chosen[1].tolist() == [False, False, False, True, True, True]


@given(st.integers(0, 12), st.integers(0, 4))
def test_mining_counts(background, positives):
    losses = torch.rand(1, background + positives)
    positive = torch.zeros(1, background + positives, dtype=torch.bool)
    positive[:, :positives] = True
    chosen = mine_negatives(losses, positive, ratio=3, minimum=5)
    assert not (chosen & positive).any()
    assert chosen.sum() == min(background, 3 * positives if positives else 5)


def test_loss_of_a_hand_made_image():
    # Equal scores for both classes cost ln 2 a box: 1 positive and 3 negatives, divided by 1 positive.
    logits, positive = torch.zeros(1, 10, 2), torch.zeros(1, 10, dtype=torch.bool)
    positive[0, 4] = True
    targets = torch.zeros(1, 10, 4)
    targets[0, 4] = torch.tensor([0.5, 0.0, 3.0, 0.0])
    loss = multibox_loss(logits, torch.zeros(1, 10, 4), positive, targets)
    assert (loss.positives, loss.negatives) == (1, 3)
    assert loss.classification.item() == pytest.approx(4 * math.log(2))
    assert loss.localisation.item() == pytest.approx(0.5**2 / 2 + (3 - 0.5))  # smooth-L1 on both of its branches


def test_a_batch_without_sperm_still_teaches():
    logits = torch.zeros(3, 50, 2, requires_grad=True)
    offsets = torch.zeros(3, 50, 4, requires_grad=True)
    empty = torch.zeros(3, 50, dtype=torch.bool)
    loss = multibox_loss(logits, offsets, empty, torch.zeros(3, 50, 4), minimum_negatives=6)
    (loss.classification + loss.localisation).backward()
    # 3 images × 6 negatives of ln 2 each, divided by 18/3.
    assert loss.classification.item() == pytest.approx(3 * math.log(2))
    assert loss.localisation.item() == 0
    assert torch.isfinite(logits.grad).all()
    assert (logits.grad.abs().sum(dim=(1, 2)) > 0).all()
    assert torch.isfinite(offsets.grad).all()


def test_empty_images_do_not_dilute_those_with_sperm_away():
    positive = torch.zeros(2, 50, dtype=torch.bool)
    positive[0, :2] = True
    loss = multibox_loss(torch.zeros(2, 50, 2), torch.zeros(2, 50, 4), positive, torch.zeros(2, 50, 4))
    assert (loss.positives, loss.negatives) == (2, 6 + 6)
    assert loss.classification.item() == pytest.approx((2 + 12) * math.log(2) / 4)


def test_regularisation_is_the_square_of_the_weights_norm():
    layer = torch.nn.Linear(2, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[3.0, 4.0]]))
        layer.bias.fill_(100.0)
    assert l2_regularisation(layer.parameters()).item() == 25


def test_negatives_may_be_counted_by_sperm_as_the_paper_is_written():
    """One sperm matched to two default boxes: 3·1 negatives as written, 3·2 by matched boxes."""
    losses, positive = torch.arange(12.0)[None], torch.zeros(1, 12, dtype=torch.bool)
    positive[0, :2] = True
    by_sperm = mine_negatives(losses, positive, ratio=3, minimum=5, sperm=torch.tensor([1]))
    assert by_sperm[0].nonzero().flatten().tolist() == [9, 10, 11]
    assert mine_negatives(losses, positive, ratio=3, minimum=5).sum() == 6
    nobody = mine_negatives(losses, positive & False, ratio=3, minimum=5, sperm=torch.tensor([0]))
    assert nobody.sum() == 5
