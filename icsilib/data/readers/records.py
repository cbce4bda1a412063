"""What every reader yields: pictures, shapes in pixels, and records it could not use, with the reason.

A reader turns one file format into these; `icsilib.data.readers.assemble` turns them into a `Dataset`.
Values come from files that anyone may have edited, so they pass through the checks below, never straight in.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]  # (N, 2), x then y, pixels, continuous image coordinates
CURVE_VERTICES = 128  # of the polygon that stands for a circle or ellipse: its area is 0.04 % smaller


class Unusable(ValueError):
    """Why one record cannot be used, in a few words that serve as a heading in the report."""


@dataclass(frozen=True)
class Options:
    """What a file of annotations may not say itself. Label names are compared without regard to case."""

    labels: Mapping[str, str | None] | None = None  # the file's label → category; None leaves that label out
    default_label: str | None = None  # for shapes that carry no label
    images: Path | None = None  # folder of the images, to learn their sizes; default: beside the annotations
    size: tuple[int, int] | None = None  # (width, height) in px of images whose size is found nowhere
    annotator: str | None = None  # who drew the shapes that name nobody
    round: int | None = None  # the labelling round of shapes that name none


@dataclass(frozen=True)
class Picture:
    """One image of the file, annotated or not. `key` is what its shapes call it."""

    key: str
    name: str  # file name, relative to the folder of images
    width: int | None = None
    height: int | None = None
    about: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Shape:
    """One labelled object: a box by two opposite corners (2, 2), a polygon (N, 2), a point (1, 2) or a mask."""

    where: str  # the record, as the report names it
    picture: str
    kind: Literal["box", "polygon", "point", "mask"]
    points: Points
    label: str | None
    about: dict[str, Any] = field(default_factory=dict)  # further fields of the annotation, such as annotator
    rings: tuple[Points, ...] = ()  # a polygon's further parts
    visibility: int = 2  # of a point: 0 absent, 1 hidden, 2 visible
    relative: bool = False  # points are fractions of the image's width and height
    runs: dict[str, Any] | None = None  # of a mask: COCO run lengths


@dataclass(frozen=True)
class Skipped:
    """One record (or, with `picture`, one image) left out."""

    where: str
    reason: str
    picture: bool = False


@dataclass(frozen=True)
class Changed:
    """Something that was repaired; it counts neither as kept nor as skipped."""

    where: str
    what: str


Record = Picture | Shape | Skipped | Changed


def attempt(where: str, build: Callable[..., Shape], *values: Any) -> Shape | Skipped:
    """`build(where, *values)`, or the counted skip when a value of the record is unusable."""
    try:
        return build(where, *values)
    except Unusable as error:
        return Skipped(where, str(error))


def number(value: Any, name: str) -> float:
    """`value` as a finite number; text that spells one is accepted."""
    try:
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise ValueError
        result = float(value)
    except (ValueError, OverflowError):
        raise Unusable(f"{name} is not a number") from None
    if not math.isfinite(result):
        raise Unusable(f"{name} is not a finite number")
    return result


def pixels(value: Any) -> int | None:
    """`value` as a whole number of pixels from 1 to 10⁶, or None: a size that is absent or nonsense is unknown."""
    try:
        count = number(value, "size")
    except Unusable:
        return None
    return int(count) if 1 <= count <= 1_000_000 and count == int(count) else None


def mapping(value: Any, name: str) -> Mapping[str, Any]:
    """`value` as a JSON object."""
    if not isinstance(value, dict):
        raise Unusable(f"{name} is missing" if value is None else f"{name} is not an object")
    return value


def sequence(value: Any, name: str) -> Sequence[Any]:
    """`value` as a JSON array."""
    if not isinstance(value, list):
        raise Unusable(f"{name} is missing" if value is None else f"{name} is not a list")
    return value


def text(value: Any) -> str | None:
    """`value` as text without surrounding space, or None where there is none."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    return value.strip() or None if isinstance(value, str) else None


def box(x0: float, y0: float, x1: float, y1: float) -> Points:
    """Corners (2, 2) of an upright box."""
    return np.array([[x0, y0], [x1, y1]], dtype=float)


def rotated_box(x: float, y: float, width: float, height: float, degrees: float, pivot: tuple[float, float]) -> Points:
    """Corners (4, 2) of the box at (x, y), turned clockwise on the screen by `degrees` about `pivot`."""
    corners = np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], dtype=float)
    return _turned(corners - pivot, math.radians(degrees)) + pivot


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
