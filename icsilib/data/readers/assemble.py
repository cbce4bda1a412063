"""From a reader's records to a `Dataset` and the report of what was kept: the same rules for every format."""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import numpy as np

from icsilib.data.annotations import (
    BIOPSY_CATEGORIES,
    ICSI_CATEGORIES,
    Annotation,
    AnnotationError,
    Category,
    Dataset,
    Image,
    box_annotation,
    polygon_annotation,
    polygon_area,
)
from icsilib.data.readers.records import Changed, Options, Picture, Points, Record, Shape, Skipped, Unusable, text
from icsilib.data.readers.report import Report

STUDY = {category.name: category for category in (*ICSI_CATEGORIES, *BIOPSY_CATEGORIES)}
FIRST_OTHER_ID = 101  # categories that the study does not know are numbered from here
_ELSEWHERE = re.compile(r"[A-Za-z]:[\\/]|[A-Za-z][\w+.-]*://")  # a Windows drive or an address
IMAGE_TEXTS = ("video_id", "patient_id", "kit", "operator")


def assemble(records: Iterable[Record], source: Path, format: str, options: Options) -> tuple[Dataset, Report]:
    """Collect a reader's records. Raises `AnnotationError` when no image of the file has a known size."""
    assembly = _Assembly(source, options)
    for record in records:
        assembly.add(record)
    return assembly.dataset(), assembly.report(format)


class _Assembly:
    def __init__(self, source: Path, options: Options) -> None:
        self.source, self.options = source, options
        self.folder = options.images or (source if source.is_dir() else source.parent)
        self.labels = {_fold(label): name for label, name in (options.labels or {}).items()}
        self.images: dict[str, Image | None] = {}  # by the reader's key; None: the image was skipped
        self.annotations: list[Annotation] = []
        self.categories: dict[str, Category] = {}
        self.records = 0
        self.skipped: Counter[str] = Counter()
        self.skipped_images: Counter[str] = Counter()
        self.changed: Counter[str] = Counter()
        self.details: list[tuple[str, str]] = []

    def add(self, record: Record) -> None:
        if isinstance(record, Picture):
            self._add_picture(record)
        elif isinstance(record, Changed):
            self._change(record.where, record.what)
        elif isinstance(record, Skipped):
            self.records += not record.picture
            self._skip(record.where, record.reason, picture=record.picture)
        else:
            self.records += 1
            try:
                self.annotations.append(self._annotation(record))
            except Unusable as error:
                self._skip(record.where, str(error))

    def dataset(self) -> Dataset:
        images = [image for image in self.images.values() if image is not None]
        if not images and self.skipped_images["size unknown"]:
            raise AnnotationError(
                f"{self.source}: the size of no image is known; give the folder of the images or their size"
            )
        categories = sorted(self.categories.values(), key=lambda category: category.id)
        return Dataset(images=images, annotations=self.annotations, categories=categories)

    def report(self, format: str) -> Report:
        images, kept = sum(image is not None for image in self.images.values()), len(self.annotations)
        counts = (self.skipped, self.skipped_images, self.changed)
        return Report(self.source, format, images, self.records, kept, *counts, tuple(self.details))

    def _skip(self, where: str, reason: str, picture: bool = False) -> None:
        (self.skipped_images if picture else self.skipped)[reason] += 1
        self.details.append((where, reason))

    def _change(self, where: str, what: str) -> None:
        self.changed[what] += 1
        self.details.append((where, what))

    def _add_picture(self, picture: Picture) -> None:
        if picture.key in self.images:
            return self._change(picture.name, "image listed again; its objects were joined")
        self.images[picture.key] = None
        try:
            name = _inside(picture.name)
            size = self._size(picture, name)
        except Unusable as error:
            return self._skip(picture.name, str(error), picture=True)
        fields = image_fields(picture.about)
        self.images[picture.key] = Image(id=len(self.images), file_name=name, width=size[0], height=size[1], **fields)
        return None

    def _size(self, picture: Picture, name: str) -> tuple[int, int]:
        """(width, height) in px as the file says, else as the image itself does, else as the options do."""
        if picture.width and picture.height:
            return picture.width, picture.height
        path = self.folder / name
        pixels = cv2.imread(str(path)) if path.is_file() else None
        if pixels is not None:
            return pixels.shape[1], pixels.shape[0]
        if self.options.size is None:
            raise Unusable("size unknown")
        return self.options.size

    def _annotation(self, shape: Shape) -> Annotation:
        image = self.images.get(shape.picture)
        if image is None:
            raise Unusable("its image was skipped or is not in the file")
        category = self._category(shape)
        points, clipped = _clipped(shape, image.width, image.height)
        if clipped:
            self._change(shape.where, "clipped to the image")
        who = {"annotator": self.options.annotator, "round": self.options.round} | shape.about
        id = len(self.annotations) + 1
        if shape.kind == "polygon":
            return polygon_annotation(id, image.id, category, [points], decimals=6, **who)
        (x, y), (right, bottom) = np.round(points[[0, -1]], 6).tolist()
        if shape.kind == "box":
            width, height = np.round([right - x, bottom - y], 6).tolist()
            return box_annotation(id, image.id, category, (x, y, width, height), **who)
        if not category.keypoints:
            self.categories[category.name] = category.model_copy(update={"keypoints": ["point"]})
        keypoint: dict[str, Any] = {"keypoints": [x, y, 2], "num_keypoints": 1, "bbox": [x, y, 0.0, 0.0], "area": 0.0}
        return Annotation(id=id, image_id=image.id, category_id=category.id, **keypoint, **who)

    def _category(self, shape: Shape) -> Category:
        label = shape.label or self.options.default_label
        if not label:
            raise Unusable("no label")
        name = self.labels.get(_fold(label), label)
        if name is None:
            raise Unusable(f"label {label!r} is left out on request")
        name = _fold(name)
        if name not in self.categories:
            others = sum(known not in STUDY for known in self.categories)
            self.categories[name] = STUDY.get(name) or Category(id=FIRST_OTHER_ID + others, name=name)
        return self.categories[name]


def image_fields(about: dict[str, Any]) -> dict[str, Any]:
    """The fields of `Image` among a file's own remarks; those of another type or name go under `attributes`."""
    fields: dict[str, Any] = {name: value for name in IMAGE_TEXTS if (value := text(about.get(name)))}
    for name, kind in (("frame_index", int), ("um_per_px", float)):
        try:
            fields[name] = kind(about[name])
            if name == "um_per_px" and not 0 < fields[name] < float("inf"):
                del fields[name]
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
    rest = {name: value for name, value in about.items() if name not in fields}
    return fields | ({"attributes": rest} if rest else {})


def _fold(label: str) -> str:
    """A label without regard to case, surrounding space, and space against hyphen or underscore."""
    return "_".join(label.casefold().replace("-", " ").replace("_", " ").split())


def _inside(name: str) -> str:
    """`name` as a relative path that stays in its folder; Windows separators become `/`."""
    path = PurePosixPath(name.replace("\\", "/"))
    if not path.name or path.is_absolute() or ".." in path.parts or "\0" in name or _ELSEWHERE.match(name):
        raise Unusable("file name leaves the folder of images")
    return str(path)


def _clipped(shape: Shape, width: int, height: int) -> tuple[Points, bool]:
    """The shape's points inside the image, and whether that changed them."""
    limits = np.array([width, height], dtype=float)
    points = np.sort(shape.points, axis=0) if shape.kind == "box" else shape.points
    if shape.kind == "polygon" and (len(np.unique(points, axis=0)) < 3 or polygon_area(points) == 0):
        raise Unusable("zero size")
    if shape.kind == "box" and (points[0] == points[1]).any():
        raise Unusable("zero size")
    if ((points >= 0) & (points <= limits)).all():
        return points, False
    inside = _clip_polygon(points, limits) if shape.kind == "polygon" else np.clip(points, 0, limits)
    if shape.kind == "point" or len(inside) < 2 or (inside.min(axis=0) == inside.max(axis=0)).any():
        raise Unusable("outside the image")
    return inside, True


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
