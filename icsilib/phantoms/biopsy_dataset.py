"""The biopsy phantom on disk, in the shape of paper B's data ("Dataset"): images of 30 patients with boxes.

    images/<patient>/<image>.png   RGB, before glare and diffraction correction (icsilib.data.biopsy_preprocess)

plus what `icsilib.phantoms.dataset` writes of every phantom data set. The split is by patient.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from icsilib.data.annotations import Annotation, Dataset, Image, box_annotation
from icsilib.data.splits import Split, make_split
from icsilib.data.structures import BIOPSY_CATEGORIES, SPERM
from icsilib.phantoms.biopsy import PATIENTS, BiopsyImage, BiopsyRanges, biopsy_image
from icsilib.phantoms.dataset import DatasetError, Folder, PhantomSet, Records, write_phantom_set
from icsilib.phantoms.datasheet import Datasheet, write_datasheet

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


def write_biopsy_dataset(
    out: Path | str,
    images: int = 702,
    seed: int = 0,
    workers: int | None = None,
    progress: bool = False,
    force: bool = False,
) -> Path:
    """Render `images` images of 30 patients into the folder `out` and return it; returns at once when complete.

    Raises `DatasetError` with one line: folder, cause, remedy.
    """
    return write_phantom_set(biopsy_set(BiopsyData(images), seed), out, workers, progress, force)


def write_biopsy_benchmark(
    out: Path | str, seed: int = 0, workers: int | None = None, progress: bool = False, force: bool = False
) -> Path:
    """Render the benchmark of the data set with this `seed` into `out`: 110 images of 30 patients of its own.

    Paper B tests on 110 images although 10 % of 702 is 70, and does not say where the others are from. These are from
    patients that no part of the data set holds (ids repeat, the patients do not), so that all 110 may test a model;
    the split in the folder is to be ignored.
    """
    return write_biopsy_dataset(out, BENCHMARK_IMAGES, seed + BENCHMARK_SEED, workers, progress, force)


def write_biopsy_crowd(
    out: Path | str,
    patients: int,
    seed: int = 0,
    workers: int | None = None,
    progress: bool = False,
    force: bool = False,
) -> Path:
    """Render into `out` two images of each of `patients` patients, with far more sperm than a biopsy shows.

    For a detector's training alone: one sperm an image, as in the data set, is little to learn from. The patients
    are in neither the data set with this `seed` nor its benchmark; the split in the folder is to be ignored.
    """
    return write_phantom_set(crowd_set(patients, seed), out, workers, progress, force)


def crowd_set(patients: int, seed: int) -> PhantomSet:
    """The plan of a crowded set."""
    if patients < 10:
        raise DatasetError(f"patients={patients}: needs 10 or more, for the 80/10/10 of the split")
    return PhantomSet(
        name="biopsy-crowd",
        items=[f"patient-{number:03d}" for number in range(patients)],
        render=partial(render_crowd, seed=seed),
        parameters={"patients": patients, "seed": seed, "crowd": CROWD, "fibres": CROWD_FIBRES},
        sources=SOURCES,
        categories=BIOPSY_CATEGORIES,
        split=partial(split_patients, seed=seed),
        datasheet=partial(write_datasheet, DATASHEET, count_by=("kind",)),
    )


def biopsy_set(data: BiopsyData, seed: int) -> PhantomSet:
    """The plan of a data set of rendered biopsy images."""
    if data.images < PATIENTS:
        raise DatasetError(f"images={data.images}: needs {PATIENTS} or more, one for each patient")
    return PhantomSet(
        name="biopsy",
        items=[f"patient-{number:02d}" for number in range(PATIENTS)],
        render=partial(render_patient, images=data.images, seed=seed),
        parameters=asdict(data) | {"seed": seed},
        sources=SOURCES,
        categories=BIOPSY_CATEGORIES,
        split=partial(split_patients, seed=seed),
        datasheet=partial(write_datasheet, DATASHEET, count_by=("kind",)),
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
        records.append(_image(rendered, len(records) + 1))
        annotations += _annotations(rendered, len(records), len(annotations) + 1)
        folder.add_png(records[-1].file_name, rendered.pixels)
    return records, annotations


def _image(rendered: BiopsyImage, id: int) -> Image:
    height, width = rendered.pixels.shape[:2]
    record = {
        "id": id,
        "file_name": f"images/{rendered.patient_id}/{rendered.name}.png",
        "width": width,
        "height": height,
        "patient_id": rendered.patient_id,
        "um_per_px": round(rendered.um_per_px, 6),
        "kind": rendered.kind,
    }
    return Image.model_validate(record)


def _annotations(rendered: BiopsyImage, image_id: int, first_id: int) -> list[Annotation]:
    pairs = zip(rendered.boxes.round(2), rendered.phenotypes, strict=True)
    return [
        box_annotation(first_id + number, image_id, SPERM, box, annotator="truth", phenotype=phenotype)
        for number, (box, phenotype) in enumerate(pairs)
    ]


def split_patients(dataset: Dataset, seed: int) -> Split:
    """Paper B's 80/10/10, by patient; the paper does not say whether its own split was by patient or by image."""
    patients = sorted({str(image.patient_id) for image in dataset.images})
    sizes = {part: round(share * len(patients)) for part, share in PUBLISHED_SHARES.items()}
    return make_split(patients, sizes, seed, by="patient_id")


DATASHEET = Datasheet(
    title="Datasheet: rendered testicular biopsy images",
    motivation=(
        "The 702 images of Wu et al. (2021, doi 10.4103/aja.aja_66_20) are private. These stand in for them, so that "
        "everything downstream runs on any machine and every box is exactly true. No patient is in them."
    ),
    composition=(
        "RGB 8-bit images of 30 simulated patients: dense tissue at 1680 × 1050 px and diffuse tissue at 640 × 400 px, "
        "with red and white blood cells, germ and epithelial cells, tubule fragments, threads and debris. Each image "
        "carries patient, kind and scale (µm/px); each box holds one spermatozoon, head to end of tail, and its "
        "phenotype: normal, bent_tail, deformed, head_only, out_of_focus or occluded. Many images hold none."
    ),
    collection=(
        "Generated by `icsilib.phantoms.biopsy` from the seed and the image's number; ranges and their sources in the "
        "literature are in that module. `dataset.json` holds the parameters and the digest of the generator's code. "
        "Boxes are computed from the scene, not drawn by a person; simulated embryologists are in "
        "`icsilib.phantoms.people.embryologists`."
    ),
    preprocessing=(
        "None: images are as the simulated camera gives them, with glare and diffraction rings. Their correction: "
        "`icsilib.data.biopsy_preprocess`."
    ),
    uses=(
        "Teaching, testing, measuring how a detector behaves where the truth is known, and pre-training before real "
        "labelled images. Split by patient; images of one patient share optics and stain."
    ),
    limits=(
        "Not photographs, and no evidence about any patient, clinic or embryologist. A number measured here is a "
        "number on a phantom: it says nothing of clinical performance until it is measured on real, independently "
        "labelled biopsies."
    ),
    distribution="Made anew by `icsi phantom biopsy`; the code's licence applies. Nothing is downloaded.",
    maintenance=(
        "The data change only when the generator's code or a parameter does, and then their digests do. "
        "`icsi phantom verify DIR` compares every file with what was written."
    ),
)
