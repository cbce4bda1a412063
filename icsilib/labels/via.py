"""VGG Image Annotator 2: annotations as CSV or JSON, and project files.

VIA knows neither the size of an image nor who labelled it. Sizes come from the file attributes `width` and `height`
where somebody entered them, else from the images; the annotator from a region attribute, else from the options.
"""

import csv
import json
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from icsilib.data.annotations import AnnotationError
from icsilib.labels.parsing import parse_json, read_text
from icsilib.labels.records import (
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
    sequence,
    text,
)
from icsilib.labels.shapes import box, ellipse

COLUMNS = ("filename", "file_size", "file_attributes", "region_count", "region_shape_attributes", "region_attributes")
LABEL_NAMES = ("label", "class", "name", "type", "category", "object")  # attributes that hold the label, first first


def read_csv(path: Path) -> Iterator[Record]:
    """Records of a CSV export; one row is one region, or one image without any."""
    lines = read_text(path).lstrip("﻿#").split("\n")  # older headers start with #
    reader = csv.DictReader(lines, skipinitialspace=True)
    missing = set(COLUMNS) - set(reader.fieldnames or ())
    if missing:
        raise AnnotationError(f"{path}: no column {min(missing)!r}; export the annotations as CSV from VIA 2")
    images = _Images()
    try:
        for row in reader:
            where = f"{path.name} line {reader.line_num}"
            picture = yield from images.once(row["filename"], row["file_size"], _cell(row["file_attributes"]))
            shape = _cell(row["region_shape_attributes"])
            if shape != {} or text(row["region_count"]) not in (None, "0"):
                yield attempt(where, _shape, picture, shape, _cell(row["region_attributes"]))
    except csv.Error as error:
        raise AnnotationError(f"{path}: line {reader.line_num} is not CSV ({error}); export the file again") from None


def read_json(path: Path) -> Iterator[Record]:
    """Records of a JSON export or a saved project."""
    content = parse_json(path)
    if isinstance(content, dict):
        content = content.get("_via_img_metadata", content)
    if not isinstance(content, dict):
        raise AnnotationError(f"{path}: not a VIA file; export the annotations as JSON from VIA 2")
    images = _Images()
    for key, item in content.items():
        if not isinstance(item, dict) or not text(item.get("filename")):
            yield Skipped(key, "image without a file name", picture=True)
            continue
        picture = yield from images.once(item["filename"], item.get("size"), item.get("file_attributes"))
        regions = item.get("regions") or []
        if isinstance(regions, dict):  # VIA 1 numbers them
            regions = list(regions.values())
        if not isinstance(regions, list):
            yield Skipped(key, "regions is not a list")
            continue
        for index, region in enumerate(regions):
            yield attempt(f"{item['filename']} region {index}", _region, picture, region)


class _Images:
    """The images met so far. VIA tells two files of one name apart by their size in bytes; nothing else can."""

    def __init__(self) -> None:
        self.sizes: dict[str, str] = {}
        self.refused: set[str] = set()

    def once(self, name: Any, size: Any, attributes: Any) -> Generator[Record, None, str]:
        """Yield the image's record when it is met for the first time; return the key for its shapes."""
        name, size = text(name) or "", text(size) or ""
        key = f"{name}\n{size}" if self.sizes.get(name, size) != size else name
        if name not in self.sizes:
            self.sizes[name] = size
            about = dict(attributes) if isinstance(attributes, dict) else {}
            yield Picture(key, name, pixels(about.pop("width", None)), pixels(about.pop("height", None)), about)
        elif key != name and key not in self.refused:
            self.refused.add(key)
            yield Skipped(name, "two files of this name and different bytes", picture=True)
        return key


def _cell(value: str | None) -> Any:
    """The JSON in a cell; `None` where it is none."""
    try:
        return json.loads(value or "{}")
    except (ValueError, RecursionError):
        return None


def _region(where: str, picture: str, value: Any) -> Shape:
    region = mapping(value, "region")
    return _shape(where, picture, region.get("shape_attributes"), region.get("region_attributes"))


def _shape(where: str, picture: str, shape: Any, attributes: Any) -> Shape:
    shape = mapping(shape, "shape_attributes")
    if not shape:
        raise Unusable("region without a shape")
    if attributes is not None and not isinstance(attributes, dict):
        raise Unusable("region_attributes is not an object")
    rest = dict(attributes or {})
    label = _take_label(rest)
    about: dict[str, Any] = {"annotator": name} if (name := text(rest.pop("annotator", None))) else {}
    if "round" in rest:
        about["round"] = int(number(rest.pop("round"), "round"))
    visibility = 1 if rest.get("visibility") == "hidden" else 2
    if visibility == 1:
        del rest["visibility"]
    if rest:
        about["attributes"] = rest
    kind, points = _outline(shape)
    return Shape(where, picture, kind, points, label, about, visibility=visibility)  # type: ignore[arg-type]


def _outline(shape: Mapping[str, Any]) -> tuple[str, Points]:
    """Kind and points of a VIA shape."""
    kind = text(shape.get("name"))
    values = {name: number(shape[name], name) for name in VALUES.get(kind or "", ()) if name in shape}
    if missing := [name for name in VALUES.get(kind or "", ()) if name not in values and name != "theta"]:
        raise Unusable(f"{kind} without {missing[0]}")
    if kind == "rect":
        x, y, width, height = values.values()
        return "box", box(x, y, x + width, y + height)
    if kind == "point":
        return "point", np.array([list(values.values())])
    if kind == "circle":
        return "polygon", ellipse(values["cx"], values["cy"], values["r"], values["r"])
    if kind == "ellipse":
        return "polygon", ellipse(*(values.get(name, 0.0) for name in VALUES["ellipse"]))
    if kind == "polygon":
        xs, ys = (sequence(shape.get(name), name) for name in ("all_points_x", "all_points_y"))
        if len(xs) != len(ys):
            raise Unusable("polygon with more x than y or the other way round")
        return "polygon", np.array([[number(x, "x"), number(y, "y")] for x, y in zip(xs, ys, strict=True)]).reshape(
            -1, 2
        )
    raise Unusable(f"shape {kind!r} is not supported")


VALUES = {
    "rect": ("x", "y", "width", "height"),
    "point": ("cx", "cy"),
    "circle": ("cx", "cy", "r"),
    "ellipse": ("cx", "cy", "rx", "ry", "theta"),
}


def _take_label(attributes: dict[str, Any]) -> str | None:
    """Remove the attribute that holds the label and return it: one of `LABEL_NAMES`, else the only one there is."""
    by_name = {name.casefold(): name for name in attributes}
    name = next((by_name[known] for known in LABEL_NAMES if known in by_name), None)
    others = [name for name in attributes if name not in ("annotator", "round", "visibility")]
    if name is None and len(others) == 1:
        name = others[0]
    if name is None:
        return None
    value = attributes.pop(name)
    if isinstance(value, dict):  # a checkbox: {"sperm": true}
        ticked = [label for label, tick in value.items() if tick]
        if len(ticked) > 1:
            raise Unusable("several labels ticked")
        return ticked[0] if ticked else None
    return text(value)
