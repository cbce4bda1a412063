"""Pairs gathered into cells of (annotator pair × frame), the form in which they are resampled and analysed."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True)
class Cells:
    """Sum and number of the measures of each of P annotator pairs on each of F frames.

    `first` and `second` (P,) index the annotators of a pair; they are equal for an annotator's own rounds.
    """

    total: NDArray[np.float64]  # (P, F), in the measure's unit
    count: NDArray[np.int64]  # (P, F)
    first: NDArray[np.int64]  # (P,)
    second: NDArray[np.int64]  # (P,)
    annotators: int

    @property
    def frames(self) -> int:
        """Number of frames F."""
        return self.total.shape[1]

    def pair_weights(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weights (B, P) of the pairs when annotators carry `weights` (B, A).

        A pair of different annotators weighs w_a · w_b: drawing a twice and b three times makes six such pairs.
        The pairs of a drawn annotator with their own copy are left out: they would be intra pairs.
        An annotator's own rounds weigh w_a.
        """
        own = self.first == self.second
        return weights[:, self.first] * np.where(own, 1.0, weights[:, self.second])


def cells_of(table: pd.DataFrame, structure: str, kind: str) -> Cells:
    """The cells of one structure and kind; annotators and frames are numbered as in the structure's whole table."""
    rows = table[table["structure"] == structure]
    people = pd.unique(pd.concat([rows["annotator_a"], rows["annotator_b"]]))
    frames = pd.unique(rows["frame"])
    rows = rows[rows["kind"] == kind]
    if rows.empty:
        raise ValueError(f"the table holds no {kind} pairs of {structure}; check the names of structure and kind")
    groups = rows.groupby(["annotator_a", "annotator_b", "frame"], sort=False)["value"]
    total = groups.sum().unstack("frame").reindex(columns=frames).fillna(0.0)
    count = groups.count().unstack("frame").reindex(columns=frames).fillna(0)
    position = {person: index for index, person in enumerate(people)}
    first, second = (np.array([position[pair[end]] for pair in total.index]) for end in (0, 1))
    return Cells(total.to_numpy(), count.to_numpy(dtype=np.int64), first, second, len(people))


def pseudo_values(cells: Cells) -> NDArray[np.float64]:
    """Annotators' jackknife pseudo-values on each frame, (A, F'), whose mean is the mean over pairs and frames.

    With θ_f the mean over all pairs on frame f and θ_{f,−a} the mean without annotator a,
    J_{a,f} = A·θ_f − (A−1)·θ_{f,−a}. For an annotator's own rounds that is simply the mean of the rounds;
    for pairs of annotators it turns a statistic of pairs into one value for each annotator and frame, so that the
    analysis of crossed factors applies. F' leaves out the frames on which some pair has no measure.
    """
    complete = (cells.count > 0).all(axis=0)
    means = cells.total[:, complete] / cells.count[:, complete]
    if np.all(cells.first == cells.second):
        order = np.argsort(cells.first)
        return means[order]
    n = cells.annotators
    if n < 3:
        raise ValueError(f"pseudo-values of pairs need at least 3 annotators, got {n}")
    without = [means[(cells.first != a) & (cells.second != a)].mean(axis=0) for a in range(n)]
    return n * means.mean(axis=0) - (n - 1) * np.array(without)
