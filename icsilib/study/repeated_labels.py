"""The two sets of repeated labels that the chapter on annotator variation can read, in one shape."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from icsilib.data import bu_bil
from icsilib.data.manifest import fetch
from icsilib.phantoms.people.annotators import annotator_team, fitted_population
from icsilib.phantoms.people.labelling import label_study, study_frames
from icsilib.stats.agreement import INTRA, distance_table, iou_table
from icsilib.stats.coverage import TipDesign

_ABOUT_SIMULATED = """
**These data are simulated.** Five simulated people (`icsilib.phantoms.people.annotators`) labelled 14 frames of 14
rendered ICSI procedures (`icsilib.phantoms.icsi`, 512 × 512 px) five times each: oolemma, suction pipette, needle tip.
How they err was *fitted* to the paper's Table 1, so that this chapter can show what such a table hides. That their
table looks like the paper's is therefore no finding about people; what the analysis does with it is the subject.
"""
_ABOUT_BU_BIL = """
**These are real labels of real people**, but not of oocytes: BU-BIL set 1, 35 phase-contrast photographs of rat
smooth-muscle cells, each outlined by five biologists and engineers with two programs, Amira and
ImageJ. The two programs stand in for the paper's rounds: an "intra-annotator" pair here is one person's outline of
one cell *repeated with another tool*, which is more than repeating it two hours later with the same one. And one of
the five repeated nothing: the files of Person2 are the same under both tools, so Person2 has no intra pairs here.
"""
_CAUTION_SIMULATED = """
The two columns agree because the simulated people were fitted to the published one, on other seeds than this run's.
What is worth reading is the next column, the interval.
"""
_CAUTION_BU_BIL = """
The published column is the paper's oolemma; the cells here are other cells, larger in the image, less round and with
fainter edges, and the people were other people. The rows are set side by side for their shape, not for their level.
"""


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

    def tip_design(self) -> TipDesign:
        """Studies of needle tips of this size, by people as the fitted population has them."""
        people = fitted_population()
        return TipDesign(
            annotators=len(self.people),
            rounds=len(self.rounds),
            frames=len(self.frames),
            offset_px=people.offset_spread["tip"],
            along_px=people.tip.along,
            across_px=people.tip.across,
            care_spread=people.care_spread,
            difficulty=people.difficulty["tip"],
            slip_px=people.tip.slip,
            slip_rate=people.tip.slip_rate,
        )

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


def read_labels(dataset: str, seed: int) -> RepeatedLabels:
    """The labels of `dataset`: "simulated", "bu-bil", or a file with several people's; `seed` is for simulated ones."""
    if dataset == "simulated":
        return simulated_labels(seed)
    if dataset == "bu-bil":
        return bu_bil_labels(fetch("bu-bil"))
    if Path(dataset).is_file():
        from icsilib.study.own_labels import own_labels, read_people

        labels = own_labels(read_people([Path(dataset)])[0], Path(dataset).parent)
        if len(labels.people) < 3 or len(labels.rounds) < 2:
            raise ValueError(
                f"{dataset}: {len(labels.people)} people labelled {len(labels.rounds)} rounds in common; "
                "this chapter needs three people and two rounds, `icsi agree outlines` works with fewer"
            )
        return labels
    raise ValueError(f'dataset is {dataset!r}; it must be "simulated", "bu-bil" or a file of annotations')


def simulated_labels(seed: int) -> RepeatedLabels:
    """Five simulated people, five rounds, fourteen rendered frames of 512 × 512 px."""
    frames, team = study_frames(seed), annotator_team(seed)
    study = label_study(frames, team, rounds=5, seed=seed)
    return RepeatedLabels(
        name="simulated",
        about=_ABOUT_SIMULATED,
        caution=_CAUTION_SIMULATED,
        people=study.annotators,
        rounds=tuple(f"round {number}" for number in range(1, 6)),
        frames=tuple(f"frame {number}" for number in range(1, len(frames) + 1)),
        masks={structure: study.masks(structure) for structure in ("oolemma", "pipette")},
        points={"needle": study.tips},
        image=frames[0].image,
        shown=0,
        published_as={"oolemma": "oolemma", "pipette": "pipette", "needle": "needle"},
    )


def bu_bil_labels(folder: Path | str) -> RepeatedLabels:
    """BU-BIL set 1 under `folder`: five people, two tools in place of rounds, 35 photographs of cells."""
    data = bu_bil.load(folder)
    shown = data.frames.index("B07")
    return RepeatedLabels(
        name="BU-BIL",
        about=_ABOUT_BU_BIL,
        caution=_CAUTION_BU_BIL,
        people=data.people,
        rounds=data.tools,
        frames=data.frames,
        masks={"cell": data.masks},
        points={},
        image=bu_bil.read_image(folder, data.frames[shown]),
        shown=shown,
        published_as={"cell": "oolemma"},
        not_repeated=bu_bil.copied(data),
    )
