"""YOLO text files: `class cx cy w h` for boxes, `class x1 y1 x2 y2 …` for polygons, as fractions of the image."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from icsilib.data.annotations import Annotation, Dataset, Image, polygons_of
from icsilib.files import write_text_atomic
from icsilib.labels.readers.report import Report


def write_yolo(dataset: Dataset, folder: Path | str) -> Report:
    """Write `classes.txt` and, below `labels/`, one text file an image into `folder`; nine decimals.

    Points and run-length masks are skipped and an object of several polygons becomes several lines, both counted.
    """
    folder = Path(folder)
    classes = {category.id: index for index, category in enumerate(dataset.categories)}
    lines: defaultdict[int, list[str]] = defaultdict(list)
    images = {image.id: image for image in dataset.images}
    skipped: Counter[str] = Counter()
    changed: Counter[str] = Counter()
    for annotation in dataset.annotations:
        written = _lines(annotation, images[annotation.image_id], classes[annotation.category_id])
        lines[annotation.image_id] += written
        skipped["YOLO has no shape for it"] += not written
        changed["one line for each of several polygons"] += len(written) > 1
    write_text_atomic(folder / "classes.txt", "".join(f"{category.name}\n" for category in dataset.categories))
    for image in dataset.images:
        parts = [part for part in Path(image.file_name).with_suffix(".txt").parts if part != "images"]
        write_text_atomic(folder.joinpath("labels", *parts), "".join(lines[image.id]))
    count = len(dataset.annotations)
    return Report(folder, "yolo", len(dataset.images), count, count - skipped.total(), +skipped, changed=+changed)


def _lines(annotation: Annotation, image: Image, number: int) -> list[str]:
    size = np.array([image.width, image.height], dtype=float)
    if annotation.segmentation is not None:
        return [_line(number, (ring / size).ravel()) for ring in polygons_of(annotation)]
    if not annotation.bbox or min(annotation.bbox[2:]) <= 0:
        return []
    corner, extent = np.array(annotation.bbox[:2]), np.array(annotation.bbox[2:])
    return [_line(number, np.concatenate([(corner + extent / 2) / size, extent / size]))]


def _line(number: int, values: Iterable[float]) -> str:
    return f"{number} {' '.join(f'{value:.9f}' for value in values)}\n"
