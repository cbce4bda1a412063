"""The one annotation format of the study: COCO JSON with who, when and where added.

Coordinates are *continuous image coordinates* in pixels, as COCO defines them: the origin is the upper-left
corner of the image, x to the right, y down, and the centre of the first pixel lies at (0.5, 0.5):

    0     1     2     3            a polygon, box or keypoint from x=0 to x=3 spans
    |--.--|--.--|--.--|            the three pixels whose centres are .5, 1.5, 2.5
      0.5   1.5   2.5

Resizing an image by a factor therefore multiplies every coordinate by that factor and nothing else.
Oolemma and suction pipette are polygons, the needle tip is a COCO keypoint, sperm are boxes.
"""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from icsilib.data.structures import NEEDLE, STRUCTURES, Category
from icsilib.errors import IcsiError
from icsilib.files import write_text_atomic

_ROBOFLOW = re.compile(r"_(png|jpe?g|bmp|tiff?|webp)\.rf\.[0-9a-z]+(?=\.\w+$)", re.IGNORECASE)
LONGEST_TRACED = 100_000.0  # px of an outline; a longer one is looked at from further away, since tracing takes memory
Polygon = NDArray[np.float64]  # (N, 2) vertices, x then y, pixels


class AnnotationError(IcsiError):
    """A file of annotations that cannot be used; the message names file, record and remedy."""


class Image(BaseModel):
    """One frame or photograph: `file_name` is relative to the folder of the annotation file."""

    model_config = ConfigDict(extra="allow")
    id: int
    file_name: str
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    video_id: str | None = None
    frame_index: int | None = None
    patient_id: str | None = None
    kit: str | None = None
    operator: str | None = None
    um_per_px: float | None = Field(default=None, gt=0)


class Annotation(BaseModel):
    """One labelled object: polygons, a keypoint or a box, with its `annotator` and labelling `round`."""

    model_config = ConfigDict(extra="allow")
    id: int
    image_id: int
    category_id: int
    bbox: list[float] | None = None  # x, y, width, height in pixels
    area: float | None = None  # px²
    segmentation: list[list[float]] | dict[str, Any] | None = None  # polygons x1 y1 x2 y2 …, or run lengths
    keypoints: list[float] | None = None  # x, y, v for each point; v = 0 absent, 1 hidden, 2 visible
    num_keypoints: int | None = None
    iscrowd: int = 0
    annotator: str | None = None
    round: int | None = None


class Dataset(BaseModel):
    """A whole annotation file. Unknown keys are kept, ids are unique, references resolve."""

    model_config = ConfigDict(extra="allow")
    info: dict[str, Any] = Field(default_factory=dict)
    licenses: list[dict[str, Any]] = Field(default_factory=list)
    images: list[Image]
    annotations: list[Annotation]
    categories: list[Category]

    @model_validator(mode="after")
    def _references_resolve(self) -> "Dataset":
        images = _unique_ids(self.images, "image")
        categories = _unique_ids(self.categories, "category")
        _unique_ids(self.annotations, "annotation")
        for annotation in self.annotations:
            if annotation.image_id not in images:
                raise ValueError(f"annotation {annotation.id} names image {annotation.image_id}, which is missing")
            if annotation.category_id not in categories:
                raise ValueError(
                    f"annotation {annotation.id} names category {annotation.category_id}, which is missing"
                )
        return self


def _unique_ids(records: Sequence[Image] | Sequence[Annotation] | Sequence[Category], kind: str) -> set[int]:
    seen: set[int] = set()
    for record in records:
        if record.id in seen:
            raise ValueError(f"{kind} id {record.id} occurs twice; give every {kind} its own id")
        seen.add(record.id)
    return seen


def read_coco(path: Path | str) -> Dataset:
    """Read and validate a COCO JSON file; raises `AnnotationError` naming file, record and remedy."""
    path = Path(path)
    try:
        return Dataset.model_validate(json.loads(path.read_text(encoding="utf-8-sig")))
    except FileNotFoundError:
        raise AnnotationError(f"{path}: no such file; check the path") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise AnnotationError(f"{path}: not JSON in UTF-8 ({error}); export the file again as COCO JSON") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "file"
        raise AnnotationError(f"{path}: {where}: {first['msg']}; correct that record and read it again") from None


def write_coco(dataset: Dataset, path: Path | str) -> None:
    """Write `dataset` as compact, stable JSON: same content, same bytes. The write is atomic."""
    content = dataset.model_dump(mode="json", exclude_none=True)
    write_text_atomic(Path(path), json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n")


def polygon_annotation(
    id: int, image_id: int, category: Category, polygons: Iterable[Polygon], decimals: int = 2, **who: Any
) -> Annotation:
    """Annotation of one object from its (N, 2) polygons in px, with box and area computed from them."""
    rings = [np.round(np.asarray(polygon, dtype=float), decimals) for polygon in polygons]
    points = np.concatenate(rings)
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    return Annotation(
        id=id,
        image_id=image_id,
        category_id=category.id,
        segmentation=[ring.ravel().tolist() for ring in rings],
        bbox=np.round([x0, y0, x1 - x0, y1 - y0], decimals).tolist(),
        area=round(sum(polygon_area(ring) for ring in rings), decimals),
        **who,
    )


def tip_annotation(
    id: int, image_id: int, tip: Sequence[float] | NDArray[np.float64], visible: bool = True, **who: Any
) -> Annotation:
    """Annotation of the needle tip (x, y) in px as a COCO keypoint."""
    x, y = round(float(tip[0]), 3), round(float(tip[1]), 3)
    return Annotation(
        id=id,
        image_id=image_id,
        category_id=NEEDLE.id,
        keypoints=[x, y, 2 if visible else 1],
        num_keypoints=1,
        bbox=[x, y, 0.0, 0.0],
        area=0.0,
        **who,
    )


def box_annotation(
    id: int, image_id: int, category: Category, box: Sequence[float] | NDArray[np.float64], **who: Any
) -> Annotation:
    """Annotation of one object from its box (x, y, width, height) in px."""
    x, y, width, height = (float(value) for value in box)
    return Annotation(
        id=id, image_id=image_id, category_id=category.id, bbox=[x, y, width, height], area=width * height, **who
    )


def polygon_area(polygon: Polygon) -> float:
    """Area in px² of a simple polygon (N, 2), by the shoelace formula."""
    return abs(_signed_area(polygon))


def _signed_area(polygon: Polygon) -> float:
    """Area in px²; negative where the vertices (N, 2) go round the other way."""
    x, y = np.asarray(polygon, dtype=float).T
    return float(0.5 * (np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))))


def resampled(polygon: Polygon, points: int) -> tuple[Polygon, float]:
    """`points` points (points, 2) at equal steps along the closed outline (N, 2), and its length, px."""
    closed = np.vstack([polygon, polygon[:1]])
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    at = np.arange(points) * along[-1] / points
    return np.stack([np.interp(at, along, closed[:, axis]) for axis in (0, 1)], axis=1), float(along[-1])


def outward_normals(contour: Polygon, smoothing: float = 0.0) -> NDArray[np.float64]:
    """Unit normals (N, 2) out of a closed contour (N, 2), whose tangents are smoothed over so many points (SD)."""
    tangent = np.roll(contour, -1, axis=0) - np.roll(contour, 1, axis=0)
    if smoothing:
        from scipy import ndimage  # only here: it takes long to import

        tangent = ndimage.gaussian_filter1d(tangent, smoothing, axis=0, mode="wrap")
    normal = np.stack([tangent[:, 1], -tangent[:, 0]], axis=1) / np.linalg.norm(tangent, axis=1)[:, None].clip(1e-9)
    return normal if _signed_area(contour) >= 0 else -normal


def clip_to_box(polygon: Polygon | None, box: tuple[float, float, float, float]) -> Polygon | None:
    """The part of a polygon (N, 2) inside left, top, right, bottom, or None (Sutherland & Hodgman 1974)."""
    if polygon is None:
        return None
    points = polygon
    for axis, limit, sign in ((0, box[0], 1), (0, box[2], -1), (1, box[1], 1), (1, box[3], -1)):
        if len(points) == 0:
            return None
        inside = sign * (points[:, axis] - limit) >= 0
        following, next_inside = np.roll(points, -1, axis=0), np.roll(inside, -1)
        share = (limit - points[:, axis]) / np.where(inside == next_inside, 1.0, following[:, axis] - points[:, axis])
        crossing = points + share[:, None] * (following - points)
        kept = [
            piece
            for here, there, point, cut in zip(inside, next_inside, points, crossing, strict=True)
            for piece in ([point] if here else []) + ([cut] if here != there else [])
        ]
        points = np.array(kept).reshape(-1, 2)
    return np.clip(points, box[:2], box[2:]) if len(points) >= 3 else None


def crosses_itself(polygon: Polygon) -> bool:
    """Whether the outline of a polygon (N, 2) in px encloses parts with opposite sense, or twice.

    Then its pixels, which are those enclosed an odd number of times, cover another area than the shoelace formula
    says. Differences within what rasterising makes, a pixel along the outline, do not count.
    """
    ring = np.asarray(polygon, dtype=float) - np.floor(np.min(polygon, axis=0))
    perimeter = np.linalg.norm(ring - np.roll(ring, -1, axis=0), axis=1).sum()
    ring, perimeter = (each * min(1.0, LONGEST_TRACED / max(perimeter, 1.0)) for each in (ring, perimeter))
    width, height = (int(side) + 1 for side in np.ceil(ring.max(axis=0)))
    covered = coco_mask.area(coco_mask.frPyObjects([ring.ravel().tolist()], height, width))[0]
    return bool(abs(float(covered) - polygon_area(ring)) > perimeter)


def polygons_of(annotation: Annotation) -> list[Polygon]:
    """The annotation's polygons as (N, 2) arrays in px; empty when it has none."""
    if not isinstance(annotation.segmentation, list):
        return []
    return [np.asarray(ring, dtype=float).reshape(-1, 2) for ring in annotation.segmentation]


def outlines_of(annotation: Annotation, height: int, width: int) -> list[Polygon]:
    """The annotation's polygons; where it has a mask of (height, width) instead, the outlines of that."""
    return polygons_of(annotation) or mask_to_polygons(mask_of(annotation, height, width))


def plain_name(name: str) -> str:
    """A file name as it was before Roboflow changed it: `a_png.rf.0f9c.jpg` was a.png, and becomes `a.jpg`."""
    return _ROBOFLOW.sub("", name)


def image_key(image: Image, with_folder: bool) -> str:
    """What the same image is called by everybody: its name without suffix and case, with its folder on request."""
    path = PurePosixPath(plain_name(image.file_name.replace("\\", "/").casefold()))
    return str(path.with_suffix("")) if with_folder else path.stem


def in_other_folders(one: Image, other: Image) -> bool:
    """Whether two images of one name lie in folders of different names, so that they may be two."""
    folders = {PurePosixPath(image.file_name.replace("\\", "/").casefold()).parent.name for image in (one, other)}
    return len(folders - {""}) > 1


def tip_of(annotation: Annotation) -> NDArray[np.float64] | None:
    """The tip (x, y) in px of a needle annotation, or None where it was not labelled."""
    if not annotation.keypoints or annotation.keypoints[2] == 0:
        return None
    return np.asarray(annotation.keypoints[:2], dtype=float)


def round_of(annotation: Annotation) -> int:
    """The round in which a label was drawn; one that names none is of the first."""
    return 1 if annotation.round is None else annotation.round


def misfit(annotation: Annotation, category: str) -> str:
    """Why a label has not the shape that the study needs of its category; "" where it has."""
    kind = next((each.kind for each in STRUCTURES if each.category.name == category), "box")
    if kind == "point":
        return "" if annotation.keypoints else "not a point"
    return "not an outline" if kind == "outline" and not annotation.segmentation else ""


def several_tips(annotations: Iterable[Annotation]) -> bool:
    """Whether the labels mark tips at different places, so that nothing tells which one is meant."""
    return len({tuple(tip.tolist()) for each in annotations if (tip := tip_of(each)) is not None}) > 1


def mask_of(annotation: Annotation, height: int, width: int) -> NDArray[np.bool_]:
    """The annotation's region as a (height, width) mask: polygons or run lengths; empty when it has neither."""
    if isinstance(annotation.segmentation, dict):
        return _mask_of_runs(run_lengths(annotation.segmentation, height, width), height, width)
    return polygons_to_mask(polygons_of(annotation), height, width)


def run_lengths(segmentation: dict[str, Any], height: int, width: int) -> list[int]:
    """COCO run lengths of a (height, width) mask, plain or as text, column by column, outside first.

    Raises `AnnotationError` unless they fill the image. They are checked here since pycocotools does not:
    a damaged file makes it write past its memory.
    """
    counts = segmentation.get("counts")
    runs = _runs_from_text(counts) if isinstance(counts, str) else counts
    if not isinstance(runs, list) or not all(isinstance(run, (int, float)) and 0 <= run < np.inf for run in runs):
        runs = []
    whole = [int(run) for run in runs]  # some tools write 7.0
    if whole != runs or sum(whole) != height * width or segmentation.get("size") != [height, width]:
        raise AnnotationError(f"run lengths do not fill an image of {height}×{width} px; export the mask again")
    return whole


def runs_of(mask: NDArray[np.bool_]) -> list[int]:
    """COCO run lengths of a mask (height, width), column by column, outside first."""
    flat = mask.T.ravel()
    ends = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *ends, len(flat)]).tolist()
    return [0, *runs] if len(flat) and flat[0] else runs


def _mask_of_runs(runs: list[int], height: int, width: int) -> NDArray[np.bool_]:
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(width, height).T


def _runs_from_text(text: str) -> list[int]:
    """COCO's text form: digits of five bits, the lowest first, each run less the one before the last."""
    runs: list[int] = []
    value, shift = 0, 0
    for character in text:
        digit = ord(character) - 48
        if not 0 <= digit < 64 or shift > 60:  # no image has runs of so many digits
            return []
        value |= (digit & 31) << shift
        shift += 5
        if not digit & 32:
            value -= (digit & 16) << (shift - 4)  # the highest bit is the sign
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value, shift = 0, 0
    return runs


def polygons_to_mask(polygons: Iterable[Polygon], height: int, width: int) -> NDArray[np.bool_]:
    """Union of polygons (N, 2) in px as a (height, width) mask, rasterised by pycocotools."""
    rings = [np.asarray(polygon, dtype=float).ravel().tolist() for polygon in polygons]
    rings = [ring for ring in rings if len(ring) >= 6]
    if not rings:
        return np.zeros((height, width), dtype=bool)
    union = coco_mask.merge(coco_mask.frPyObjects(rings, height, width))
    # Not by its own decode: that is slower, and builds arrays in a way that NumPy is about to refuse.
    return _mask_of_runs(_runs_from_text(union["counts"].decode()), height, width)


def mask_to_polygons(mask: NDArray[np.bool_], tolerance: float = 0.0) -> list[Polygon]:
    """Outlines (N, 2) in px of a mask's regions, largest first; holes are filled.

    The outline runs along pixel edges, so `polygons_to_mask` gives a hole-free mask back exactly.
    `tolerance` (px) drops vertices that lie closer than that to the simplified outline.
    """
    # Doubling the raster makes every pixel edge a contour that OpenCV can trace through pixel centres.
    doubled = np.kron(np.asarray(mask, dtype=np.uint8), np.ones((2, 2), np.uint8))
    contours, _ = cv2.findContours(np.pad(doubled, 1), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    rings = [(contour[:, 0].astype(float) - 0.5) / 2 for contour in contours if len(contour) >= 3]
    if tolerance:
        rings = [cv2.approxPolyDP(ring.astype(np.float32), tolerance, True)[:, 0].astype(float) for ring in rings]
    return sorted((ring for ring in rings if len(ring) >= 3), key=polygon_area, reverse=True)
