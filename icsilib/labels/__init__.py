"""Annotations from other tools: VIA, CVAT, Label Studio, LabelMe, Pascal VOC, YOLO and COCO, read into `Dataset`.

dataset, report = read_annotations("export.csv", labels={"spz": "sperm"})
print("\\n".join(report.lines()))
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from icsilib.data.annotations import AnnotationError, Dataset
from icsilib.labels import coco, cvat, label_studio, labelme, via, voc, yolo
from icsilib.labels.assemble import assemble
from icsilib.labels.parsing import label_files, parse_json, parse_xml
from icsilib.labels.records import Options, Record, Report

FORMATS: dict[str, Callable[[Path, Options], Iterable[Record]]] = {
    "via-csv": via.read_csv,
    "via-json": via.read_json,
    "cvat": cvat.read,
    "label-studio": label_studio.read,
    "labelme": labelme.read,
    "voc": voc.read,
    "yolo": yolo.read,
    "coco": coco.read,
}
REMEDY = f"name its format, one of {', '.join(FORMATS)}"


def read_annotations(path: Path | str, format: str | None = None, **options: Any) -> tuple[Dataset, Report]:
    """Read a file, or a folder of VOC, LabelMe or YOLO files; `options` are the fields of `Options`.

    Every record is kept, or skipped and counted in the report with its reason; images without objects are kept.
    Raises `AnnotationError` where the file as a whole cannot be used.
    """
    path = Path(path)
    if not path.exists():
        raise AnnotationError(f"{path}: no such file or folder; check the path")
    format = format or detect_format(path)
    if format not in FORMATS:
        raise AnnotationError(f"{path}: unknown format {format!r}; {REMEDY}")
    settings = Options(**options)
    return assemble(FORMATS[format](path, settings), path, format, settings)


def detect_format(path: Path) -> str:
    """The format of a file or folder by its names and first structure; raises `AnnotationError` when in doubt."""
    if path.is_dir():
        return _format_of_folder(path)
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return "via-csv"
    if suffix == ".txt":
        return "yolo"
    if suffix == ".xml":
        return "cvat" if parse_xml(path).tag == "annotations" else "voc"
    if suffix == ".json":
        return _format_of_json(path)
    raise AnnotationError(f"{path}: unknown kind of file; {REMEDY}")


def _format_of_folder(path: Path) -> str:
    suffixes = {file.suffix.lower() for file in label_files(path)}
    found = [name for suffix, name in ((".xml", "voc"), (".json", "labelme"), (".txt", "yolo")) if suffix in suffixes]
    if len(found) != 1:
        what = " and ".join(found) if found else "no annotation"
        raise AnnotationError(f"{path}: holds {what} files; {REMEDY}")
    return found[0]


def _format_of_json(path: Path) -> str:
    content = parse_json(path)
    if isinstance(content, list):
        return "label-studio"
    if isinstance(content, dict):
        if "images" in content and "annotations" in content:
            return "coco"
        if "shapes" in content:
            return "labelme"
        if {"project", "file", "metadata", "view"} <= content.keys():
            raise AnnotationError(f"{path}: a project of VIA 3, which is not read; label images with VIA 2")
        if "_via_img_metadata" in content or any(
            isinstance(each, dict) and "regions" in each for each in content.values()
        ):
            return "via-json"
    raise AnnotationError(f"{path}: not the JSON of a known tool; {REMEDY}")
