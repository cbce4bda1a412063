"""The SVIA sample (MIaMIA-SpermVideo): 220 frames of five sperm videos, 698×528 px, with Pascal VOC boxes.

Chen et al., "SVIA dataset", 2022. 6,724 sperm and 149 impurities; only five videos, so split by `video_id`.
The sample does not say which patients or donors the videos are from, nor the size of a pixel.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from icsilib.data.annotations import AnnotationError, Dataset
from icsilib.labels import voc
from icsilib.labels.assemble import assemble
from icsilib.labels.records import Options, Picture, Record

SET = "MIaMIA-SpermVideo data set"
FRAMES = f"{SET}/Frames from original videos"
LABELS = {"S": "sperm", "Impurity": "impurity"}
REMEDY = "get the data with `icsi data fetch svia`"


def load(folder: Path | str) -> Dataset:
    """The frames and boxes under the data set's `folder` (as `fetch("svia")` gives it).

    `file_name` is relative to `folder`; `frame_index` counts from 0 as in the video. Raises `AnnotationError`
    where a frame is missing or a record cannot be read.
    """
    folder = Path(folder)
    boxes = folder / SET / "Subset-A"
    if not boxes.is_dir():
        raise AnnotationError(f"{boxes}: no such folder; {REMEDY}")
    dataset, report = assemble(_records(boxes), folder, "voc", Options(labels=LABELS))
    if report.skipped or report.skipped_images:
        raise AnnotationError(f"{folder}: {report.details[0][0]}: {report.details[0][1]}; {REMEDY}")
    for image in dataset.images:
        if not (folder / image.file_name).is_file():
            raise AnnotationError(f"{folder / image.file_name}: no such frame; {REMEDY}")
    return dataset


def _records(boxes: Path) -> Iterator[Record]:
    """The VOC records, with each frame's place, video and number, which are in its name: S_0001_0036.png."""
    for record in voc.read(boxes, Options()):
        if isinstance(record, Picture):
            video, _, frame = Path(record.name).stem.rpartition("_")
            about = {"video_id": video, "frame_index": int(frame) - 1}
            yield replace(record, name=f"{FRAMES}/{video}/{record.name}", about=about)
        else:
            yield record
