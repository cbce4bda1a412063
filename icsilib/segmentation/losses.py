"""The losses of paper A, §2.3: L_total = L_seg + λ1·L_euc + λ2·L_js.

Each loss is a pure function that gives one value per sample (or per sample and class); reductions are separate and
named. A frame without a visible tip takes part in L_seg only: `present` masks it out of both tip losses.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from icsilib.segmentation.dsnt import gaussian_heatmap
from icsilib.segmentation.nested_unet import Output


class Target(NamedTuple):
    """Ground truth of a batch of B images of side S."""

    masks: Tensor  # (B, 2, S, S) in [0, 1]: the part of each pixel that oolemma and suction pipette cover
    tip: Tensor  # (B, 2), x then y, normalised; anything where absent
    present: Tensor  # (B,) bool: whether the frame shows the needle tip


class Losses(NamedTuple):
    """L_total and its terms, each a mean over the batch; `tips` is the number of frames in the last two."""

    total: Tensor
    seg: Tensor
    euclidean: Tensor
    js: Tensor
    tips: Tensor


def dice_loss(y_seg: Tensor, masks: Tensor, smooth: float = 1.0) -> Tensor:
    """1 - Dice per sample and class (B, C), from (B, C, H, W) in [0, 1].

    `smooth` px² is added above and below the fraction line (Milletari et al. 2016 leave it out), so that an empty mask
    predicted as empty costs 0, and one predicted with n px costs n / (n + smooth).
    """
    overlap = (y_seg * masks).sum(dim=(2, 3))
    areas = y_seg.sum(dim=(2, 3)) + masks.sum(dim=(2, 3))
    return 1 - (2 * overlap + smooth) / (areas + smooth)


def euclidean_loss(y_coords: Tensor, tip: Tensor) -> Tensor:
    """‖y_coords - tip‖₂ per sample (B,), in *normalised* units (the image is 2 wide): eq. 4 of Nibali et al."""
    return torch.linalg.vector_norm(y_coords - tip, dim=1)


def kullback_leibler(p: Tensor, q: Tensor) -> Tensor:
    """KL(p ‖ q) in nats per sample (B,), of heatmaps (B, H, W); 0·log 0 = 0."""
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(dim=(1, 2))


def js_divergence(p: Tensor, q: Tensor) -> Tensor:
    """Jensen–Shannon divergence ½KL(p‖m) + ½KL(q‖m), m = ½(p + q), in nats per sample (B,), from 0 to ln 2.

    Computed in 32 bits or more whatever comes in: half precision rounds the tails of a heatmap to zero.
    """
    p, q = (heatmap.to(torch.promote_types(heatmap.dtype, torch.float32)) for heatmap in (p, q))
    # The smallest positive number instead of 0 keeps the gradient of x·log x finite where a cell is empty.
    p, q = (heatmap.clamp_min(torch.finfo(heatmap.dtype).tiny) for heatmap in (p, q))
    m = (p + q) / 2
    return kullback_leibler(p, m) / 2 + kullback_leibler(q, m) / 2


def js_loss(heatmap: Tensor, tip: Tensor, sigma_px: float) -> Tensor:
    """JS between Z (B, H, W) and a normal distribution of `sigma_px` cells around the tip (B, 2), per sample (B,)."""
    height, width = heatmap.shape[1:]
    return js_divergence(heatmap, gaussian_heatmap(tip.float(), (height, width), sigma_px))


def flatness_loss(heatmap: Tensor) -> Tensor:
    """KL(uniform ‖ Z) in nats per sample (B,): 0 where no cell of Z (B, H, W) stands out. Not in the paper.

    For images without a tip, so that a heatmap tells of one by its peak: the loss of outlier exposure (Hendrycks et al.
    2019, arXiv:1812.04606). Its gradient stays where Z is one sharp peak, which that of `js_divergence` does not.
    """
    z = heatmap.to(torch.promote_types(heatmap.dtype, torch.float32))
    z = z.clamp_min(torch.finfo(z.dtype).tiny)
    return kullback_leibler(torch.full_like(z, 1 / z[0].numel()), z)


def mean_where(values: Tensor, present: Tensor) -> Tensor:
    """Mean of `values` (B,) over the samples that are `present`; 0 where none is."""
    return torch.where(present, values, 0).sum() / present.sum().clamp_min(1)


def total_loss(
    output: Output, target: Target, lambda1: float, lambda2: float, sigma_px: float, lambda_absent: float = 0.0
) -> Losses:
    """L_total of §2.3 over a batch: Dice averaged over samples and classes, tip losses over the tips present.

    `lambda_absent` adds `flatness_loss` over the samples without a tip; the paper has no such term.
    """
    tip = torch.where(target.present[:, None], target.tip, 0)
    seg = dice_loss(output.y_seg, target.masks).mean()
    euclidean = mean_where(euclidean_loss(output.y_coords, tip), target.present)
    js = mean_where(js_loss(output.heatmap, tip, sigma_px), target.present)
    total = seg + lambda1 * euclidean + lambda2 * js
    if lambda_absent:
        total = total + lambda_absent * mean_where(flatness_loss(output.heatmap), ~target.present)
    return Losses(total, seg, euclidean, js, target.present.sum())
