"""A data set labelled in paper A's way (§2.1): each frame by one of five people, then validated by a sixth."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from icsilib.data.annotations import (
    Annotation,
    Dataset,
    polygon_annotation,
    polygons_of,
    polygons_to_mask,
    tip_annotation,
    tip_of,
)
from icsilib.data.structures import NEEDLE, OUTLINES, STRUCTURES
from icsilib.phantoms.people.annotators import Annotator, Hand, Population, draw_polygon, draw_tip, fitted_population
from icsilib.stats.agreement import iou_matrix

_STRUCTURE = {each.category.id: each.name for each in OUTLINES} | {NEEDLE.id: "tip"}


@dataclass(frozen=True)
class Validation:
    """When the validator puts their own label in place of the labeller's: on less IoU or more px than this."""

    iou: float = 0.93
    px: float = 8.0


def label_dataset(
    dataset: Dataset,
    team: Sequence[Annotator],
    validator: Annotator,
    seed: int = 0,
    rule: Validation = Validation(),
    population: Population | None = None,
) -> Dataset:
    """Replace the true labels of `dataset` by those of one person of `team` a frame, validated by another.

    What validating meant the paper does not say. Here the validator labels the frame too, carefully (without slip
    or misreading), and their label replaces one that disagrees with it by more than `rule`. Annotations carry
    `annotator`, `validator` and `corrected`; `info` counts the corrections. Needle labels need `tip_axis`.
    """
    population = population or fitted_population()
    rng = np.random.default_rng([seed, len(team)])
    images = {image.id: image for image in dataset.images}
    annotations: list[Annotation] = []
    ordered = sorted(dataset.annotations, key=lambda annotation: (annotation.image_id, annotation.id))
    for image_id, truths in groupby(ordered, key=lambda annotation: annotation.image_id):
        image, labeller = images[image_id], team[int(rng.integers(len(team)))]
        frame = (image.height, image.width)
        annotations += _label_frame(list(truths), labeller, validator, frame, rng, rule, population)
    corrected = sum(bool(annotation.model_extra and annotation.model_extra["corrected"]) for annotation in annotations)
    labelling = {"labellers": [person.name for person in team], "validator": validator.name, "seed": seed}
    info = dataset.info | {"labelling": labelling | {"labels": len(annotations), "corrected": corrected}}
    return dataset.model_copy(update={"annotations": annotations, "info": info})


def _label_frame(
    truths: list[Annotation],
    labeller: Annotator,
    validator: Annotator,
    frame: tuple[int, int],
    rng: np.random.Generator,
    rule: Validation,
    population: Population,
) -> Iterator[Annotation]:
    for truth in truths:
        who = {"annotator": labeller.name, "round": 0, "validator": validator.name}
        structure = _STRUCTURE[truth.category_id]
        spread = population.difficulty[structure]
        difficulty = float(np.exp(spread * rng.normal() - spread**2))  # mean square 1
        if structure == "tip":
            yield _label_tip(truth, labeller, validator, rng, difficulty, rule, who)
        else:
            hands = (labeller.hands[structure], validator.hands[structure])
            yield _label_outline(truth, hands, rng, difficulty, frame, rule, who)


def _label_outline(
    truth: Annotation,
    hands: tuple[Hand, Hand],
    rng: np.random.Generator,
    difficulty: float,
    frame: tuple[int, int],
    rule: Validation,
    who: dict,
) -> Annotation:
    careful = replace(hands[1], slip_rate=0.0, reading_rate=0.0)
    (outline,) = polygons_of(truth)
    first, second = (draw_polygon(hand, outline, rng, difficulty, frame) for hand in (hands[0], careful))
    masks = np.stack([polygons_to_mask([drawn], *frame) for drawn in (first, second)])
    corrected = bool(iou_matrix(masks)[0, 1] < rule.iou)
    category = next(each.category for each in STRUCTURES if each.category.id == truth.category_id)
    label = second if corrected else first
    return polygon_annotation(truth.id, truth.image_id, category, [label], **who, corrected=corrected)


def _label_tip(
    truth: Annotation,
    labeller: Annotator,
    validator: Annotator,
    rng: np.random.Generator,
    difficulty: float,
    rule: Validation,
    who: dict,
) -> Annotation:
    tip, axis = tip_of(truth), (truth.model_extra or {}).get("tip_axis")
    if tip is None or axis is None:
        raise ValueError(f"annotation {truth.id}: a needle label needs tip and `tip_axis`; render the data set again")
    careful = replace(validator.tip, slip_rate=0.0)
    first, second = (draw_tip(pointing, tip, np.array(axis), rng, difficulty) for pointing in (labeller.tip, careful))
    corrected = bool(np.linalg.norm(first - second) > rule.px)
    label = second if corrected else first
    return tip_annotation(truth.id, truth.image_id, label.tolist(), **who, corrected=corrected)
