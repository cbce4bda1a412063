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
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from icsilib.detection.boxes import box_iou

Boxes = NDArray[np.float64]  # (N, 4) x, y, width, height, px


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
    free, groups = np.ones(len(drawn.boxes), dtype=bool), []
    for group in sorted(_groups(drawn, min_votes), key=lambda group: _rank(group, drawn)):
        if free[list(group)].all():
            free[list(group)] = False
            groups.append(group)
    groups.sort(key=lambda group: _mean_box(group, drawn))
    return ConsensusBoxes(
        boxes=np.array([_mean_box(group, drawn) for group in groups], dtype=float).reshape(-1, 4),
        votes=np.array([len(group) for group in groups], dtype=np.int64),
        members=tuple({drawn.reader[i]: drawn.index[i] for i in group} for group in groups),
    )


def _in_order(boxes_by_reader: Mapping[str, Boxes], iou: float) -> _Drawn:
    rows: list[tuple[tuple[float, ...], str, int]] = []
    for reader, boxes in boxes_by_reader.items():
        boxes = np.asarray(boxes, dtype=float).reshape(-1, 4)
        for index, box in enumerate(boxes.tolist()):
            if not np.isfinite(box).all() or min(box[2:]) <= 0:
                raise ValueError(f"{reader}, box {index}: {box} has no area; correct or remove it")
            rows.append((tuple(box), reader, index))
    rows.sort()
    boxes = np.array([box for box, _, _ in rows]).reshape(-1, 4)
    reader = tuple(name for _, name, _ in rows)
    overlap = box_iou(boxes, boxes)
    other = np.array(reader)[:, None] != np.array(reader)[None] if rows else np.zeros((0, 0), dtype=bool)
    return _Drawn(boxes, reader, tuple(index for _, _, index in rows), overlap, (overlap >= iou) & other)


def _groups(drawn: _Drawn, min_votes: int) -> Iterator[tuple[int, ...]]:
    """Every set of at least `min_votes` boxes in which each agrees with each."""

    def grow(group: tuple[int, ...], candidates: NDArray[np.int64]) -> Iterator[tuple[int, ...]]:
        if len(group) >= min_votes:
            yield group
        for place, box in enumerate(candidates):
            later = candidates[place + 1 :]
            yield from grow((*group, int(box)), later[drawn.agree[box, later]])

    yield from grow((), np.arange(len(drawn.boxes)))


def _rank(group: tuple[int, ...], drawn: _Drawn) -> tuple[float | tuple[float, ...], ...]:
    """Sorting key of a group: the best comes first."""
    within = drawn.iou[np.ix_(group, group)][np.triu_indices(len(group), 1)]
    closeness = round(float(within.mean()), 9) if len(within) else 0.0
    return -len(group), -closeness, _mean_box(group, drawn), group


def _mean_box(group: tuple[int, ...], drawn: _Drawn) -> tuple[float, ...]:
    return tuple(drawn.boxes[list(group)].mean(axis=0).tolist())
