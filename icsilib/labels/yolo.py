"""YOLO text files, one an image: `class cx cy w h` or `class x1 y1 x2 y2 …`, as fractions of the image.

The files know neither the images' names nor their sizes, so the images must be there (or a size be given). Class
names come from `data.yaml` or `classes.txt`; without them a label is the class's number.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from icsilib.data.annotations import AnnotationError
from icsilib.labels.parsing import is_leaving, label_files, parse_yaml, read_text
from icsilib.labels.places import UPLOADED
from icsilib.labels.records import (
    IMAGE_SUFFIXES,
    Changed,
    Options,
    Picture,
    Record,
    Shape,
    Skipped,
    Unusable,
    attempt,
    number,
    text,
)
from icsilib.labels.shapes import box

AS_COCO = "export as COCO JSON, which says what each value is"
NOT_LABELS = {"classes.txt", "obj.names", "train.txt", "val.txt", "test.txt", "requirements.txt"}


def read(path: Path, options: Options) -> Iterator[Record]:
    """Records of a data set's folder, or of one text file. An image without a text file is an image without objects."""
    root = path.parent if path.is_file() or path.name == "labels" else path
    _refuse_key_points(root, root.parent)
    names = _class_names(root, root.parent)
    images = options.images or root
    found: dict[str, Path] = {}
    for file in label_files(images, *IMAGE_SUFFIXES):
        if found.setdefault(stem := _stem(file, images), file) != file:
            yield Skipped(file.name, "another image has its name but for the suffix", picture=True)
    labels: dict[str, Path] = {}
    for file in label_files(path, ".txt"):
        stem = _labelled_stem(file, root, found)
        if is_about(file) or (stem not in found and not holds_labels(file)):
            continue
        if labels.setdefault(stem, file) != file:
            yield Skipped(file.name, "another file holds the labels of its image", picture=True)
    for old, new in _elsewhere(labels, found).items():
        labels[new] = labels.pop(old)
        yield Changed(labels[new].name, "its image lies in another folder and was found by its name")
    if path.is_file():
        found = {stem: image for stem, image in found.items() if stem in labels}
    for stem in _in_doubt(labels, found):
        yield Skipped(found.pop(stem).name, "text files of its name are in other folders", picture=True)
    labelled = {found[stem].parent for stem in labels.keys() & found.keys()}
    for stem in [stem for stem, image in found.items() if image.parent not in labelled]:
        yield Skipped(found.pop(stem).name, "in a folder of which no image has a text file", picture=True)
    used = [file for stem, file in labels.items() if stem in found or options.size]
    _refuse_other_columns(path, [values for file in used for values in _rows(file)])
    for stem in sorted(labels.keys() | found.keys()):
        image = found.get(stem)
        name = image.relative_to(images).as_posix() if image else f"{stem}.png"
        yield Picture(stem, name, seen=stem in labels)
        lines = read_text(labels[stem]).split("\n") if stem in labels else []
        for index, line in enumerate(lines, start=1):
            if line.strip():
                yield attempt(f"{labels[stem].name} line {index}", _shape, stem, line.split(), names)


def _stem(file: Path, root: Path) -> str:
    """What a text file and its image have in common: `labels/train/a.txt` and `images/train/a.png` are train/a."""
    parts = [part for part in file.relative_to(root).with_suffix("").parts if part not in ("labels", "images")]
    return "/".join(parts)


def _elsewhere(labels: Mapping[str, Path], found: Mapping[str, Path]) -> dict[str, str]:
    """Stems of text files without an image → that of the one image of their bare name, where no other has that name.

    CVAT writes `obj_train_data/a.txt` for a task's a.png, whose folder may be another or none.
    """
    images, texts = (_by_bare(stems) for stems in (found, labels))
    return {
        stems[0]: images[bare][0]
        for bare, stems in texts.items()
        if len(stems) == len(images.get(bare, [])) == 1 and stems[0] not in found
    }


def _in_doubt(labels: Mapping[str, Path], found: Mapping[str, Path]) -> list[str]:
    """Images without a text file of their own that one without an image may be about."""
    lost = _by_bare(labels.keys() - found.keys())
    return [stem for bare, stems in _by_bare(found.keys() - labels.keys()).items() if bare in lost for stem in stems]


def _by_bare(stems: Iterable[str]) -> dict[str, list[str]]:
    """Stems by their bare name, without the mark of an upload."""
    found: dict[str, list[str]] = {}
    for stem in stems:
        found.setdefault(UPLOADED.sub("", stem.rpartition("/")[2]), []).append(stem)
    return found


def _labelled_stem(file: Path, root: Path, found: Mapping[str, Path]) -> str:
    """The stem of a text file, or that of the image which Label Studio renamed on upload."""
    stem = _stem(file, root)
    folder, slash, bare = stem.rpartition("/")
    plain = folder + slash + UPLOADED.sub("", bare)
    return plain if stem not in found and plain in found else stem


def is_about(file: Path) -> bool:
    """Whether a text file is about the data set as a whole, such as Roboflow's README.dataset.txt."""
    return file.name.lower() in NOT_LABELS or file.name.lower().startswith("readme")


def _class_names(*folders: Path) -> Mapping[int, str]:
    """Names of the classes by number, from the first file that has them."""
    for folder in folders:
        for name in ("classes.txt", "obj.names"):
            if (folder / name).is_file():
                return dict(enumerate(line.strip() for line in read_text(folder / name).strip().split("\n")))
        for name in ("data.yaml", "dataset.yaml", "data.yml"):
            if (folder / name).is_file():
                return _names_in(folder / name)
    return {}


def _names_in(path: Path) -> Mapping[int, str]:
    content = parse_yaml(path)
    try:
        names = content["names"]
        pairs = enumerate(names) if isinstance(names, list) else names.items()
        found = {int(number): name.strip() for number, name in pairs}
    except (KeyError, TypeError, ValueError, AttributeError):
        raise AnnotationError(f"{path}: has no list of class names under 'names'; add it") from None
    return found


def holds_labels(file: Path) -> bool:
    """Whether a text file's first line is numbers, or it is empty, as that of an image without objects is."""
    words = read_text(file).split("\n")[0].split()
    return not any(_value(word) is None for word in words) and not is_about(file)


def _rows(file: Path) -> Iterator[list[float]]:
    """The lines that are numbers throughout."""
    for line in read_text(file).split("\n"):
        values = [value for word in line.split() if (value := _value(word)) is not None]
        if values and len(values) == len(line.split()):
            yield values


def _value(word: str) -> float | None:
    try:
        return number(word, "value")
    except Unusable:
        return None


def _refuse_key_points(*folders: Path) -> None:
    """Raise `AnnotationError` where a YAML file beside the labels says that they are of key points."""
    for file in (file for folder in folders for file in sorted(folder.glob("*.y*ml"))):
        if not is_leaving(file) and re.search(r"^\s*[\"']?kpt_shape", read_text(file), re.MULTILINE):
            raise AnnotationError(f"{file}: is of key points (kpt_shape), which are not read; {AS_COCO}")


def _refuse_other_columns(path: Path, rows: list[list[float]]) -> None:
    """Raise `AnnotationError` where the columns of all lines together show that they are no boxes or polygons."""
    six, longer = ([row for row in rows if len(row) == 6], [row for row in rows if len(row) > 6])
    if six and any(all(row[at].is_integer() for row in six) for at in (1, 5)):
        where = "first and the class second" if all(row[1].is_integer() for row in six) else "last"
        raise AnnotationError(f"{path}: six values a line, with a track's identity {where}; remove that column")
    if six and not all(0 <= row[5] <= 1 for row in six):
        raise AnnotationError(f"{path}: sixth values are no scores from 0 to 1 but identities or angles; {AS_COCO}")
    if longer and all(len(row) == 7 for row in longer):
        what = "a triangle, a box with a key point, or one with score and track"
        raise AnnotationError(f"{path}: seven values a line may be {what}; {AS_COCO}")
    if longer and (_have_visibilities(longer) or 2 * sum(map(_is_box_with_points, longer)) > len(longer)):
        raise AnnotationError(f"{path}: lines of {len(longer[0])} values are boxes with key points; {AS_COCO}")
    boxes = [row for row in rows if len(row) in (5, 6)]
    beyond = sum(abs(x - 0.5) + w / 2 > 0.55 or abs(y - 0.5) + h / 2 > 0.55 for _, x, y, w, h, *_ in boxes)
    if len(boxes) > 2 and beyond > len(boxes) / 2:
        raise AnnotationError(f"{path}: most boxes reach beyond their image, as corners or pixels would; {AS_COCO}")


def _have_visibilities(rows: list[list[float]]) -> bool:
    """Whether every third value after a box is 0, 1 or 2 in all lines."""
    return all(len(row) % 3 == 2 and all(value in (0, 1, 2) for value in row[7::3]) for row in rows)


def _is_box_with_points(row: list[float]) -> bool:
    """Whether the second pair is a size rather than a vertex: the others lie in a box of that size about the first.

    A vertex lies near its neighbours; a size lies where it likes.
    """
    if len(row) % 2 == 0:
        return False
    centre, size, *points = np.array(row[1:]).reshape(-1, 2)
    seen = [point for point in points if point.any()]  # (0, 0) stands for a point that is not there
    others = np.array([centre, *seen])
    low, high = others.min(axis=0), others.max(axis=0)
    far = ((size < low - (high - low) / 2) | (size > high + (high - low) / 2)).any()
    return bool(far and (np.abs(others - centre) <= size / 2 + 0.01).all())


def _shape(where: str, picture: str, words: list[str], names: Mapping[int, str]) -> Shape:
    values = [number(word, f"value {index}") for index, word in enumerate(words)]
    if values[0] != int(values[0]) or values[0] < 0:
        raise Unusable("class is not a whole number")
    if names and int(values[0]) not in names:
        raise Unusable("class is beyond the names of classes")
    if any(abs(value - 0.5) > 1 for value in (values[1:] if len(values) > 6 else values[1:5])):
        raise Unusable("value is no fraction of the image")
    label = names.get(int(values[0])) or text(int(values[0]))
    if len(values) in (5, 6):  # a sixth value is a detector's confidence
        cx, cy, width, height = values[1:5]
        if width < 0 or height < 0:
            raise Unusable("negative size")
        about = {"score": values[5]} if len(values) == 6 else {}
        corners = box(cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2)
        return Shape(where, picture, "box", corners, label, about, relative=True)
    if len(values) >= 7 and len(values) % 2 == 1:
        points = np.array(values[1:]).reshape(-1, 2)
        return Shape(where, picture, "polygon", points, label, relative=True)
    raise Unusable(f"{len(values)} values are neither a box nor a polygon")
