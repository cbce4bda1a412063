"""Pascal VOC XML, one file an image. Its pixels are counted from 1 and its boxes include both ends.

A box from xmin to xmax therefore spans the continuous coordinates xmin − 1 to xmax:

    pixel      1     2     3            xmin = 2, xmax = 3 covers
            |--.--|--.--|--.--|         x = 1 to x = 3
    x       0     1     2     3

Some tools count from 0 nonetheless and write the continuous coordinates themselves. Files that hold an xmin or ymin
of 0, or a fraction of a pixel as CVAT writes it, are read so; others of theirs cannot be told from VOC, and come out a
pixel larger at the left and the top.
"""

import itertools
import math
import re
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath
from typing import Any, Literal
from xml.etree import ElementTree

import numpy as np

from icsilib.labels.parsing import label_files, parse_xml
from icsilib.labels.records import (
    IMAGE_SUFFIXES,
    Changed,
    Options,
    Picture,
    Points,
    Record,
    Shape,
    Skipped,
    Unusable,
    attempt,
    number,
    pixels,
    points_of,
    text,
)
from icsilib.labels.shapes import rotated_box, turned_box

CORNERS = ("xmin", "ymin", "xmax", "ymax")
_FRACTION = re.compile(r"\d+\.\d*[1-9]\d*")
ABOUT = ("source", "owner", "size", "imagesize")  # elements of an image that hold others and are no objects
FLAGS = ("pose", "truncated", "difficult", "occluded")


def read(path: Path, options: Options) -> Iterator[Record]:
    """Records of one XML file, or of every `*.xml` below a folder."""
    roots = {file: parse_xml(file) for file in label_files(path, ".xml")}
    reasons = (reason for root in roots.values() if (reason := _counts_from_zero(root)))
    if reason := next(reasons, ""):
        yield Changed(path.name, f"read as counted from 0, since {reason}; VOC counts pixels from 1")
    first = 0 if reason else 1
    for file, root in roots.items():
        key, known = str(file), root.tag == "annotation"
        if known:
            sides = [("size/width", "imagesize/ncols"), ("size/height", "imagesize/nrows")]  # LabelMe's XML has these
            width, height = (pixels(root.findtext(voc) or root.findtext(labelme)) for voc, labelme in sides)
            folder = file.parent.relative_to(path).as_posix() if path.is_dir() else "."
            yield Picture(key, image_name(root, file.stem), width, height, beside=folder, seen=True)
        else:
            yield Skipped(file.name, f"root element is {root.tag!r}, not 'annotation'", picture=True)
        objects = (each for each in root if len(each) and (each.tag not in ABOUT or each.find("bndbox") is not None))
        for index, element in enumerate(objects, start=1):
            yield attempt(f"{file.name} {element.tag} {index}", _shape, key, element, first)


def image_name(root: ElementTree.Element, stem: str) -> str:
    """Name of the image: of the `filename` and `path` written in the file, the one of the file's own stem.

    Both are often wrong, since people rename files after labelling and some tools write the XML's own name.
    """
    written = [PureWindowsPath(root.findtext(tag) or "") for tag in ("path", "filename")]
    images = [path for path in written if path.suffix.lower() in IMAGE_SUFFIXES]
    if not images:
        return f"{stem}.png"
    chosen = next((path for path in images if path.stem == stem), images[-1])
    return chosen.name if chosen.anchor else chosen.as_posix()  # an absolute path is the labeller's machine


def _counts_from_zero(root: ElementTree.Element) -> str:
    """What shows that the file does not count pixels from 1; "" where nothing does."""
    corners = [(name, (corner.text or "").strip()) for name in CORNERS for corner in root.iterfind(f".//bndbox/{name}")]
    if any(value in ("0", "0.0") for name, value in corners if name in ("xmin", "ymin")):
        return "an xmin or ymin is 0"
    return "corners are fractions of a pixel" if any(map(_FRACTION.fullmatch, (v for _, v in corners))) else ""


def _shape(where: str, picture: str, element: ElementTree.Element, first: int) -> Shape:
    if element.tag != "object":
        raise Unusable(f"element {element.tag!r} is not 'object'")
    if text(element.findtext("deleted")) == "1":
        raise Unusable("deleted in the tool")
    flags = {name: value for name in FLAGS if (value := text(element.findtext(name)))}
    about: dict[str, Any] = {"attributes": flags} if flags else {}
    if (who := text(element.findtext("polygon/username"))) and who != "anonymous":
        about["annotator"] = who
    kind, corners = _outline(element, first)
    return Shape(where, picture, kind, corners, text(element.findtext("name")), about)


def _outline(element: ElementTree.Element, first: int) -> tuple[Literal["box", "polygon"], Points]:
    """Polygon or turned box, where the object has one (theirs are continuous coordinates), else its upright box."""
    if points := element.findall("polygon/pt"):  # of LabelMe's XML, which writes boxes as their corners
        corners = points_of([[each.findtext("x"), each.findtext("y")] for each in points])
        if text(element.findtext("type")) == "bounding_box":
            return "box", np.array([corners.min(axis=0), corners.max(axis=0)])
        return "polygon", corners
    if element.find("segm") is not None:
        raise Unusable("mask in a file of its own; export polygons")
    if (polygon := element.find("polygon")) is not None:  # x1, y1, x2, y2, … as Roboflow writes them
        values = [[each.text for each in polygon if each.tag.startswith(axis)] for axis in "xy"]
        return "polygon", points_of([list(pair) for pair in itertools.zip_longest(*values)])
    if element.find("robndbox") is not None:  # of roLabelImg
        x, y, width, height, turn = (
            number(element.findtext(f"robndbox/{name}"), name) for name in ("cx", "cy", "w", "h", "angle")
        )
        return "polygon", rotated_box(x - width / 2, y - height / 2, width, height, math.degrees(turn), (x, y))
    xmin, ymin, xmax, ymax = (number(element.findtext(f"bndbox/{name}"), name) for name in CORNERS)
    if xmax < xmin - first:  # drawn from right to left; counted from 1, a box of less than a pixel may have xmax < xmin
        xmin, xmax = xmax, xmin
    if ymax < ymin - first:
        ymin, ymax = ymax, ymin
    degrees = number(_attribute(element, "rotation") or 0, "rotation")  # CVAT writes the box as it was before
    corners = turned_box(xmin - first, ymin - first, xmax - xmin + first, ymax - ymin + first, degrees)
    return "box" if len(corners) == 2 else "polygon", corners


def _attribute(element: ElementTree.Element, name: str) -> str | None:
    """Value of an object's own attribute, as CVAT writes them."""
    found = (each for each in element.iterfind("attributes/attribute") if text(each.findtext("name")) == name)
    return next((text(each.findtext("value")) for each in found), None)
