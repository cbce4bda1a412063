"""Label Studio JSON ("JSON", not "JSON-MIN"). Its coordinates are per cent of the image's width and height.

A task may hold the work of several people: each object keeps its annotator, and the image its annotators, so that
one who submitted nothing is known to have seen nothing there. A task that nobody submitted is skipped. What one person
submitted for one image more than once are that person's rounds 1, 2, … in the order of their dates.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from icsilib.data.annotations import AnnotationError
from icsilib.labels.parsing import parse_json
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
    mapping,
    number,
    pixels,
    points_of,
    sequence,
    text,
)
from icsilib.labels.shapes import box, ellipse, from_label_studio, rotated_box

AGAIN = "one of several submissions of a person for one image; numbered as rounds by their dates"
ANSWERS = {"choices", "number", "rating", "textarea", "taxonomy", "datetime", "pairwise", "ranker", "relation"}
PLACED = {"x", "points", "rle"}
LABELLED = ("rectanglelabels", "polygonlabels", "keypointlabels", "ellipselabels", "brushlabels", "labels")


def read(path: Path, options: Options) -> Iterator[Record]:
    """Records of one export: one for each region of each person's annotation of each task."""
    tasks = parse_json(path)
    if not isinstance(tasks, list):
        raise AnnotationError(f"{path}: not a list of tasks; export as JSON from Label Studio")
    submitted = _submissions(tasks)
    rounds = _rounds(submitted)
    for index, task in enumerate(tasks, start=1):
        where = f"task {task['id'] if isinstance(task, dict) and text(task.get('id')) else index}"
        work = task.get("annotations", task.get("completions")) if isinstance(task, dict) else None
        address = (_address(task.get("data")) if isinstance(task, dict) else None) or ""
        folder, name = _image_place(address)
        if not isinstance(work, list):
            yield Skipped(where, "task without annotations; export as JSON, not JSON-MIN", picture=True)
            continue
        people = [each for each in work if isinstance(each, dict)]
        if not address or not name:
            yield Skipped(where, _without_image(task.get("data")), picture=True)
        elif not any(map(_submitted, people)):
            yield Skipped(f"{where} ({name})", "nobody submitted labels for it", picture=True)
        else:
            names = sorted(name for name in submitted[address] if name)
            about = {"annotators": names} if names else {}
            yield Picture(address, name, *_size(people), about=about, beside=folder, seen=True)
        for _ in range(len(work) - len(people)):
            yield Skipped(where, "annotation is not an object", of=address)
        for person in people:
            if number := rounds.get(id(person)):
                yield Changed(f"{where} annotation {person.get('id')}", AGAIN)
            yield from _regions(where, address, person, number)


def _without_image(data: Any) -> str:
    if isinstance(data, dict) and "video" in data:
        return "task of a video, which is not read; label its frames as images"
    return "none or several of the task's data are names of images; call one 'image'"


def _submissions(tasks: list[Any]) -> dict[str, dict[str | None, list[dict[str, Any]]]]:
    """What each person submitted, by the address of the image: several tasks may show one image."""
    found: dict[str, dict[str | None, list[dict[str, Any]]]] = {}
    for task in tasks:
        if isinstance(task, dict) and (address := _address(task.get("data"))):
            work = task.get("annotations", task.get("completions"))
            people = [each for each in work if isinstance(each, dict)] if isinstance(work, list) else []
            by_name = found.setdefault(address, {})
            for person in filter(_submitted, people):
                by_name.setdefault(_annotator(person), []).append(person)
    return found


def _rounds(submitted: dict[str, dict[str | None, list[dict[str, Any]]]]) -> dict[int, int]:
    """Round of each submission, by its `id()`, where a person whose name is known made several of an image."""
    several = [
        sorted(work, key=_date)
        for by_name in submitted.values()
        for name, work in by_name.items()
        if name and len(work) > 1
    ]
    return {id(each): number for work in several for number, each in enumerate(work, start=1)}


def _date(person: Mapping[str, Any]) -> tuple[str, int]:
    """When a submission was made: tools write ISO dates, which sort as text, and count ids upwards."""
    own = person.get("id")
    return text(person.get("created_at")) or "", own if isinstance(own, int) else 0


def _submitted(person: Mapping[str, Any]) -> bool:
    return person.get("was_cancelled") is not True and isinstance(person.get("result"), list)


def _annotator(person: Mapping[str, Any]) -> str | None:
    who = person.get("completed_by")
    return text(who.get("email")) or text(who.get("id")) if isinstance(who, dict) else text(who)


def _address(data: Any) -> str | None:
    """The address of a task's image: the value called image, else the only one that ends as an image's name does."""
    values = data if isinstance(data, dict) else {}
    named = [
        each for each in map(text, values.values()) if each and _image_place(each)[1].lower().endswith(IMAGE_SUFFIXES)
    ]
    return text(values.get("image")) or (named[0] if len(named) == 1 else None)


def _image_place(address: str) -> tuple[str, str]:
    """Folder and file name of an image, from its address or the `d=` of a local file; "" where there is none."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return "", ""
    local = parse_qs(parts.query).get("d")
    path = PurePosixPath(unquote(local[0] if local else parts.path).replace("\\", "/"))
    return path.parent.as_posix(), path.name


def _size(people: list[dict[str, Any]]) -> tuple[int | None, int | None]:
    """(width, height) in px, which only the regions know."""
    for person in people:
        for region in _results(person):
            if isinstance(region, dict):
                width, height = pixels(region.get("original_width")), pixels(region.get("original_height"))
                if width and height:
                    return width, height
    return None, None


def _results(person: Mapping[str, Any]) -> list[Any]:
    result = person.get("result")
    return result if isinstance(result, list) else []


def _regions(where: str, picture: str, person: Mapping[str, Any], number: int | None) -> Iterator[Record]:
    """The regions of one person's annotation; results of one id (shape, label, text) belong to one region."""
    annotator = _annotator(person)
    about: dict[str, Any] = {"annotator": annotator} if annotator else {}
    if number:
        about["round"] = number
    if person.get("id") is not None and text(person["id"]):
        about["attributes"] = {"annotation_id": text(person["id"])}
    if not isinstance(person.get("result"), list):
        yield Skipped(where, "annotation without a list of results", of=picture)
    by_id: dict[str, list[Any]] = {}
    for index, result in enumerate(_results(person)):
        own = text(result.get("id")) if isinstance(result, dict) else None
        by_id.setdefault(own or f"#{index}", []).append(result)
    for id, results in by_id.items():
        if person.get("was_cancelled") is True:
            yield Skipped(f"{where} region {id}", "annotation was cancelled")
        elif all(map(_is_no_region, results)):  # not named as the image's: it loses no object
            yield Skipped(f"{where} {id}", "answer about a whole image or several regions, not an object")
        else:
            yield attempt(f"{where} region {id}", _shape, picture, results, about)


def _is_no_region(result: Any) -> bool:
    """Whether a result is a choice or the like of the whole image, or a relation: these have no place in it."""
    if not isinstance(result, dict) or text(result.get("type")) not in ANSWERS:
        return False
    value = result.get("value")
    return not isinstance(value, dict) or not PLACED & value.keys()


def _shape(where: str, picture: str, results: list[Any], about: dict[str, Any]) -> Shape:
    value: dict[str, Any] = {}
    for result in results:
        part = mapping(mapping(result, "result").get("value"), "value")
        if any(value[name] != part[name] for name in PLACED & value.keys() & part.keys()):
            raise Unusable("several shapes of one id")
        value |= part
    if any(number(result.get("image_rotation") or 0, "image_rotation") for result in results):
        raise Unusable("image was rotated in Label Studio")
    labels = [label for name in LABELLED for label in sequence(value.get(name, []), name)]
    if len({str(label) for label in labels}) > 1:
        raise Unusable("several labels")
    width, height = (pixels(results[0].get(f"original_{side}")) for side in ("width", "height"))
    if not width or not height:
        raise Unusable("original_width or original_height is no size in pixels")
    label = text(labels[0]) if labels else None
    if "rle" in value:
        place, patch = np.array([[0, 0], [width, height]]), partial(from_label_studio, value["rle"], width, height)
        return Shape(where, picture, "mask", place, label, about, patch=patch)
    kind, points = _outline(value, width / 100, height / 100)
    return Shape(where, picture, kind, points, label, about)  # type: ignore[arg-type]


def _outline(value: Mapping[str, Any], sx: float, sy: float) -> tuple[str, Points]:
    """Kind and points, in px, of a region; `sx` and `sy` are px per per cent."""
    if "points" in value:
        return "polygon", points_of(value["points"]) * (sx, sy)
    if "x" not in value or "y" not in value:
        raise Unusable("not a shape")
    x, y = number(value["x"], "x") * sx, number(value["y"], "y") * sy
    degrees = number(value.get("rotation") or 0, "rotation")
    if "radiusX" in value:
        rx, ry = number(value["radiusX"], "radiusX") * sx, number(value.get("radiusY"), "radiusY") * sy
        return "polygon", ellipse(x, y, rx, ry, np.deg2rad(degrees))
    if "keypointlabels" in value or "height" not in value:  # a key point's `width` is that of its dot
        return "point", np.array([[x, y]])
    width, height = number(value.get("width"), "width") * sx, number(value["height"], "height") * sy
    if not degrees % 360:
        return "box", box(x, y, x + width, y + height)
    return "polygon", rotated_box(x, y, width, height, degrees, (x, y))
