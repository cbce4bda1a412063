"""BU-BIL set 1: 35 phase-contrast images of rat smooth-muscle cells, outlined by five people with two tools.

Gurari et al., "How to collect segmentations for biomedical images?", WACV 2015. The five people are biomedical
engineers and biologists; each drew every cell once in Amira and once in ImageJ. In the files the foreground is 0,
image modes are mixed, and the case of names differs between people (`seg_B01`, `Seg_B18`): frames are matched by
name, case-insensitively, never by sorted order. Person2's two folders hold the same 35 masks, so that person
repeated nothing: `copied` names such people, to be left out of any comparison between tools.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from icsilib.data.annotations import AnnotationError
from icsilib.data.images import read_grey

SET = "BU-BIL_Dataset1"
_FOLDER = re.compile(r"(?P<person>Person\d+)_(?P<tool>\w+)", re.IGNORECASE)
_FRAME = re.compile(r"(?:seg_)?(?P<frame>B\d+)\.png", re.IGNORECASE)


@dataclass(frozen=True)
class BuBil:
    """Masks of five people × two tools × 35 frames; `sizes` is each frame's (height, width) in px.

    One frame (B02, 1300×1030) is larger than the others (1024×811): smaller frames are padded with background
    at the bottom and right up to the largest, which changes no overlap.
    """

    people: tuple[str, ...]
    tools: tuple[str, ...]
    frames: tuple[str, ...]
    masks: NDArray[np.bool_]  # (person, tool, frame, H, W), True inside the cell
    sizes: NDArray[np.int64]  # (frame, 2)


def load(folder: Path | str) -> BuBil:
    """Read every expert mask under the data set's `folder` (as `fetch("bu-bil")` gives it).

    Raises `AnnotationError` where a person, tool or frame is missing or a mask's size differs from its image's.
    """
    experts = _existing(Path(folder) / SET / "ExpertsAnnotations")
    images = _by_frame(Path(folder) / SET / "RawImages")
    folders = {
        (match["person"], match["tool"]): path
        for path in sorted(experts.iterdir())
        if (match := _FOLDER.fullmatch(path.name))
    }
    people, tools = (tuple(sorted({key[axis] for key in folders})) for axis in (0, 1))
    frames = tuple(sorted(images))
    sizes = np.array([read_grey(images[frame]).shape for frame in frames], dtype=np.int64)
    masks = np.zeros((len(people), len(tools), len(frames), *sizes.max(axis=0)), dtype=bool)
    for i, person in enumerate(people):
        for j, tool in enumerate(tools):
            if (person, tool) not in folders:
                raise AnnotationError(f"{experts}: no folder {person}_{tool}; run `icsi data fetch bu-bil` again")
            _fill(masks[i, j], folders[person, tool], frames, sizes)
    return BuBil(people, tools, frames, masks, sizes)


def copied(data: BuBil) -> tuple[str, ...]:
    """The people whose masks are identical under every tool in every frame: files copied, not a second labelling."""
    same = (data.masks == data.masks[:, :1]).all(axis=(1, 2, 3, 4))
    return tuple(person for person, is_copy in zip(data.people, same, strict=True) if is_copy)


def read_image(folder: Path | str, frame: str) -> NDArray[np.uint8]:
    """The photograph of `frame` (such as "B07") as (H, W) grey levels."""
    images = _by_frame(Path(folder) / SET / "RawImages")
    if frame not in images:
        raise AnnotationError(f"{folder}: no frame {frame!r}; the frames are {min(images)} to {max(images)}")
    return read_grey(images[frame])


def _fill(masks: NDArray[np.bool_], folder: Path, frames: tuple[str, ...], sizes: NDArray[np.int64]) -> None:
    """Put one person's masks with one tool into `masks` (frame, H, W)."""
    files = _by_frame(folder)
    for k, frame in enumerate(frames):
        if frame not in files:
            raise AnnotationError(f"{folder}: no mask of {frame}; run `icsi data fetch bu-bil` again")
        mask = read_grey(files[frame]) < 128  # the foreground is 0 in these files
        if mask.shape != tuple(sizes[k]):
            raise AnnotationError(f"{files[frame]}: is {mask.shape}, its image {tuple(sizes[k])}; fetch it again")
        masks[k, : sizes[k, 0], : sizes[k, 1]] = mask


def _by_frame(folder: Path) -> dict[str, Path]:
    """PNG files of `folder` by the upper-case name of their frame."""
    files: dict[str, Path] = {}
    for path in sorted(_existing(folder).iterdir()):
        if match := _FRAME.fullmatch(path.name):
            frame = match["frame"].upper()
            if frame in files:
                raise AnnotationError(f"{folder}: {path.name} and {files[frame].name} are both {frame}; keep one")
            files[frame] = path
    return files


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise AnnotationError(f"{folder}: no such folder; get the data with `icsi data fetch bu-bil`")
    return folder
