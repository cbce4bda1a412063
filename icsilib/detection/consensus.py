"""The consensus of several readers (paper B, "Benchmarks" and Figure 3), and each reader against it.

The paper: "if in a given image, at least two out of three embryologists drew bounding boxes with at least 0.5 IOU,
then we took the ground truth to be a bounding box with the average coordinates". What that leaves open is settled so:

- Boxes of different readers agree when their IoU is at least `iou`. A *group* has at most one box of each reader,
  and all its boxes agree with each other. A group of `min_votes` or more boxes becomes one box, their mean.
- Every box belongs to one group at most. Groups are taken in this order: more votes first, then the larger mean IoU
  between members, then the smaller mean coordinates (x, y, width, height). Nothing depends on the order of readers
  or boxes.
- A chain (A~B, B~C, not A~C) is therefore the closer of its two pairs; the third box stays without a partner.
- One box over two of another reader's goes to the one that it fits better. A reader who draws a sperm twice has one
  vote for it; the second box stays over, unless another reader drew twice there as well.

The code that the paper's first author published in 2019 has another rule, `modal_consensus`: readers agree on a
*number* of boxes, and no overlap is asked for.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pycocotools.cocoeval import COCOeval
from scipy.sparse.csgraph import connected_components

from icsilib.data.annotations import Annotation, AnnotationError, Dataset, box_annotation
from icsilib.data.structures import SPERM
from icsilib.detection.boxes import box_iou
from icsilib.detection.detector import Detections
from icsilib.detection.evaluate import coco_evaluation, harmonic_mean, matched_detections, operating_point, scores_of
from icsilib.detection.images import LabelledImage
from icsilib.detection.readings import Boxes, Readings, readings

ALL, OTHERS = "consensus of all", "consensus of the others"
_DECIMALS = 9  # to which IoUs are compared, so that a half is a half


@dataclass(frozen=True)
class ConsensusBoxes:
    """The boxes on which readers agree, ordered by their coordinates."""

    boxes: Boxes  # (K, 4)
    votes: NDArray[np.int64]  # (K,) readers behind each box
    members: tuple[dict[str, int], ...]  # for each box: reader → index of the reader's box

    def left_over(self, boxes_by_reader: Mapping[str, Boxes]) -> dict[str, list[int]]:
        """For each reader the indices of the boxes that are in no consensus box."""
        used = {(reader, index) for group in self.members for reader, index in group.items()}
        return {
            reader: [index for index in range(len(boxes)) if (reader, index) not in used]
            for reader, boxes in boxes_by_reader.items()
        }


@dataclass(frozen=True)
class _Drawn:
    """All readers' boxes of an image in an order of their own: by coordinates, then by reader's name."""

    boxes: Boxes  # (N, 4)
    reader: tuple[str, ...]  # (N,)
    index: tuple[int, ...]  # (N,) of the box among the reader's own
    iou: NDArray[np.float64]  # (N, N)
    agree: NDArray[np.bool_]  # (N, N)


def consensus(boxes_by_reader: Mapping[str, Boxes], iou: float = 0.5, min_votes: int = 2) -> ConsensusBoxes:
    """The boxes of one image on which at least `min_votes` readers agree; see the module for every rule.

    `boxes_by_reader` maps a reader's name to an (N, 4) array, xywh in px; a reader who saw nothing gives (0, 4).
    Raises `ValueError` for a box without an area, an `iou` outside (0, 1] or `min_votes` below 1.
    """
    if not 0 < iou <= 1 or min_votes < 1:
        raise ValueError(f"iou={iou}, min_votes={min_votes}: need 0 < iou ≤ 1 and at least one vote")
    drawn = _in_order(boxes_by_reader, iou)
    groups = sorted(_groups(drawn, min_votes), key=lambda group: _mean_box(group, drawn))
    return ConsensusBoxes(
        boxes=np.array([_mean_box(group, drawn) for group in groups], dtype=float).reshape(-1, 4),
        votes=np.array([len(group) for group in groups], dtype=np.int64),
        members=tuple({drawn.reader[i]: drawn.index[i] for i in group} for group in groups),
    )


def _in_order(boxes_by_reader: Mapping[str, Boxes], iou: float) -> _Drawn:
    rows: list[tuple[tuple[float, ...], str, int]] = []
    for reader, boxes in boxes_by_reader.items():
        for index, box in enumerate(np.asarray(boxes, dtype=float).reshape(-1, 4).tolist()):
            if not np.isfinite(box).all() or min(box[2:]) <= 0:
                raise ValueError(f"{reader}, box {index}: {box} has no area; correct or remove it")
            rows.append((tuple(box), reader, index))
    rows.sort()
    ordered = np.array([box for box, _, _ in rows], dtype=float).reshape(-1, 4)
    names = np.array([name for _, name, _ in rows], dtype=str)
    overlap = box_iou(ordered, ordered).round(_DECIMALS)
    agree = (overlap >= round(iou, _DECIMALS)) & (names[:, None] != names[None])
    return _Drawn(ordered, tuple(names.tolist()), tuple(index for _, _, index in rows), overlap, agree)


def _groups(drawn: _Drawn, min_votes: int) -> Iterator[tuple[int, ...]]:
    """The groups in the order of their rank, cluster by cluster of overlapping boxes; none has a box of an earlier.

    Copies of one box by one reader are alike, so only the first that is left is looked at. Once a copy is taken, or no
    group of so many votes is left, the groups of what is left are looked for anew.
    """
    number, cluster = connected_components(drawn.agree, directed=False)
    for name in range(number):
        copies: dict[tuple[Any, ...], list[int]] = {}
        for box in np.flatnonzero(cluster == name).tolist():
            copies.setdefault((drawn.reader[box], *drawn.boxes[box]), []).append(box)
        while len(copies) >= min_votes:
            of_box = {boxes[0]: key for key, boxes in copies.items()}
            best = _best_groups(drawn, frozenset(of_box))
            if len(best[0]) < min_votes:
                break
            for group in best:
                if all(box in of_box for box in group):
                    yield group
                    keys = [of_box.pop(box) for box in group]
                    for key in keys:
                        copies[key] = copies[key][1:]
                    if any(copies[key] for key in keys):
                        break
            copies = {key: boxes for key, boxes in copies.items() if boxes}


def _best_groups(drawn: _Drawn, free: frozenset[int]) -> list[tuple[int, ...]]:
    """The groups of most votes among the boxes `free`, the best first; these may share boxes."""
    friends = {box: frozenset(np.flatnonzero(drawn.agree[box]).tolist()) for box in free}
    found = list(_largest_groups(friends, (), free, frozenset()))
    most = max(map(len, found))
    groups = np.array([group for group in found if len(group) == most])
    one, other = np.triu_indices(most, 1)
    within = drawn.iou[groups[:, one], groups[:, other]]
    closeness = within.mean(axis=1).round(_DECIMALS) if most > 1 else np.zeros(len(groups))
    means = drawn.boxes[groups].mean(axis=1)
    order = np.lexsort((*groups.T[::-1], *means.T[::-1], -closeness))
    return [tuple(group) for group in groups[order].tolist()]


def _largest_groups(
    friends: Mapping[int, frozenset[int]], group: tuple[int, ...], candidates: frozenset[int], done: frozenset[int]
) -> Iterator[tuple[int, ...]]:
    """Every set of boxes that agree pairwise and that no further box agrees with (Bron & Kerbosch 1973).

    `friends` are the boxes that agree with a box, `candidates` those that agree with all of `group`. So do `done`,
    whose groups have been given already.
    """
    if not candidates and not done:
        yield tuple(sorted(group))
        return
    pivot = max(sorted(candidates | done), key=lambda box: len(friends[box] & candidates))
    for box in sorted(candidates - friends[pivot]):
        yield from _largest_groups(friends, (*group, box), candidates & friends[box], done & friends[box])
        candidates, done = candidates - {box}, done | {box}


def _mean_box(group: tuple[int, ...], drawn: _Drawn) -> tuple[float, ...]:
    return tuple(drawn.boxes[list(group)].mean(axis=0).tolist())


@dataclass(frozen=True)
class ModalConsensus:
    """The boxes of one image by the rule of the authors' code, and the errors that it counts."""

    boxes: Boxes  # (K, 4)
    errors: int  # missing and surplus boxes of all readers, by number alone


def modal_consensus(boxes_by_reader: Mapping[str, Boxes]) -> ModalConsensus | None:
    """The boxes of one image by the rule of the authors' code, not of their text; None if it leaves the image out.

    Written from `baseline_metrics.py`, lines 91 to 189 and 258 (github.com/Daniel-Wu/IVF_Sperm_Detection, commit
    e5e21a7). The number of boxes is the one that most readers drew, the earliest reader's on a tie. The first reader
    with that number is the template. A reader with more loses one box, the one that fits the template worst. Each
    template box becomes the mean of itself and of every other reader's best-overlapping box not used before, at any
    overlap, even none. An image on which the first reader drew nothing is left out.

    `boxes_by_reader` as in `consensus`, in the order of the readers, which matters here.
    """
    drawn = [np.asarray(boxes, dtype=float).reshape(-1, 4) for boxes in boxes_by_reader.values()]
    if not drawn or not len(drawn[0]):
        return None
    numbers = [len(boxes) for boxes in drawn]
    number = max(numbers, key=numbers.count)
    template = drawn[numbers.index(number)]
    free = [_without_worst(boxes, template) if len(boxes) > number else boxes for boxes in drawn]
    agreed = []
    for box in template:
        best = [int(box_iou(boxes, box[None])[:, 0].argmax()) if len(boxes) else None for boxes in free]
        pairs = [(boxes, place) for boxes, place in zip(free, best, strict=True) if place is not None]
        agreed.append(np.mean([boxes[place] for boxes, place in pairs], axis=0))
        free = [boxes if place is None else np.delete(boxes, place, 0) for boxes, place in zip(free, best, strict=True)]
    errors = sum(abs(len(boxes) - number) for boxes in drawn)
    return ModalConsensus(np.array(agreed, dtype=float).reshape(-1, 4), errors)


def _without_worst(boxes: Boxes, template: Boxes) -> Boxes:
    """`boxes` without the one whose best IoU with a box of `template` is the lowest, the first on a tie."""
    fit = box_iou(boxes, template).max(axis=1, initial=-1.0)
    return np.delete(boxes, int(fit.argmin()), 0)


def dataset_consensus(datasets: Mapping[str, Dataset], iou: float = 0.5, min_votes: int = 2) -> Dataset:
    """The consensus of readers' label sets (reader → `Dataset`) as a label set of its own, annotator "consensus".

    Images that fewer than `min_votes` readers were shown cannot have one: they are left out. `info["consensus"]`
    holds the settings, and counts of what was left out, clipped, or voted for by too few.
    """
    together = readings(datasets)
    places = together.shown_to(together.readers, min_votes)
    counts = dict(together.counts) | {
        "images shown to too few readers, left out": len(together.images) - len(places),
        "images not shown to every reader": sum(len(boxes) < len(datasets) for boxes in together.boxes),
        "boxes without enough votes": 0,
    }
    records: list[Annotation] = []
    for place in places:
        agreed = consensus(together.boxes[place], iou, min_votes)
        counts["boxes without enough votes"] += sum(map(len, agreed.left_over(together.boxes[place]).values()))
        for box, members in zip(agreed.boxes, agreed.members, strict=True):
            votes = {"votes": len(members), "readers": sorted(members)}
            image_id = together.images[place].id
            records.append(box_annotation(len(records) + 1, image_id, SPERM, box, annotator="consensus", **votes))
    about = {"readers": list(together.readers), "iou": iou, "min_votes": min_votes, "counts": counts}
    images = [together.images[place] for place in places]
    return Dataset(info={"consensus": about}, images=images, annotations=records, categories=[SPERM])


@dataclass(frozen=True)
class Reading:
    """One reader held against a consensus: pycocotools' evaluation, and its images in the same order."""

    reader: str
    against: str  # "consensus of all" or "consensus of the others"
    evaluation: COCOeval
    images: tuple[LabelledImage, ...]  # their boxes are the consensus

    def scores(self, places: NDArray[np.int64] | None = None) -> dict[str, float]:
        """Precision and recall at IoU 0.5, AR over ten IoUs, and the F1 of each pair; images as in `scores_of`.

        Paper B calls precision mAP here, since readers give no confidence, and F1 the harmonic mean with AR.
        """
        point = operating_point(matched_detections(self.evaluation), 0.0, places)
        ar = scores_of(self.evaluation, places).ar
        return {
            "precision": point.precision,
            "recall": point.recall,
            "ar": ar,
            "f1": harmonic_mean(point.precision, ar),
            "matched_f1": point.matched_f1,
        }


def read_against(
    together: Readings, reader: str, others: Sequence[str], against: str, iou: float, min_votes: int
) -> Reading:
    """Hold `reader` against the consensus of `others`, on the images that enough of them and the reader were shown."""
    places = [place for place in together.shown_to(others, min_votes) if reader in together.boxes[place]]
    if not places:
        names = ", ".join(f"{name} has {together.example(name)}" for name in (reader, *others))
        raise AnnotationError(
            f"{reader}: shares no image with {min_votes} of {', '.join(others)}; label the same images, or give them "
            f"with --images where a tool renamed them ({names})"
        )
    images, found = [], {}
    for place in places:
        image, boxes = together.images[place], together.boxes[place]
        truth = consensus({name: boxes[name] for name in others if name in boxes}, iou, min_votes).boxes
        group = image.patient_id or image.video_id or str(image.id)
        labels = ("",) * len(truth)
        images.append(LabelledImage(image.id, Path(image.file_name), image.width, image.height, group, truth, labels))
        found[image.id] = Detections(boxes[reader], np.ones(len(boxes[reader])))
    return Reading(reader, against, coco_evaluation(images, found, limit=None), tuple(images))


def all_readings(datasets: Mapping[str, Dataset], iou: float = 0.5, min_votes: int = 2) -> list[Reading]:
    """Every reader against the consensus of all, as the paper does, and against that of the others (leave-one-out).

    The first contains the reader's own votes and coordinates and so flatters. Of the others, as many votes are
    asked for as there are others to give them.
    """
    together = readings(datasets)
    found = [read_against(together, name, together.readers, ALL, iou, min_votes) for name in together.readers]
    for name in together.readers:
        others = [other for other in together.readers if other != name]
        if others:
            found.append(read_against(together, name, others, OTHERS, iou, min(min_votes, len(others))))
    return found


def readers_against_consensus(datasets: Mapping[str, Dataset], iou: float = 0.5, min_votes: int = 2) -> pd.DataFrame:
    """Table of `all_readings`: a row for each reader and consensus, with the number of images and boxes."""
    rows: list[dict[str, Any]] = []
    for one in all_readings(datasets, iou, min_votes):
        sperm = sum(len(image.boxes) for image in one.images)
        drawn = len(matched_detections(one.evaluation).score)
        rows.append({"reader": one.reader, "against": one.against, "images": len(one.images), "sperm": sperm})
        rows[-1] |= {"drawn": drawn} | one.scores()
    return pd.DataFrame(rows)
