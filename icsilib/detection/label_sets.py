"""The boxes of several readers, laid side by side image by image, and a count of all that was left out.

Real readers seldom deliver the same files: one skipped a folder, one wrote "Spermatozoon", one drew over the edge of
the image. `join_readers` makes one data set of theirs and `label_sets` takes its boxes reader by reader. A reader who
saw an image and drew nothing differs from one who never saw it: only images that every reader saw are compared.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from icsilib.data.annotations import SPERM, Annotation, AnnotationError, Dataset, Image

Boxes = NDArray[np.float64]  # (N, 4) xywh in px

SPELLINGS = ("sperm", "sperms", "sperm_cell", "sperm_cells", "spermatozoon", "spermatozoa", "spermatozoid")
NO_BOXES = np.zeros((0, 4))


@dataclass(frozen=True)
class LabelSets:
    """Boxes of each reader on the images that all of them saw; `counts` says what else there was, and how much."""

    readers: tuple[str, ...]
    images: tuple[Image, ...]
    boxes: dict[int, dict[str, Boxes]]  # image id → reader → (N, 4) xywh in px; every reader has an entry
    counts: Counter[str] = field(default_factory=Counter)

    def lines(self) -> list[str]:
        """The counts as sentences, the most frequent first."""
        drawn = sum(len(boxes) for by_reader in self.boxes.values() for boxes in by_reader.values())
        head = f"{len(self.readers)} readers, {len(self.images)} images seen by all of them, {drawn} boxes"
        return [head, *(f"{count} {what}" for what, count in self.counts.most_common())]


def join_readers(datasets: Mapping[str, Dataset], spellings: Iterable[str] = SPELLINGS) -> Dataset:
    """One data set of the readers' own files (reader → data set); what each saw is kept in the images' `readers`.

    Images are the same when their file names are, without regard to folder and case (with the folder, where a reader
    has two images of one name). A category that is none of the `spellings` of sperm is left out; `info["left_out"]`
    counts its boxes. Raises `AnnotationError` where readers disagree about an image's size.
    """
    by_path = any(_repeats(dataset.images) for dataset in datasets.values())
    images: dict[str, Image] = {}
    seen: dict[int, list[str]] = {}
    annotations: list[Annotation] = []
    left_out: Counter[str] = Counter()
    known = {_folded(name) for name in spellings}
    for reader, dataset in datasets.items():
        ids = {image.id: _place(image, reader, images, by_path) for image in dataset.images}
        for id in set(ids.values()):
            seen.setdefault(id, []).append(reader)
        names = {category.id: category.name for category in dataset.categories}
        for record in dataset.annotations:
            if _folded(names[record.category_id]) not in known:
                left_out[f"boxes of {reader} labelled {names[record.category_id]!r}"] += 1
                continue
            about = {"id": len(annotations) + 1, "image_id": ids[record.image_id], "annotator": reader}
            annotations.append(record.model_copy(update=about | {"category_id": SPERM.id}))
    joined = [image.model_copy(update={"readers": seen[image.id]}) for image in images.values()]
    return Dataset(info={"left_out": dict(left_out)}, images=joined, annotations=annotations, categories=[SPERM])


def label_sets(dataset: Dataset, readers: Sequence[str] | None = None) -> LabelSets:
    """The sperm boxes of a data set by image and reader (its `annotator`s; `readers` names those to take).

    An image's field `readers` says who saw it; without it, everybody did. Boxes are cut at the image's edge; those
    outside it, without an area, or by nobody are left out. All of it is counted. Raises `AnnotationError` where fewer
    than two readers are left, or no image was seen by all of them.
    """
    names = tuple(readers or sorted(_all_readers(dataset)))
    if len(names) < 2:
        raise AnnotationError(f"readers {list(names)}: a consensus needs two or more; join their files first")
    sets = LabelSets(names, tuple(image for image in dataset.images if set(names) <= _seen_by(image, names)), {})
    if not sets.images:
        raise AnnotationError(f"no image was seen by all of {', '.join(names)}; compare their file names")
    sets.counts.update(dataset.info.get("left_out", {}))
    for image in dataset.images:
        if missing := set(names) - _seen_by(image, names):
            sets.counts[f"images left out: not seen by {', '.join(sorted(missing))}"] += 1
    found: dict[int, dict[str, list[list[float]]]] = {image.id: {name: [] for name in names} for image in sets.images}
    sizes = {image.id: (image.width, image.height) for image in sets.images}
    sperm = {category.id for category in dataset.categories if category.name == SPERM.name}
    for record in dataset.annotations:
        if record.category_id in sperm and record.image_id in found:
            _keep(record, sizes[record.image_id], found[record.image_id], sets.counts)
    for id, by_reader in found.items():
        sets.boxes[id] = {name: np.array(boxes, dtype=float).reshape(-1, 4) for name, boxes in by_reader.items()}
    return sets


def _keep(
    record: Annotation, size: tuple[int, int], by_reader: dict[str, list[list[float]]], counts: Counter[str]
) -> None:
    if record.annotator not in by_reader:
        counts["boxes left out: by nobody" if record.annotator is None else "boxes left out: by another reader"] += 1
    elif record.bbox is None or len(record.bbox) != 4 or not np.isfinite(record.bbox).all():
        counts[f"boxes of {record.annotator} left out: no box of four numbers"] += 1
    elif min(record.bbox[2:]) <= 0:
        counts[f"boxes of {record.annotator} left out: without an area"] += 1
    else:
        low = np.clip(record.bbox[:2], 0, size)
        high = np.clip(np.add(record.bbox[:2], record.bbox[2:]), 0, size)
        if (high <= low).any():
            counts[f"boxes of {record.annotator} left out: outside the image"] += 1
            return
        if not np.allclose([*low, *(high - low)], record.bbox):
            counts[f"boxes of {record.annotator} cut at the edge of the image"] += 1
        by_reader[record.annotator].append([*low, *(high - low)])


def _all_readers(dataset: Dataset) -> set[str]:
    """Everybody who drew a box or, by an image's `readers`, saw one."""
    drew = {record.annotator for record in dataset.annotations if record.annotator}
    return drew.union(*(_seen_by(image, ()) for image in dataset.images))


def _seen_by(image: Image, default: Sequence[str]) -> set[str]:
    return set((image.model_extra or {}).get("readers", default))


def _place(image: Image, reader: str, images: dict[str, Image], by_path: bool) -> int:
    """The joined data set's id of a reader's image, entered where it is new."""
    known = images.setdefault(_key(image, by_path), image.model_copy(update={"id": len(images) + 1}))
    if (known.width, known.height) != (image.width, image.height):
        raise AnnotationError(
            f"{image.file_name}: {image.width}×{image.height} px for {reader} and {known.width}×{known.height} px for "
            "an earlier reader; label the same pixels"
        )
    return known.id


def _repeats(images: Sequence[Image]) -> bool:
    return len({_key(image, False) for image in images}) < len(images)


def _key(image: Image, by_path: bool) -> str:
    path = image.file_name.replace("\\", "/").casefold()
    return path if by_path else path.rpartition("/")[2]


def _folded(name: str) -> str:
    return "_".join(name.casefold().replace("-", " ").replace("_", " ").split())
