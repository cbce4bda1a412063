import math

import dsntnn
import pytest
import torch

from icsilib.segmentation.dsnt import dsnt, gaussian_heatmap, spatial_softmax
from icsilib.segmentation.losses import (
    Target,
    dice_loss,
    euclidean_loss,
    flatness_loss,
    js_divergence,
    js_loss,
    mean_where,
    total_loss,
)
from icsilib.segmentation.nested_unet import Output


def disc(radius, centre_x, size=64):
    y, x = torch.meshgrid(torch.arange(size) + 0.5, torch.arange(size) + 0.5, indexing="ij")
    return (((x - centre_x) ** 2 + (y - size / 2) ** 2) <= radius**2).float()


def random_case(dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    scores = 2 * torch.randn(6, 8, 8, generator=generator, dtype=dtype)
    return scores, torch.rand(6, 2, generator=generator, dtype=dtype) * 1.6 - 0.8


def test_dice_of_equal_disjoint_and_overlapping_discs():
    masks = torch.stack([disc(10, 20), disc(10, 20), disc(10, 20)])[:, None]
    predicted = torch.stack([disc(10, 20), disc(10, 50), disc(10, 30)])[:, None]
    equal, disjoint, shifted = dice_loss(predicted, masks, smooth=0)[:, 0].tolist()
    # Two discs of radius r at distance r overlap in a lens of (2π/3 - √3/2)·r², out of πr² each.
    lens = (2 * math.pi / 3 - math.sqrt(3) / 2) / math.pi
    assert (equal, disjoint) == (0.0, 1.0)
    assert shifted == pytest.approx(1 - lens, abs=0.01)


def test_dice_of_an_empty_mask():
    empty = torch.zeros(1, 1, 8, 8)
    three_px = empty.clone()
    three_px[0, 0, 0, :3] = 1
    assert dice_loss(empty, empty).item() == 0
    assert dice_loss(three_px, empty).item() == pytest.approx(3 / 4)


def test_euclidean_and_js_agree_with_dsntnn_in_value_and_gradient():
    scores, tip = random_case()
    ours, theirs = scores.clone().requires_grad_(), scores.clone().requires_grad_()
    z, w = spatial_softmax(ours), dsntnn.flat_softmax(theirs[:, None])
    distance, divergence = euclidean_loss(dsnt(z), tip), js_loss(z, tip, 1.0)
    expected_distance = dsntnn.euclidean_losses(dsntnn.dsnt(w), tip[:, None])[:, 0]
    expected_divergence = dsntnn.js_reg_losses(w, tip[:, None], 1.0)[:, 0]
    torch.testing.assert_close(distance, expected_distance, atol=1e-5, rtol=0)
    torch.testing.assert_close(divergence, expected_divergence, atol=1e-5, rtol=0)
    (distance.sum() + divergence.sum()).backward()
    (expected_distance.sum() + expected_divergence.sum()).backward()
    torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-5, rtol=0)


def test_js_is_nought_for_equal_and_ln_2_for_disjoint_heatmaps():
    left, right = torch.zeros(1, 4, 4), torch.zeros(1, 4, 4)
    left[0, :, 0], right[0, :, 3] = 0.25, 0.25
    assert js_divergence(left, left).item() == pytest.approx(0, abs=1e-7)
    assert js_divergence(left, right).item() == pytest.approx(math.log(2), rel=1e-6)


def test_js_rises_when_mean_or_spread_move_away():
    at = {x: gaussian_heatmap(torch.tensor([[x, 0.0]]), (32, 32), 1.0) for x in (0.0, 0.05, 0.1)}
    nought = torch.zeros(1, 2)
    assert js_loss(at[0.0], nought, 1.0) < js_loss(at[0.05], nought, 1.0) < js_loss(at[0.1], nought, 1.0)
    assert js_loss(at[0.0], nought, 1.0) < js_loss(at[0.0], nought, 1.5) < js_loss(at[0.0], nought, 2.0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_js_is_computed_in_32_bits(dtype):
    z = gaussian_heatmap(torch.zeros(1, 2), (64, 64), 1.0)
    value = js_divergence(z.to(dtype).requires_grad_(), gaussian_heatmap(torch.full((1, 2), 0.1), (64, 64), 1.0))
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(js_loss(z, torch.full((1, 2), 0.1), 1.0).item(), abs=2e-3)


def test_flatness_by_hand_and_its_gradient():
    """KL of halves from (¾, ¼) is ½ ln(4/3); the gradient with respect to the scores is Z minus the uniform."""
    assert flatness_loss(torch.tensor([[[0.75, 0.25]]])).item() == pytest.approx(0.5 * math.log(4 / 3), abs=1e-6)
    assert flatness_loss(torch.full((1, 4, 4), 1 / 16)).item() == pytest.approx(0, abs=1e-6)
    scores = torch.tensor([[[30.0, 0.0], [1.0, -2.0]]], requires_grad=True)  # one sharp peak
    z = spatial_softmax(scores)
    flatness_loss(z).sum().backward()
    torch.testing.assert_close(scores.grad, z.detach() - 0.25)


def some_without_a_tip():
    """Scores that want a gradient, output and target of six samples, two of which have no tip."""
    scores, tip = random_case(torch.float32)
    z = spatial_softmax(scores.requires_grad_())
    y_seg = torch.zeros(6, 2, 8, 8)
    present = torch.tensor([True, True, False, True, False, True])
    return scores, Output(y_seg, z, dsnt(z)), Target(y_seg, tip, present)


def test_flatness_is_asked_of_samples_without_a_tip_only():
    scores, output, target = some_without_a_tip()
    z, present = output.heatmap, target.present
    plain, flat = (total_loss(output, target, 1.0, 1.0, 1.0, absent) for absent in (0.0, 0.5))
    torch.testing.assert_close(flat.total - plain.total, 0.5 * flatness_loss(z)[~present].mean())
    (flat.total - plain.total).backward()
    torch.testing.assert_close(scores.grad[present], 0 * scores[present], atol=1e-6, rtol=0)
    assert (scores.grad[~present].abs() > 1e-6).any()


def test_mean_over_the_samples_present():
    values = torch.tensor([1.0, 5.0, 3.0])
    assert mean_where(values, torch.tensor([True, False, True])).item() == 2
    assert mean_where(values, torch.tensor([False, False, False])).item() == 0


def test_absent_tips_cost_nothing_teach_nothing_and_are_counted():
    scores, output, target = some_without_a_tip()
    z, present = output.heatmap, target.present
    tip = torch.where(present[:, None], target.tip, torch.nan)
    losses = total_loss(output, target._replace(tip=tip), lambda1=2.0, lambda2=3.0, sigma_px=1.0)
    assert losses.tips == 4
    expected = euclidean_loss(dsnt(z), tip)[present].mean(), js_loss(z, tip, 1.0)[present].mean()
    torch.testing.assert_close((losses.euclidean, losses.js), expected)
    torch.testing.assert_close(losses.total, 2 * expected[0] + 3 * expected[1])
    losses.total.backward()
    assert scores.grad.isfinite().all()
    assert (scores.grad[~present] == 0).all()
    assert (scores.grad[present] != 0).any()
