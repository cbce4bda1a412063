"""Paper B's augmentation: images are cropped, padded, flipped horizontally and jittered, then resampled.

Crop and pad are one act here: a rectangle of random size and place is cut, and where it reaches beyond the image it
repeats the border. Scaling to [0, 1] comes last, where the network takes the image (`icsilib.detection.train`).
"""

import os
from functools import cache
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from icsilib.detection.boxes import xywh_to_xyxy, xyxy_to_xywh
from icsilib.detection.settings import Settings
from icsilib.detection.windows import Pixels, cut, resize

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it would ask the network when imported
import albumentations as A

SMALLEST_VISIBLE = 0.4  # share of a sperm's box that must lie inside an input for it to stay labelled
PADDING = 0.1  # share of a rectangle's side that may lie beyond the image
SSD_COVERAGES = (
    0.01,
    0.1,
    0.3,
    0.5,
    0.7,
    0.9,
    1.0,
)  # shares of a sperm that SSD's crop may ask for, one drawn each time
SSD_WHOLE = 0.15  # chance that SSD's crop takes the whole image


def random_input(
    image: Pixels, boxes: NDArray[np.float64], settings: Settings, draw: np.random.Generator
) -> tuple[Pixels, NDArray[np.float64]]:
    """One augmented input (S, S, 3) of `image` (H, W, 3) and its boxes (M, 4), xywh in px of the input.

    Sperm of which less than `SMALLEST_VISIBLE` is left (SSD's crop: less than the share it drew) are no longer
    labelled, the others are cut at the border.
    """
    least = SMALLEST_VISIBLE
    if settings.crop == "ssd":
        (x, y, width, height), least = ssd_rectangle(image.shape[1], image.shape[0], boxes, draw)
    else:
        x, y, width, height = random_rectangle(image.shape[1], image.shape[0], boxes, settings, draw)
    seen = visible(boxes - [x, y, 0, 0], width, height, least) * settings.input_size / np.array([width, height] * 2)
    pipeline = _pipeline(settings.turns, settings.brightness, settings.contrast)
    pipeline.set_random_seed(int(draw.integers(2**31)))
    pixels = resize(cut(image, x, y, width, height), settings.input_size)
    result = pipeline(image=pixels, bboxes=seen)
    return result["image"], np.asarray(result["bboxes"], dtype=float).reshape(-1, 4)


def visible(
    boxes: NDArray[np.float64], width: int, height: int, least: float = SMALLEST_VISIBLE
) -> NDArray[np.float64]:
    """What of the boxes (N, 4), xywh, lies within `width` × `height`; those with a share below `least` are dropped."""
    corners = xywh_to_xyxy(boxes).clip(0, [width, height, width, height])
    seen = xyxy_to_xywh(corners)
    return seen[seen[:, 2] * seen[:, 3] >= least * boxes[:, 2] * boxes[:, 3]]


def ssd_rectangle(
    width: int, height: int, boxes: NDArray[np.float64], draw: np.random.Generator
) -> tuple[tuple[int, int, int, int], float]:
    """SSD's random crop: left, top, width and height in px, and the share of a sperm that must be left of it.

    The rectangle has 10 to 100 % of the image's area, a ratio of width to height between ½ and 2, and holds at least
    the share of some sperm. After a hundred attempts, without sperm, and by the chance `SSD_WHOLE` it is the whole
    image. Ranges are those of TensorFlow's Object Detection API, whose defaults the authors' configuration takes.
    """
    whole, least = (0, 0, width, height), float(draw.choice(SSD_COVERAGES))
    if not len(boxes) or draw.random() < SSD_WHOLE:
        return whole, least
    for _ in range(100):
        area, ratio = draw.uniform(0.1, 1) * width * height, draw.uniform(0.5, 2)
        wide, high = round(sqrt(area * ratio)), round(sqrt(area / ratio))
        if wide > width or high > height:
            continue
        left, top = int(draw.integers(width - wide + 1)), int(draw.integers(height - high + 1))
        if len(visible(boxes - [left, top, 0, 0], wide, high, least)):
            return (left, top, wide, high), least
    return whole, least


def random_rectangle(
    width: int, height: int, boxes: NDArray[np.float64], settings: Settings, draw: np.random.Generator
) -> tuple[int, int, int, int]:
    """Left, top, width and height in px of the rectangle to cut from an image of `width` × `height` px.

    Its sides are those of a window, times one random zoom. It holds a sperm drawn at random, wherever in the
    rectangle, except in `empty_share` of the cases and in images without: then it lies anywhere.
    """
    zoom = settings.zoom ** draw.uniform(-1, 1)
    sides = (settings.window, settings.window) if settings.window else (width, height)
    wide, high = (max(8, round(side * zoom)) for side in sides)
    left, top, w, h = 0.0, 0.0, float(width), float(height)
    if len(boxes) and draw.random() >= settings.empty_share:
        left, top, w, h = boxes[draw.integers(len(boxes))]
    return _start(left, w, wide, width, draw), _start(top, h, high, height, draw), wide, high


def _start(low: float, length: float, side: int, limit: int, draw: np.random.Generator) -> int:
    """Where a rectangle's side may start so that it holds the interval, or lies in it when it is the shorter.

    It reaches beyond the image, 0 to `limit`, by no more than `PADDING` of the side, or lies around it.
    """
    start = draw.uniform(min(low + length - side, low), max(low + length - side, low))
    nearest, farthest = sorted((-PADDING * side, limit - (1 - PADDING) * side))
    return round(min(max(start, nearest), farthest))


@cache
def _pipeline(turns: bool, brightness: float, contrast: float) -> A.Compose:
    steps = [A.HorizontalFlip(p=0.5), A.RandomBrightnessContrast(brightness, contrast, p=0.8)]
    return A.Compose([A.RandomRotate90()] * turns + steps, bbox_params=A.BboxParams(format="coco"))
