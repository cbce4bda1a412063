"""Labelled images for the detector: read from the study's annotation files, cut and augmented for training."""

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from icsilib.data.annotations import Annotation, AnnotationError, Dataset, read_coco
from icsilib.data.images import read_rgb
from icsilib.data.splits import PARTS, read_split
from icsilib.detection.augmentation import random_input
from icsilib.detection.boxes import xywh_to_cxcywh
from icsilib.detection.default_boxes import default_boxes, match
from icsilib.detection.readings import SPERM_NAMES, folded
from icsilib.detection.settings import Settings
from icsilib.detection.windows import Pixels
from icsilib.files import sha256_of
from icsilib.training.runs import epoch_order, generator


@dataclass(frozen=True)
class LabelledImage:
    """An image on disk and the sperm labelled in it."""

    id: int
    path: Path
    width: int
    height: int
    group: str  # patient or video: what splits and intervals keep together
    boxes: NDArray[np.float64]  # (N, 4) xywh, px
    phenotypes: tuple[str, ...]  # of each box; "" where the data do not say


@dataclass(frozen=True)
class Batch:
    """Inputs of one training step with what every default box is to become."""

    images: Tensor  # (B, 3, S, S) uint8 RGB
    positive: Tensor  # (B, N) bool, N default boxes
    targets: Tensor  # (B, N, 4)
    sperm: Tensor  # (B,) labelled sperm in each input


def labelled_images(
    dataset: Dataset, root: Path | str, ids: Sequence[int] | None = None, annotator: str | None = None
) -> list[LabelledImage]:
    """The images of `dataset` (those of `ids`, when given) with their sperm, by id; files relative to `root`.

    `annotator` takes the labels of one reader alone. Boxes of other categories than `SPERM_NAMES` count as background.
    A sperm without a box raises `AnnotationError`, as do labels of which none is a sperm.
    """
    categories = {category.id for category in dataset.categories if folded(category.name) in SPERM_NAMES}
    if dataset.annotations and not any(record.category_id in categories for record in dataset.annotations):
        names = ", ".join(sorted(category.name for category in dataset.categories))
        raise AnnotationError(
            f"{root}: none of the {len(dataset.annotations)} labels is called sperm, but {names}; rename what is one "
            "with `icsi data convert --label THEIRS=sperm`"
        )
    sperm: dict[int, list[Annotation]] = {image.id: [] for image in dataset.images}
    for record in dataset.annotations:
        if record.category_id in categories and annotator in (None, record.annotator):
            if record.bbox is None or min(record.bbox[2:]) <= 0:
                raise AnnotationError(f"annotation {record.id}: a sperm needs a box with an area; correct or remove it")
            sperm[record.image_id].append(record)
    chosen = None if ids is None else set(ids)
    return [
        LabelledImage(
            id=image.id,
            path=Path(root) / image.file_name,
            width=image.width,
            height=image.height,
            group=image.patient_id or image.video_id or str(image.id),
            boxes=np.array([record.bbox for record in sperm[image.id]], dtype=float).reshape(-1, 4),
            phenotypes=tuple(str((record.model_extra or {}).get("phenotype", "")) for record in sperm[image.id]),
        )
        for image in sorted(dataset.images, key=lambda image: image.id)
        if chosen is None or image.id in chosen
    ]


def pixels_of(image: LabelledImage) -> Pixels:
    """The image's file, RGB (H, W, 3); raises `AnnotationError` for one of another size than its labels are for."""
    pixels = read_rgb(image.path)
    height, width = pixels.shape[:2]
    if (width, height) != (image.width, image.height):
        raise AnnotationError(
            f"{image.path}: has {width} × {height} px, but its labels are for {image.width} × {image.height}; "
            "put the file there that was labelled"
        )
    return pixels


def images_of(folder: Path | str, part: str = "all") -> list[LabelledImage]:
    """Labelled images of a data set on disk (annotations.json, images, split.json): all, or one part of its split."""
    folder = Path(folder)
    dataset = read_coco(folder / "annotations.json")
    if part == "all":
        return labelled_images(dataset, folder)
    if part not in PARTS:
        raise ValueError(f"part {part!r}: unknown; choose all, {', '.join(PARTS)}")
    return labelled_images(dataset, folder, read_split(folder / "split.json", dataset).of(dataset)[part])


def digest_of(*parts: Sequence[LabelledImage]) -> str:
    """SHA-256 of all that decides a run on these images: ids, names, sizes, boxes and the files' bytes, in order.

    Raises `AnnotationError` for a file that cannot be read.
    """
    try:
        records = [
            [[i.id, i.path.name, i.width, i.height, i.boxes.tolist(), sha256_of(i.path)] for i in part]
            for part in parts
        ]
    except OSError as error:
        raise AnnotationError(f"{error.filename}: cannot be read ({error.strerror}); check its path") from None
    return hashlib.sha256(json.dumps(records).encode()).hexdigest()


class TrainingInputs(TorchDataset[tuple[NDArray[np.uint8], NDArray[np.float64]]]):
    """Augmented inputs of one epoch; the same (seed, epoch, place) always gives the same input.

    An epoch cuts one window for every `sperm_per_visit` sperm, or part of it, of each image, and one from an image
    without. Decoded images are kept in memory.
    """

    def __init__(self, images: Sequence[LabelledImage], settings: Settings, seed: int) -> None:
        self.images = [
            image for image in images for _ in range(max(1, math.ceil(len(image.boxes) / settings.sperm_per_visit)))
        ]
        self.settings, self.seed, self.epoch = settings, seed, 0
        self._pixels: dict[Path, Pixels] = {}

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Pixels, NDArray[np.float64]]:
        """(S, S, 3) RGB and its boxes (N, 4), cxcywh as fractions of S."""
        labelled = self.images[index]
        if labelled.path not in self._pixels:
            self._pixels[labelled.path] = pixels_of(labelled)
        draw = generator(self.seed, self.epoch, index)
        pixels, boxes = random_input(self._pixels[labelled.path], labelled.boxes, self.settings, draw)
        return pixels, xywh_to_cxcywh(boxes) / self.settings.input_size


def training_batches(
    inputs: TrainingInputs, first_step: int, steps: int, workers: int = 0
) -> Iterator[tuple[int, Batch]]:
    """Batches of steps `first_step` to `steps` − 1 with their numbers, epoch after epoch, each in its own order.

    Which images a step sees depends on the seed and the step alone. An epoch's last, incomplete batch is left out.
    """
    defaults = default_boxes(inputs.settings.scales, inputs.settings.ratios, inputs.settings.layout)
    size = min(inputs.settings.batch_size, len(inputs))
    per_epoch = len(inputs) // size

    def collate(samples: list[tuple[Pixels, NDArray[np.float64]]]) -> Batch:
        found = [match(torch.from_numpy(boxes).float(), defaults) for _, boxes in samples]
        return Batch(
            images=torch.from_numpy(np.stack([pixels for pixels, _ in samples])).permute(0, 3, 1, 2),
            positive=torch.stack([one.positive for one in found]),
            targets=torch.stack([one.offsets for one in found]),
            sperm=torch.tensor([len(boxes) for _, boxes in samples]),
        )

    step = first_step
    while step < steps:
        inputs.epoch = step // per_epoch
        order = epoch_order(inputs.seed, inputs.epoch, len(inputs))
        batches = [order[i * size : (i + 1) * size] for i in range(step % per_epoch, per_epoch)]
        # A generator of its own: the loader draws once when it begins, which a resumed run does once more.
        own = torch.Generator()
        for batch in DataLoader(inputs, batch_sampler=batches, num_workers=workers, collate_fn=collate, generator=own):
            if step == steps:
                return
            yield step, batch
            step += 1
