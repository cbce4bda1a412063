"""COCO JSON that may be faulty, such as VIA's export; sound files of the study are read by `read_coco`.

Boxes and areas are computed again from polygons: VIA writes the box's area as the polygon's. `info` and `licenses`
are left behind.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from icsilib.data.annotations import AnnotationError
from icsilib.data.structures import NEEDLE
from icsilib.labels.parsing import parse_json
from icsilib.labels.records import (
    Changed,
    Options,
    Picture,
    Points,
    Record,
    Shape,
    Skipped,
    Unusable,
    attempt,
    mapping,
    number,
    pixels,
    points_of,
    sequence,
    text,
)
from icsilib.labels.shapes import turned_box

IMAGE_KEYS = {"id", "file_name", "width", "height"}
SHAPE_KEYS = {"id", "image_id", "category_id", "bbox", "area", "segmentation", "keypoints", "num_keypoints"}


def read(path: Path, options: Options) -> Iterator[Record]:
    """Records of one JSON file."""
    content = parse_json(path)
    lists = [content.get(name) if isinstance(content, dict) else None for name in ("images", "annotations")]
    lists = [list(each.values()) if isinstance(each, dict) else each for each in lists]  # as LIVECell: by their ids
    if not all(isinstance(each, list) for each in lists):
        raise AnnotationError(f"{path}: has no lists 'images' and 'annotations'; export as COCO JSON")
    images, annotations = lists
    categories = content.get("categories")
    labels = _labels(categories if isinstance(categories, list) else [])
    points = _point_categories(categories if isinstance(categories, list) else [])
    yield from _pictures(images or [])
    for index, value in enumerate(annotations or [], start=1):
        picture = text(value.get("image_id")) if isinstance(value, dict) else None
        shape = attempt(f"annotation {index}", _shape, picture or "", value, labels, points, options.keypoint)
        if isinstance(shape, Shape) and shape.kind == "point":
            if value.get("keypoints") and _outlined(value):
                yield Changed(shape.where, "has an outline and a point; only the point is kept")
            if len(value.get("keypoints") or ()) > 3:
                yield Changed(shape.where, f"has several key points; only {options.keypoint!r} is kept")
        yield shape


def _labels(categories: list[Any]) -> dict[str | None, set[str | None]]:
    """Names by category id; a faulty file gives one id several."""
    labels = defaultdict(set)
    for each in categories:
        if isinstance(each, dict):
            labels[text(each.get("id"))].add(text(each.get("name")))
    return dict(labels)


def _point_categories(categories: list[Any]) -> dict[str | None, list[str | None]]:
    """Names of the key points of the categories that are marked by points, by category id."""
    found: dict[str | None, list[str | None]] = {}
    for each in categories:
        names = each.get("keypoints") if isinstance(each, dict) else None
        if names or (isinstance(each, dict) and (text(each.get("name")) or "").casefold() == NEEDLE.name):
            found[text(each.get("id"))] = [text(name) for name in names] if isinstance(names, list) else []
    return found


def _pictures(images: list[Any]) -> Iterator[Record]:
    """The images. One id for two files is refused: nothing tells whose the annotations are."""
    names = defaultdict(set)
    for value in images:
        if isinstance(value, dict):
            names[text(value.get("id"))].add(text(value.get("file_name")))
    for index, value in enumerate(images, start=1):
        if not isinstance(value, dict) or not text(value.get("file_name")) or not text(value.get("id")):
            yield Skipped(f"image {index}", "image without id or file name", picture=True)
        elif len(names[text(value["id"])]) > 1:
            yield Skipped(f"image {index}", "one id for two images", picture=True)
        else:
            about = {name: item for name, item in value.items() if name not in IMAGE_KEYS}
            key, name = str(text(value["id"])), str(text(value["file_name"]))
            yield Picture(key, name, pixels(value.get("width")), pixels(value.get("height")), about)


def _shape(
    where: str,
    picture: str,
    value: Any,
    labels: Mapping[str | None, set[str | None]],
    points: Mapping[str | None, list[str | None]],
    keypoint: str,
) -> Shape:
    record = mapping(value, "annotation")
    category = text(record.get("category_id"))
    if category is not None and category not in labels:
        raise Unusable("category is not in the file")
    if len(labels.get(category, ())) > 1:
        raise Unusable("one id for two categories")
    about = {name: item for name, item in record.items() if name not in SHAPE_KEYS and item is not None}
    if isinstance(crowd := about.get("iscrowd"), bool):  # as coco-annotator writes it
        about["iscrowd"] = int(crowd)
    for name in ("round", "iscrowd"):
        if name in about:
            about[name] = int(number(about[name], name))
    if "annotator" in about:
        about["annotator"] = text(about["annotator"])
    label, segmentation = next(iter(labels.get(category, ())), None), record.get("segmentation")
    if point := _point(record, points.get(category), keypoint):
        x, y, visibility = point
        return Shape(where, picture, "point", np.array([[x, y]]), label, about, visibility=visibility)
    if isinstance(segmentation, dict):
        return Shape(where, picture, "mask", np.empty((0, 2)), label, about, runs=segmentation)
    if _outlined(record):
        rings = _rings(segmentation)
        return Shape(where, picture, "polygon", rings[0], label, about, rings=tuple(rings[1:]))
    if record.get("bbox"):
        corners = _box(record["bbox"], about.get("attributes"))
        return Shape(where, picture, "box" if len(corners) == 2 else "polygon", corners, label, about)
    raise Unusable("neither polygon nor keypoint nor box")


def _box(value: Any, attributes: Any) -> Points:
    """Corners (2, 2) of a box, or (4, 2) of one that CVAT turned about its centre, which only its attributes tell."""
    values = [number(each, "bbox") for each in sequence(value, "bbox")]
    if len(values) != 4 or values[2] < 0 or values[3] < 0:
        raise Unusable("bbox is not x, y, width, height")
    x, y, width, height = values
    degrees = number(attributes.get("rotation") or 0, "rotation") if isinstance(attributes, dict) else 0.0
    return turned_box(x, y, width, height, degrees)


def _point(record: Mapping[str, Any], names: list[str | None] | None, keypoint: str) -> tuple[float, float, int] | None:
    """The key point of a record that stands for it.

    Of a record with an outline, too, only where its category has key points, `names`, and this one is there.
    """
    wanted = names is not None
    match record.get("segmentation"):
        case [[int() | float() as x, int() | float() as y]] if wanted:  # as RectLabel writes it
            return number(x, "x"), number(y, "y"), 2
    if not record.get("keypoints") or (_outlined(record) and not wanted):
        return None
    point = _keypoint(record["keypoints"], names or [], keypoint)
    return None if _outlined(record) and not point[2] else point


def _outlined(record: Mapping[str, Any]) -> bool:
    return bool(record.get("segmentation")) and record["segmentation"] != [[]]


def _rings(segmentation: Any) -> list[Points]:
    """Polygons of a segmentation; VIA leaves out the outer list of a single one, others write points as lists."""
    parts = sequence(segmentation, "segmentation")
    if all(isinstance(part, list) and len(part) == 2 for part in parts):
        return [points_of(parts)]
    flat = [parts] if not isinstance(parts[0], list) else parts
    rings = []
    for part in flat:
        if isinstance(part, list) and part and isinstance(part[0], list):
            rings.append(points_of(part))
            continue
        values = [number(each, "segmentation") for each in sequence(part, "segmentation")]
        if len(values) % 2 or (len(values) < 6 and len(flat) == 1):
            raise Unusable("polygon of fewer than three points, or of an odd count of numbers")
        rings.append(np.array(values).reshape(-1, 2))
    return rings


def _keypoint(value: Any, names: list[str | None], wanted: str) -> tuple[float, float, int]:
    """x, y and visibility of the only key point, or of the one of several that is called `wanted`."""
    values = [number(each, "keypoints") for each in sequence(value, "keypoints")]
    if len(values) % 3 or any(each not in (0, 1, 2) for each in values[2::3]):
        raise Unusable("keypoints are not x, y and a visibility of 0, 1 or 2")
    called = [at for at, name in enumerate(names) if name and name.casefold() == wanted.casefold()]
    if len(values) > 3 and (len(called) != 1 or len(values) < 3 * called[0] + 3):
        raise Unusable(f"several key points, of which not one is called {wanted!r}; name one by --keypoint")
    at = 3 * called[0] if len(values) > 3 else 0
    return values[at], values[at + 1], int(values[at + 2])
