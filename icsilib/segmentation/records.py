"""Predictions as records of the study's annotation format, so that everything that reads labels reads them too."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from icsilib.data.annotations import (
    Annotation,
    Image,
    mask_to_polygons,
    polygon_annotation,
    tip_annotation,
)
from icsilib.data.images import read_grey
from icsilib.data.structures import OUTLINES
from icsilib.data.video import is_video, read_frames
from icsilib.files import write_text_atomic
from icsilib.segmentation.segmenter import Prediction

SMALLEST_PX = 25  # px², smallest region that becomes an annotation


def read_source(path: Path, every: int = 3, **options: Any) -> Iterator[tuple[int | None, NDArray[np.uint8]]]:
    """Grey frames of a file: (index, frame) for every `every`-th of a video, (None, image) for an image.

    `options` are those of `read_frames`.
    """
    if is_video(path):
        yield from read_frames(path, every, **options)
    else:
        yield None, read_grey(path)


def annotations_of(prediction: Prediction, image_id: int, first_id: int, minimum_confidence: float) -> list[Annotation]:
    """The prediction as annotations of one image, by annotator `model`, with its confidence in the tip.

    Regions below `SMALLEST_PX` px² are left out, and the tip where its confidence is below `minimum_confidence`.
    """
    found: list[Annotation] = []
    for structure, mask in zip(OUTLINES, prediction.masks, strict=True):
        count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
        large = [k for k in range(1, count) if stats[k, cv2.CC_STAT_AREA] >= SMALLEST_PX]
        if large:
            region = np.isin(labels, large)
            polygons = mask_to_polygons(region, tolerance=0.5) or mask_to_polygons(region)  # as it is where thin
            id, category = first_id + len(found), structure.category
            found.append(polygon_annotation(id, image_id, category, polygons, annotator="model"))
    if prediction.confidence >= minimum_confidence:
        tip = tip_annotation(first_id + len(found), image_id, prediction.tip.tolist(), annotator="model")
        found.append(tip.model_copy(update={"score": round(prediction.confidence, 4)}))
    return found


class Journal:
    """Predictions of a command, kept line by line in a file while it runs, so that the same command can go on.

    `about` is all that decides the predictions. A file that starts with another `about` is begun again; a last line
    that a kill or a full disk cut short is dropped. `close` removes the file.
    """

    def __init__(self, path: Path, about: dict[str, Any]) -> None:
        self.path, self._known = path, dict[str, tuple[Image, list[Annotation]]]()
        first, *lines = [json.dumps({"about": about}), *self._whole_lines(json.dumps({"about": about}))]
        for line in lines:
            record = json.loads(line)
            labels = [Annotation.model_validate(label) for label in record["annotations"]]
            self._known[record["image"]["picture"]] = Image.model_validate(record["image"]), labels
        write_text_atomic(path, "".join(f"{line}\n" for line in (first, *lines)))

    def _whole_lines(self, first: str) -> list[str]:
        lines = self.path.read_text(encoding="utf-8", errors="replace").split("\n") if self.path.is_file() else []
        return lines[1:-1] if lines[:1] == [first] else []

    def known(self, picture: str) -> tuple[Image, list[Annotation]] | None:
        """What an earlier run of the command saw in the image of that picture; None if it came not so far."""
        return self._known.get(picture)

    def add(self, image: Image, found: list[Annotation]) -> None:
        """Append one image's prediction."""
        labels = [label.model_dump(mode="json", exclude_none=True) for label in found]
        line = json.dumps({"image": image.model_dump(mode="json", exclude_none=True), "annotations": labels})
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def close(self) -> None:
        """Remove the file, once the predictions are written whole."""
        self.path.unlink(missing_ok=True)
