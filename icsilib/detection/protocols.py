"""Three protocols for scoring a detector, or people, on images that several readers labelled.

`by_text` takes the truth of paper B's words: a sperm stands where two readers' boxes overlap by half, and every image
counts. `by_code` takes the rule of the authors' code of 2019 (`icsilib.detection.consensus.modal_consensus`), which
leaves out images on which the first reader drew nothing. `free_response` counts what neither does: false detections
per image, with as many empty images as a biopsy has.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from icsilib.detection.boxes import box_iou
from icsilib.detection.consensus import ModalConsensus, consensus, modal_consensus
from icsilib.detection.detector import Detections
from icsilib.detection.evaluate import IOUS, Matched, coco_evaluation, matched_detections, operating_point, scores_of
from icsilib.detection.images import LabelledImage
from icsilib.detection.readings import Boxes, Readings

_SLACK = 1e-9  # a decimal overlap such as 0.55 is not exact in binary


def by_text(together: Readings, root: Path | str = ".") -> list[LabelledImage]:
    """Every image that two readers were shown, its boxes the consensus of the text; files below `root`."""
    places = together.shown_to(together.readers, 2)
    return [_labelled(together, p, consensus(together.boxes[p], 0.5, 2).boxes, root) for p in places]


def by_code(together: Readings, root: Path | str = ".") -> list[LabelledImage]:
    """The images that the authors' code keeps, their boxes the consensus of the code; files below `root`."""
    return [_labelled(together, place, one.boxes, root) for place, one in modal_consensuses(together).items()]


def modal_consensuses(together: Readings) -> dict[int, ModalConsensus]:
    """The consensus of the code by image's place, without the images that it leaves out.

    Readers come in the order of `together`, and one who was not shown an image counts as having drawn nothing.
    """
    nothing = np.zeros((0, 4))
    found = {
        place: modal_consensus({name: boxes.get(name, nothing) for name in together.readers})
        for place, boxes in enumerate(together.boxes)
    }
    return {place: one for place, one in found.items() if one is not None}


def order_against_text(together: Readings, order: Sequence[str]) -> dict[str, str | int]:
    """What the code's rule keeps with the readers in `order`: images, boxes, and boxes that the text's rule has too."""
    kept = boxes = same = 0
    for drawn in together.boxes:
        found = modal_consensus({name: drawn[name] for name in order})
        if found is None:
            continue
        overlap = box_iou(found.boxes, consensus(drawn).boxes).max(axis=1, initial=0)
        kept, boxes, same = kept + 1, boxes + len(found.boxes), same + int((overlap >= 0.5).sum())
    return {"order": ", ".join(order), "images": kept, "boxes": boxes, "in both": same}


def readers_scores(together: Readings, images: Sequence[LabelledImage]) -> tuple[float, float]:
    """Mean precision and mean AR of the readers against the boxes of `images`."""
    every = [coco_evaluation(images, as_detections(together, who, images), None) for who in together.readers]
    precision = np.mean([operating_point(matched_detections(one), 0.0).precision for one in every])
    return float(precision), float(np.mean([scores_of(one).ar for one in every]))


def _labelled(together: Readings, place: int, truth: Boxes, root: Path | str) -> LabelledImage:
    image = together.images[place]
    group = image.patient_id or image.video_id or str(image.id)
    path = Path(root) / image.file_name
    return LabelledImage(image.id, path, image.width, image.height, group, truth, ("",) * len(truth))


def as_detections(together: Readings, reader: str, images: Sequence[LabelledImage]) -> dict[int, Detections]:
    """A reader's boxes on `images` as detections of score 1, by image id, as `coco_evaluation` takes them."""
    drawn = {image.id: boxes for image, boxes in zip(together.images, together.boxes, strict=True)}
    mine = {image.id: drawn[image.id][reader] for image in images if reader in drawn[image.id]}
    return {image_id: Detections(boxes, np.ones(len(boxes))) for image_id, boxes in mine.items()}


def error_rate(agreed: Mapping[int, ModalConsensus], readers: int) -> tuple[int, int]:
    """The errors that the authors' code prints, and the labels by which it divides them.

    Errors are missing and surplus boxes, by number alone; labels are `readers` for each consensus box
    (`baseline_metrics.py`, line 280, commit e5e21a7).
    """
    return sum(one.errors for one in agreed.values()), readers * sum(len(one.boxes) for one in agreed.values())


def pooled_recall(together: Readings, agreed: Mapping[int, ModalConsensus]) -> float:
    """Average recall of people as the authors' code has it (`baseline_metrics.py`, lines 191 to 236).

    The best overlap of every consensus box with every reader's boxes, pooled over readers; the share above each of
    ten thresholds (not at it), averaged. A box may serve twice. NaN without a consensus box.
    """
    best = [
        box_iou(one.boxes, together.boxes[place][reader]).max(axis=1, initial=0.0)
        if reader in together.boxes[place]
        else np.zeros(len(one.boxes))
        for place, one in agreed.items()
        for reader in together.readers
    ]
    pooled = np.concatenate(best) if best else np.zeros(0)
    return float(np.mean([(pooled > limit + _SLACK).mean() for limit in IOUS])) if len(pooled) else np.nan


@dataclass(frozen=True)
class FreeResponse:
    """A free-response curve: what each threshold on the score finds, and at what price. Highest threshold first."""

    threshold: NDArray[np.float64]  # (T,)
    sensitivity: NDArray[np.float64]  # (T,) share of sperm found at IoU 0.5
    false_per_image: NDArray[np.float64]  # (T,) detections that are no sperm

    def sensitivity_at(self, false_per_image: float) -> float:
        """The largest sensitivity with no more false detections per image than that; 0 if every threshold has more."""
        return float(self.sensitivity[self.false_per_image <= false_per_image + _SLACK].max(initial=0.0))


def free_response(matched: Matched, empty_share: float | None = None) -> FreeResponse:
    """The free-response curve of detections on images with and without sperm.

    With `empty_share`, images are weighted so that this share of them has no sperm; None takes them as they are.
    Raises `ValueError` without a sperm, or if one sort of image is wanted and there is none.
    """
    if not matched.sperm.sum():
        raise ValueError("no image has a sperm: there is no sensitivity; take labelled images")
    weight = _image_weights(matched.sperm == 0, empty_share)[matched.image]
    last = np.append(np.diff(matched.score) != 0, True)[: len(matched.score)]  # equal scores pass a threshold together
    return FreeResponse(
        matched.score[last],
        np.cumsum(matched.correct)[last] / matched.sperm.sum(),
        np.cumsum(weight * ~matched.correct)[last],
    )


def _image_weights(empty: NDArray[np.bool_], empty_share: float | None) -> NDArray[np.float64]:
    """Weight of each image; they add up to 1."""
    if empty_share is None:
        return np.full(len(empty), 1 / len(empty))
    if not 0 <= empty_share < 1 or (empty_share > 0 and not empty.any()):
        raise ValueError(
            f"empty_share={empty_share}, {empty.sum()} images are empty: need 0 ≤ share < 1, and empty ones"
        )
    return np.where(empty, empty_share / max(1, empty.sum()), (1 - empty_share) / (~empty).sum())
