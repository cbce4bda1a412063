"""Labels that several people drew on the same frames, from any annotation tool's files, in the shape of the study."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icsilib.data.annotations import (
    Annotation,
    AnnotationError,
    Dataset,
    Image,
    image_key,
    in_other_folders,
    misfit,
    outlines_of,
    polygons_to_mask,
    round_of,
    several_tips,
    tip_of,
)
from icsilib.data.images import read_grey
from icsilib.data.preprocess import Preprocess, geometry, preprocess
from icsilib.data.structures import OF_INJECTIONS
from icsilib.labels import read_annotations
from icsilib.labels.records import Report
from icsilib.study.people import Mark, RepeatedLabels

_NAMES = {each.category.name: each.name for each in OF_INJECTIONS}
_CATEGORIES = {shown: name for name, shown in _NAMES.items()}
_AS_INPUT = Preprocess(clip_limit=None)  # every frame on a square of 512 px, as the paper's figures are measured
_ABOUT = """
**These are your own labels**: {people} on {frames} frames, {rounds} each. Every frame is brought to 512 × 512 px
before anything is measured, as the paper's figures are.
"""
_CAUTION = "The published column is the paper's; the people, the frames and the way to label were others."
Turn = tuple[str, int]  # annotator and round
Label = tuple[str, Annotation]  # with its structure, since each file numbers its categories itself
Labels = dict[str, dict[Turn, list[Label]]]  # by image
Place = tuple[str, str, int, str]  # structure, annotator, round, image
Fault = tuple[str, Turn, str, str]  # structure, turn, image, and what is wrong


def read_people(
    files: Sequence[Path], by_file: bool = False, **options: Any
) -> tuple[list[tuple[str, Dataset]], list[Report]]:
    """Each person's label set of each file, and what reading each file kept and left out.

    A label belongs to the annotator that it names, else, or with `by_file`, to the file's name. `options` are those
    of `read_annotations`. Raises `AnnotationError` for a file given twice and for one without an image.
    """
    people: list[tuple[str, Dataset]] = []
    reports = []
    for file, own in zip(files, _names_of(files), strict=True):
        dataset, report = read_annotations(file, **options)
        if not dataset.images:
            reason = next(iter(report.skipped_images), "it lists none")
            raise AnnotationError(f"{file}: no image of it can be used: {reason}; correct it, or leave the file out")
        by_name: dict[str, list[Annotation]] = {}
        for label in dataset.annotations:
            by_name.setdefault(label.annotator or own, []).append(label)
        for name in sorted({name for image in dataset.images for name in _annotators(image)}):
            by_name.setdefault(name, [])
        if by_file or not by_name:
            by_name = {own: dataset.annotations}
        sets = {name: _seen_by(name, labels, dataset, by_file) for name, labels in by_name.items()}
        notes = _unsure(sets) if len(sets) > 1 else []
        if notes and options.get("skip_empty"):
            sets, notes = {name: _labelled(one) for name, one in sets.items()}, []
        people += sets.items()
        reports.append(replace(report, notes=(*report.notes, *notes)))
    return people, reports


def _names_of(files: Sequence[Path]) -> list[str]:
    """A name for the labeller of each file: the file's own, with its folder's where files have the same."""
    if len({file.resolve() for file in files}) < len(files):
        raise AnnotationError(f"{', '.join(map(str, files))}: a file is given twice; give each once")
    stems = [file.stem for file in files]
    if len(set(stems)) == len(stems):
        return stems
    places = [f"{file.resolve().parent.name}/{file.stem}" for file in files]
    return places if len(set(places)) == len(places) else [str(file) for file in files]


def _annotators(image: Image) -> list[str]:
    """Who submitted labels of the image, where the file says it."""
    found = ((image.model_extra or {}).get("attributes") or {}).get("annotators")
    return [str(name) for name in found] if isinstance(found, list) else []


def _seen_by(name: str, labels: list[Annotation], dataset: Dataset, all_images: bool) -> Dataset:
    """The person's labels, and the images that the person labelled or may have seen."""
    labelled = {label.image_id for label in labels}
    images = [
        image
        for image in dataset.images
        if all_images or image.id in labelled or name in (_annotators(image) or [name])
    ]
    return dataset.model_copy(update={"images": images, "annotations": labels})


def _labelled(dataset: Dataset) -> Dataset:
    """The data set without the images that hold no label and of which nothing says that this person saw them."""
    labelled = {label.image_id for label in dataset.annotations}
    images = [image for image in dataset.images if image.id in labelled or _annotators(image)]
    return dataset.model_copy(update={"images": images})


def _unsure(sets: dict[str, Dataset]) -> list[str]:
    """What a file of several people leaves open: whether one without a label on an image saw it."""
    missing = {name: len(one.images) - len(_labelled(one).images) for name, one in sets.items()}
    return [
        f"{name} has no label on {count} images, which count as seen with nothing in them; --skip-empty leaves them out"
        for name, count in missing.items()
        if count
    ]


def own_labels(people: list[tuple[str, Dataset]], folder: Path) -> RepeatedLabels:
    """Outlines and tips of the rounds in which everybody labelled, and of the frames that all labelled in all of them.

    `people` are as `read_people` gives them, `folder` holds the images. A frame on which a person marked nothing
    counts as not labelled. An outline that is missing there is an empty one; of a person who never outlines the
    structure, or whose label is not an outline, nothing is known, and pairs with it are NaN. Raises
    `AnnotationError` for fewer than two people or two such frames.
    """
    images, labels, by_name = _by_image(people)
    everybody = tuple(sorted({name for name, _ in people}))
    rounds = _rounds_of_all(labels, everybody)
    wanted = {(name, number) for name in everybody for number in rounds}
    whole = [key for key in sorted(labels) if wanted <= labels[key].keys()]
    if len(everybody) < 2 or not rounds or len(whole) < 2:
        raise AnnotationError(
            f"{', '.join(everybody)}: {len(whole) if rounds else 0} frames were labelled by everybody in the same "
            f"rounds; two people and two frames at least are needed ({_examples(people)}; give --images where a tool "
            "renamed them)"
        )
    sound, faults = _sorted_out(labels)
    kept = [(images[key], {turn: sound[key][turn] for turn in sorted(wanted)}) for key in whole]
    masks, points = _arrays(kept, everybody, rounds)
    never = _never_outlined(masks, everybody, sound)
    silent = {(name, who, number, key) for name, who in never for number in rounds for key in whole}
    faulty = {(name, *turn, key) for name, turn, key, _ in faults} - _outlined(sound)
    return RepeatedLabels(
        name="own",
        about=_ABOUT.format(people=f"{len(everybody)} people", frames=len(whole), rounds=f"{len(rounds)} rounds"),
        caution=_CAUTION,
        people=everybody,
        rounds=tuple(f"round {number}" for number in rounds),
        frames=tuple(whole),
        masks=masks,
        points=points,
        image=_picture(folder, images[whole[0]]),
        shown=0,
        published_as={name: name if name in _NAMES.values() else "oolemma" for name in [*masks, *points]},
        left_out=len(images) - len(whole),
        by_name=len(by_name & set(whole)),
        unknown=_marks(faulty | silent),
        notes=(*_rounds_left_out(labels, everybody, rounds), *_left_out(faults), *_without(never)),
    )


def _sorted_out(labels: Labels) -> tuple[Labels, list[Fault]]:
    """The labels that can be compared, and what is wrong with each of the others."""
    sound: Labels = {key: {turn: [] for turn in by_turn} for key, by_turn in labels.items()}
    faults = []
    for key, by_turn in labels.items():
        for turn, found in by_turn.items():
            for name, label in found:
                if fault := _fault(name, label, found):
                    faults.append((name, turn, key, fault))
                else:
                    sound[key][turn].append((name, label))
    return sound, faults


def _fault(name: str, label: Annotation, found: list[Label]) -> str:
    """Why a label among those `found` of its frame and turn cannot be compared; "" where it can."""
    if fault := misfit(label, _CATEGORIES.get(name, name)):
        return fault
    if not label.segmentation and not label.keypoints:
        return "neither an outline nor a point"
    if tip_of(label) is not None and several_tips(other for theirs, other in found if theirs == name):
        return "one of several in its frame"
    return ""


def _outlined(labels: Labels) -> set[Place]:
    """Where a structure has an outline."""
    return {
        (name, *turn, key)
        for key, by_turn in labels.items()
        for turn, found in by_turn.items()
        for name, label in found
        if label.segmentation
    }


def _never_outlined(structures: Iterable[str], people: tuple[str, ...], labels: Labels) -> list[tuple[str, str]]:
    """Structure and person where the person outlines it nowhere: not having marked it says nothing."""
    found = {(name, person) for name, person, _, _ in _outlined(labels)}
    return [(name, person) for name in structures for person in people if (name, person) not in found]


def _marks(places: Iterable[Place]) -> frozenset[Mark]:
    return frozenset((name, person, f"round {number}", key) for name, person, number, key in places)


def _left_out(faults: list[Fault]) -> list[str]:
    counts = Counter((person, name, fault) for name, (person, _), _, fault in faults)
    return [
        f"{person}: {count} labels of {name} are not compared: {fault}"
        for (person, name, fault), count in counts.items()
    ]


def _without(never: list[tuple[str, str]]) -> list[str]:
    return [f"{person} outlines {name} nowhere; pairs with {person} are excluded there" for name, person in never]


def _examples(people: list[tuple[str, Dataset]]) -> str:
    """The name of one image of each person."""
    names = {person: dataset.images[0].file_name for person, dataset in people if dataset.images}
    return ", ".join(f"{person} has {name}" for person, name in names.items())


def _rounds_of_all(labels: Labels, people: tuple[str, ...]) -> tuple[int, ...]:
    """The rounds in which every person labelled something."""
    turns = {turn for by_turn in labels.values() for turn in by_turn}
    return tuple(sorted(number for number in {number for _, number in turns} if {(p, number) for p in people} <= turns))


def _rounds_left_out(labels: Labels, people: tuple[str, ...], rounds: tuple[int, ...]) -> list[str]:
    """Which rounds are not compared, and who labelled nothing in them."""
    turns = {turn for by_turn in labels.values() for turn in by_turn}
    return [
        f"round {number} is left out: {', '.join(name for name in people if (name, number) not in turns)} labelled "
        "nothing in it"
        for number in sorted({number for _, number in turns} - set(rounds))
    ]


def _by_image(people: list[tuple[str, Dataset]]) -> tuple[dict[str, Image], Labels, set[str]]:
    """Images by name (with folder where names repeat), their labels by turn, and images in doubt.

    In doubt are images of one name that people have in folders of different names.
    """
    images: dict[str, Image] = {}
    labels: Labels = {}
    doubtful: set[str] = set()
    with_folder = any(len({image_key(one, False) for one in each.images}) < len(each.images) for _, each in people)
    for person, dataset in people:
        keys = {image.id: image_key(image, with_folder) for image in dataset.images}
        if len(set(keys.values())) < len(keys):
            twice = next(key for key, count in Counter(keys.values()).items() if count > 1)
            raise AnnotationError(f"{person}: two images are called {twice!r}; rename one of them")
        for image in dataset.images:
            first = images.setdefault(keys[image.id], image)
            if in_other_folders(first, image):
                doubtful.add(keys[image.id])
            if (first.width, first.height) != (image.width, image.height):
                raise AnnotationError(
                    f"{person}: {image.file_name} has another size for another person; label the same"
                )
        for key, turn, found in _turns(person, dataset, keys):
            if turn in labels.setdefault(key, {}):
                raise AnnotationError(
                    f"{person}: round {turn[1]} of {key} is in two files; say which round each file is "
                    "(icsi data convert --round)"
                )
            labels[key][turn] = found
    return images, labels, doubtful


def _turns(person: str, dataset: Dataset, keys: dict[int, str]) -> Iterator[tuple[str, Turn, list[Label]]]:
    """The labels of one file by image and turn."""
    names = {category.id: _NAMES.get(category.name, category.name) for category in dataset.categories}
    found: dict[tuple[str, Turn], list[Label]] = {}
    for label in dataset.annotations:
        found.setdefault((keys[label.image_id], (person, round_of(label))), []).append(
            (names[label.category_id], label)
        )
    yield from ((key, turn, labels) for (key, turn), labels in found.items())


def _arrays(
    frames: list[tuple[Image, dict[Turn, list[Label]]]],
    people: tuple[str, ...],
    rounds: tuple[int, ...],
) -> tuple[dict[str, NDArray[np.bool_]], dict[str, NDArray[np.float64]]]:
    """Masks (A, R, F, 512, 512) and points (A, R, F, 2) px by structure; a structure nobody marked has none."""
    shape = (len(people), len(rounds), len(frames))
    masks: dict[str, NDArray[np.bool_]] = {}
    points: dict[str, NDArray[np.float64]] = {}
    for f, (image, by_turn) in enumerate(frames):
        place = geometry((image.width, image.height), _AS_INPUT)
        for (person, number), labels in by_turn.items():
            at = people.index(person), rounds.index(number), f
            for name, label in labels:
                if (tip := tip_of(label)) is not None:
                    points.setdefault(name, np.full((*shape, 2), np.nan))[at] = place.to_square(tip)
                elif label.segmentation is not None:
                    rings = outlines_of(label, image.height, image.width)
                    drawn = polygons_to_mask([place.to_square(ring) for ring in rings], 512, 512)
                    masks.setdefault(name, np.zeros((*shape, 512, 512), dtype=bool))[at] |= drawn
    return masks, points


def _picture(folder: Path, image: Image) -> NDArray[np.uint8]:
    """The frame on its square; white where the image is not beside the labels."""
    file = folder / image.file_name
    return preprocess(read_grey(file), _AS_INPUT)[0] if file.is_file() else np.full((512, 512), 255, dtype=np.uint8)
