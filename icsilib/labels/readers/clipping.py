"""Shapes cut at the border of their image; shapes without size or outside it are refused."""

import numpy as np

from icsilib.data.annotations import polygon_area
from icsilib.labels.readers.records import Points, Unusable


def clip(kind: str, points: Points, width: int, height: int) -> Points | None:
    """The part inside the image of a "box" (2, 2), "polygon" (N, 2) or "point" (1, 2) in px; None if all of it is.

    Raises `Unusable` for a shape without area and for one that lies outside the image.
    """
    limits = np.array([width, height], dtype=float)
    if kind == "polygon" and (len(np.unique(points, axis=0)) < 3 or polygon_area(points) == 0):
        raise Unusable("zero size")
    if kind == "box" and (points[0] == points[1]).any():
        raise Unusable("zero size")
    if ((points >= 0) & (points <= limits)).all():
        return None
    inside = _clip_polygon(points, limits) if kind == "polygon" else np.clip(points, 0, limits)
    if kind == "point" or len(inside) < 2 or (inside.min(axis=0) == inside.max(axis=0)).any():
        raise Unusable("outside the image")
    return inside


def _clip_polygon(points: Points, limits: Points) -> Points:
    """The polygon's part between (0, 0) and `limits`, by Sutherland and Hodgman's algorithm."""
    for axis in (0, 1):
        for sign, bound in ((1.0, 0.0), (-1.0, limits[axis])):
            depth = sign * (points[:, axis] - bound)  # ≥ 0 inside this edge of the image
            kept: list[Points] = []
            for i in range(len(points)):
                j = (i + 1) % len(points)
                if depth[i] >= 0:
                    kept.append(points[i])
                if depth[i] * depth[j] < 0:
                    crossing = points[i] + (points[j] - points[i]) * depth[i] / (depth[i] - depth[j])
                    crossing[axis] = bound
                    kept.append(crossing)
            points = np.array(kept).reshape(-1, 2)
    return points
