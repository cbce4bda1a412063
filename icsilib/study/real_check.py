"""Real people as a check of the comparison: BU-BIL's five, one of them or a plain segmenter in the model's place."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from icsilib.data import bu_bil
from icsilib.data.manifest import fetch
from icsilib.stats.agreement import INTRA, iou_table
from icsilib.stats.cells import cells_of
from icsilib.stats.equivalence import crossed_equivalence, model_against_people


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
