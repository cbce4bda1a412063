"""STAPLE (Warfield, Zou & Wells 2004): the hidden mask and each labeller's sensitivity and specificity.

A sensitivity check only: it presumes that labellers err independently of each other, and weighs those more who agree.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Staple(NamedTuple):
    """STAPLE's estimate from A masks."""

    mask: NDArray[np.bool_]  # (H, W), probability of one half or more
    sensitivity: NDArray[np.float64]  # (A,)
    specificity: NDArray[np.float64]  # (A,) within the labelled surroundings


def staple(masks: NDArray[np.bool_], border: int = 10) -> Staple:
    """Fuse A masks (A, H, W) of one frame by expectation–maximisation.

    Only pixels within `border` px of what anyone labelled count: specificity, and through the prior the result, would
    otherwise depend on how much background the image has. Raises `ValueError` where no pixel or every pixel of these is
    labelled by everybody, since sensitivity or specificity is then undefined.
    """
    rows, columns = (np.flatnonzero(masks.any(axis=axes)) for axes in ((0, 2), (0, 1)))
    if not len(rows):
        raise ValueError("nobody labelled anything on this frame; leave it out of STAPLE")
    window = tuple(slice(max(at[0] - border, 0), at[-1] + 1 + border) for at in (rows, columns))
    drawn = masks[(slice(None), *window)].reshape(len(masks), -1)
    if drawn.all():
        raise ValueError("everybody labelled the whole frame; leave it out of STAPLE")
    # Pixels with the same votes are alike, so that the iteration is over patterns of votes.
    votes, pattern, count = np.unique(drawn, axis=1, return_inverse=True, return_counts=True)
    probability, sensitivity, specificity = _maximise(votes, count)
    fused = np.zeros(masks.shape[1:], dtype=bool)
    fused[window] = (probability[pattern.ravel()] >= 0.5).reshape(fused[window].shape)
    return Staple(fused, sensitivity, specificity)


def _maximise(
    votes: NDArray[np.bool_], count: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Probability (P,) of each pattern of votes (A, P) found `count` (P,) times, sensitivities and specificities."""
    prior = np.sum(votes.mean(axis=0) * count) / count.sum()
    sensitivity = specificity = np.full(len(votes), 1 - 1e-5)
    probability = np.zeros(votes.shape[1])
    for _ in range(500):
        inside = prior * np.prod(np.where(votes.T, sensitivity, 1 - sensitivity), axis=1)
        outside = (1 - prior) * np.prod(np.where(votes.T, 1 - specificity, specificity), axis=1)
        before, probability = probability, inside / (inside + outside)
        if np.abs(probability - before).max() < 1e-9:
            break
        weight = probability * count, (1 - probability) * count
        sensitivity = np.clip(votes @ weight[0] / weight[0].sum(), 1e-9, 1 - 1e-9)
        specificity = np.clip(~votes @ weight[1] / weight[1].sum(), 1e-9, 1 - 1e-9)
    return probability, sensitivity, specificity
