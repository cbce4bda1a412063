"""The model as one more annotator on the frames that people labelled, and that comparison checked on real people."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from icsilib.data import bu_bil
from icsilib.data.annotations import polygons_to_mask
from icsilib.data.manifest import fetch
from icsilib.data.structures import OF_INJECTIONS, OUTLINES
from icsilib.phantoms.people.annotators import annotator_team
from icsilib.phantoms.people.labelling import label_study, random_frames, study_frames
from icsilib.segmentation import Segmenter
from icsilib.stats.agreement import INTER, INTRA, distance_table, iou_matrix, iou_table, pair_table
from icsilib.stats.cells import cells_of
from icsilib.stats.equivalence import crossed_equivalence, model_against_people

MODEL = "model"
STUDY_SEED = 1000  # added to the seed: the frames are of videos that no training data of this study hold
STRUCTURES = {each.name: each.unit for each in OF_INJECTIONS}


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
        masks={each.name: labels.masks(each.name) for each in OUTLINES},
        tips=labels.tips,
        model_masks={each.name: np.stack([one.masks[k] for one in predicted]) for k, each in enumerate(OUTLINES)},
        model_tips=np.stack([one.tip for one in predicted]),
        image=frames[0].image,
    )


def many_frames_study(segmenter: Segmenter, seed: int, frames: int) -> pd.DataFrame:
    """Pairs of five simulated people and the model on one random frame of each of many videos, one round.

    Nothing is chosen: hard scenes are in, and frames without pipette or needle. The columns are those of
    `ModelStudy.pairs`; a structure that a frame does not show has no measure there.
    """
    drawn = random_frames(seed + STUDY_SEED, frames)
    labels = label_study(drawn, annotator_team(seed), 1, seed)
    predicted = [segmenter.predict(frame.image) for frame in drawn]
    names, shape = (*labels.annotators, MODEL), (len(labels.annotators) + 1, 1)
    tables = []
    for k, structure in enumerate(OUTLINES):
        outlines = labels.outlines[structure.name]
        matrices = [
            iou_matrix(np.stack([*(_mask(person[0][f], labels.frame) for person in outlines), one.masks[k]]))
            for f, one in enumerate(predicted)
        ]
        tables.append(pair_table(matrices, shape, structure.name, structure.unit, annotators=names))
    tips = np.concatenate([labels.tips, np.stack([one.tip for one in predicted])[None, None]])
    return pd.concat([*tables, distance_table(tips, "needle", annotators=names)], ignore_index=True)


def _mask(outline: NDArray[np.float64] | None, frame: tuple[int, int]) -> NDArray[np.bool_]:
    return polygons_to_mask([] if outline is None else [outline], *frame)


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


def plain_segmenter(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Largest region of high local contrast in a phase-contrast photograph (H, W): blur, deviation, Otsu, close."""
    grey = cv2.GaussianBlur(image, (0, 0), 2).astype(np.float32)
    deviation = np.sqrt(np.maximum(cv2.blur(grey**2, (15, 15)) - cv2.blur(grey, (15, 15)) ** 2, 0))
    scaled = cv2.normalize(np.minimum(deviation, np.percentile(deviation, 99)), None, 0, 255, cv2.NORM_MINMAX)  # type: ignore[call-overload]
    _, textured = cv2.threshold(scaled.astype(np.uint8), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (25, 25))
    closed = cv2.erode(cv2.morphologyEx(textured, cv2.MORPH_CLOSE, disc), disc[5:20, 5:20])
    _, labels, sizes, _ = cv2.connectedComponentsWithStats(closed)
    return labels == 1 + int(np.argmax(sizes[1:, cv2.CC_STAT_AREA]))


def bu_bil_check(alpha: float, scale: int = 2) -> list[dict[str, Any]]:
    """Rows of the comparison for each person, left out of the others, and for `plain_segmenter`.

    Masks are taken at every `scale`-th pixel. The margin is half of the SD of a person's two tools' IoU.
    """
    folder = fetch("bu-bil")
    data = bu_bil.load(folder)
    masks = np.ascontiguousarray(data.masks[..., ::scale, ::scale])
    table = iou_table(masks, "cell", annotators=data.people)
    own = table[(table["kind"] == INTRA) & ~table["annotator_a"].isin(bu_bil.copied(data))]
    margin = float(own["value"].std() / 2)
    plain = np.zeros((len(data.frames), *masks.shape[3:]), dtype=bool)
    for k, frame in enumerate(data.frames):
        found = plain_segmenter(bu_bil.read_image(folder, frame))[::scale, ::scale]
        plain[k, : found.shape[0], : found.shape[1]] = found
    rows = []
    for place, name in enumerate((*data.people, "plain segmenter")):
        kept = [a for a in range(len(data.people)) if a != place]
        judged = plain if place == len(data.people) else masks[place, 0]
        rows.append({"in the model's place": name} | _row(judged, masks[kept][:, :1], margin, alpha))
    return rows


def _row(judged: NDArray[np.bool_], people: NDArray[np.bool_], margin: float, alpha: float) -> dict[str, Any]:
    """Difference of `judged` (F, H, W) from `people` (A, 1, F, H, W) by the crossed t, against the margin."""
    table = iou_table(np.concatenate([people, judged[None, None]]), "cell")
    last = len(people)
    model = table[table["annotator_b"] == last].groupby(["annotator_a", "frame"])["value"].mean().unstack().to_numpy()
    among = cells_of(table[table["annotator_b"] != last], "cell", "inter")
    found = crossed_equivalence(model_against_people(model, among), margin, alpha)
    fields = ("difference", "low", "high", "margin", "equivalent")
    return {name: getattr(found, name) for name in fields}
