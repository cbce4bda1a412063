"""What to score against when there is no truth: the majority of the other people."""

import numpy as np
from numpy.typing import NDArray

from icsilib.stats.agreement import iou_matrix

Masks = NDArray[np.bool_]


def leave_one_out(masks: Masks) -> Masks:
    """For each person of `masks` (A, H, W) the pixels (A, H, W) that more than half of the other people hold."""
    if len(masks) < 3:
        raise ValueError(f"leaving one out needs at least 3 people, got {len(masks)}")
    return (masks.sum(axis=0) - masks) / (len(masks) - 1) > 0.5


def against_majority(model: Masks, people: Masks) -> tuple[NDArray[np.float64], float]:
    """IoU on one frame of each person with the others' majority (A,), and mean IoU of the model with these majorities.

    Nobody is scored against a reference that holds their own label, and all face the same judges.
    """
    references = leave_one_out(people)
    scored = [iou_matrix(np.stack([person, model, other])) for person, other in zip(people, references, strict=True)]
    return np.array([matrix[0, 2] for matrix in scored]), float(np.mean([matrix[1, 2] for matrix in scored]))
