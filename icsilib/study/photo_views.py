"""One photograph as another table, camera or lamp would have given it, with the truth that goes with it.

A score on few photographs hangs on chance. How it varies over views of the same scene, which mean the same to a person,
says how much of it does.
"""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def views(photo: Grey, mask: Mask) -> dict[str, tuple[Grey, Mask]]:
    """The photograph (H, W) and the mask of what it shows (H, W) in eleven views, the first as they are.

    Turned and mirrored views and those cut out around the mask take it along; the others change grey levels alone.
    """
    placed: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
        "as it is": lambda a: a,
        "mirrored, left and right": lambda a: a[:, ::-1],
        "mirrored, up and down": lambda a: a[::-1],
        "quarter turn": np.rot90,
        "half turn": lambda a: a[::-1, ::-1],
        "cut out, twice as wide": lambda a: a[_around(mask, 2.0)],
        "cut out, 1.4 times as wide": lambda a: a[_around(mask, 1.4)],
    }
    relit: dict[str, Grey] = {
        "lighter (gamma 0.6)": _gamma(photo, 0.6),
        "darker (gamma 1.6)": _gamma(photo, 1.6),
        "negative": 255 - photo,
        "blurred by 2 px": np.asarray(cv2.GaussianBlur(photo, (0, 0), 2.0), dtype=np.uint8),
    }
    whole = np.ascontiguousarray
    moved = {name: (whole(move(photo)), whole(move(mask))) for name, move in placed.items()}
    return moved | {name: (image, mask) for name, image in relit.items()}


def _around(mask: Mask, times: float) -> tuple[slice, slice]:
    """The square around what `mask` shows, `times` as wide as its longer side, as far as the photograph reaches."""
    places = np.argwhere(mask)
    half = times * (np.ptp(places, axis=0).max() + 1) / 2
    low = np.maximum(places.mean(axis=0) - half, 0).astype(int)
    high = np.ceil(places.mean(axis=0) + half).astype(int)
    return slice(low[0], high[0]), slice(low[1], high[1])


def _gamma(photo: Grey, exponent: float) -> Grey:
    levels = (np.arange(256) / 255) ** exponent
    return np.rint(levels * 255).astype(np.uint8)[photo]
