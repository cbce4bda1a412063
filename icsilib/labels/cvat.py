"""CVAT 1.1 XML, for images and for videos. Its coordinates are continuous image coordinates already.

A project's file holds several tasks, which may call their images and frames by the same names and numbers. Names that
several of its tasks have are therefore given with the task's name as their folder.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import Any
from xml.etree import ElementTree

import numpy as np

from icsilib.data.annotations import AnnotationError
from icsilib.data.video import frame_name
from icsilib.labels.parsing import parse_xml
from icsilib.labels.records import (
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
from icsilib.labels.shapes import SEVERAL_POINTS, Mask, ellipse, from_cvat, turned_box

ABOUT = ("version", "meta")
ROOT = (*ABOUT, "image", "track")
TASKS = ("meta/task", "meta/job", "meta/project")
MOST_FRAMES = 100_000  # of all videos of a file, an hour at 25 a second; more are a fault of the file


def read(path: Path, options: Options) -> Iterator[Record]:
    """Records of one XML file; a video's tracks give one record a frame in which they are shown."""
    root = parse_xml(path)
    if root.tag != "annotations":
        raise AnnotationError(
            f"{path}: root element is {root.tag!r}, not 'annotations'; export as 'CVAT for images 1.1'"
        )
    tasks = _tasks(root)
    images = list(root.iter("image"))
    shared = _shared(images)
    for index, image in enumerate(images):
        name = text(image.get("name")) or ""
        task = tasks.get(image.get("task_id") or "", tasks[""])
        key, place = f"image {image.get('task_id')} {name}", task.folder if name in shared else ""
        size = pixels(image.get("width")), pixels(image.get("height"))
        about, ours = _video_frame(task, name)
        yield Picture(key, f"{place}/{name}" if place else name, *size, about, ours, beside=place)
        for number_in_image, element in enumerate(image, start=1):
            where = f"image {index} ({name}) {element.tag} {number_in_image}"
            if element.tag == "tag":
                yield Skipped(where, "tag of a whole image")
            else:
                yield from _objects(where, key, element, element, task.who, options)
    for element in (each for each in root if each.tag not in ROOT or (each.tag in ABOUT and each.attrib)):
        yield Skipped(f"<{element.tag}> {element.get('name')}", "element of an unknown kind", picture=True)
        for part in element:
            yield Skipped(f"<{element.tag}> {element.get('name')} {part.tag}", "in an element of an unknown kind")
    if not images or root.find(".//track") is not None:  # an export for images lists a video's frames as images
        yield from _videos(path, root, tasks, options)


@dataclass(frozen=True)
class Task:
    """What the file says of one task."""

    id: str  # "" where the file is of one task or job
    element: ElementTree.Element
    folder: str  # its name, to tell its images from another task's
    video: str
    who: str | None  # its assignee


def _tasks(root: ElementTree.Element) -> dict[str, Task]:
    """A project's tasks by id, and under "" the task, job or project as a whole."""
    whole = next((found for name in TASKS if (found := root.find(name)) is not None), root)
    who = next((name for task in TASKS if (name := text(root.findtext(f"{task}/assignee/username")))), None)
    source = text(root.findtext("meta/source"))
    tasks = {"": Task("", whole, "", source or text(whole.findtext("source")) or _name(whole), who)}
    alike = Counter(_name(each) for each in root.iterfind("meta/project/tasks/task"))
    for each in root.iterfind("meta/project/tasks/task"):
        id, name = text(each.findtext("id")) or "", re.sub(r"[\\/:]", "_", _name(each))
        own = text(each.findtext("assignee/username")) or who
        folder = name if alike[_name(each)] == 1 and name else f"{name}_{id}"
        tasks[id] = Task(id, each, folder, text(each.findtext("source")) or folder, own)
    return tasks


def _video_frame(task: Task, name: str) -> tuple[dict[str, Any], str]:
    """Video and number of a frame that was exported as an image, and the name that `icsi data frames` gives it."""
    if task.element.findtext("mode") != "interpolation" or not task.video:
        return {}, ""
    found = re.fullmatch(r"frame_(\d{1,9})(\.\w+)?", name, re.ASCII)
    about: dict[str, Any] = {"video_id": task.video}
    if not found:
        return about, ""
    return about | {"frame_index": int(found[1])}, frame_name(PureWindowsPath(task.video), int(found[1]))


def _name(task: ElementTree.Element) -> str:
    return text(task.findtext("name")) or ""


def _shared(images: list[ElementTree.Element]) -> set[str]:
    """Names that images of several tasks have."""
    found = {(text(image.get("name")) or "", image.get("task_id")) for image in images}
    return {name for name, count in Counter(name for name, _ in found).items() if count > 1}


def _videos(path: Path, root: ElementTree.Element, tasks: dict[str, Task], options: Options) -> Iterator[Record]:
    """The frames and tracks of every task; those of a task that is not described belong to the file as a whole."""
    by_task: dict[str, list[ElementTree.Element]] = {id: [] for id in tasks}
    for track in root.iter("track"):
        id = track.get("task_id") or ""
        by_task[id if id in tasks else ""].append(track)
    count = sum(len(_all_frames(task.element)) for task in tasks.values())
    if count > MOST_FRAMES:
        raise AnnotationError(f"{path}: says that it has {count} frames; correct start_frame and stop_frame")
    described = [id for id, tracks in by_task.items() if tracks or tasks[id].element.find("original_size") is not None]
    for id in described:
        folder = f"{tasks[id].folder}/" if id and len(described) > 1 else ""
        yield from _video(path, tasks[id], by_task[id], folder, options)


def _video(
    path: Path, task: Task, tracks: list[ElementTree.Element], folder: str, options: Options
) -> Iterator[Record]:
    """Every frame of the task's video as an image, labelled or not, and the tracks' shapes."""
    width, height = (pixels(task.element.findtext(f"original_size/{name}")) for name in ("width", "height"))
    shapes = [(track, element) for track in tracks for element in track]
    for track in (each for each in tracks if not len(each)):
        yield Skipped(f"{folder}track {track.get('id')}", "track without shapes")
    frames = {_frame(element) for _, element in shapes} - {None}
    for frame in sorted(frames.union(_all_frames(task.element)), key=int):  # type: ignore[arg-type]
        about = {"video_id": task.video or path.stem, "frame_index": frame}
        name = f"{folder}frame_{frame:06d}.png"
        ours = frame_name(PureWindowsPath(task.video or path.stem), frame or 0)
        yield Picture(f"frame {task.id} {frame}", name, width, height, about, ours, beside=folder)
    for track, element in shapes:
        where = f"{folder}track {track.get('id')} frame {element.get('frame')}"
        if element.get("outside") == "1":
            yield Skipped(where, "outside: the object is not shown in this frame")
        elif _frame(element) is None:
            yield Skipped(where, "frame is not a number")
        else:
            yield from _objects(where, f"frame {task.id} {_frame(element)}", element, track, task.who, options)


def _all_frames(task: ElementTree.Element) -> range:
    """Frame numbers of the task, from its first and last frame and its step."""
    first, last = (pixels(task.findtext(name)) or 0 for name in ("start_frame", "stop_frame"))
    step = re.search(r"step\s*=\s*(\d{1,6})", task.findtext("frame_filter") or "")
    if task.find("stop_frame") is None:
        last = first + (pixels(task.findtext("size")) or 0) - 1
    return range(first, last + 1, max(1, int(step[1])) if step else 1)


def _frame(element: ElementTree.Element) -> int | None:
    value = element.get("frame", "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else None


def _objects(
    where: str,
    picture: str,
    element: ElementTree.Element,
    owner: ElementTree.Element,
    who: str | None,
    options: Options,
) -> Iterator[Record]:
    """The record of one element; of several points each by itself, of a skeleton the point that stands for it."""
    points = [element]
    if element.tag == "points" and ";" in (written := element.get("points", "")):
        yield Changed(where, SEVERAL_POINTS)
        points = [ElementTree.Element("points", element.attrib | {"points": pair}) for pair in written.split(";")]
    elif element.tag == "skeleton":
        every = [each for each in element.iterfind("points") if each.get("outside") != "1"]
        points = [each for each in every if len(every) == 1 or each.get("label") == options.keypoint]
        if len(points) == 1 and len(every) > 1:
            yield Changed(where, f"skeleton, of which only the point {options.keypoint!r} is kept")
        elif len(points) != 1:
            yield Skipped(where, f"skeleton without a point {options.keypoint!r}", of=picture)
            return
    for each in points:
        each.set("keyframe", each.get("keyframe") or element.get("keyframe") or "")
        yield attempt(where, _shape, picture, each, owner, who)


def _shape(
    where: str, picture: str, element: ElementTree.Element, owner: ElementTree.Element, who: str | None
) -> Shape:
    about: dict[str, Any] = {"annotator": who} if who else {}
    attributes = {text(each.get("name")) or "": text(each.text) for each in element.iter("attribute")}
    attributes |= {name: element.get(name) for name in ("occluded", "keyframe") if element.get(name)}
    if owner.tag == "track" and owner.get("id"):
        attributes["track_id"] = owner.get("id")
    if attributes:
        about["attributes"] = attributes
    label, key = text(owner.get("label")), element.get("keyframe")
    interpolated = key == "0" if key else None
    if element.tag == "mask":
        place, patch = _patch(element)
        return Shape(where, picture, "mask", place, label, about, patch=patch, interpolated=interpolated)
    kind, points = _outline(element)
    return Shape(where, picture, kind, points, label, about, interpolated=interpolated)  # type: ignore[arg-type]


def _patch(element: ElementTree.Element) -> tuple[Points, Callable[[], Mask]]:
    """Left upper corner and size (2, 2) of a painted mask, and what unpacks it."""
    width, height = pixels(element.get("width")), pixels(element.get("height"))
    if not width or not height:
        raise Unusable("mask without a size")
    corner = [number(element.get(name), name) for name in ("left", "top")]
    return np.array([corner, [width, height]]), partial(from_cvat, element.get("rle") or "", width, height)


def _outline(element: ElementTree.Element) -> tuple[str, Points]:
    """Kind and points of one element."""

    def values(*names: str) -> list[float]:
        return [number(element.get(name), name) for name in names]

    degrees = number(element.get("rotation") or 0, "rotation")
    if element.tag == "box":
        x0, y0, x1, y1 = values("xtl", "ytl", "xbr", "ybr")
        corners = turned_box(x0, y0, x1 - x0, y1 - y0, degrees)
        return "box" if len(corners) == 2 else "polygon", corners
    if element.tag == "ellipse":
        cx, cy, rx, ry = values("cx", "cy", "rx", "ry")
        return "polygon", ellipse(cx, cy, rx, ry, np.deg2rad(degrees))
    if element.tag in ("polygon", "points"):
        pairs = [pair.split(",") for pair in (element.get("points") or "").split(";")]
        return ("point" if element.tag == "points" else "polygon"), points_of(pairs)
    raise Unusable(f"shape {element.tag!r} is not supported")
