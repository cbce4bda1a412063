"""LabelMe JSON, one file an image. Its points are continuous image coordinates already.

The embedded copy of the image (`imageData`) is ignored: the image lies beside the file.
"""

from collections.abc import Iterator
from functools import partial
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
    pixels,
    points_of,
    text,
)
from icsilib.labels.shapes import SEVERAL_POINTS, ellipse, from_labelme


def read(path: Path, options: Options) -> Iterator[Record]:
    """Records of one JSON file, or of every `*.json` below a folder."""
    folders: dict[Path, dict[str, list[str]]] = {}
    for file in label_files(path, ".json"):
        content = parse_json(file)
        if not isinstance(content, dict) or "shapes" not in content:
            yield Skipped(file.name, "not a LabelMe file: no 'shapes'", picture=True)
            continue
        key = str(file)
        # Only the name: LabelMe writes the path on the labeller's machine. The image lies beside its file.
        written = PureWindowsPath(text(content.get("imagePath")) or f"{file.stem}.png").name
        if file.parent not in folders:
            folders[file.parent] = _images_in(file.parent)
        beside = folders[file.parent].get(file.stem, [])  # one of its name is what LabelMe shows the file's shapes on
        if (name := beside[0] if len(beside) == 1 else written) != written:
            yield Changed(file.name, "names another image than the one beside it, which is taken")
        folder = file.parent.relative_to(path).as_posix() if path.is_dir() else "."
        if is_there(file.parent / name):
            name = (PurePosixPath(folder) / name).as_posix()
        size = pixels(content.get("imageWidth")), pixels(content.get("imageHeight"))
        yield Picture(key, name, *size, beside=folder, seen=True)
        shapes = content["shapes"]
        if not isinstance(shapes, list):
            yield Skipped(file.name, "'shapes' is not a list", of=key)
            continue
        for index, shape in enumerate(shapes, start=1):
            where, parts = f"{file.name} shape {index}", _parts(shape)
            if len(parts) > 1:
                yield Changed(where, SEVERAL_POINTS)
            for part in parts:
                yield attempt(where, _shape, key, part)


def _images_in(folder: Path) -> dict[str, list[str]]:
    """Names of a folder's images by their stem."""
    found: dict[str, list[str]] = {}
    for each in folder.iterdir():
        if each.suffix.lower() in IMAGE_SUFFIXES:
            found.setdefault(each.stem, []).append(each.name)
    return found


def _parts(shape: Any) -> list[Any]:
    """A shape of several points as several shapes of one point; another as it is."""
    if not isinstance(shape, dict) or shape.get("shape_type") != "points" or not isinstance(shape.get("points"), list):
        return [shape]
    return [shape | {"shape_type": "point", "points": [point]} for point in shape["points"]] or [shape]


def _shape(where: str, picture: str, value: Any) -> Shape:
    shape = mapping(value, "shape")
    kind = text(shape.get("shape_type")) or "polygon"  # files before LabelMe 4 hold polygons only
    points = points_of(shape.get("points"))
    label = text(shape.get("label"))
    group = text(shape.get("group_id"))
    about = {"attributes": {"group_id": group}} if group else {}
    if kind == "polygon" or (kind == "rotation" and len(points) == 4):  # X-AnyLabeling's turned boxes
        return Shape(where, picture, "polygon", points, label, about)
    if kind == "rectangle" and len(points) in (2, 4):
        corners = np.array([points.min(axis=0), points.max(axis=0)])
        return Shape(where, picture, "box", corners, label, about)
    if kind == "mask" and len(points) == 2:  # the first and the last of its pixels
        place = np.array([points[0], points[1] - points[0] + 1])
        patch = partial(from_labelme, shape.get("mask"), *place[1].astype(int).tolist())
        return Shape(where, picture, "mask", place, label, about, patch=patch)
    if kind == "circle" and len(points) == 2:
        radius = float(np.hypot(*(points[1] - points[0])))
        circle = ellipse(float(points[0, 0]), float(points[0, 1]), radius, radius)
        return Shape(where, picture, "polygon", circle, label, about)
    if kind == "point" and len(points) == 1:
        return Shape(where, picture, "point", points, label, about)
    if kind in ("rectangle", "rotation", "mask", "circle", "point"):
        raise Unusable(f"{kind} of {len(points)} points")
    raise Unusable(f"shape {kind!r} is not supported")
