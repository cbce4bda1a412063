"""Five photographs of injections with a person's masks, from figures in a public repository's notebooks (ICSI frames).

The source states no licence, so the study redistributes nothing of it: the manifest names the notebooks, the reader's
own computer fetches them, and `load` cuts the figures out. Oolemma and needle are labelled, the suction pipette is not.
Three of the five frames show one oocyte, so they are three recordings.
"""

import base64
import json
import os
from dataclasses import dataclass
from hashlib import sha1, sha256
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from icsilib.data.annotations import (
    Annotation,
    AnnotationError,
    Dataset,
    Image,
    mask_to_polygons,
    polygon_annotation,
    tip_annotation,
)
from icsilib.data.manifest import data_root
from icsilib.data.structures import ICSI_CATEGORIES, OOLEMMA
from icsilib.files import atomic_path

VARIABLE = "ICSILIB_ICSI_FRAMES"  # environment variable that may name the folder of notebooks, or of frames once cut
REMEDY = f"get the data with `icsi data fetch icsi-frames`, or name their folder in {VARIABLE}"
_PSP, _UNET = ("Semantic-Segmentation/models_tests/" + name for name in ("psp/psp", "unet/unet"))
_EARLIER, _LATER = "baf1bdd342886d013e9827e13cb86e6ab4de2419", "dc40c8e2b7b4c54ccaa12e43feda940c79b1df17"
_INSET = 3  # px of an axis's frame that are cut off each side of a panel


@dataclass(frozen=True)
class Figure:
    """One figure of a notebook: which it is, and what it shows."""

    key: str  # first digits of the SHA-1 of its PNG file
    notebook: str  # path below the data set's folder
    recording: str
    pixels: str  # first digits of the SHA-256 of the photograph's pixels (BGR) and then the mask's


FIGURES = (
    Figure("6d4a59c7", f"{_LATER}/{_PSP}_semantic_segmentation_resnet50.ipynb", "a", "827302a06ea81254"),
    Figure("59de60f1", f"{_LATER}/Semantic-Segmentation/visualization.ipynb", "a", "dff7bde549128b14"),
    Figure("2d781a79", f"{_EARLIER}/Semantic-Segmentation/visualization.ipynb", "a", "88a873df64b0af27"),
    Figure("b61d3260", f"{_LATER}/{_PSP}_semantic_segmentation_seresnet50.ipynb", "b", "ee8d7ac8c8a1618e"),
    Figure("52007196", f"{_LATER}/{_UNET}_semantic_segmentation_vgg16.ipynb", "c", "64cda663db6b9402"),
)


def find(figures: tuple[Figure, ...] = FIGURES) -> Path | None:
    """The folder with the notebooks or the frames cut from them, or None. Nothing is downloaded."""
    named = os.environ.get(VARIABLE)
    folder = Path(named) if named else data_root() / "icsi-frames"
    here = all((folder / each.notebook).is_file() or _files(folder, each)[0].is_file() for each in figures)
    return folder if here else None


def load(folder: Path | str, figures: tuple[Figure, ...] = FIGURES) -> Dataset:
    """The frames with the labels of the one person who drew them; `video_id` names the recording.

    `folder` holds the notebooks as `fetch("icsi-frames")` gives them, whose figures are then cut out into it, or the
    frames, as KEY_image.png and KEY_mask.png. The oolemma is the oocyte with the needle's part in it, the tip the end
    of the needle that does not leave the frame. Raises `AnnotationError` where a figure is missing or another one.
    """
    folder = Path(folder)
    images: list[Image] = []
    annotations: list[Annotation] = []
    for n, figure in enumerate(figures, start=1):
        photo, mask = _panels_of(folder, figure)
        height, width = photo.shape[:2]
        name = _files(folder, figure)[0].name
        images.append(Image(id=n, file_name=name, width=width, height=height, video_id=figure.recording))
        oolemma, needle = labels_of(mask)
        annotations.append(polygon_annotation(2 * n, n, OOLEMMA, mask_to_polygons(oolemma)))
        if (tip := tip_of_needle(needle)) is not None:
            annotations.append(tip_annotation(2 * n + 1, n, tip))
    return Dataset(images=images, annotations=annotations, categories=list(ICSI_CATEGORIES))


def labels_of(mask: NDArray[np.uint8]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Oolemma and needle (H, W) from a panel (H, W, 3) in which the person's labels are greys or colours on black.

    The most frequent one is the oocyte. The needle, drawn over it, is another, and so are the sperm in the needle.
    """
    grey = cv2.cvtColor(mask, cv2.COLOR_BGR2GRAY).astype(int)
    if (np.ptp(mask.astype(int), axis=2) > 60).mean() > 0.01:  # in colour
        hue, lit = cv2.cvtColor(mask, cv2.COLOR_BGR2HSV)[..., 0].astype(int), grey > 20
        oocyte = lit & (abs(hue - _most_frequent(hue[lit])) < 8)
        needle = lit & ~oocyte
    else:
        level = _most_frequent(grey[grey > 40])
        oocyte = abs(grey - level) <= 12
        needle = _opened(((grey > 45) & (grey < level - 20)) | (grey >= 215))  # without the labels' soft rims
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (19, 19))  # wider than a needle
    return cv2.morphologyEx(oocyte.astype(np.uint8), cv2.MORPH_CLOSE, disc) > 0, needle


def tip_of_needle(needle: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    """End (x, y) in px of the needle (H, W) away from the frame's side; None if it reaches neither or both sides."""
    count, regions, facts, _ = cv2.connectedComponentsWithStats(needle.astype(np.uint8))
    if count < 2:
        return None
    rows, columns = np.nonzero(regions == 1 + facts[1:, cv2.CC_STAT_AREA].argmax())
    from_left, from_right = columns.min() < 20, columns.max() > needle.shape[1] - 20
    if from_left == from_right:
        return None
    last = columns.max() if from_left else columns.min()
    return np.array([last + from_left, np.median(rows[abs(columns - last) <= 2]) + 0.5])  # that pixel's far edge


def _panels_of(folder: Path, figure: Figure) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Photograph and mask (H, W, 3) of a figure, cut out of its notebook if that was not done before."""
    files = _files(folder, figure)
    if not all(file.is_file() for file in files):
        for file, panel in zip(files, _cut(folder / figure.notebook, figure.key), strict=True):
            with atomic_path(file) as partial:
                partial.write_bytes(cv2.imencode(".png", panel)[1].tobytes())
    photo, mask = (np.asarray(cv2.imread(str(file)), dtype=np.uint8) for file in files)
    if not sha256(photo.tobytes() + mask.tobytes()).hexdigest().startswith(figure.pixels):
        raise AnnotationError(
            f"{files[0]}: has other pixels than the study's frame of that name; remove it and {REMEDY}"
        )
    return photo, mask


def _files(folder: Path, figure: Figure) -> tuple[Path, Path]:
    return folder / f"{figure.key}_image.png", folder / f"{figure.key}_mask.png"


def _cut(notebook: Path, key: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The first two of three panels of the figure that `key` names; the notebook's other figures stay unopened."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        outputs = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
        pngs = [base64.b64decode("".join(data["image/png"])) for data in outputs if "image/png" in data]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise AnnotationError(f"{notebook}: not a notebook that can be read ({error}); {REMEDY}") from None
    png = next((png for png in pngs if sha1(png).hexdigest().startswith(key)), None)
    if png is None:
        raise AnnotationError(f"{notebook}: holds no figure {key}; {REMEDY}")
    figure = np.asarray(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR), dtype=np.uint8)
    axes = _axes(figure)
    if len(axes) != 3:
        raise AnnotationError(f"{notebook}: figure {key} has {len(axes)} panels, not 3; {REMEDY}")
    photo, mask, _ = (figure[y + _INSET : y + h - _INSET, x + _INSET : x + w - _INSET] for x, y, w, h in axes)
    return photo, mask


def _axes(figure: NDArray[np.uint8]) -> list[tuple[int, int, int, int]]:
    """Rectangles (x, y, width, height) in px of a figure's panels (H, W, 3), left to right."""
    if figure.shape[:2] == (339, 986):  # overexposed photographs fade into the page here
        return [(x, 31, 276, 276) for x in (45, 373, 702)]
    inked = (cv2.cvtColor(figure, cv2.COLOR_BGR2GRAY) < 250).astype(np.uint8)
    _, _, facts, _ = cv2.connectedComponentsWithStats(inked)
    return sorted((int(x), int(y), int(w), int(h)) for x, y, w, h, _ in facts[1:] if w > 180 and h > 150)


def _most_frequent(levels: NDArray[np.int_]) -> int:
    return int(np.bincount(levels.ravel()).argmax())


def _opened(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0
