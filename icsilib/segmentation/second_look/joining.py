"""How the answers of two looks at one photograph become one. Not in the paper.

Each look's heatmap says how probable it is that the tip lies at a place. Such opinions are joined as those of experts
are: their logarithms are added, with weights, and the result is made to sum to one again (a logarithmic opinion pool,
Genest and Zidek 1986; a product of experts, Hinton 2002). A place that all looks hold possible wins over one that a
single look is sure of. The tip is DSNT's of the joined heatmap, as it is of each look's own.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from icsilib.segmentation.dsnt import spatial_softmax, to_normalised
from icsilib.segmentation.frames import Points
from icsilib.segmentation.second_look.closeups import Window
from icsilib.segmentation.segmenter import Look

CELLS = 128  # along a side of the joined heatmap
CLOSER = 2.0  # weight of a close-up that is sure, the whole photograph's being 1
DOUBT = 0.01  # of a flat heatmap, mixed into each, so that none forbids a place
FINE = 1.5  # px of the image in one of a cell's close-up from which on its outline counts; training showed few coarser


def opinion(look: Look, points: Points) -> Tensor:
    """Logarithm of a look's heatmap, in multiples of a flat one, at points (N, N, 2) of the photograph, with `DOUBT`.

    The tip is not beyond the square.
    """
    seen = to_normalised(torch.from_numpy(look.place.to_square(points)).float(), look.place.size)
    heatmap = torch.from_numpy(look.heatmap)[None, None]
    # Normalised coordinates are DSNT's, which `grid_sample` calls those without aligned corners.
    found = F.grid_sample(heatmap, seen[None], padding_mode="border", align_corners=False)[0, 0] * heatmap.numel()
    return torch.log(DOUBT + (1 - DOUBT) * torch.where((seen.abs() <= 1).all(dim=-1), found, 0.0))


def joined(whole: Look, closeups: Sequence[Look]) -> Look:
    """What a look at the whole photograph and those at parts of it say together, over the square of the first.

    log Z = log Z_whole + CLOSER · Σ_i c_i log Z_i + constant, with the close-ups' confidences c_i: one that sees
    nothing has a flat heatmap, low confidence, and hardly a say.
    """
    centres = (np.arange(CELLS) + 0.5) * whole.place.size / CELLS
    points = whole.place.to_source(np.stack(np.meshgrid(centres, centres), axis=-1))
    closer = torch.stack([look.confidence * opinion(look, points) for look in closeups]).sum(dim=0)
    return Look(spatial_softmax((opinion(whole, points) + CLOSER * closer)[None])[0].numpy(), whole.place)


def with_cell(probabilities: NDArray[np.float32], closer: NDArray[np.float32], window: Window) -> NDArray[np.float32]:
    """A copy of both classes' probabilities, the oolemma's joined with those of its close-up (h, w) where that lies.

    The probability of *no* oolemma is the geometric mean of both looks', which is low where either is sure of one. On a
    photograph that is not `FINE` the copy is as it was.
    """
    found = probabilities.copy()
    if window.scale.max() > 1 / FINE:
        return found
    (left, top), (height, width) = window.corner, closer.shape
    oolemma = found[0, top : top + height, left : left + width]  # a view
    oolemma[:] = 1 - np.sqrt((1 - oolemma) * (1 - closer))
    return found
