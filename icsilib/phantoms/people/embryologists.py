"""Simulated embryologists, who miss sperm, take other things for sperm, and draw boxes loosely.

A reader
- misses a sperm with a probability that depends on its phenotype, times a factor of the reader's own;
- is fooled now and then by one of the look-alikes in an image. These are the same for all readers, so that two may
  be fooled by the same one, and agree;
- draws each edge of a box with an error whose SD is a share of the box's size √(w·h).

Two parameters, `fooled` and `loose`, were fitted to the two figures that paper B gives of its three embryologists,
precision 0.925 and average recall 0.642 against their own consensus (`scripts/fit_embryologists.py`). Two figures
fix no more than two parameters: the chances of a miss, the number of look-alikes and the spread between readers are
assumptions. Nothing here is a measurement of any person.
"""

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from icsilib.data.annotations import Annotation, Dataset, Image, box_annotation
from icsilib.data.structures import SPERM
from icsilib.phantoms.biopsy import PATIENTS, PHENOTYPES, SIZES, BiopsyRanges
from icsilib.phantoms.biopsy.shapes import draw_sperm
from icsilib.phantoms.people.annotators import standard_traits

Boxes = NDArray[np.float64]  # (N, 4) xywh in px

_FITTED = Path(__file__).with_name("embryologists.json")
_LEAST_SIDE = 0.4  # of a drawn box, as a share of the true one: nobody draws a line for a box


@dataclass(frozen=True)
class Readership:
    """The people of which teams are made."""

    fooled: float  # chance that a look-alike gets a box; fitted
    loose: float  # SD of each edge, as a share of √(w·h); fitted
    miss: dict[str, float]  # chance of missing a sperm, by phenotype; assumed
    lookalikes: float  # mean number in an image; assumed
    spread: float  # SD between people of the logarithm of each trait; assumed


@dataclass(frozen=True)
class Embryologist:
    """One simulated person; factors multiply what is usual in the readership."""

    name: str
    miss: float
    fooled: float
    loose: float


def fitted_readership(path: Path | str = _FITTED) -> Readership:
    """The readership fitted to paper B's Table 1 (`embryologists.json`)."""
    return Readership(**json.loads(Path(path).read_text(encoding="utf-8"))["readership"])


def team(seed: int, n: int = 3, readership: Readership | None = None, matched: bool = False) -> list[Embryologist]:
    """`n` people named E1, E2, … with traits drawn independently; a `matched` team holds the same whatever the seed."""
    spread = (readership or fitted_readership()).spread
    factors = np.exp(spread * standard_traits(np.random.default_rng([seed, n, 11]), n, 3, matched))
    return [Embryologist(f"E{i + 1}", *row) for i, row in enumerate(factors.tolist())]


def label_dataset(
    dataset: Dataset, seed: int, people: Sequence[Embryologist] | None = None, readership: Readership | None = None
) -> dict[str, Dataset]:
    """What each reader of a team makes of a data set with true boxes: reader → data set of that reader's boxes.

    Phenotypes are taken from the annotations' `phenotype`; a sperm without one counts as normal. Every reader is
    shown every image. The same seed gives the same boxes, whichever other images are in the data set.
    """
    readership = readership or fitted_readership()
    truth: dict[int, list[Annotation]] = {image.id: [] for image in dataset.images}
    for record in dataset.annotations:
        if record.category_id == SPERM.id and record.bbox:
            truth[record.image_id].append(record)
    readers = {}
    for person in people or team(seed, 3, readership):
        drawn: list[Annotation] = []
        for image in dataset.images:
            for box in label_image(person, readership, image, truth[image.id], seed).tolist():
                drawn.append(box_annotation(len(drawn) + 1, image.id, SPERM, box, annotator=person.name))
        readers[person.name] = Dataset(images=dataset.images, annotations=drawn, categories=[SPERM])
    return readers


def label_image(
    person: Embryologist, readership: Readership, image: Image, sperm: Sequence[Annotation], seed: int
) -> Boxes:
    """One reader's boxes (N, 4), xywh in px to a tenth, on one image whose true sperm are given."""
    scene = [seed, zlib.crc32(Path(image.file_name).name.encode())]
    rng = np.random.default_rng([*scene, zlib.crc32(person.name.encode())])
    chances = [readership.miss[(one.model_extra or {}).get("phenotype", "normal")] for one in sperm]
    seen = rng.random(len(sperm)) >= np.minimum(person.miss * np.array(chances), 0.95)
    true = np.array([one.bbox for one in sperm]).reshape(-1, 4)[seen]
    others = lookalikes(np.random.default_rng(scene), readership, image)
    others = others[rng.random(len(others)) < min(person.fooled * readership.fooled, 1.0)]
    boxes = np.concatenate([true, others])
    size = np.sqrt(boxes[:, 2:].prod(axis=1))[:, None]
    edges = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    drawn = edges + person.loose * readership.loose * size * rng.normal(size=edges.shape)
    return _boxes_within(drawn, boxes, image).round(1)


def _boxes_within(edges: Boxes, intended: Boxes, image: Image) -> Boxes:
    """Edges (N, 4) as boxes of at least a share of the intended size, cut at the edge of the image."""
    middle, side = (edges[:, :2] + edges[:, 2:]) / 2, edges[:, 2:] - edges[:, :2]
    side = np.maximum(side, _LEAST_SIDE * intended[:, 2:])
    low = np.clip(middle - side / 2, 0, [image.width - 1, image.height - 1])
    high = np.clip(middle + side / 2, low + 1, [image.width, image.height])
    return np.concatenate([low, high - low], axis=1)


def lookalikes(rng: np.random.Generator, readership: Readership, image: Image) -> Boxes:
    """Boxes (N, 4), xywh in px, of what might pass for a sperm in an image: as large as one, somewhere in it."""
    number = int(rng.poisson(readership.lookalikes))
    scale = image.um_per_px or 0.4
    return np.array([_sperm_box(rng, "normal", image, scale) for _ in range(number)]).reshape(-1, 4)


def unrendered_dataset(seed: int, images: int = 110) -> Dataset:
    """Images of the biopsy phantom's sizes and sperm without their pixels, which readers need not have.

    As many sperm, of the same phenotypes and sizes, as in rendered images; their places are drawn anew.
    """
    ranges, rng = BiopsyRanges(), np.random.default_rng([seed, 13])
    records: list[Image] = []
    annotations: list[Annotation] = []
    for number in range(images):
        kind = "dense" if rng.random() < 0.5 else "diffuse"
        height, width = SIZES[kind]
        scale = float(rng.uniform(*(ranges.um_per_px_dense if kind == "dense" else ranges.um_per_px_diffuse)))
        about = {"patient_id": f"patient-{number % PATIENTS:02d}", "kind": kind, "um_per_px": scale}
        fields = {"id": number + 1, "file_name": f"biopsy-{number:04d}.png", "width": width, "height": height}
        records.append(Image.model_validate(fields | about))
        count = int(rng.choice(8, p=ranges.sperm_per_image))
        for phenotype in rng.choice(PHENOTYPES, count, p=ranges.phenotype_shares):
            box, id = _sperm_box(rng, str(phenotype), records[-1], scale), len(annotations) + 1
            annotations.append(box_annotation(id, number + 1, SPERM, box, annotator="truth", phenotype=str(phenotype)))
    return Dataset(images=records, annotations=annotations, categories=[SPERM])


def _sperm_box(rng: np.random.Generator, phenotype: str, image: Image, um_per_px: float) -> Boxes:
    place = rng.uniform([0.04 * image.width, 0.06 * image.height], [0.96 * image.width, 0.94 * image.height])
    return draw_sperm(rng, phenotype, place, um_per_px, BiopsyRanges()).box(image.height, image.width)
