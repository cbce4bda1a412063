"""Label sets of several readers brought together image by image, whatever they disagree about.

Readers label different subsets of images, in files whose ids, folders, spelling of categories and order differ. Images
are the same when their file names are, without folder, suffix, case and Roboflow's additions (with folder, where names
repeat).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from icsilib.data.annotations import Annotation, AnnotationError, Dataset, Image, image_key, in_other_folders, round_of

Boxes = NDArray[np.float64]  # (N, 4) x, y, width, height, px
SPERM_NAMES = ("sperm", "sperms", "sperm_cell", "spermatozoon", "spermatozoa", "spermatozoid")


@dataclass(frozen=True)
class Readings:
    """The boxes of every reader, by image."""

    readers: tuple[str, ...]  # in alphabetical order
    images: tuple[Image, ...]  # each that any reader was shown, by key; ids count from 1
    boxes: tuple[dict[str, Boxes], ...]  # of each image: reader → boxes; a reader who was not shown it is not in it
    counts: Counter[str] = field(default_factory=Counter)  # what was left out or changed, by reader and reason

    def example(self, reader: str) -> str:
        """The name of an image that the reader was shown."""
        shown = (image.file_name for image, boxes in zip(self.images, self.boxes, strict=True) if reader in boxes)
        return next(shown, "no image")

    def shown_to(self, readers: Sequence[str], at_least: int) -> list[int]:
        """Places of the images that at least so many of the named readers were shown."""
        return [place for place, boxes in enumerate(self.boxes) if sum(name in boxes for name in readers) >= at_least]


def readings(datasets: Mapping[str, Dataset]) -> Readings:
    """Bring the label sets of readers (reader → `Dataset`) together; labels called one of `SPERM_NAMES` are taken.

    Left out and counted: labels of other categories, of a reader's later rounds on an image, without a box or of zero
    size, or wholly outside the image; boxes that reach beyond it are clipped and counted. Raises `AnnotationError`
    when readers disagree on an image's size, or when a reader's file names the same image twice.
    """
    if not datasets:
        raise AnnotationError("readings: no label sets; give one for each reader")
    with_folder = any(_repeats([image_key(image, False) for image in dataset.images]) for dataset in datasets.values())
    counts: Counter[str] = Counter()
    found: dict[str, tuple[Image, dict[str, Boxes]]] = {}
    for reader in sorted(datasets):
        dataset = datasets[reader]
        keys = {image.id: image_key(image, with_folder) for image in dataset.images}
        if twice := _repeats(list(keys.values())):
            raise AnnotationError(f"{reader}: image {twice[0]!r} is listed twice; join its records")
        boxes = _boxes_of(reader, dataset, counts)
        for image in dataset.images:
            first, by_reader = found.setdefault(keys[image.id], (image, {}))
            if (first.width, first.height) != (image.width, image.height):
                sizes = f"{image.width}×{image.height} px, for another reader {first.width}×{first.height} px"
                raise AnnotationError(f"{reader}: image {image.file_name!r} is {sizes}; label the same image")
            by_reader[reader] = boxes[image.id]
            if in_other_folders(first, image):
                counts[f"{reader}: image taken for another reader's by its name, though in another folder"] += 1
    ordered = [found[key] for key in sorted(found)]
    images = tuple(image.model_copy(update={"id": number}) for number, (image, _) in enumerate(ordered, start=1))
    return Readings(tuple(sorted(datasets)), images, tuple(boxes for _, boxes in ordered), counts)


def _boxes_of(reader: str, dataset: Dataset, counts: Counter[str]) -> dict[int, Boxes]:
    """The reader's usable boxes by image id."""
    wanted = {category.id for category in dataset.categories if folded(category.name) in SPERM_NAMES}
    images = {image.id: image for image in dataset.images}
    kept: dict[int, list[list[float]]] = {image.id: [] for image in dataset.images}
    first = _first_rounds(dataset.annotations)
    for record in dataset.annotations:
        if record.category_id not in wanted:
            counts[f"{reader}: label of another category left out"] += 1
            continue
        if round_of(record) != first[record.image_id]:
            counts[f"{reader}: label of a later round left out"] += 1
            continue
        box, note = _usable(record, images[record.image_id])
        if note:
            counts[f"{reader}: {note}"] += 1
        if box is not None:
            kept[record.image_id].append(box)
    return {id: np.array(sorted(boxes), dtype=float).reshape(-1, 4) for id, boxes in kept.items()}


def _first_rounds(records: Sequence[Annotation]) -> dict[int, int]:
    """The first round in which a reader labelled an image, by the image's id: boxes of two rounds are no two sperm."""
    first: dict[int, int] = {}
    for record in records:
        first[record.image_id] = min(round_of(record), first.get(record.image_id, round_of(record)))
    return first


def _usable(record: Annotation, image: Image) -> tuple[list[float] | None, str]:
    """The record's box within its image, or None; and what had to be done to it."""
    if record.bbox is None or len(record.bbox) != 4 or not np.isfinite(record.bbox).all() or min(record.bbox[2:]) <= 0:
        return None, "label without a box, or of zero size, left out"
    x, y, width, height = record.bbox
    left, top = max(x, 0.0), max(y, 0.0)
    right, bottom = min(x + width, float(image.width)), min(y + height, float(image.height))
    if right <= left or bottom <= top:
        return None, "box outside the image left out"
    if (left, top, right, bottom) == (x, y, x + width, y + height):
        return [x, y, width, height], ""
    return [left, top, right - left, bottom - top], "box clipped to the image"


def _repeats(keys: Sequence[str]) -> list[str]:
    return [key for key, number in Counter(keys).items() if number > 1]


def folded(name: str) -> str:
    """A category's name as `SPERM_NAMES` spells it: without capitals, with one underscore between words."""
    return "_".join(name.casefold().replace("-", " ").replace("_", " ").split())
