"""VIA 2 exports as CSV and JSON: boxes, polygons and points, with label, annotator and round as region attributes.

VIA has no place for the size of an image, its video or its patient: they are written as file attributes.
"""

import csv
import io
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from icsilib.data.annotations import Annotation, Dataset, Image, polygons_of
from icsilib.files import write_text_atomic
from icsilib.labels.records import Report

COLUMNS = (
    "filename",
    "file_size",
    "file_attributes",
    "region_count",
    "region_id",
    "region_shape_attributes",
    "region_attributes",
)
IMAGE_FIELDS = ("width", "height", "video_id", "frame_index", "patient_id", "kit", "operator", "um_per_px")
Region = dict[str, dict[str, Any]]  # shape_attributes and region_attributes


def write_via_csv(dataset: Dataset, path: Path | str) -> Report:
    """Write `dataset` as VIA's "export annotations (as csv)"; the write is atomic.

    An object of several polygons becomes several regions, and run-length masks are skipped, both counted.
    """
    regions, report = _regions(dataset, Path(path), "via-csv")
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(COLUMNS)
    for image in dataset.images:
        head = [image.file_name, _bytes(image, Path(path)), _json(_file_attributes(image))]
        rows = regions[image.id]
        for index, region in enumerate(rows):
            cells = (_json(region[name]) for name in ("shape_attributes", "region_attributes"))
            writer.writerow([*head, len(rows), index, *cells])
        if not rows:
            writer.writerow([*head, 0, 0, "{}", "{}"])
    write_text_atomic(path, table.getvalue())
    return report


def write_via_json(dataset: Dataset, path: Path | str) -> Report:
    """Write `dataset` as VIA's "export annotations (as json)"; the write is atomic. Losses as in `write_via_csv`."""
    regions, report = _regions(dataset, Path(path), "via-json")
    content = {}
    for image in dataset.images:
        size = _bytes(image, Path(path))
        head: dict[str, Any] = {"filename": image.file_name, "size": size, "regions": regions[image.id]}
        content[f"{image.file_name}{size}"] = head | {"file_attributes": _file_attributes(image)}
    write_text_atomic(path, _json(content) + "\n")
    return report


def _regions(dataset: Dataset, path: Path, format: str) -> tuple[defaultdict[int, list[Region]], Report]:
    """VIA's regions by image id, and what was written and what not."""
    names = {category.id: category.name for category in dataset.categories}
    regions: defaultdict[int, list[Region]] = defaultdict(list)
    skipped: Counter[str] = Counter()
    changed: Counter[str] = Counter()
    details = []
    for annotation in dataset.annotations:
        shapes = _shapes(annotation)
        attributes = _region_attributes(annotation, names[annotation.category_id])
        regions[annotation.image_id] += [{"shape_attributes": each, "region_attributes": attributes} for each in shapes]
        if len(shapes) != 1:
            what = "one region for each of several polygons" if shapes else "VIA has no shape for it"
            (changed if shapes else skipped)[what] += 1
            details.append((f"annotation {annotation.id}", what))
    count = len(dataset.annotations)
    kept = count - skipped.total()
    return regions, Report(
        path, format, len(dataset.images), count, kept, skipped, changed=changed, details=tuple(details)
    )


def _shapes(annotation: Annotation) -> list[dict[str, Any]]:
    """VIA's shapes of one annotation: its polygons, else its visible or hidden point, else its box."""
    if annotation.segmentation is not None:
        rings = [ring.T.tolist() for ring in polygons_of(annotation)]
        return [{"name": "polygon", "all_points_x": xs, "all_points_y": ys} for xs, ys in rings]
    if annotation.keypoints is not None:
        point = annotation.keypoints
        return [{"name": "point", "cx": point[0], "cy": point[1]}] if len(point) == 3 and point[2] > 0 else []
    if annotation.bbox is None:
        return []
    return [{"name": "rect"} | dict(zip(("x", "y", "width", "height"), annotation.bbox, strict=True))]


def _region_attributes(annotation: Annotation, label: str) -> dict[str, Any]:
    attributes: dict[str, Any] = {"label": label}
    if annotation.annotator is not None:
        attributes["annotator"] = annotation.annotator
    if annotation.round is not None:
        attributes["round"] = str(annotation.round)
    if annotation.keypoints and annotation.keypoints[2] == 1:
        attributes["visibility"] = "hidden"
    return attributes | ((annotation.model_extra or {}).get("attributes") or {})


def _file_attributes(image: Image) -> dict[str, Any]:
    """VIA's attributes are text."""
    fields = {name: str(value) for name in IMAGE_FIELDS if (value := getattr(image, name)) is not None}
    return fields | ((image.model_extra or {}).get("attributes") or {})


def _bytes(image: Image, path: Path) -> int:
    """Size of the image file in bytes, as VIA writes it; -1 where it is not beside the annotations."""
    file = path.parent / image.file_name
    return file.stat().st_size if file.is_file() else -1


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
