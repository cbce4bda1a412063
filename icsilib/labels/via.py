"""VGG Image Annotator 2: annotations as CSV or JSON, and project files.

VIA knows neither the size of an image nor who labelled it. Sizes come from the file attributes `width` and `height`
where somebody entered them, else from the images; the annotator from a region attribute, else from the options.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from icsilib.data.annotations import AnnotationError
from icsilib.data.structures import BIOPSY_CATEGORIES, ICSI_CATEGORIES
from icsilib.labels.parsing import parse_json, read_text, sound_json
from icsilib.labels.records import (
    Options,
    Picture,
    Points,
    Record,
    Shape,
    Skipped,
    Unusable,
    attempt,
    fold,
    mapping,
    number,
    pixels,
    sequence,
    text,
)
from icsilib.labels.shapes import box, ellipse

COLUMNS = ("filename", "file_size", "file_attributes", "region_count", "region_shape_attributes", "region_attributes")
JSON_COLUMNS = ("file_attributes", "region_shape_attributes", "region_attributes")
_SHORT = "\0"  # stands in a row for cells that it lacks
STUDY = tuple(category.name for category in (*ICSI_CATEGORIES, *BIOPSY_CATEGORIES))
LABEL_NAMES = ("label", "class", "name", "type", "category", "object")  # attributes that hold the label, first first


def read_csv(path: Path, options: Options) -> Iterator[Record]:
    """Records of a CSV export; one row is one region, or one image without any."""
    content = read_text(path).lstrip("\ufeff#")  # older headers start with #
    csv.field_size_limit(max(csv.field_size_limit(), len(content)))
    reader = csv.DictReader(io.StringIO(content), restkey="more", restval=_SHORT, skipinitialspace=True, strict=True)
    images = _Images()
    try:
        _check_columns(path, reader.fieldnames or ())
        for row in reader:
            yield from _row(f"{path.name} line {reader.line_num}", row, images, options)
    except csv.Error as error:
        raise AnnotationError(f"{path}: line {reader.line_num} is not CSV ({error}); export the file again") from None
    yield from images.cut_short()


def _check_columns(path: Path, found: Sequence[str]) -> None:
    missing = set(COLUMNS) - set(found)
    if missing and len(found) == 1 and set(COLUMNS) <= set(re.split(r"[;\t]", found[0])):
        what = "a spreadsheet saved it again with other separators than commas"
        raise AnnotationError(f"{path}: {what}; export the annotations as CSV from VIA 2 once more")
    if missing:
        raise AnnotationError(f"{path}: no column {min(missing)!r}; export the annotations as CSV from VIA 2")


def _row(where: str, row: dict[str, Any], images: "_Images", options: Options) -> Iterator[Record]:
    if "more" in row or _SHORT in row.values():
        yield Skipped(where, "row has more or fewer cells than the header", of=text(row["filename"]) or "")
        return
    about, shape, attributes = (_cell(row[name]) for name in JSON_COLUMNS)
    picture = yield from images.once(row["filename"], row["file_size"], about)
    if shape != {} or text(row["region_count"]) not in (None, "0"):
        images.count(picture, pixels(row["region_count"]) or 0)
        yield attempt(where, _shape, picture, shape, attributes, options)


def read_json(path: Path, options: Options) -> Iterator[Record]:
    """Records of a JSON export or a saved project."""
    content = parse_json(path)
    if isinstance(content, dict):
        content = content.get("_via_img_metadata", content)
    if not isinstance(content, dict):
        raise AnnotationError(f"{path}: not a VIA file; export the annotations as JSON from VIA 2")
    images = _Images()
    for key, item in content.items():
        name = text(item.get("filename")) if isinstance(item, dict) else None
        if name:
            picture = yield from images.once(name, item.get("size"), item.get("file_attributes"))
        else:
            yield Skipped(key, "image without a file name", picture=True)
            picture = ""  # of which the file has none: its regions are skipped
        regions = item.get("regions") if isinstance(item, dict) else None
        if isinstance(regions, dict):  # VIA 1 numbers them
            regions = list(regions.values())
        if not isinstance(regions, list):
            yield Skipped(key, "image without a list of regions", of=picture)
            continue
        for index, region in enumerate(regions):
            yield attempt(f"{name or key} region {index}", _region, picture, region, options)


class _Images:
    """The images met so far. VIA tells two files of one name apart by their size in bytes; nothing else can."""

    def __init__(self) -> None:
        self.sizes: dict[str, str] = {}
        self.refused: set[str] = set()
        self.rows: Counter[str] = Counter()  # regions met, by key
        self.told: Counter[str] = Counter()  # regions that the table says there are

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

    def count(self, key: str, told: int) -> None:
        """Count one region of an image; the table says that the image has `told` regions."""
        self.rows[key] += 1
        self.told[key] = max(self.told[key], told)

    def cut_short(self) -> Iterator[Record]:
        """A skip for each image that has fewer regions than the table says."""
        for key in (key for key, told in self.told.items() if self.rows[key] < told):
            where = f"{key}: {self.rows[key]} of {self.told[key]} regions"
            yield Skipped(where, "the table holds fewer regions of an image than its region_count says", of=key)


def _cell(value: str) -> Any:
    """The JSON in a cell; text where it is none."""
    try:
        return sound_json(value or "{}")
    except (ValueError, RecursionError):
        return value


def _region(where: str, picture: str, value: Any, options: Options) -> Shape:
    region = mapping(value, "region")
    return _shape(where, picture, region.get("shape_attributes"), region.get("region_attributes") or {}, options)


def _shape(where: str, picture: str, shape: Any, attributes: Any, options: Options) -> Shape:
    shape = mapping(shape, "shape_attributes")
    if not shape:
        raise Unusable("region without a shape")
    rest = dict(mapping(attributes, "region_attributes"))
    label = _take_label(rest, options)
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


def _take_label(attributes: dict[str, Any], options: Options) -> str | None:
    """Remove the attribute that holds the label and return it.

    That is one of `LABEL_NAMES`, else the only one there is, else the only one whose value is a label that the study
    or the user knows.
    """
    by_name = {name.casefold(): name for name in attributes}
    others = [name for name in attributes if name not in ("annotator", "round", "visibility")]
    known = {fold(label) for label in (*STUDY, *(options.labels or ()))}
    named = [by_name[name] for name in LABEL_NAMES if name in by_name][:1]
    telling = named or [name for name in others if len(others) == 1 or fold(text(attributes[name]) or "") in known]
    if not telling and not others:
        return None
    if len(telling) != 1:
        raise Unusable(f"none or several of the attributes {', '.join(others)} say the label; call one 'label'")
    value = attributes.pop(telling[0])
    if isinstance(value, dict):  # a checkbox: {"sperm": true}
        ticked = [label for label, tick in value.items() if tick]
        if len(ticked) > 1:
            raise Unusable("several labels ticked")
        return ticked[0] if ticked else None
    return text(value)
