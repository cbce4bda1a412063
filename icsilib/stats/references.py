"""What to score against when there is no truth: the other people, their majority, or STAPLE's estimate.

Never score a person against a reference that holds that person's own label: the leave-one-out forms are for that.
"""

import numpy as np
from numpy.typing import NDArray

from icsilib.stats.agreement import iou_matrix
from icsilib.stats.staple import staple

Masks = NDArray[np.bool_]


def majority(masks: Masks) -> Masks:
    """Pixels that more than half of the people's masks (A, H, W) hold, (H, W)."""
    return np.mean(masks, axis=0) > 0.5


def leave_one_out(masks: Masks, reference: str = "majority") -> Masks:
    """For each person of `masks` (A, H, W) a reference (A, H, W) made from the other people only."""
    make = {"majority": majority, "staple": lambda others: staple(others).mask}.get(reference)
    if make is None:
        raise ValueError(f'reference is {reference!r}; it must be "majority" or "staple"')
    if len(masks) < 3:
        raise ValueError(f"leaving one out needs at least 3 people, got {len(masks)}")
    return np.stack([make(np.delete(masks, person, axis=0)) for person in range(len(masks))])


def against_reference(model: Masks, people: Masks, reference: str = "majority") -> tuple[NDArray[np.float64], float]:
    """IoU on one frame of each person with the others' reference (A,), and of the model with everyone's.

    The model is scored against the mean of the same leave-one-out references, so that both face the same judges.
    """
    references = leave_one_out(people, reference)
    scored = [iou_matrix(np.stack([person, model, other])) for person, other in zip(people, references, strict=True)]
    return np.array([matrix[0, 2] for matrix in scored]), float(np.mean([matrix[1, 2] for matrix in scored]))
