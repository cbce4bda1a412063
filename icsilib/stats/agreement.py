"""Agreement of annotators with each other and with themselves (paper A, §3.1 and Table 1).

Arrays of labels have the axes annotator A, round R, frame F. Two labels of one frame make a pair:

- an *inter*-annotator pair has different annotators and the same round,
- an *intra*-annotator pair has the same annotator and different rounds.

The paper does not say how it counted pairs. Here every such pair counts once: with 5 annotators, 5 rounds and
14 frames, 10 · 5 · 14 = 700 inter and 5 · 10 · 14 = 700 intra pairs; `first_round_only` leaves the 140 inter
pairs of one round. A pair whose measure does not exist (both masks empty, or a point not labelled) stays in the
table with the value NaN, and `summary` leaves it out and counts it.
"""

from collections.abc import Hashable, Iterable, Sequence

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

COLUMNS = ["structure", "kind", "frame", "annotator_a", "round_a", "annotator_b", "round_b", "value", "unit"]
INTER, INTRA = "inter", "intra"


def iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Intersection over union (Jaccard index) of two masks; NaN where both are empty."""
    union = np.logical_or(a, b).sum()
    return float(np.logical_and(a, b).sum() / union) if union else float("nan")


def boundary_distance(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Mean distance in px from the outline of each of two masks (H, W) to the other's; NaN where one is empty.

    Unlike 1 − IoU it does not depend on the region's size. Where the frame cuts a region there is no outline.
    """
    outlines = [mask & ~ndimage.binary_erosion(mask, border_value=1) for mask in (a, b)]
    if not all(outline.any() for outline in outlines):
        return float("nan")
    away = [cv2.distanceTransform((~one).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) for one in outlines]
    return float((away[1][outlines[0]].mean() + away[0][outlines[1]].mean()) / 2)


def iou_matrix(masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Intersection over union of every two of N masks (N, H, W), as (N, N); NaN where both are empty."""
    flat = np.asarray(masks, dtype=bool).reshape(len(masks), -1)
    flat = flat[:, flat.any(axis=0)]  # pixels that no mask holds change no count
    # float32 counts exactly up to 2^24 pixels, and its matrix product is the fastest way to all intersections.
    counted: NDArray[np.floating] = flat.astype(np.float32 if flat.shape[1] < 2**24 else np.float64)
    intersection = (counted @ counted.T).astype(float)
    area = np.diag(intersection)
    union = area[:, None] + area[None, :] - intersection
    return np.divide(intersection, union, out=np.full_like(union, np.nan), where=union > 0)


def distance_matrix(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Euclidean distance of every two of N points (N, 2), as (N, N), in the points' unit; NaN where one is NaN."""
    points = np.asarray(points, dtype=float)
    return np.linalg.norm(points[:, None] - points[None, :], axis=-1)


def iou_table(
    masks: NDArray[np.bool_] | Sequence[NDArray[np.bool_]], structure: str, **names: Sequence[Hashable] | None
) -> pd.DataFrame:
    """Tidy table of the IoU of all inter and intra pairs of `masks` (A, R, F, H, W).

    `names` may hold `annotators`, `rounds` and `frames` to use in place of 0, 1, 2, …
    """
    array = np.asarray(masks)
    if array.ndim != 5:
        raise ValueError(f"masks must have the axes annotator, round, frame, y, x; got the shape {array.shape}")
    by_frame = (iou_matrix(array[:, :, frame].reshape(-1, *array.shape[3:])) for frame in range(array.shape[2]))
    return pair_table(by_frame, array.shape[:2], structure, "IoU", **names)


def distance_table(
    points: NDArray[np.float64], structure: str, unit: str = "px", **names: Sequence[Hashable] | None
) -> pd.DataFrame:
    """Tidy table of the distance of all inter and intra pairs of `points` (A, R, F, 2); NaN means not labelled."""
    array = np.asarray(points, dtype=float)
    if array.ndim != 4 or array.shape[-1] != 2:
        raise ValueError(f"points must have the axes annotator, round, frame, xy; got the shape {array.shape}")
    by_frame = (distance_matrix(array[:, :, frame].reshape(-1, 2)) for frame in range(array.shape[2]))
    return pair_table(by_frame, array.shape[:2], structure, unit, **names)


def pair_table(
    matrices: Iterable[NDArray[np.float64]],
    shape: tuple[int, ...],
    structure: str,
    unit: str,
    annotators: Sequence[Hashable] | None = None,
    rounds: Sequence[Hashable] | None = None,
    frames: Sequence[Hashable] | None = None,
) -> pd.DataFrame:
    """Tidy table of inter and intra pairs from one (A·R, A·R) matrix of a measure for each frame."""
    n_annotators, n_rounds = shape
    annotator, round_ = (axis.ravel() for axis in np.indices((n_annotators, n_rounds)))
    first, second = np.triu_indices(n_annotators * n_rounds, 1)
    inter = (annotator[first] != annotator[second]) & (round_[first] == round_[second])
    kept = inter | (annotator[first] == annotator[second])
    first, second, inter = first[kept], second[kept], inter[kept]
    values = np.array([matrix[first, second] for matrix in matrices])
    people = np.asarray(range(n_annotators) if annotators is None else annotators)
    turns = np.asarray(range(n_rounds) if rounds is None else rounds)
    frame_names = np.asarray(range(len(values)) if frames is None else frames)
    if (len(people), len(turns), len(frame_names)) != (n_annotators, n_rounds, len(values)):
        raise ValueError(
            f"names do not fit labels of {n_annotators} annotators, {n_rounds} rounds, {len(values)} frames"
        )
    columns = {
        "structure": structure,
        "kind": np.tile(np.where(inter, INTER, INTRA), len(values)),
        "frame": np.repeat(frame_names, len(first)),
        "annotator_a": np.tile(people[annotator[first]], len(values)),
        "round_a": np.tile(turns[round_[first]], len(values)),
        "annotator_b": np.tile(people[annotator[second]], len(values)),
        "round_b": np.tile(turns[round_[second]], len(values)),
        "value": values.ravel(),
        "unit": unit,
    }
    return pd.DataFrame(columns, columns=COLUMNS)


def first_round_only(table: pd.DataFrame) -> pd.DataFrame:
    """The other count of pairs: inter pairs of the first round alone (140 at the paper's design), all intra pairs."""
    first = table["round_a"].iloc[0]
    return table[(table["kind"] == INTRA) | (table["round_a"] == first)]


def repeated_only(table: pd.DataFrame) -> pd.DataFrame:
    """The pairs among annotators who have intra pairs, i.e. who labelled more than once."""
    repeated = set(table.loc[table["kind"] == INTRA, "annotator_a"])
    return table[table["annotator_a"].isin(repeated) & table["annotator_b"].isin(repeated)]


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Table 1: mean and SD (ddof 1) over pairs, their number n, and how many were excluded, by structure and kind."""
    groups = table.groupby(["structure", "kind"], sort=False)["value"]
    columns = {"mean": groups.mean(), "sd": groups.std(), "n": groups.count()}
    columns["excluded"] = groups.size() - groups.count()
    columns["unit"] = table.groupby(["structure", "kind"], sort=False)["unit"].first()
    return pd.DataFrame(columns)


def pair_matrix(table: pd.DataFrame, structure: str) -> pd.DataFrame:
    """Mean measure of each two annotators (A, A); the diagonal is each annotator's mean with themselves."""
    rows = table[table["structure"] == structure]
    people = pd.unique(pd.concat([rows["annotator_a"], rows["annotator_b"]]))
    means = rows.groupby(["annotator_a", "annotator_b"])["value"].mean().unstack().reindex(people, columns=people)
    return means.combine_first(means.T).reindex(people, columns=people)


def round_matrix(table: pd.DataFrame, structure: str, annotator: Hashable) -> pd.DataFrame:
    """Mean measure of each two rounds (R, R) of one annotator; the diagonal is NaN."""
    rows = table[(table["structure"] == structure) & (table["kind"] == INTRA) & (table["annotator_a"] == annotator)]
    turns = pd.unique(pd.concat([rows["round_a"], rows["round_b"]]))
    means = rows.groupby(["round_a", "round_b"])["value"].mean().unstack().reindex(turns, columns=turns)
    return means.combine_first(means.T).reindex(turns, columns=turns)


def by_annotator(table: pd.DataFrame) -> pd.DataFrame:
    """Rows in which each pair stands once for each annotator in it: column `annotator` instead of two."""
    intra = table["kind"] == INTRA
    first = table.assign(annotator=table["annotator_a"])
    second = table[~intra].assign(annotator=table["annotator_b"][~intra])
    both = pd.concat([first, second], ignore_index=True)
    return both[["structure", "kind", "frame", "annotator", "value", "unit"]]
