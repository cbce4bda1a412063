"""LabelMe JSON, one file an image. Its points are continuous image coordinates already.

The embedded copy of the image (`imageData`) is ignored: the image lies beside the file.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np

from icsilib.labels.parsing import label_files, parse_json
from icsilib.labels.places import is_there
from icsilib.labels.records import (
    IMAGE_SUFFIXES,
    Changed,
    Options,
    Picture,
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
from icsilib.labels.shapes import ellipse


def read(path: Path, options: Options) -> Iterator[Record]:
    """Records of one JSON file, or of every `*.json` below a folder."""
    for file in label_files(path, ".json"):
        content = parse_json(file)
        if not isinstance(content, dict) or "shapes" not in content:
            yield Skipped(file.name, "not a LabelMe file: no 'shapes'", picture=True)
            continue
        key = str(file)
        # Only the name: LabelMe writes the path on the labeller's machine. The image lies beside its file.
        written = PureWindowsPath(text(content.get("imagePath")) or f"{file.stem}.png").name
        if (name := _image_beside(file) or written) != written:
            yield Changed(file.name, "names another image than the one beside it, which is taken")
        folder = file.parent.relative_to(path).as_posix() if path.is_dir() else "."
        if is_there(file.parent / name):
            name = (PurePosixPath(folder) / name).as_posix()
        size = pixels(content.get("imageWidth")), pixels(content.get("imageHeight"))
        yield Picture(key, name, *size, beside=folder, seen=True)
        shapes = content["shapes"]
        if not isinstance(shapes, list):
            yield Skipped(file.name, "'shapes' is not a list")
            continue
        for index, shape in enumerate(shapes, start=1):
            yield attempt(f"{file.name} shape {index}", _shape, key, shape)


def _image_beside(file: Path) -> str | None:
    """Name of the one image that has the file's stem and folder: what LabelMe shows the file's shapes on."""
    images = [
        each.name for each in file.parent.glob("*") if each.stem == file.stem and each.suffix.lower() in IMAGE_SUFFIXES
    ]
    return images[0] if len(images) == 1 else None


def _shape(where: str, picture: str, value: Any) -> Shape:
    shape = mapping(value, "shape")
    kind = text(shape.get("shape_type")) or "polygon"  # files before LabelMe 4 hold polygons only
    points = np.array([_point(point) for point in sequence(shape.get("points"), "points")]).reshape(-1, 2)
    label = text(shape.get("label"))
    group = text(shape.get("group_id"))
    about = {"attributes": {"group_id": group}} if group else {}
    if kind == "polygon":
        return Shape(where, picture, "polygon", points, label, about)
    if kind == "rectangle" and len(points) in (2, 4):
        corners = np.array([points.min(axis=0), points.max(axis=0)])
        return Shape(where, picture, "box", corners, label, about)
    if kind == "circle" and len(points) == 2:
        radius = float(np.hypot(*(points[1] - points[0])))
        circle = ellipse(float(points[0, 0]), float(points[0, 1]), radius, radius)
        return Shape(where, picture, "polygon", circle, label, about)
    if kind == "point" and len(points) == 1:
        return Shape(where, picture, "point", points, label, about)
    if kind in ("rectangle", "circle", "point"):
        raise Unusable(f"{kind} of {len(points)} points")
    raise Unusable(f"shape {kind!r} is not supported")


def _point(value: Any) -> tuple[float, float]:
    pair = sequence(value, "point")
    if len(pair) != 2:
        raise Unusable("point is not a pair")
    return number(pair[0], "x"), number(pair[1], "y")
