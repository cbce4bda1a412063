"""The regions of a mask that belong to the one oocyte and the one suction pipette of a frame.

The paper does not say that it did anything of the kind, and `icsilib.segmentation.evaluate` scores the network's masks
as they are. A photograph's mask has specks, holes, and notches along the needle; an oocyte that is pressed in deeply
before the needle breaks through is two lobes joined by a bridge, which the network may miss.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

LOBE = 0.2  # of the largest region's area: the least area of another one that is part of the same cell
CLOSING = 0.1  # of the square root of a cell's area: radius of the closing that joins lobes and fills notches


def whole_regions(masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Masks (K, H, W) of the outlined structures → the cell, first, with its lobes; the largest region of the others.

    None has holes: what lies within an outline belongs to it.
    """
    oolemma, *others = masks
    return np.stack([_closed(_regions(oolemma, LOBE)), *(_regions(mask, 1.0) for mask in others)])


def _regions(mask: NDArray[np.bool_], share: float) -> NDArray[np.bool_]:
    """The connected regions with at least `share` of the largest one's area, their holes filled."""
    count, regions, facts, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count < 2:
        return mask
    areas = facts[:, cv2.CC_STAT_AREA]
    areas[0] = 0  # the background
    return _filled(np.isin(regions, np.flatnonzero(areas >= max(1, share * areas.max()))))


def _closed(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Morphological closing by a disc in proportion to the mask; outside the frame lies background."""
    radius = round(CLOSING * float(np.sqrt(mask.sum())))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    around = np.pad(mask.astype(np.uint8), radius)
    closed = cv2.morphologyEx(around, cv2.MORPH_CLOSE, disc)
    return _filled(closed[radius : radius + mask.shape[0], radius : radius + mask.shape[1]] > 0)


def _filled(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(mask.astype(np.uint8), outlines, -1, 1, cv2.FILLED) > 0
