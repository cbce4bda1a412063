"""Annotations from other tools: VIA, CVAT, Label Studio, LabelMe, Pascal VOC, YOLO and COCO, read into `Dataset`.

dataset, report = read_annotations("export.csv", labels={"spz": "sperm"})
print("\\n".join(report.lines()))
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from icsilib.data.annotations import AnnotationError, Dataset
from icsilib.labels import coco, cvat, label_studio, labelme, via, voc, yolo
from icsilib.labels.assemble import assemble
from icsilib.labels.parsing import label_files, parse_json, parse_xml, read_text
from icsilib.labels.records import IMAGE_SUFFIXES, Options, Record, Report

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
ONE_A_SET = ("via-csv", "via-json", "cvat", "label-studio", "coco")  # the others write a file for each image
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
REMEDY = f"export it in one of {', '.join(FORMATS)}, and name that by --format where it is not found out"


def read_annotations(
    path: Path | str, format: str | None = None, besides: Path | None = None, **options: Any
) -> tuple[Dataset, Report]:
    """Read a file, or a folder as a tool exported it, `besides` one file; `options` are the fields of `Options`.

    Every record is kept, or skipped and counted in the report with its reason; images without objects are kept.
    Raises `AnnotationError` where the file as a whole cannot be used.
    """
    path, settings = Path(path), Options(**options)
    if not path.exists():
        raise AnnotationError(f"{path}: no such file or folder; check the path")
    if format is not None and format not in FORMATS:
        raise AnnotationError(f"{path}: unknown format {format!r}; it must be one of {', '.join(FORMATS)}")
    unknown: list[str] = []
    file = path
    if path.is_dir():
        format, file, unknown = _in_folder(path, format, besides)
        settings = replace(settings, images=settings.images or (path if file != path else None))
    format = format or detect_format(path)
    dataset, report = assemble(FORMATS[format](file, settings), file, format, settings)
    if unknown and format in (*ONE_A_SET, "yolo"):  # the readers of the others count such files themselves
        note = f"{len(unknown)} files are of no known tool and were not read: {', '.join(unknown)}"
        report = replace(report, notes=(*report.notes, note))
    return dataset, report


def detect_format(path: Path) -> str:
    """The format of a file by its content; raises `AnnotationError` for one that is not known."""
    suffix = path.suffix.lower()
    if suffix in ARCHIVES or path.read_bytes()[:4] == b"PK\3\4":
        raise AnnotationError(f"{path}: is an archive, which is not opened; unpack it and give the folder")
    if suffix == ".csv":
        return "via-csv"
    if suffix == ".txt" and yolo.holds_labels(path):
        return "yolo"
    if suffix == ".xml":
        root = parse_xml(path).tag
        if root in ("annotations", "annotation"):
            return "cvat" if root == "annotations" else "voc"
        raise AnnotationError(f"{path}: root element is {root!r}, of no known tool; {REMEDY}")
    if suffix == ".json":
        return _format_of_json(path)
    raise AnnotationError(f"{path}: unknown kind of file; {REMEDY}")


def _in_folder(path: Path, format: str | None, besides: Path | None) -> tuple[str, Path, list[str]]:
    """Format of a folder's files, the folder or its one export, and the names of files of no known tool."""
    found: dict[str, list[Path]] = {}
    unknown: list[str] = []
    for file in label_files(path, ".csv", ".json", ".xml", ".txt"):
        if besides is not None and file.resolve() == besides.resolve():
            continue
        try:
            kind = detect_format(file)
            if kind == "via-csv" and "region_shape_attributes" not in read_text(file)[:1000]:
                raise AnnotationError(f"{file}: not a table of VIA 2; {REMEDY}")
            found.setdefault(kind, []).append(file)
        except AnnotationError:
            unknown += [file.name] if not yolo.is_about(file) else []
    kinds = [format] if format else sorted(found, reverse=True)
    if len(kinds) > 1:
        raise AnnotationError(f"{path}: holds {' and '.join(kinds)} files; name the one to read by --format")
    if not kinds:
        raise AnnotationError(f"{path}: {_nothing_known(path, unknown)}")
    files = found.get(kinds[0], [])
    if kinds[0] not in ONE_A_SET:
        return kinds[0], path, unknown
    if len(files) != 1:
        names = ", ".join(file.relative_to(path).as_posix() for file in files) or "none"
        raise AnnotationError(f"{path}: one export at a time is read, and it holds {names}; give one by its path")
    return kinds[0], files[0], unknown


def _nothing_known(path: Path, unknown: list[str]) -> str:
    """Why a folder cannot be read."""
    images = len(label_files(path, *IMAGE_SUFFIXES))
    if images and not any(name.endswith((".json", ".xml", ".csv")) for name in unknown):
        masks = "labels painted as images (masks) are not read"
        return f"holds {images} images and no annotation files; {masks}: export polygons or COCO's run lengths"
    if unknown:
        return f"holds no annotation files of a known tool, but {', '.join(unknown)}; {REMEDY}"
    return f"holds no annotation files; {REMEDY}"


def _format_of_json(path: Path) -> str:
    content = parse_json(path)
    if isinstance(content, list):
        if any(isinstance(each, dict) and {"image_id", "category_id"} & each.keys() for each in content):
            raise AnnotationError(f"{path}: detections without images (COCO results); give the COCO file of the labels")
        return "label-studio"
    if isinstance(content, dict):
        if "images" in content and "annotations" in content:
            return "coco"
        if "shapes" in content:
            return "labelme"
        if {"project", "file", "metadata", "view"} <= content.keys():
            raise AnnotationError(f"{path}: a project of VIA 3, which is not read; label images with VIA 2")
        if "_via_img_metadata" in content or any(
            isinstance(each, dict) and {"regions", "file_attributes"} & each.keys() for each in content.values()
        ):
            return "via-json"
    raise AnnotationError(f"{path}: not the JSON of a known tool; {REMEDY}")
