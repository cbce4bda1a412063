"""Paper B's measures with pycocotools, the measures at one operating point, and intervals by patient.

The paper's mAP is the average precision at IoU 0.5 over 101 recall points. Its AR is the recall at 100 detections an
image, averaged over the ten IoUs .50, .55, … .95. Its "F1 score" is the harmonic mean of these two, which are not
taken at the same IoU; `matched_f1` is the F1 at IoU 0.5 of the boxes above a threshold.
"""

import contextlib
import copy
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from icsilib.detection.detector import Detections, check_finite
from icsilib.detection.images import LabelledImage

IOUS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class Scores:
    """The published measures of a set of images. NaN where there is no sperm in them."""

    ap: float  # average precision at IoU 0.5: the paper's mAP
    ar: float  # recall at 100 detections, mean over ten IoUs: the paper's AR
    precision: NDArray[np.float64]  # (101,) at IoU 0.5 and the recalls `RECALLS`

    @property
    def f1(self) -> float:
        """The paper's F1 score: the harmonic mean of `ap` and `ar`."""
        return harmonic_mean(self.ap, self.ar)


@dataclass(frozen=True)
class OperatingPoint:
    """What a threshold on the score gives at IoU 0.5."""

    threshold: float
    precision: float
    recall: float

    @property
    def matched_f1(self) -> float:
        """F1 of precision and recall at the same IoU and threshold."""
        return f_measure(self.precision, self.recall)


@dataclass(frozen=True)
class Matched:
    """Every detection at IoU 0.5, as pycocotools matched it, best first; and the sperm of each image."""

    image: NDArray[np.int64]  # (D,) index of the image
    score: NDArray[np.float64]  # (D,)
    correct: NDArray[np.bool_]  # (D,) matched to a sperm that no better detection had
    sperm: NDArray[np.int64]  # (I,) labelled sperm of each image


def coco_evaluation(
    images: Sequence[LabelledImage], found: Mapping[int, Detections], limit: int | None = 100
) -> COCOeval:
    """pycocotools' evaluation of detections (by image id), matched but not yet accumulated.

    Images come in ascending id, as pycocotools takes them, and are known by their place from here on. One without
    an entry in `found` counts as one in which nothing was found; an entry for no image raises `ValueError`, and so does
    a box or score that is not finite. Equal scores rank by image, then by place in the image's detections. Of each
    image the `limit` best detections count, 100 in the paper; None takes them all, as of people, who give no scores.
    """
    if any(a.id >= b.id for a, b in pairwise(images)):
        raise ValueError("images: must come in ascending id, each once; sort them")
    if unknown := set(found) - {image.id for image in images}:
        raise ValueError(f"detections of image {min(unknown)}, which is not among the evaluated; leave them out")
    for image_id, one in found.items():
        check_finite(one, f"image {image_id}")
    labelled = {image.id: Detections(image.boxes, np.ones(len(image.boxes))) for image in images}
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(as_coco(labelled), as_coco({image.id: _NONE for image in images} | dict(found)), "bbox")
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        most = max((len(one.scores) for one in found.values()), default=0)
        evaluation.params.maxDets = [most if limit is None else limit]
        evaluation.evaluate()
    return evaluation


def as_coco(boxes: Mapping[int, Detections]) -> COCO:
    """Boxes with scores, by image id, as pycocotools' own object: one category, sperm."""
    records: list[dict[str, Any]] = []
    for image_id, found in boxes.items():
        for box, score in zip(found.boxes.tolist(), found.scores.tolist(), strict=True):
            about = {"id": len(records) + 1, "image_id": image_id, "category_id": 1, "iscrowd": 0}
            records.append(about | {"bbox": box, "area": box[2] * box[3], "score": score})
    coco = COCO()
    coco.dataset = {"images": [{"id": i} for i in boxes], "annotations": records, "categories": [{"id": 1}]}
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    return coco


def scores_of(evaluation: COCOeval, images: Sequence[int] | NDArray[np.int64] | None = None) -> Scores:
    """The published measures of an evaluation's images, or of those at the given places, each as often as named."""
    every = evaluation.evalImgs
    chosen = copy.copy(evaluation)
    chosen.evalImgs = every if images is None else [every[place] for place in images]
    chosen.params = copy.copy(evaluation.params)
    chosen.params.imgIds = list(range(len(chosen.evalImgs)))
    chosen._paramsEval = chosen.params
    with contextlib.redirect_stdout(io.StringIO()):
        chosen.accumulate()
    precision, recall = chosen.eval["precision"][..., 0, 0, 0], chosen.eval["recall"][..., 0, 0, 0]
    if (precision == -1).all():
        return Scores(np.nan, np.nan, np.full(len(RECALLS), np.nan))
    return Scores(float(precision[0].mean()), float(recall.mean()), precision[0])


def matched_detections(evaluation: COCOeval) -> Matched:
    """All detections of an evaluation at IoU 0.5."""
    records = [record or _EMPTY for record in evaluation.evalImgs]
    score = np.concatenate([np.asarray(record["dtScores"], dtype=float) for record in records])
    correct = np.concatenate([np.asarray(record["dtMatches"])[:1].reshape(-1) > 0 for record in records])
    image = np.repeat(np.arange(len(records)), [len(record["dtScores"]) for record in records])
    order = np.argsort(-score, kind="stable")
    sperm = np.array([len(record["gtIds"]) for record in records])
    return Matched(image[order], score[order], correct[order], sperm)


def operating_point(matched: Matched, threshold: float, images: NDArray[np.int64] | None = None) -> OperatingPoint:
    """Precision and recall of the detections that reach `threshold`; `images` as in `scores_of`.

    Precision without any detection, and recall without any sperm, are NaN.
    """
    weight = np.ones(len(matched.sperm)) if images is None else np.bincount(images, minlength=len(matched.sperm))
    shown = matched.score >= threshold
    number, right = weight[matched.image[shown]].sum(), weight[matched.image[shown & matched.correct]].sum()
    sperm = (weight * matched.sperm).sum()
    return OperatingPoint(threshold, right / number if number else np.nan, right / sperm if sperm else np.nan)


def choose_threshold(matched: Matched, beta: float = 2.0) -> float:
    """The threshold with the largest F_β, recall counting β times as much as precision; the lower one on a tie.

    Paper B errs "on the side of high sensitivity" without a number; β = 2 is this study's choice. Use on
    validation data. Raises `ValueError` where nothing was found or nothing is labelled.
    """
    if not matched.correct.any():
        raise ValueError("no detection overlaps a sperm by half: nothing to choose a threshold from; train longer")
    points = [operating_point(matched, score) for score in np.unique(matched.score[matched.correct])]
    best = max(points, key=lambda point: f_measure(point.precision, point.recall, beta))
    return best.threshold


def recall_by(
    images: Sequence[LabelledImage], found: Mapping[int, Detections], threshold: float
) -> dict[str, tuple[int, int]]:
    """Sperm found at IoU 0.5 and `threshold`, and all sperm, of each phenotype; the most frequent first."""
    shown = {image_id: one.above(threshold) for image_id, one in found.items()}
    counts: dict[str, list[int]] = {}
    for image, record in zip(images, coco_evaluation(images, shown).evalImgs, strict=True):
        # Sperm come in the order in which `as_coco` numbered them, which is that of the image's boxes.
        hits = np.asarray((record or _EMPTY)["gtMatches"])[:1].reshape(-1) > 0
        for phenotype, hit in zip(image.phenotypes, hits, strict=True):
            number = counts.setdefault(phenotype, [0, 0])
            number[0] += int(hit)
            number[1] += 1
    ranked = sorted(counts.items(), key=lambda item: -item[1][1])
    return {phenotype: (right, every) for phenotype, (right, every) in ranked}


def harmonic_mean(a: float, b: float) -> float:
    """2ab/(a + b), and 0 where both are 0."""
    return f_measure(a, b)


def f_measure(precision: float, recall: float, beta: float = 1.0) -> float:
    """F_β = (1 + β²)PR/(β²P + R), and 0 where both are 0."""
    below = beta**2 * precision + recall
    return (1 + beta**2) * precision * recall / below if below else 0.0


_NONE = Detections(np.zeros((0, 4)), np.zeros(0))
_EMPTY: dict[str, Any] = {
    "dtScores": [],
    "dtMatches": np.zeros((len(IOUS), 0)),
    "gtMatches": np.zeros((len(IOUS), 0)),
    "gtIds": [],
}
