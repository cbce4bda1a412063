"""The biopsy phantom on disk, in the shape of paper B's data ("Dataset"): images of 30 patients with boxes.

    images/<patient>/<image>.png   RGB, before glare and diffraction correction (icsilib.data.biopsy_preprocess)

plus what `icsilib.phantoms.dataset` writes of every phantom data set. The split is by patient.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Unpack

from icsilib.data.annotations import Annotation, Dataset, Image, box_annotation
from icsilib.data.splits import Split, make_split
from icsilib.data.structures import BIOPSY_CATEGORIES, SPERM
from icsilib.phantoms.biopsy import PATIENTS, BiopsyImage, BiopsyRanges, biopsy_image
from icsilib.phantoms.dataset import DatasetError, Folder, PhantomSet, Records, Rendering, write_phantom_set

PUBLISHED_SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}  # paper B, "Data preprocessing"
BENCHMARK_IMAGES = 110  # of paper B's test set; a tenth of 702 is 70, so the two published figures do not agree
BENCHMARK_SEED = 100_000  # added to the seed of a data set whose benchmark is wanted
CROWDED_SEED = 200_000  # the same of a data set whose crowded companion is wanted
CROWD = {"dense": 40, "diffuse": 6}  # sperm added to every image of a crowded set
CROWD_FIBRES = {"dense": 60, "diffuse": 8}  # threads added: without a head beside them, a tail is taken for a sperm
CROWDED = BiopsyRanges(extra_sperm=CROWD, extra_fibres=CROWD_FIBRES)
CROWD_PATIENTS = {"quick": 0, "standard": 600, "paper": 0}  # of the crowded companion, by profile
SOURCES = ("drawing.py", *(f"biopsy/{name}.py" for name in ("ranges", "shapes", "render")))


@dataclass(frozen=True)
class BiopsyData:
    """Size of a data set of rendered biopsy images."""

    images: int = 702


BIOPSY_PROFILES = {"quick": BiopsyData(images=240), "standard": BiopsyData(), "paper": BiopsyData()}


def write_biopsy_dataset(out: Path | str, images: int = 702, seed: int = 0, **how: Unpack[Rendering]) -> Path:
    """Render `images` images of 30 patients into the folder `out` and return it; returns at once when complete.

    Raises `DatasetError` with one line: folder, cause, remedy.
    """
    return write_phantom_set(biopsy_set(BiopsyData(images), seed), out, **how)


def write_biopsy_benchmark(out: Path | str, seed: int = 0, **how: Unpack[Rendering]) -> Path:
    """Render the benchmark of the data set with this `seed` into `out`: 110 images of 30 patients of its own.

    Paper B tests on 110 images although 10 % of 702 is 70, and does not say where the others are from. These are from
    patients that no part of the data set holds (ids repeat, the patients do not), so that all 110 may test a model;
    the split in the folder is to be ignored.
    """
    return write_biopsy_dataset(out, BENCHMARK_IMAGES, seed + BENCHMARK_SEED, **how)


def write_biopsy_crowd(out: Path | str, patients: int, seed: int = 0, **how: Unpack[Rendering]) -> Path:
    """Render into `out` two images of each of `patients` patients, with far more sperm than a biopsy shows.

    For a detector's training alone: one sperm an image, as in the data set, is little to learn from. The patients
    are in neither the data set with this `seed` nor its benchmark; the split in the folder is to be ignored.
    """
    if patients < 10:
        raise DatasetError(f"patients={patients}: needs 10 or more, for the 80/10/10 of the split")
    parameters = {"patients": patients, "seed": seed, "crowd": CROWD, "fibres": CROWD_FIBRES}
    items = [f"patient-{number:03d}" for number in range(patients)]
    return write_phantom_set(_plan("biopsy-crowd", items, partial(render_crowd, seed=seed), parameters), out, **how)


def biopsy_set(data: BiopsyData, seed: int) -> PhantomSet:
    """The plan of a data set of rendered biopsy images."""
    if data.images < PATIENTS:
        raise DatasetError(f"images={data.images}: needs {PATIENTS} or more, one for each patient")
    items = [f"patient-{number:02d}" for number in range(PATIENTS)]
    render = partial(render_patient, images=data.images, seed=seed)
    return _plan("biopsy", items, render, asdict(data) | {"seed": seed})


def _plan(
    name: str, items: list[str], render: Callable[[int, Folder], Records], parameters: dict[str, Any]
) -> PhantomSet:
    return PhantomSet(
        name=name,
        items=items,
        render=render,
        parameters=parameters,
        sources=SOURCES,
        categories=BIOPSY_CATEGORIES,
        split=partial(split_patients, seed=parameters["seed"]),
        datasheet=Path(__file__).with_name("biopsy_datasheet.md").read_text(encoding="utf-8"),
        count_by=("kind",),
    )


def render_patient(patient: int, folder: Folder, images: int, seed: int) -> Records:
    """Render all images of one patient into `folder`."""
    return _records([biopsy_image(seed, number) for number in range(patient, images, PATIENTS)], folder)


def render_crowd(number: int, folder: Folder, seed: int) -> Records:
    """Render the two crowded images of patient `number` into `folder`; every 30 patients have a seed of their own."""
    turn, patient = divmod(number, PATIENTS)
    images = [biopsy_image(seed + CROWDED_SEED + turn, patient + more, CROWDED) for more in (0, PATIENTS)]
    return _records([replace(image, patient_id=f"patient-{number:03d}") for image in images], folder)


def _records(images: Sequence[BiopsyImage], folder: Folder) -> Records:
    records: list[Image] = []
    annotations: list[Annotation] = []
    for rendered in images:
        height, width = rendered.pixels.shape[:2]
        kind: dict[str, Any] = {"kind": rendered.kind}
        record = Image(
            id=len(records) + 1,
            file_name=f"images/{rendered.patient_id}/{rendered.name}.png",
            width=width,
            height=height,
            patient_id=rendered.patient_id,
            um_per_px=round(rendered.um_per_px, 6),
            **kind,
        )
        records.append(record)
        for box, phenotype in zip(rendered.boxes.round(2), rendered.phenotypes, strict=True):
            id = len(annotations) + 1
            annotations.append(box_annotation(id, record.id, SPERM, box, annotator="truth", phenotype=phenotype))
        folder.add_png(record.file_name, rendered.pixels)
    return records, annotations


def split_patients(dataset: Dataset, seed: int) -> Split:
    """Paper B's 80/10/10, by patient; the paper does not say whether its own split was by patient or by image."""
    patients = sorted({str(image.patient_id) for image in dataset.images})
    sizes = {part: round(share * len(patients)) for part, share in PUBLISHED_SHARES.items()}
    return make_split(patients, sizes, seed, by="patient_id")
