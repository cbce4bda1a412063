"""Frames with their truth, read from the study's COCO files, as the network takes them.

All frames of a part of the split are preprocessed once and kept in memory as bytes: 7,983 frames of 512 px with two
masks are 6 GB, 1,000 frames of 128 px are 50 MB.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from icsilib.data.annotations import (
    Annotation,
    AnnotationError,
    Dataset,
    Image,
    Polygon,
    outlines_of,
    polygons_to_mask,
    read_coco,
    tip_of,
)
from icsilib.data.images import read_grey
from icsilib.data.preprocess import Preprocess, preprocess
from icsilib.data.splits import read_split
from icsilib.data.structures import ICSI_CATEGORIES, NEEDLE, OUTLINES
from icsilib.segmentation.augmentation import Sample, augment, compose
from icsilib.segmentation.dsnt import to_normalised
from icsilib.segmentation.losses import Target
from icsilib.training.runs import generator

CLASSES = tuple(each.name for each in OUTLINES)
SCORED_SIZE = 512  # px, side of the square on which the paper's figures are understood to be measured
Outlines = tuple[list[Polygon], ...]  # of each class
Points = NDArray[np.float64]  # (..., 2), px


class Place(Protocol):
    """Where a frame, or a part of it, lies in the square that the network sees (`icsilib.data.preprocess.Geometry`)."""

    @property
    def size(self) -> int:
        """Side of the square, px."""

    @property
    def scale(self) -> Points:
        """Square px per px of the frame along x and y."""

    def to_square(self, points: Points) -> Points:
        """Points in the frame → points in the square."""

    def to_source(self, points: Points) -> Points:
        """Points in the square → points in the frame."""


class Labelled(NamedTuple):
    """A frame as its file and its labels give it; coordinates are px of the frame."""

    record: Image
    pixels: NDArray[np.uint8]  # (H, W)
    outlines: Outlines
    tip: Points  # (2,), NaN where absent


# What the network is shown of a frame: preprocessed squares.
Views = Callable[[Labelled, Preprocess], Sequence[tuple[NDArray[np.uint8], Place]]]


def whole_frame(frame: Labelled, settings: Preprocess) -> Sequence[tuple[NDArray[np.uint8], Place]]:
    """One view: all of the frame."""
    return [preprocess(frame.pixels, settings)]


@dataclass(frozen=True)
class Frames:
    """N frames of side S with their truth. All coordinates are px of that square."""

    images: NDArray[np.uint8]  # (N, S, S), preprocessed
    masks: NDArray[np.uint8]  # (N, 2, S, S), 255 where a class covers a pixel whole
    tips: NDArray[np.float64]  # (N, 2), NaN where absent
    outlines: list[Outlines]
    records: list[Image]
    um_per_px: NDArray[np.float64]  # (N,) of the square; NaN where the scale is unknown
    root: Path  # of the records' file names

    def __len__(self) -> int:
        return len(self.records)

    @property
    def size(self) -> int:
        """S, px."""
        return self.images.shape[-1]

    def truth_at(self, n: int, size: int = SCORED_SIZE) -> NDArray[np.bool_]:
        """Masks (2, size, size) of frame `n`, rasterised at another size from its outlines."""
        rings = [[ring * (size / self.size) for ring in outlines] for outlines in self.outlines[n]]
        return np.stack([polygons_to_mask(ring, size, size) for ring in rings])

    def __getitem__(self, n: int) -> Sample:
        return Sample(self.images[n], self.masks[n], self.tips[n])


def load_frames(
    annotations: Path | str,
    settings: Preprocess,
    part: str | None = None,
    split: Path | str | None = None,
    annotator: str | None = None,
    views: Views = whole_frame,
) -> Frames:
    """Frames of one part of the split (all frames where `part` is None) of a COCO file, preprocessed.

    `split` is the split's file, by default `split.json` beside the annotations; `views` what is shown of each frame.
    Raises `AnnotationError` for a frame that cannot be read, and for one that several people labelled unless
    `annotator` says whose labels to take; for a file that numbers its categories otherwise than the study, too.
    """
    path = Path(annotations)
    dataset = read_coco(path)
    _check_categories(path, dataset)
    images = dataset.images
    if part is not None:
        chosen = set(read_split(split or path.parent / "split.json", dataset).of(dataset)[part])
        images = [image for image in images if image.id in chosen]
    labels = _labels(path, dataset, annotator)
    with ThreadPoolExecutor(4) as pool:
        load = partial(_load, path.parent, settings, views)
        found = list(pool.map(load, images, [labels.get(image.id, []) for image in images]))
    if not any(found):
        raise AnnotationError(f"{path}: no frames in part {part!r}; check the split")
    records = [image for image, shown in zip(images, found, strict=True) for _ in shown]
    samples, outlines, scales = zip(*(view for shown in found for view in shown), strict=True)
    pixels, masks, tips = (np.stack(values) for values in zip(*samples, strict=True))
    um_per_px = np.array(scales, float)
    return Frames(pixels, masks, tips, list(outlines), records, um_per_px, path.parent)


def _check_categories(path: Path, dataset: Dataset) -> None:
    """Raise `AnnotationError` where an id or a name of the study's categories stands for another."""
    ours = {(category.id, category.name) for category in ICSI_CATEGORIES}
    ids, names = zip(*ours, strict=True)
    for each in dataset.categories:
        if (each.id in ids or each.name in names) and (each.id, each.name) not in ours:
            known = ", ".join(f"{id} {name}" for id, name in sorted(ours))
            raise AnnotationError(
                f"{path}: category {each.id} is {each.name!r}, but the study has {known}; run icsi data convert on it"
            )


def _labels(path: Path, dataset: Dataset, annotator: str | None) -> dict[int, list[Annotation]]:
    """Annotations by image id; no image may have those of two people or rounds."""
    labels: dict[int, list[Annotation]] = {}
    for annotation in dataset.annotations:
        if annotator is None or annotation.annotator == annotator:
            labels.setdefault(annotation.image_id, []).append(annotation)
    for image_id, found in labels.items():
        if len({(a.annotator, a.round) for a in found}) > 1:
            raise AnnotationError(
                f"{path}: image {image_id} has labels of several annotators or rounds; name one with annotator="
            )
    return labels


def _load(
    root: Path, settings: Preprocess, views: Views, image: Image, labels: list[Annotation]
) -> list[tuple[Sample, Outlines, float]]:
    pixels = read_grey(root / image.file_name)
    if pixels.shape != (image.height, image.width):
        sizes = f"is {pixels.shape[1]}×{pixels.shape[0]} px, its record says {image.width}×{image.height}"
        raise AnnotationError(f"{root / image.file_name}: {sizes}; correct image {image.id}")
    frame = Labelled(image, pixels, *_truth(image, labels))
    return [_sample(square, place, frame) for square, place in views(frame, settings)]


def _sample(square: NDArray[np.uint8], place: Place, frame: Labelled) -> tuple[Sample, Outlines, float]:
    outlines = tuple([place.to_square(ring) for ring in rings] for rings in frame.outlines)
    masks = np.stack([coverage(rings, square.shape[0]) for rings in outlines])
    um_per_px = frame.record.um_per_px
    scale = um_per_px / place.scale.mean() if um_per_px else np.nan
    tip = place.to_square(frame.tip)
    if not ((tip >= 0) & (tip <= square.shape[0])).all():  # of a close-up that does not show it
        tip = np.full(2, np.nan)
    return Sample(square, masks, tip), outlines, scale


def _truth(image: Image, labels: list[Annotation]) -> tuple[Outlines, Points]:
    """Outlines of each class and the tip (NaN where absent), in px of the frame."""
    rings: Outlines = tuple([] for _ in OUTLINES)
    for found, structure in zip(rings, OUTLINES, strict=True):
        for label in labels:
            if label.category_id == structure.category.id:
                found.extend(outlines_of(label, image.height, image.width))
    tips = [tip for label in labels if label.category_id == NEEDLE.id and (tip := tip_of(label)) is not None]
    return rings, tips[0] if tips else np.full(2, np.nan)


def coverage(outlines: Sequence[Polygon], size: int, finer: int = SCORED_SIZE) -> NDArray[np.uint8]:
    """Part of each pixel of a (size, size) square that the outlines cover, 0 to 255, sampled on about `finer` px.

    A hard mask at 128 px would misplace an outline by up to two pixels of the 512 at which it is scored.
    """
    factor = max(1, finer // size)
    mask = polygons_to_mask([np.asarray(ring) * factor for ring in outlines], size * factor, size * factor)
    return np.asarray(cv2.resize(mask.astype(np.uint8) * 255, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


class TrainingFrames(torch.utils.data.Dataset[tuple[Tensor, Target]]):
    """Frames by key (epoch, n), augmented by random choices that depend on seed, epoch and n alone.

    A run that continues therefore sees what an uninterrupted run would have seen, in whichever process it is made.
    """

    def __init__(self, frames: Frames, kinds: tuple[str, ...], seed: int) -> None:
        self.frames, self.kinds, self.seed = frames, kinds, seed

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, Target]:
        epoch, n = key
        sample = self.frames[n]
        choice = int(generator(self.seed, 1, epoch, n).integers(2**31))
        fill = 16 * round(float(np.median(sample.image)) / 16)  # in steps, so that few transforms need making
        return as_tensors(augment(sample, compose(self.frames.size, self.kinds, fill), choice))


def as_tensors(sample: Sample) -> tuple[Tensor, Target]:
    """Input (1, S, S) and target of one sample, as bytes and floats; `network_input` does the rest on the device."""
    tip = torch.as_tensor(sample.tip, dtype=torch.float32)
    target = Target(torch.from_numpy(sample.masks), to_normalised(tip, sample.image.shape[0]), ~tip.isnan().any())
    return torch.from_numpy(sample.image[None]), target


def network_input(images: Tensor) -> Tensor:
    """Grey levels 0 to 255 → about zero mean and unit spread, in 32 bits."""
    return (images.float() / 255 - 0.5) / 0.25


def describe(frames: Frames) -> dict[str, Any]:
    """Counts that belong beside every figure computed on these frames."""
    absent = [sum(not rings[k] for rings in frames.outlines) for k in range(len(CLASSES))]
    return {
        "frames": len(frames),
        "videos": len({record.video_id for record in frames.records}),
        **{f"without {name}": count for name, count in zip(CLASSES, absent, strict=True)},
        "without tip": int(np.isnan(frames.tips[:, 0]).sum()),
    }
