"""The model as one more annotator on the frames that people labelled."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from icsilib.phantoms.people.annotators import annotator_team
from icsilib.phantoms.people.labelling import label_study, study_frames
from icsilib.segmentation import Segmenter
from icsilib.stats.agreement import INTER, INTRA, distance_table, iou_table

MODEL = "model"
STUDY_SEED = 1000  # added to the seed: the frames are of videos that no training data of this study hold
STRUCTURES = {"oolemma": "IoU", "pipette": "IoU", "needle": "px"}


@dataclass(frozen=True)
class ModelStudy:
    """Labels of A people in R rounds and one of the model on F frames."""

    people: tuple[str, ...]
    masks: dict[str, NDArray[np.bool_]]  # structure → (A, R, F, H, W)
    tips: NDArray[np.float64]  # (A, R, F, 2) px
    model_masks: dict[str, NDArray[np.bool_]]  # structure → (F, H, W)
    model_tips: NDArray[np.float64]  # (F, 2) px
    image: NDArray[np.uint8]  # of the first frame

    def pairs(self) -> pd.DataFrame:
        """Inter and intra pairs of people, and pairs of each person's label with the model's, annotator_b `MODEL`."""
        rounds = self.tips.shape[1]
        names = (*self.people, MODEL)
        tables = []
        for structure, masks in self.masks.items():
            repeated = np.repeat(self.model_masks[structure][None, None], rounds, axis=1)
            tables.append(iou_table(np.concatenate([masks, repeated]), structure, annotators=names))
        tips = np.concatenate([self.tips, np.repeat(self.model_tips[None, None], rounds, axis=1)])
        tables.append(distance_table(tips, "needle", annotators=names))
        table = pd.concat(tables, ignore_index=True)
        return table[~((table["kind"] == INTRA) & (table["annotator_a"] == MODEL))]


def simulated_study(segmenter: Segmenter, seed: int, rounds: int = 5) -> ModelStudy:
    """Five simulated people and the model on 14 rendered frames of videos that the model was not trained on."""
    frames, team = study_frames(seed + STUDY_SEED), annotator_team(seed)
    labels = label_study(frames, team, rounds, seed)
    predicted = [segmenter.predict(frame.image) for frame in frames]
    return ModelStudy(
        people=labels.annotators,
        masks={name: labels.masks(name) for name in ("oolemma", "pipette")},
        tips=labels.tips,
        model_masks={
            name: np.stack([one.masks[k] for one in predicted]) for k, name in enumerate(("oolemma", "pipette"))
        },
        model_tips=np.stack([one.tip for one in predicted]),
        image=frames[0].image,
    )


def people_only(pairs: pd.DataFrame) -> pd.DataFrame:
    """The pairs without the model."""
    return pairs[pairs["annotator_b"] != MODEL]


def model_values(pairs: pd.DataFrame, structure: str) -> NDArray[np.float64]:
    """Mean measure (A, F) of the model with each person on each frame, over rounds."""
    rows = pairs[(pairs["structure"] == structure) & (pairs["annotator_b"] == MODEL)]
    return rows.groupby(["annotator_a", "frame"], sort=False)["value"].mean().unstack().sort_index(axis=1).to_numpy()


def similarity(pairs: pd.DataFrame, structure: str) -> NDArray[np.float64]:
    """Mean similarity (1 + A, 1 + A, F) of model (first) and people on each frame: IoU, or minus the distance in px."""
    rows = pairs[(pairs["structure"] == structure) & (pairs["kind"] == INTER)]
    sign = 1.0 if STRUCTURES[structure] == "IoU" else -1.0
    people = [name for name in pd.unique(rows["annotator_a"]) if name != MODEL]
    place = {name: k for k, name in enumerate([MODEL, *people])}
    frames = {frame: k for k, frame in enumerate(sorted(pd.unique(rows["frame"])))}
    found = np.full((len(place), len(place), len(frames)), np.nan)
    for (a, b, frame), value in rows.groupby(["annotator_a", "annotator_b", "frame"])["value"].mean().items():
        found[place[a], place[b], frames[frame]] = found[place[b], place[a], frames[frame]] = sign * value
    return found
