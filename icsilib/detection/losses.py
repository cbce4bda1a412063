"""Paper B's loss: softmax classification with hard negative mining, smooth-L1 localisation, L2 regularisation."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

NEGATIVES_PER_POSITIVE = 3


@dataclass(frozen=True)
class MultiboxLoss:
    """The two data terms of a batch and the numbers of default boxes in them."""

    classification: Tensor
    localisation: Tensor
    positives: Tensor
    negatives: Tensor


def mine_negatives(losses: Tensor, positive: Tensor, ratio: int, minimum: int, sperm: Tensor | None = None) -> Tensor:
    """Choose background default boxes image by image, those with the largest loss: (B, N) bool.

    `losses` (B, N) are the classification losses, `positive` (B, N) marks the default boxes matched to a sperm;
    every other box has an IoU below 0.5 with all sperm and may be chosen. An image with k positives gives
    `ratio`·k negatives; with `sperm` (B,), the number of labelled sperm, k counts these. An image without any would
    teach nothing although most biopsy images are like that, so it gives `minimum`. This case is open in the paper.
    """
    counted = (positive.sum(dim=1) if sperm is None else sperm)[:, None]
    wanted = torch.where(counted > 0, ratio * counted, minimum)
    ranked = losses.detach().masked_fill(positive, -torch.inf).argsort(dim=1, descending=True, stable=True)
    rank = ranked.argsort(dim=1)
    return (rank < wanted) & ~positive


def multibox_loss(
    logits: Tensor,
    offsets: Tensor,
    positive: Tensor,
    targets: Tensor,
    ratio: int = NEGATIVES_PER_POSITIVE,
    minimum_negatives: int = 6,
    sperm: Tensor | None = None,
) -> MultiboxLoss:
    """Classification and localisation loss of a batch (Liu et al. 2016, equations 1 to 3).

    `logits` (B, N, 2) for background and sperm, `offsets` and `targets` (B, N, 4) encoded boxes, `positive` (B, N);
    `sperm` as in `mine_negatives`. Sums are divided by the number of positives, or by a `ratio`-th of the negatives
    where that is more: the two are the same as long as every image holds a sperm, and the second stays above zero
    when none does.
    """
    each = functional.cross_entropy(logits.flatten(0, 1), positive.flatten().long(), reduction="none")
    each = each.view_as(positive)
    negative = mine_negatives(each, positive, ratio, minimum_negatives, sperm)
    distance = functional.smooth_l1_loss(offsets, targets, reduction="none").sum(dim=-1)
    positives, negatives = positive.sum(), negative.sum()
    # Chosen by `where`, not by indices, for which a GPU would have to wait.
    classification = torch.where(positive | negative, each, 0.0).sum()
    localisation = torch.where(positive, distance, 0.0).sum()
    divisor = torch.maximum(positives, negatives / ratio).clamp_min(1)
    return MultiboxLoss(classification / divisor, localisation / divisor, positives, negatives)


def l2_regularisation(parameters: Iterable[Tensor]) -> Tensor:
    """Square of the L2 norm of the weights; biases and normalisation (one axis) are left free."""
    return torch.stack([weight.square().sum() for weight in parameters if weight.ndim > 1]).sum()
