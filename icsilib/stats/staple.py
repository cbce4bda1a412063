"""STAPLE (Warfield, Zou & Wells 2004): the hidden mask and each labeller's sensitivity and specificity, by SimpleITK.

A sensitivity check only: it presumes that labellers err independently of each other, and weighs those more who agree.
"""

from typing import NamedTuple

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray


class Staple(NamedTuple):
    """STAPLE's estimate from A masks."""

    mask: NDArray[np.bool_]  # (H, W), probability of one half or more
    sensitivity: NDArray[np.float64]  # (A,)
    specificity: NDArray[np.float64]  # (A,) within the labelled surroundings


def staple(masks: NDArray[np.bool_], border: int = 10) -> Staple:
    """Fuse A masks (A, H, W) of one frame. Beyond `border` px around what anyone labelled nothing is looked at:

    specificity, and through the prior the result, would otherwise depend on how much background the image has.
    """
    rows, columns = (np.flatnonzero(masks.any(axis=axes)) for axes in ((0, 2), (0, 1)))
    if not len(rows):
        raise ValueError("nobody labelled anything on this frame; leave it out of STAPLE")
    window = tuple(slice(max(at[0] - border, 0), at[-1] + 1 + border) for at in (rows, columns))
    fuse = sitk.STAPLEImageFilter()
    fuse.SetForegroundValue(1.0)
    probability = fuse.Execute([sitk.GetImageFromArray(mask[window].astype(np.uint8)) for mask in masks])
    fused = np.zeros(masks.shape[1:], dtype=bool)
    fused[window] = sitk.GetArrayFromImage(probability) >= 0.5
    return Staple(fused, np.array(fuse.GetSensitivity()), np.array(fuse.GetSpecificity()))
