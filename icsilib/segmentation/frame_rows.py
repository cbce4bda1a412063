"""Predictions as a table: one row per frame with the tip and with size and place of what is outlined."""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from icsilib.data.annotations import Annotation, Dataset, Image, mask_of, tip_of
from icsilib.data.structures import NEEDLE, OUTLINES

TOUCH = 1.0  # % of the longer side of a frame: outlines that come this close touch each other


def frame_rows(dataset: Dataset, rates: Mapping[str, float]) -> list[dict[str, Any]]:
    """One row per image of `predict`'s data set, in its order; `rates` are frames/s by `video_id`.

    `seconds` counts from a video's first frame at its mean rate. The tip is empty where its confidence was too low to
    be kept, an outline's area is 0 where there is none. Lengths are px of the frame, and µm from its upper left corner
    where the image has a scale.
    """
    labels: dict[int, list[Annotation]] = {image.id: [] for image in dataset.images}
    for label in dataset.annotations:
        labels[label.image_id].append(label)
    return [_row(image, labels[image.id], rates) for image in dataset.images]


def _row(image: Image, labels: list[Annotation], rates: Mapping[str, float]) -> dict[str, Any]:
    index, rate = image.frame_index, rates.get(image.video_id or "")
    row: dict[str, Any] = {
        "file": image.video_id or image.file_name,
        "frame": index,
        "seconds": None if index is None or not rate else round(index / rate, 4),
    }
    found = {label.category_id: label for label in labels}
    tip = tip_of(found[NEEDLE.id]) if NEEDLE.id in found else None
    row |= _place("tip", tip, image) | {"tip_confidence": (image.model_extra or {}).get("tip_confidence")}
    masks = {}
    for each in OUTLINES:
        label = found.get(each.category.id)
        mask = (
            np.zeros((image.height, image.width), bool) if label is None else mask_of(label, image.height, image.width)
        )
        masks[each.name] = mask
        row[f"{each.name}_area_px2"] = int(mask.sum())
        row |= _place(each.name, np.argwhere(mask)[:, ::-1].mean(axis=0) + 0.5 if mask.any() else None, image)
    row["tip_in_oolemma"] = None if tip is None else _holds(masks["oolemma"], tip)
    row["pipette_touches_oolemma"] = (
        _touch(masks["oolemma"], masks["pipette"]) if all(m.any() for m in masks.values()) else None
    )
    return row


def _place(name: str, point: Any, image: Image) -> dict[str, float | None]:
    scales = {"px": 1.0} | ({"um": image.um_per_px} if image.um_per_px else {})
    return {
        f"{name}_{axis}_{unit}": None if point is None else round(float(point[n]) * scale, 2)
        for unit, scale in scales.items()
        for n, axis in enumerate("xy")
    }


def _holds(mask: Any, point: Any) -> bool:
    column, row = np.clip(np.floor(point).astype(int), 0, np.array(mask.shape[::-1]) - 1)
    return bool(mask[row, column])


def _touch(one: Any, other: Any) -> bool:
    """Whether two masks (H, W) come closer to each other than `TOUCH`."""
    gap = cv2.distanceTransform((~one).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[other].min()
    return bool(gap <= TOUCH / 100 * max(one.shape))
