"""What every reader yields: pictures, shapes in pixels, and records it could not use, with the reason.

A reader turns one file format into these; `icsilib.labels.assemble` turns them into a `Dataset`.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from icsilib.errors import IcsiError, printable

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif")
LARGEST = 1e9  # number that a record may hold; a larger coordinate is a fault, and overflows when areas are taken
Points = NDArray[np.float64]  # (N, 2), x then y, pixels, continuous image coordinates


class Unusable(IcsiError):
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
    skip_empty: bool = False  # leave out images without objects, unless the file says that somebody looked at them
    drawn_only: bool = False  # leave out what a tool interpolated between two frames that somebody drew
    keypoint: str = "tip"  # of an object's several key points the one that is read


@dataclass(frozen=True)
class Picture:
    """One image of the file, annotated or not. `key` is what its shapes call it."""

    key: str
    name: str  # file name, relative to the folder of images
    width: int | None = None
    height: int | None = None
    about: dict[str, Any] = field(default_factory=dict)
    frame: str = ""  # of a video's frame: the name that `icsi data frames` gives it
    beside: str = ""  # folder in which it is said to lie, or in which its own annotation file lies
    seen: bool = False  # the file says that somebody labelled it, so that without objects it is empty


@dataclass(frozen=True)
class Shape:
    """One labelled object: a box by two opposite corners (2, 2), a polygon (N, 2), a point (1, 2) or a mask.

    A mask has either run lengths of the whole image, or a patch whose left upper corner and size `points` (2, 2) hold.
    """

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
    patch: Callable[[], NDArray[np.bool_]] | None = None  # of a mask: unpacks its pixels (H, W), one mask at a time
    interpolated: bool | None = None  # by the tool, between frames that somebody drew; None: the file does not say


@dataclass(frozen=True)
class Skipped:
    """One record (or, with `picture`, one image) left out."""

    where: str
    reason: str
    picture: bool = False
    of: str = ""  # key of the image that loses this object


@dataclass(frozen=True)
class Changed:
    """Something that was repaired; it counts neither as kept nor as skipped."""

    where: str
    what: str


Record = Picture | Shape | Skipped | Changed


def attempt(where: str, build: Callable[..., Shape], picture: str, *values: Any) -> Shape | Skipped:
    """`build(where, picture, *values)`, or the counted skip when a value of the record is unusable."""
    try:
        return build(where, picture, *values)
    except Unusable as error:
        return Skipped(where, str(error), of=picture)


@dataclass(frozen=True)
class Report:
    """Every record of a file is counted once: `records == kept + skipped.total()`."""

    source: Path
    format: str
    images: int = 0  # kept, annotated or not
    records: int = 0  # labelled objects found
    kept: int = 0
    skipped: Counter[str] = field(default_factory=Counter)  # reason → records
    skipped_images: Counter[str] = field(default_factory=Counter)  # reason → images
    changed: Counter[str] = field(default_factory=Counter)  # repair → how often; these were kept
    details: tuple[tuple[str, str], ...] = ()  # (record, reason or repair), in the file's order
    notes: tuple[str, ...] = ()  # what else to know before the result is used
    folder: Path = Path()  # that the images' file names are relative to

    def lines(self) -> list[str]:
        """The report as lines of text, the counts first and then every record that was skipped or changed."""
        head = f"{self.source} ({self.format}): {self.images} images, {self.kept} of {self.records} objects kept"
        counts = [f"  {count} skipped: {reason}" for reason, count in self.skipped.most_common()]
        counts += [f"  {count} images skipped: {reason}" for reason, count in self.skipped_images.most_common()]
        counts += [f"  {count} changed: {what}" for what, count in self.changed.most_common()]
        counts += [f"  note: {note}" for note in self.notes]
        details = (f"    {where}: {reason}" for where, reason in self.details)
        return [printable(line) for line in (head, *counts, *details)]


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
    if abs(result) > LARGEST:
        raise Unusable(f"{name} is beyond a thousand million")
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


def points_of(values: Any) -> Points:
    """A JSON array of pairs of numbers as points (N, 2)."""
    pairs = [sequence(pair, "point") for pair in sequence(values, "points")]
    if any(len(pair) != 2 for pair in pairs):
        raise Unusable("point is not a pair")
    return np.array([[number(x, "x"), number(y, "y")] for x, y in pairs], dtype=float).reshape(-1, 2)


def text(value: Any) -> str | None:
    """`value` as text without surrounding space, or None where there is none."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(int(value) if isinstance(value, float) and value.is_integer() else value)  # tables make ids 1.0
    return value.strip() or None if isinstance(value, str) else None


def fold(label: str) -> str:
    """A label without regard to case, surrounding space, and space against hyphen or underscore."""
    return "_".join(label.casefold().replace("-", " ").replace("_", " ").split())
