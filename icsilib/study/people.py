"""Labels that several people drew on the same frames in several rounds, in one shape for every source."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from icsilib.stats.agreement import INTRA, distance_table, iou_table

Mark = tuple[str, str, str, str]  # structure, person, round, frame


@dataclass(frozen=True)
class RepeatedLabels:
    """Labels of A people in R rounds on F frames: masks (A, R, F, H, W) and points (A, R, F, 2) px by structure."""

    name: str
    about: str  # Markdown: what these data are
    caution: str  # Markdown: how to read them beside the paper's
    people: tuple[str, ...]
    rounds: tuple[str, ...]
    frames: tuple[str, ...]
    masks: dict[str, NDArray[np.bool_]]
    points: dict[str, NDArray[np.float64]]
    image: NDArray[np.uint8]  # of frames[shown]
    shown: int
    published_as: dict[str, str]  # structure → row of the paper's Table 1 to set beside it
    not_repeated: tuple[str, ...] = ()  # people whose rounds are copies of one file
    left_out: int = 0  # frames that not everybody labelled in every round
    by_name: int = 0  # frames that people have in folders of different names, taken for one by their own
    unknown: frozenset[Mark] = frozenset()  # outlines of which nothing is known: empty masks that no pair may have
    notes: tuple[str, ...] = ()  # what was left out beside frames, and why

    def pairs(self) -> pd.DataFrame:
        """Inter and intra pairs of all structures; the intra pairs of copied files are left out."""
        names: dict[str, Any] = {"annotators": self.people, "rounds": self.rounds, "frames": self.frames}
        tables = [iou_table(masks, structure, **names) for structure, masks in self.masks.items()]
        tables = [self._known(table) for table in tables]
        tables += [distance_table(points, structure, **names) for structure, points in self.points.items()]
        table = pd.concat(tables, ignore_index=True)
        return table[~((table["kind"] == INTRA) & table["annotator_a"].isin(self.not_repeated))]

    def _known(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table with NaN for pairs that an unknown outline is in."""
        marks = [
            table[["structure", f"annotator_{side}", f"round_{side}", "frame"]].itertuples(index=False, name=None)
            for side in "ab"
        ]
        known = [a not in self.unknown and b not in self.unknown for a, b in zip(*marks, strict=True)]
        return table.assign(value=table["value"].where(known))

    def digest(self) -> str:
        """SHA-256 of all labels."""
        digest = hashlib.sha256()
        for structure, masks in self.masks.items():
            digest.update(structure.encode() + np.packbits(masks).tobytes())
        for structure, points in self.points.items():
            digest.update(structure.encode() + points.tobytes())
        return digest.hexdigest()

    def scalars(self) -> dict[str, NDArray[np.float64]]:
        """Labels as numbers (A, R, F'): equivalent radius of a region in px, coordinates of a point in px.

        F' leaves out the frames on which some label of the structure is missing.
        """
        found = {f"{s} radius": np.sqrt(masks.sum(axis=(3, 4)) / np.pi) for s, masks in self.masks.items()}
        found = {name: radii[..., (radii > 0).all(axis=(0, 1))] for name, radii in found.items()}
        for structure, points in self.points.items():
            whole = points[:, :, ~np.isnan(points).any(axis=(0, 1, 3))]
            found |= {f"{structure} {axis}": whole[..., i] for i, axis in enumerate("xy")}
        return found
