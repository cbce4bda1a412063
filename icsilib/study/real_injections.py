"""A model on the photographs of injections, frame by frame: scores, and a picture for the reader's own disk."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from icsilib.data.annotations import Annotation, Dataset, Image, mask_of, tip_of
from icsilib.data.images import read_grey
from icsilib.data.structures import NEEDLE, OOLEMMA
from icsilib.files import atomic_path
from icsilib.plots.segmentation import show_frame
from icsilib.stats.agreement import iou

if TYPE_CHECKING:
    from icsilib.segmentation import Segmenter

SIDE = 384  # px: the frames' width before their source drew them as figures


def scores(folder: Path, frames: Dataset, models: Mapping[str, "Segmenter"]) -> pd.DataFrame:
    """One row for each frame and model: recording, IoU of the oolemma, tip error in px of a frame `SIDE` px wide."""
    rows = []
    for image in frames.images:
        photo, (oolemma, tip) = read_grey(folder / image.file_name), truth_of(frames, image)
        for name, model in models.items():
            seen = model.predict(photo)
            error = float(np.hypot(*(seen.tip - tip))) * SIDE / image.width
            about = {"frame": Path(image.file_name).stem[:8], "recording": image.video_id, "looks": name}
            found = {"iou_oolemma": iou(seen.masks[0], oolemma), "tip_px": error, "confidence": seen.confidence}
            rows.append(about | found)
    return pd.DataFrame(rows)


def truth_of(frames: Dataset, image: Image) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Mask (H, W) of an image's oolemma and its needle's tip (x, y) in px, NaN where there is none."""
    of_kind: dict[int, Annotation] = {a.category_id: a for a in frames.annotations if a.image_id == image.id}
    tip = tip_of(of_kind[NEEDLE.id]) if NEEDLE.id in of_kind else None
    return mask_of(of_kind[OOLEMMA.id], image.height, image.width), np.full(2, np.nan) if tip is None else tip


def draw(folder: Path, frames: Dataset, models: Mapping[str, "Segmenter"], file: Path) -> Path:
    """Draw every frame with each model's prediction, and the person's labels dashed, into `file`; show nothing."""
    fig, axes = plt.subplots(len(models), len(frames.images), figsize=(3 * len(frames.images), 3 * len(models)))
    for column, image in zip(np.reshape(axes, (len(models), -1)).T, frames.images, strict=True):
        photo, (oolemma, tip) = read_grey(folder / image.file_name), truth_of(frames, image)
        for ax, (name, model) in zip(column, models.items(), strict=True):
            seen = model.predict(photo)
            title = f"{image.file_name[:8]}, {name}"
            show_frame(ax, photo, seen.masks, seen.tip, oolemma[None], tip if np.isfinite(tip).all() else None, title)
    with atomic_path(file) as partial:
        fig.savefig(partial, format="png", dpi=120)
    plt.close(fig)  # a figure left open would be shown, and stored, by the notebook
    return file
