"""Drawn frames with exact truth: a disc for the oolemma, a box for the pipette, a line for the needle."""

import cv2
import numpy as np

from icsilib.data.annotations import (
    Dataset,
    Image,
    polygon_annotation,
    tip_annotation,
    write_coco,
)
from icsilib.data.splits import Split, write_split
from icsilib.data.structures import ICSI_CATEGORIES, OOLEMMA, SUCTION_PIPETTE


def write_drawn_dataset(folder, videos=4, frames=3, size=64, seed=0):
    """A COCO data set of `videos` × `frames` drawn frames; the last frame of each video has no tip and no pipette."""
    rng = np.random.default_rng(seed)
    images, annotations = [], []
    for video in range(videos):
        for frame in range(frames):
            id = len(images) + 1
            full = frame < frames - 1
            pixels, disc, box, tip = draw(rng, size, full)
            name = f"frames/v{video}/{frame}.png"
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / name), pixels)
            who = {"video_id": f"v{video}", "kit": "ABC"[video % 3], "operator": f"E{video % 2}"}
            images.append(
                Image(id=id, file_name=name, width=size, height=size, frame_index=frame, um_per_px=0.5, **who)
            )
            annotations.append(polygon_annotation(len(annotations) + 1, id, OOLEMMA, [disc]))
            if full:
                annotations.append(polygon_annotation(len(annotations) + 1, id, SUCTION_PIPETTE, [box]))
                annotations.append(tip_annotation(len(annotations) + 1, id, tip))
    write_coco(Dataset(images=images, annotations=annotations, categories=list(ICSI_CATEGORIES)), folder / "a.json")
    names = [f"v{video}" for video in range(videos)]
    split = Split(by="video_id", train=tuple(names[:-2]), validation=(names[-2],), test=(names[-1],))
    write_split(split, folder / "split.json")
    return folder / "a.json"


def draw(rng, size, full=True):
    """One frame: pixels, polygon of the disc, polygon of the box, tip, the latter two drawn only when `full`."""
    centre = rng.uniform(0.4, 0.6, 2) * size
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    disc = centre + 0.2 * size * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    x, y = centre[0] - 0.2 * size, centre[1]
    box = np.array([[0, y - 6], [x, y - 6], [x, y + 6], [0, y + 6]])
    tip = centre + np.array([rng.uniform(0.1, 0.3) * size, rng.uniform(-0.05, 0.05) * size])
    pixels = np.full((size, size), 100, np.uint8)
    cv2.fillPoly(pixels, [np.round(disc).astype(np.int32)], 160)
    if full:
        cv2.fillPoly(pixels, [np.round(box).astype(np.int32)], 230)
        cv2.line(pixels, np.round(tip - 0.5).astype(int).tolist(), (size - 1, int(tip[1])), 10, 2)
    return pixels + rng.integers(0, 10, pixels.shape, dtype=np.uint8), disc, box, tip
