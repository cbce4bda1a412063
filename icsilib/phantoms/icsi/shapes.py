"""Exact fills, distances, caps and bumps: what the ICSI phantom's layers are made of, in float32 (H, W)."""

import cv2
import numpy as np
from numpy.typing import NDArray

from icsilib.phantoms.drawing import Picture, Points


def filled(points: Points, shape: tuple[int, int]) -> Picture:
    """A polygon (N, 2) filled with 1 on 0; each pixel holds the share of it that lies inside, in eighths.

    Drawn at twice the resolution, where the pixels under the edge count half: the area is unbiased.
    """
    canvas = np.zeros((2 * shape[0], 2 * shape[1]), np.uint8)
    corners = [np.round((np.clip(points, -8000, 8000) * 2 - 0.5) * 16).astype(np.int32)]
    cv2.fillPoly(canvas, corners, 255, cv2.LINE_8, 4)
    cv2.polylines(canvas, corners, True, 128, 1, cv2.LINE_8, 4)
    return cv2.resize(canvas, shape[::-1], interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def along(origin: Points, direction: Points, size: int) -> Picture:
    """Distance (S, S) in px of every pixel's centre from `origin`, measured along a unit vector."""
    places = np.arange(size, dtype=np.float32) + np.float32(0.5)
    x, y = (places - np.float32(origin[0])) * direction[0], (places - np.float32(origin[1])) * direction[1]
    return (x[None, :] + y[:, None]).astype(np.float32)


def depth_inside(outline: Points, size: int, margin: int) -> Picture:
    """Distance (S, S) in px of every pixel from a polygon's outside, `margin` px beyond the frame's border included."""
    inside = filled(outline + margin, (size + 2 * margin, size + 2 * margin)) > 0.5
    depth = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 3)
    return np.asarray(depth[margin:-margin, margin:-margin])


def softened(picture: Picture, sigma: float) -> Picture:
    """The picture blurred by `sigma` px, at a quarter of the resolution."""
    small = cv2.resize(picture, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), max(sigma / 4, 0.3))
    return np.asarray(cv2.resize(small, picture.shape[::-1], interpolation=cv2.INTER_LINEAR))


def cap(distance: Picture, width: float) -> Picture:
    """Height of a rounded edge: 0 outside, a quarter circle over `width` px, 1 further in."""
    return cv2.sqrt(1 - (1 - np.minimum(distance * np.float32(1 / width), 1)) ** 2)


def bump(place: Points, radius: float, size: int) -> Picture:
    """A hemisphere of height 1 on 0."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) + 0.5
    share = ((x - place[0]) ** 2 + (y - place[1]) ** 2) / radius**2
    return np.sqrt(np.maximum(1 - share, 0)).astype(np.float32)


def circle(radius: float, points: int = 60) -> Points:
    """A circle (N, 2) about the origin."""
    turn = np.linspace(0, 2 * np.pi, points, endpoint=False)
    return radius * np.stack([np.cos(turn), np.sin(turn)], axis=1)


def add_spot(image: Picture, place: Points, radius: float, level: float, direction: NDArray[np.float64]) -> None:
    """Add a small round particle with relief to the part of the image that it covers."""
    low = np.maximum(np.floor(place - 3 * radius).astype(int), 0)
    high = np.minimum(np.ceil(place + 3 * radius).astype(int), image.shape[0])
    if np.any(high <= low):
        return
    y, x = np.mgrid[low[1] : high[1], low[0] : high[0]].astype(np.float32) + 0.5
    u, v = (x - place[0]) / radius, (y - place[1]) / radius
    round_ = np.exp(-(u**2 + v**2))
    image[low[1] : high[1], low[0] : high[0]] += round_ * (level - 0.4 * (u * direction[0] + v * direction[1]))


def simplified(points: Points, tolerance: float = 0.2) -> Points:
    """The polygon with vertices dropped that lie within `tolerance` px of the rest."""
    return cv2.approxPolyDP(points.astype(np.float32), tolerance, True)[:, 0].astype(float)
