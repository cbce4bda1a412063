"""CVAT 1.1 XML, for images and for videos. Its coordinates are continuous image coordinates already."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from icsilib.data.annotations import AnnotationError
from icsilib.data.readers.masks import Mask, from_cvat
from icsilib.data.readers.outlines import box, ellipse, rotated_box
from icsilib.data.readers.records import Picture, Points, Record, Shape, Skipped, Unusable, attempt
from icsilib.data.readers.sources import parse_xml
from icsilib.data.readers.values import number, pixels, text

SHAPES = ("box", "polygon", "points", "ellipse", "polyline", "mask", "cuboid", "skeleton")
TASKS = ("meta/task", "meta/job", "meta/project")
MOST_FRAMES = 1_000_000  # a longer video is a fault of the file


def read(path: Path) -> Iterator[Record]:
    """Records of one XML file; a video's tracks give one record a frame in which they are shown."""
    root = parse_xml(path)
    if root.tag != "annotations":
        raise AnnotationError(
            f"{path}: root element is {root.tag!r}, not 'annotations'; export as 'CVAT for images 1.1'"
        )
    who = next((name for task in TASKS if (name := text(root.findtext(f"{task}/assignee/username")))), None)
    for index, image in enumerate(root.iter("image")):
        name = text(image.get("name")) or ""
        key = f"image {name}"
        yield Picture(key, name, pixels(image.get("width")), pixels(image.get("height")))
        for number_in_image, element in enumerate(_shapes(image), start=1):
            yield attempt(f"image {index} ({name}) {element.tag} {number_in_image}", _shape, key, element, element, who)
        for element in image.iter("tag"):
            yield Skipped(f"image {index} ({name}) tag {element.get('label')}", "tag of a whole image")
    tracks = list(root.iter("track"))
    if tracks or root.find("meta//original_size") is not None:
        yield from _video(path, root, tracks, who)


def _video(
    path: Path, root: ElementTree.Element, tracks: list[ElementTree.Element], who: str | None
) -> Iterator[Record]:
    """Every frame of the video as an image, labelled or not, and the tracks' shapes."""
    task = next((found for name in TASKS if (found := root.find(name)) is not None), root)
    video = (
        text(root.findtext("meta/source")) or text(task.findtext("source")) or text(task.findtext("name")) or path.stem
    )
    width, height = (pixels(task.findtext(f"original_size/{name}")) for name in ("width", "height"))
    shapes = [(track, element) for track in tracks for element in _shapes(track)]
    frames = {_frame(element) for _, element in shapes} - {None}
    for frame in sorted(frames.union(_all_frames(path, task)), key=int):  # type: ignore[arg-type]
        about = {"video_id": video, "frame_index": frame}
        yield Picture(f"frame {frame}", f"frame_{frame:06d}.png", width, height, about)
    for track, element in shapes:
        where = f"track {track.get('id')} frame {element.get('frame')}"
        if element.get("outside") == "1":
            yield Skipped(where, "outside: the object is not shown in this frame")
        elif _frame(element) is None:
            yield Skipped(where, "frame is not a number")
        else:
            yield attempt(where, _shape, f"frame {_frame(element)}", element, track, who)


def _all_frames(path: Path, task: ElementTree.Element) -> range:
    """Frame numbers of the task, from its first and last frame and its step."""
    first, last = (pixels(task.findtext(name)) or 0 for name in ("start_frame", "stop_frame"))
    step = re.search(r"step\s*=\s*(\d{1,6})", task.findtext("frame_filter") or "")
    if task.find("stop_frame") is None:
        last = first + (pixels(task.findtext("size")) or 0) - 1
    if last - first > MOST_FRAMES:
        raise AnnotationError(f"{path}: says that it has {last - first} frames; correct start_frame and stop_frame")
    return range(first, last + 1, max(1, int(step[1])) if step else 1)


def _frame(element: ElementTree.Element) -> int | None:
    value = element.get("frame", "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else None


def _shapes(parent: ElementTree.Element) -> Iterator[ElementTree.Element]:
    return (element for element in parent if element.tag in SHAPES)


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
    if element.tag == "mask":
        corner, patch = _patch(element)
        return Shape(where, picture, "mask", corner, text(owner.get("label")), about, patch=patch)
    kind, points = _outline(element)
    return Shape(where, picture, kind, points, text(owner.get("label")), about)  # type: ignore[arg-type]


def _patch(element: ElementTree.Element) -> tuple[Points, Mask]:
    """Left upper corner (1, 2) and pixels of a painted mask."""
    width, height = pixels(element.get("width")), pixels(element.get("height"))
    if not width or not height:
        raise Unusable("mask without a size")
    corner = np.array([[number(element.get("left"), "left"), number(element.get("top"), "top")]])
    return corner, from_cvat(element.get("rle") or "", width, height)


def _outline(element: ElementTree.Element) -> tuple[str, Points]:
    """Kind and points of one element."""

    def values(*names: str) -> list[float]:
        return [number(element.get(name), name) for name in names]

    degrees = number(element.get("rotation") or 0, "rotation")
    if element.tag == "box":
        x0, y0, x1, y1 = values("xtl", "ytl", "xbr", "ybr")
        if not degrees % 360:
            return "box", box(x0, y0, x1, y1)
        return "polygon", rotated_box(x0, y0, x1 - x0, y1 - y0, degrees, ((x0 + x1) / 2, (y0 + y1) / 2))
    if element.tag == "ellipse":
        cx, cy, rx, ry = values("cx", "cy", "rx", "ry")
        return "polygon", ellipse(cx, cy, rx, ry, np.deg2rad(degrees))
    if element.tag in ("polygon", "points"):
        pairs = [pair.split(",") for pair in (element.get("points") or "").split(";")]
        if any(len(pair) != 2 for pair in pairs):
            raise Unusable("point is not a pair")
        points = np.array([[number(x, "x"), number(y, "y")] for x, y in pairs])
        if element.tag == "points" and len(points) > 1:
            raise Unusable("several points in one shape")
        return ("point" if element.tag == "points" else "polygon"), points
    raise Unusable(f"shape {element.tag!r} is not supported")
