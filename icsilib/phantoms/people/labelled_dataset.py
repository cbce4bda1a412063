"""A data set labelled in paper A's way (§2.1): each frame by one of five people, then validated by a sixth."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icsilib.data.annotations import (
    Annotation,
    Dataset,
    Polygon,
    polygon_annotation,
    polygons_of,
    polygons_to_mask,
    tip_annotation,
    tip_of,
)
from icsilib.data.structures import NEEDLE, OUTLINES
from icsilib.phantoms.people.annotators import Annotator, draw_polygon, draw_tip, fitted_population
from icsilib.stats.agreement import iou_matrix

_STRUCTURE = {each.category.id: each.name for each in OUTLINES} | {NEEDLE.id: "tip"}


@dataclass(frozen=True)
class Validation:
    """When the validator puts their own label in place of the labeller's: on less IoU or more px than this."""

    iou: float = 0.93
    px: float = 8.0


@dataclass(frozen=True)
class _Labelling:
    """What labels of one frame depend on beside its truth."""

    labeller: Annotator
    validator: Annotator
    frame: tuple[int, int]  # height, width, px
    rng: np.random.Generator
    rule: Validation

    def label(self, truth: Annotation, spread: float) -> Annotation:
        """The label that is kept; the frame's difficulty for this structure has the given spread."""
        difficulty = float(np.exp(spread * self.rng.normal() - spread**2))  # mean square 1
        who: dict[str, Any] = {"annotator": self.labeller.name, "round": 0, "validator": self.validator.name}
        if truth.category_id == NEEDLE.id:
            tip, corrected = self._tip(truth, difficulty)
            return tip_annotation(truth.id, truth.image_id, tip.tolist(), **who, corrected=corrected)
        structure = next(each for each in OUTLINES if each.category.id == truth.category_id)
        ring, corrected = self._outline(truth, structure.name, difficulty)
        return polygon_annotation(truth.id, truth.image_id, structure.category, [ring], **who, corrected=corrected)

    def _outline(self, truth: Annotation, structure: str, difficulty: float) -> tuple[Polygon, bool]:
        careful = replace(self.validator.hands[structure], slip_rate=0.0, reading_rate=0.0)
        (outline,) = polygons_of(truth)
        hands = (self.labeller.hands[structure], careful)
        first, second = (draw_polygon(hand, outline, self.rng, difficulty, self.frame) for hand in hands)
        masks = np.stack([polygons_to_mask([drawn], *self.frame) for drawn in (first, second)])
        corrected = bool(iou_matrix(masks)[0, 1] < self.rule.iou)
        return second if corrected else first, corrected

    def _tip(self, truth: Annotation, difficulty: float) -> tuple[NDArray[np.float64], bool]:
        tip, axis = tip_of(truth), (truth.model_extra or {}).get("tip_axis")
        if tip is None or axis is None:
            raise ValueError(
                f"annotation {truth.id}: a needle label needs tip and `tip_axis`; render the data set again"
            )
        people = (self.labeller.tip, replace(self.validator.tip, slip_rate=0.0))
        first, second = (draw_tip(one, tip, np.array(axis), self.rng, difficulty) for one in people)
        corrected = bool(np.linalg.norm(first - second) > self.rule.px)
        return second if corrected else first, corrected


def label_dataset(dataset: Dataset, team: Sequence[Annotator], validator: Annotator, seed: int = 0) -> Dataset:
    """Replace the true labels of `dataset` by those of one person of `team` per frame, validated by another.

    What validating meant the paper does not say. Here the validator labels the frame too, carefully (without slip
    or misreading), and their label replaces one that disagrees with it by more than `Validation`. Annotations carry
    `annotator`, `validator` and `corrected`; `info` counts the corrections. Needle labels need `tip_axis`.
    """
    spreads = fitted_population().difficulty
    rng = np.random.default_rng([seed, len(team)])
    images = {image.id: image for image in dataset.images}
    annotations: list[Annotation] = []
    ordered = sorted(dataset.annotations, key=lambda annotation: (annotation.image_id, annotation.id))
    for image_id, truths in groupby(ordered, key=lambda annotation: annotation.image_id):
        image, labeller = images[image_id], team[int(rng.integers(len(team)))]
        labelling = _Labelling(labeller, validator, (image.height, image.width), rng, Validation())
        annotations += [labelling.label(truth, spreads[_STRUCTURE[truth.category_id]]) for truth in truths]
    corrected = sum(bool(annotation.model_extra and annotation.model_extra["corrected"]) for annotation in annotations)
    about = {"labellers": [person.name for person in team], "validator": validator.name, "seed": seed}
    info = dataset.info | {"labelling": about | {"labels": len(annotations), "corrected": corrected}}
    return dataset.model_copy(update={"annotations": annotations, "info": info})
