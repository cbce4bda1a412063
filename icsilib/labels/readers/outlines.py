"""Corners and outlines, in px, of the shapes that tools describe by other figures."""

import math

import numpy as np

from icsilib.labels.readers.records import Points, Unusable

CURVE_VERTICES = 128  # of the polygon that stands for a circle or ellipse: its area is 0.04 % smaller


def box(x0: float, y0: float, x1: float, y1: float) -> Points:
    """Corners (2, 2) of an upright box."""
    return np.array([[x0, y0], [x1, y1]], dtype=float)


def rotated_box(x: float, y: float, width: float, height: float, degrees: float, pivot: tuple[float, float]) -> Points:
    """Corners (4, 2) of the box at (x, y), turned clockwise on the screen by `degrees` about `pivot`."""
    corners = np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], dtype=float)
    return _turned(corners - pivot, math.radians(degrees)) + pivot


def turned_box(x: float, y: float, width: float, height: float, degrees: float) -> Points:
    """Corners of the box at (x, y), turned clockwise about its centre: (2, 2) while it is upright, else (4, 2)."""
    if not degrees % 360:
        return box(x, y, x + width, y + height)
    return rotated_box(x, y, width, height, degrees, (x + width / 2, y + height / 2))


def ellipse(cx: float, cy: float, rx: float, ry: float, radians: float = 0.0) -> Points:
    """Polygon (128, 2) on the ellipse of half-axes rx, ry, turned clockwise on the screen by `radians`."""
    if rx <= 0 or ry <= 0:
        raise Unusable("zero size")
    angles = np.arange(CURVE_VERTICES) * (2 * math.pi / CURVE_VERTICES)
    ring = np.stack([rx * np.cos(angles), ry * np.sin(angles)], axis=1)
    return _turned(ring, radians) + np.array([cx, cy])


def _turned(points: Points, radians: float) -> Points:
    cos, sin = math.cos(radians), math.sin(radians)
    return points @ np.array([[cos, sin], [-sin, cos]])  # y points down: positive angles turn clockwise
