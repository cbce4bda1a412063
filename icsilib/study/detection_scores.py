"""Scores of paper B's detector as results, under the keys that the claims ledger and the reference run share."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from icsilib.data.annotations import Dataset
from icsilib.detection.consensus import OTHERS, all_readings
from icsilib.detection.detector import Detections
from icsilib.detection.evaluate import (
    IOUS,
    RECALLS,
    OperatingPoint,
    Scores,
    choose_threshold,
    coco_evaluation,
    matched_detections,
    operating_point,
    recall_by,
    scores_of,
)
from icsilib.detection.images import LabelledImage
from icsilib.stats.resampling import jackknife_interval, without_each
from icsilib.study.provenance import Results

DISTORTED = ("bent_tail", "deformed", "occluded")  # the kinds that paper B's Results call difficult


class Tested(NamedTuple):
    """Images of one part of a split and what a detector found in them, by image id."""

    images: Sequence[LabelledImage]
    found: Mapping[int, Detections]


class Evaluated(NamedTuple):
    """What the figures of an evaluation need."""

    scores: Scores
    point: OperatingPoint
    hits: dict[str, tuple[int, int]]  # phenotype → sperm found at the operating point, all


def add_scores(results: Results, test: Tested, validation: Tested, data: str, prefix: str = "") -> Evaluated:
    """`add_scores_at` the operating point chosen on `validation`, whose threshold is added too.

    Raises `ValueError` where `validation` has no detection to choose the operating point from.
    """
    threshold = choose_threshold(matched_detections(coco_evaluation(*validation)))
    results.add(f"{prefix}threshold", threshold, data=data, method="largest F2 on validation patients")
    return add_scores_at(results, *test, threshold, data, prefix)


def add_scores_at(
    results: Results,
    images: Sequence[LabelledImage],
    found: Mapping[int, Detections],
    threshold: float,
    data: str,
    prefix: str = "",
) -> Evaluated:
    """Add the published measures, those at the operating point, and recall by phenotype.

    Intervals are 95 %, by the jackknife over patients (`jackknife_interval`), and left out where these are too few;
    every key comes after `prefix`.
    """
    evaluation = coco_evaluation(images, found)
    matched = matched_detections(evaluation)
    rest = without_each([image.group for image in images])
    scores, without = scores_of(evaluation), [scores_of(evaluation, places) for places in rest]
    about = {"n": int(matched.sperm.sum()), "n_of": "sperm", "level": 0.95, "data": data}
    for key, name, method in (
        ("ap50", "ap", "pycocotools, AP at IoU 0.5; jackknife over patients"),
        ("ar100", "ar", "pycocotools, AR at 100 detections; jackknife over patients"),
        ("f1.published", "f1", "harmonic mean of AP and AR; jackknife over patients"),
    ):
        ends = jackknife_interval(getattr(scores, name), [getattr(one, name) for one in without], "logit")
        results.add(prefix + key, getattr(scores, name), interval=ends, method=method, **about)
    point = operating_point(matched, threshold)
    points = [operating_point(matched, threshold, places) for places in rest]
    method = "IoU 0.5, threshold of largest F2 on validation; jackknife over patients"
    for key, name in (("precision", "precision"), ("recall", "recall"), ("f1.matched", "matched_f1")):
        ends = jackknife_interval(getattr(point, name), [getattr(one, name) for one in points], "logit")
        results.add(prefix + key, getattr(point, name), interval=ends, method=method, **about)
    difference = point.matched_f1 - scores.f1
    less = [one.matched_f1 - whole.f1 for one, whole in zip(points, without, strict=True)]
    about["interval"] = jackknife_interval(difference, less)
    results.add(f"{prefix}f1.matched_minus_published", difference, method=method, **about)
    hits = recall_by(images, found, threshold)
    _add_phenotypes(results, hits, data, prefix)
    return Evaluated(scores, point, hits)


def add_precision_gap(
    results: Results,
    readers: Mapping[str, Dataset],
    found: Mapping[int, Detections],
    rest: Sequence[NDArray[np.int64]],
) -> list[dict[str, Any]]:
    """Add the model's precision at each reader's recall less the reader's, both against the consensus of the others.

    `rest` are the places of the images that stay when each patient is left out, for the interval. Gives one row for
    each reader. A recall that the model does not reach is met by the lowest threshold.
    """
    rows: list[dict[str, Any]] = []
    gaps = []
    for one in (each for each in all_readings(readers) if each.against == OTHERS):
        evaluation = coco_evaluation(one.images, {image.id: found[image.id] for image in one.images})
        model, reader = matched_detections(evaluation), matched_detections(one.evaluation)
        human = operating_point(reader, 0.0)
        points = [operating_point(model, threshold) for threshold in np.unique(model.score)]
        reached = [point for point in points if point.recall >= human.recall]
        point = max(reached or points[:1], key=lambda at: at.threshold)
        row = {"reader": one.reader, "recall": human.recall, "precision": human.precision, "model recall": point.recall}
        rows.append(row | {"model precision": point.precision, "recall reached": bool(reached)})
        pairs = [(operating_point(model, point.threshold, at), operating_point(reader, 0.0, at)) for at in rest]
        gaps.append([ours.precision - theirs.precision for ours, theirs in pairs])
    results.add_table("matched", rows)
    gap = float(np.mean([row["model precision"] - row["precision"] for row in rows]))
    method = "model less reader at the reader's recall, mean over readers; jackknife over patients"
    about = {
        "n": len(found),
        "n_of": "images",
        "interval": jackknife_interval(gap, np.mean(gaps, axis=0)),
        "level": 0.95,
    }
    results.add("matched.precision_gap", gap, method=method, data="phantom, simulated readers", **about)
    reached = sum(row["recall reached"] for row in rows)
    results.add("matched.reached", reached, n=len(rows), n_of="readers", data="phantom, simulated readers")
    return rows


def _add_phenotypes(results: Results, hits: Mapping[str, tuple[int, int]], data: str, prefix: str) -> None:
    about: dict[str, Any] = {"n_of": "sperm", "data": data, "method": "at the operating point, IoU 0.5"}
    for name, (right, number) in hits.items():
        results.add(f"{prefix}recall.{name}", right / number, n=number, **about)
    distorted = [hits[name] for name in DISTORTED if name in hits]
    if "normal" in hits and distorted:
        pair = (*hits["normal"], *np.sum(distorted, axis=0).tolist())
        difference, ends = pair[0] / pair[1] - pair[2] / pair[3], newcombe(*pair)
        about |= {"n": pair[1] + pair[3], "interval": ends, "level": 0.95}
        about["method"] += "; Newcombe's interval, sperm taken as independent"
        results.add(f"{prefix}recall.normal_minus_distorted", difference, **about)


def newcombe(hits_a: int, n_a: int, hits_b: int, n_b: int) -> tuple[float, float]:
    """95 % interval of a difference of two independent shares, of Wilson's intervals of both (Newcombe 1998, no. 10).

    >>> [round(end, 4) for end in newcombe(56, 70, 48, 80)]
    [0.0524, 0.3339]
    """
    (a, a_low, a_high), (b, b_low, b_high) = (
        (hits / n, *binomtest(hits, n).proportion_ci(method="wilson")) for hits, n in ((hits_a, n_a), (hits_b, n_b))
    )
    below, above = np.hypot(a - a_low, b_high - b), np.hypot(a_high - a, b - b_low)
    return float(a - b - below), float(a - b + above)


def add_constants(results: Results) -> None:
    """Add what the measures are made of: the IoU of AP, the number of IoUs of AR, and of recall points."""
    results.add("ap.iou", float(IOUS[0]))
    results.add("ar.thresholds", len(IOUS))
    results.add("recall_points", len(RECALLS))
