"""From a reader's records to a `Dataset` and the report of what was kept: the same rules for every format."""

import re
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
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
    mask_of,
    polygon_annotation,
    run_lengths,
)
from icsilib.data.readers.clipping import clip
from icsilib.data.readers.records import (
    IMAGE_SUFFIXES,
    Changed,
    Options,
    Picture,
    Points,
    Record,
    Shape,
    Skipped,
    Unusable,
)
from icsilib.data.readers.report import Report
from icsilib.data.readers.values import text

STUDY = {category.name: category for category in (*ICSI_CATEGORIES, *BIOPSY_CATEGORIES)}
FIRST_OTHER_ID = 101  # categories that the study does not know are numbered from here
_ELSEWHERE = re.compile(r"[A-Za-z]:[\\/]|[A-Za-z][\w+.-]*://")  # a Windows drive or an address
_UPLOADED = re.compile(r"^[0-9a-f]{8}-")  # what Label Studio puts before the name of an uploaded image
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
            name = self._found(picture.name)
            size = self._size(picture, name)
        except Unusable as error:
            return self._skip(picture.name, str(error), picture=True)
        fields = image_fields(picture.about)
        self.images[picture.key] = Image(id=len(self.images), file_name=name, width=size[0], height=size[1], **fields)
        return None

    def _found(self, name: str) -> str:
        """`name` relative to the folder of images; an image that lies elsewhere in there is found by its bare name."""
        try:
            local = _local(name)
            if (self.folder / local).is_file():
                return local
        except Unusable:
            local = ""
        bare = PurePosixPath(name.replace("\\", "/"))
        places = self.files.get(bare.name.casefold()) or self.files.get(_UPLOADED.sub("", bare.name.casefold()), [])
        if len(places) == 1:
            self._change(name, "image found elsewhere in the folder by its name")
            return places[0]
        if local or ".." in bare.parts or not bare.name:
            return local or _local(name)
        if len(places) > 1 or any(image and image.file_name == bare.name for image in self.images.values()):
            raise Unusable("path of another computer, and several images of its name")
        self._change(name, "path of another computer; only the name is kept")
        return _local(bare.name)

    @cached_property
    def files(self) -> dict[str, list[str]]:
        """Images below the folder by bare name, without regard to case."""
        found: dict[str, list[str]] = {}
        for file in sorted(self.folder.rglob("*")):
            if file.suffix.lower() in IMAGE_SUFFIXES:
                found.setdefault(file.name.casefold(), []).append(file.relative_to(self.folder).as_posix())
        return found

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
        draw = {"polygon": self._polygon, "box": self._box, "point": self._point, "mask": self._mask}[shape.kind]
        annotation = draw(shape, image, category)
        who = {"annotator": self.options.annotator, "round": self.options.round}
        return annotation.model_copy(update=who | shape.about)

    def _polygon(self, shape: Shape, image: Image, category: Category) -> Annotation:
        rings = [self._inside(shape, each, image) for each in (shape.points, *shape.rings)]
        return polygon_annotation(len(self.annotations) + 1, image.id, category, rings, decimals=6)

    def _box(self, shape: Shape, image: Image, category: Category) -> Annotation:
        (x, y), (right, bottom) = self._inside(shape, np.sort(shape.points, axis=0), image)
        box = np.round([x, y, right - x, bottom - y], 6).tolist()
        return box_annotation(len(self.annotations) + 1, image.id, category, box)

    def _point(self, shape: Shape, image: Image, category: Category) -> Annotation:
        x, y = self._inside(shape, shape.points, image)[0].tolist() if shape.visibility else (0.0, 0.0)
        if not category.keypoints:
            self.categories[category.name] = category.model_copy(update={"keypoints": ["point"]})
        return Annotation(
            id=len(self.annotations) + 1,
            image_id=image.id,
            category_id=category.id,
            keypoints=[x, y, shape.visibility],
            num_keypoints=int(shape.visibility > 0),
            bbox=[x, y, 0.0, 0.0],
            area=0.0,
        )

    def _mask(self, shape: Shape, image: Image, category: Category) -> Annotation:
        try:
            runs = run_lengths(shape.runs or {}, image.height, image.width)
        except AnnotationError:
            raise Unusable("run lengths do not fill the image") from None
        plain = {"size": [image.height, image.width], "counts": runs}
        blank = Annotation(id=len(self.annotations) + 1, image_id=image.id, category_id=category.id, segmentation=plain)
        rows, columns = np.nonzero(mask_of(blank, image.height, image.width))
        if not len(rows):
            raise Unusable("zero size")
        x, y = int(columns.min()), int(rows.min())
        box = [float(each) for each in (x, y, columns.max() + 1 - x, rows.max() + 1 - y)]
        return blank.model_copy(update={"bbox": box, "area": float(len(rows))})

    def _inside(self, shape: Shape, points: Points, image: Image) -> Points:
        """`points` of the shape in px, clipped to the image; a clipped shape is counted as changed."""
        scale = np.array([image.width, image.height]) if shape.relative else 1.0
        clipped = clip(shape.kind, points * scale, image.width, image.height)
        if clipped is None:
            return points * scale
        self._change(shape.where, "clipped to the image")
        return clipped

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
    rest = {name: value for name, value in about.items() if name not in fields and value is not None}
    if isinstance(nested := rest.pop("attributes", {}), dict):
        rest |= nested
    return fields | ({"attributes": rest} if rest else {})


def _fold(label: str) -> str:
    """A label without regard to case, surrounding space, and space against hyphen or underscore."""
    return "_".join(label.casefold().replace("-", " ").replace("_", " ").split())


def _local(name: str) -> str:
    """`name` as a relative path that stays in its folder; Windows separators become `/`."""
    path = PurePosixPath(name.replace("\\", "/"))
    if not path.name or path.is_absolute() or ".." in path.parts or "\0" in name or _ELSEWHERE.match(name):
        raise Unusable("file name leaves the folder of images")
    return str(path)
