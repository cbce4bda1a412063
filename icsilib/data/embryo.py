"""Six 800×800 frames of one cleavage-stage human embryo with LabelMe outlines of its cells (CleavageEmbryo sample).

Time-lapse photographs, so a stranger to both papers' images: a check of how far a model carries. All six show
one embryo, so they are one cluster, never six independent samples.
"""

from collections import defaultdict
from pathlib import Path

import numpy as np

from icsilib.data.annotations import (
    Annotation,
    AnnotationError,
    Dataset,
    polygon_annotation,
    polygons_of,
    polygons_to_mask,
)
from icsilib.data.structures import Category
from icsilib.labels import labelme
from icsilib.labels.assemble import FIRST_OTHER_ID, assemble
from icsilib.labels.records import Options

EMBRYO = Category(id=FIRST_OTHER_ID, name="embryo")
VIDEO = "D2024.10.20_S01055_I4778_P_WELL06"
REMEDY = "get the data with `icsi data fetch embryo`"


def load(folder: Path | str) -> Dataset:
    """One annotation a frame: all cells of the embryo, as one region of several polygons.

    Fragments, which lie outside the cells, are left out. `file_name` is relative to `folder` (as
    `fetch("embryo")` gives it) and `frame_index` is the RUN number of the time-lapse.
    """
    folder = Path(folder)
    if not (folder / "testImages").is_dir():
        raise AnnotationError(f"{folder / 'testImages'}: no such folder; {REMEDY}")
    options = Options(labels={"cell": EMBRYO.name, "fragment": None})
    photographs = folder / "testImages"
    cells, report = assemble(labelme.read(photographs, options), photographs, "labelme", options)
    if set(report.skipped) - {"label 'fragment' is left out on request"} or report.skipped_images:
        raise AnnotationError(f"{folder}: {'; '.join(report.lines()[1:3]).strip()}; {REMEDY}")
    by_image: dict[int, list[Annotation]] = defaultdict(list)
    for cell in cells.annotations:
        by_image[cell.image_id].append(cell)
    images = []
    for image in cells.images:
        run = int(Path(image.file_name).stem.rpartition("RUN")[2])
        place = {"file_name": f"testImages/{image.file_name}", "video_id": VIDEO, "frame_index": run}
        images.append(image.model_copy(update=place))
    joined = [_joined(image.id, by_image[image.id], image.height, image.width) for image in images]
    return Dataset(images=images, annotations=joined, categories=[EMBRYO])


def _joined(image_id: int, cells: list[Annotation], height: int, width: int) -> Annotation:
    """One annotation of all `cells`; its area counts where they overlap once."""
    rings = [ring for cell in cells for ring in polygons_of(cell)]
    area = float(np.count_nonzero(polygons_to_mask(rings, height, width)))
    return polygon_annotation(image_id, image_id, EMBRYO, rings).model_copy(update={"area": area})
