"""From a reader's records to a `Dataset` and the report of what was kept: the same rules for every format."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from icsilib.data.annotations import (
    Annotation,
    AnnotationError,
    Dataset,
    Image,
    box_annotation,
    crosses_itself,
    misfit,
    polygon_annotation,
    polygons_of,
    run_lengths,
    runs_of,
    several_tips,
)
from icsilib.data.structures import BIOPSY_CATEGORIES, ICSI_CATEGORIES, NEEDLE, Category
from icsilib.labels.parsing import is_leaving
from icsilib.labels.places import FRAME, Places, folder_of_images, is_there, size_of
from icsilib.labels.records import (
    Changed,
    Options,
    Picture,
    Points,
    Record,
    Report,
    Shape,
    Skipped,
    Unusable,
    fold,
    text,
)
from icsilib.labels.shapes import MOST_PIXELS, clip, extent_of_runs

STUDY = {category.name: category for category in (*ICSI_CATEGORIES, *BIOPSY_CATEGORIES)}
FIRST_OTHER_ID = 101  # categories that the study does not know are numbered from here
AGAIN = "image listed again; its objects were joined"
IMAGE_TEXTS = ("video_id", "patient_id", "kit", "operator")


def assemble(records: Iterable[Record], source: Path, format: str, options: Options) -> tuple[Dataset, Report]:
    """Collect a reader's records. Raises `AnnotationError` when no image of the file has a known size."""
    records = list(records)
    assembly = _Assembly(source, options, [record for record in records if isinstance(record, Picture)])
    for record in records:
        assembly.add(record)
    assembly.leave_out()
    return assembly.dataset(), assembly.report(format)


class _LeftOut(Unusable):
    """An object that the user does not want: its image was labelled all the same."""


class _Assembly:
    def __init__(self, source: Path, options: Options, pictures: Sequence[Picture]) -> None:
        self.source, self.options = source, options
        self.folder = folder_of_images(source, options)
        self.places = Places(self.folder, pictures)
        self.labels = {fold(label): name for label, name in (options.labels or {}).items()}
        self.images: dict[str, Image | None] = {}  # by the reader's key; None: the image was skipped
        self.by_name: dict[str, tuple[Image, str]] = {}  # by file name, with the folder that it is said to lie in
        self.seen: set[str] = set()  # keys of images that somebody labelled, with or without objects
        self.lost: Counter[str] = Counter()  # objects that could not be kept, by their image's key
        self.of_video = {picture.key for picture in pictures if picture.frame}
        self.interpolated: Counter[str] = Counter()  # objects that are kept, by whether a tool drew them
        self.unused = set(self.labels)
        self.annotations: list[Annotation] = []
        self.categories: dict[str, Category] = {}
        self.records = 0
        self.skipped: Counter[str] = Counter()
        self.skipped_images: Counter[str] = Counter()
        self.changed: Counter[str] = Counter()
        self.details: list[tuple[str, str]] = []

    def add(self, record: Record) -> None:
        if isinstance(record, Picture):
            self._add_picture(record)
        elif isinstance(record, Changed):
            self._change(record.where, record.what)
        elif isinstance(record, Skipped):
            self.records += not record.picture
            self._skip(record.where, record.reason, picture=record.picture)
            self.lost[record.of] += 1
        else:
            self.records += 1
            try:
                self.annotations.append(self._annotation(record))
            except Unusable as error:
                self._skip(record.where, str(error))
                if isinstance(error, _LeftOut):
                    self.seen.add(record.picture)
                else:
                    self.lost[record.picture] += 1

    def leave_out(self) -> None:
        """Skip images that lost all their objects and, on request, those that the file does not say to be empty."""
        unsure, bereft, _ = self._without_objects()
        reasons = dict.fromkeys(bereft, "all its objects were skipped")
        if self.options.skip_empty:
            reasons |= dict.fromkeys(unsure, "without objects: left out on request")
        for id, reason in reasons.items():
            keys = [key for key, image in self.images.items() if image and image.id == id]
            self._skip(next(image.file_name for key in keys if (image := self.images[key])), reason, picture=True)
            self.images.update(dict.fromkeys(keys))

    def _partly_lost(self) -> list[str]:
        """A line for each image that lost some of its objects."""
        kept = Counter(annotation.image_id for annotation in self.annotations)
        lost: Counter[int] = Counter()
        for key, count in self.lost.items():
            if image := self.images.get(key):
                lost[image.id] += count
        names = {image.id: image.file_name for image in self.images.values() if image}
        return [f"{names[id]} lost {count} of its {count + kept[id]} objects" for id, count in lost.items()]

    def dataset(self) -> Dataset:
        images = list({image.id: image for image in self.images.values() if image is not None}.values())
        if not images and self.skipped_images["size unknown"]:
            raise AnnotationError(
                f"{self.source}: the size of no image is known; give the folder of the images or their size"
            )
        categories = sorted(self.categories.values(), key=lambda category: category.id)
        return Dataset(images=images, annotations=self.annotations, categories=categories)

    def report(self, format: str) -> Report:
        counts = (self.skipped, self.skipped_images, self.changed)
        sums = len(self._ids()), self.records, len(self.annotations)
        notes = tuple(self._notes(format))
        return Report(self.source, format, *sums, *counts, tuple(self.details), notes, self.folder)

    def _notes(self, format: str) -> Iterator[str]:
        """What a user should know of what was kept."""
        names = {category.id: category.name for category in self.categories.values()}
        found = Counter(names[annotation.category_id] for annotation in self.annotations)
        for name, count in found.items():
            if name not in STUDY:
                yield f"{count} objects are {name!r}, which the study does not know; --label {name!r}=… renames it"
        for label in sorted(self.unused):
            yield f"no object is labelled {label!r}, which --label names"
        unsure, _, empty = (len(ids) for ids in self._without_objects())
        if unsure:
            yield (
                f"{unsure} images without objects are kept as images with nothing in them; {format} cannot tell "
                "these from images that nobody labelled; --skip-empty leaves them out"
            )
        if lost := self._partly_lost():
            yield f"{len(lost)} images lost some of their objects, and training takes their places for background:"
            yield from lost
        if empty:
            yield f"{empty} images have a file or task of their own without objects: labelled, with nothing in them"
        if count := self.interpolated["interpolated"]:
            yield f"{count} objects were interpolated by the tool, and nobody drew them; --drawn-only leaves them out"
        if count := self.interpolated["perhaps interpolated"]:
            remedy = "the export 'CVAT for video 1.1' does"
            yield f"{count} objects are of a video, and the file does not say which were interpolated; {remedy}"
        if twice := sum(count - 1 for count in Counter(map(_drawn, self.annotations)).values()):
            yield f"{twice} objects were drawn twice: same place, category and person; both are kept"
        names_of = {image.id: image.file_name for image in self.images.values() if image}
        yield from self._unused(names, names_of)
        if crossing := [each for each in self.annotations if any(map(crosses_itself, polygons_of(each)))]:
            where = names_of[crossing[0].image_id]
            yield f"{len(crossing)} outlines cross themselves, such as one in {where}; look whether they are meant so"
        folders = {self.options.images, self.source if self.source.is_dir() else None} - {None}
        if count := sum(is_leaving(file) for folder in folders if folder for file in folder.rglob("*")):
            yield f"{count} files whose names begin with a dot were passed over"
        if absent := [name for name in names_of.values() if not is_there(self.folder / name)]:
            yield f"{len(absent)} of {len(names_of)} images are not in {self.folder}, such as {absent[0]}"

    def _unused(self, names: dict[int, str], names_of: dict[int, str]) -> Iterator[str]:
        """Objects that training and agreement cannot use; `names` are the categories', `names_of` the images'."""
        faults: dict[tuple[str, str], list[int]] = {}
        tips: dict[tuple[int, str | None, int | None], list[Annotation]] = {}
        for each in self.annotations:
            name = names[each.category_id]
            if fault := misfit(each, name):
                faults.setdefault((name, fault), []).append(each.image_id)
            elif name == NEEDLE.name:
                tips.setdefault((each.image_id, each.annotator, each.round), []).append(each)
        for (name, fault), images in faults.items():
            where = names_of[images[0]]
            what = f"{len(images)} objects of {name!r} are {fault}, such as one in {where}"
            yield f"{what}: training sees nothing there; draw it again"
        if double := [turn for turn, found in tips.items() if several_tips(found)]:
            where = names_of[double[0][0]]
            yield f"{len(double)} times one person marked several tips in one image, such as {where}; keep one of them"

    def _ids(self) -> set[int]:
        return {image.id for image in self.images.values() if image is not None}

    def _without_objects(self) -> tuple[set[int], set[int], set[int]]:
        """Ids of images without objects: perhaps not labelled, all objects skipped, labelled as empty."""
        bare = self._ids() - {annotation.image_id for annotation in self.annotations}
        lost, seen = ({image.id for key in keys if (image := self.images.get(key))} for keys in (self.lost, self.seen))
        return bare - lost - seen, bare & lost, (bare & seen) - lost

    def _skip(self, where: str, reason: str, picture: bool = False) -> None:
        (self.skipped_images if picture else self.skipped)[reason] += 1
        self.details.append((where, reason))

    def _change(self, where: str, what: str) -> None:
        self.changed[what] += 1
        self.details.append((where, what))

    def _add_picture(self, picture: Picture) -> None:
        if picture.seen:
            self.seen.add(picture.key)
        if picture.key in self.images:
            return self._change(picture.name, AGAIN)
        self.images[picture.key] = None
        try:
            name, how = self.places.find(picture)
            width, height = self._size(picture, name)
            beside = "" if how == FRAME else picture.beside  # several tasks may show one video
            again = self._listed(name, width, height, beside)
        except Unusable as error:
            return self._skip(picture.name, str(error), picture=True)
        if how:
            self._change(picture.name, how)
        if again:
            self._change(picture.name, AGAIN)
        fields = image_fields(picture.about)
        image = again or Image(id=len(self.images), file_name=name, width=width, height=height, **fields)
        self.images[picture.key] = image
        self.by_name.setdefault(name, (image, beside))
        return None

    def _listed(self, name: str, width: int, height: int, beside: str) -> Image | None:
        """The image of this file name that was listed before; raises `Unusable` where it must be another one."""
        if name not in self.by_name:
            return None
        image, folder = self.by_name[name]
        if (image.width, image.height) != (width, height):
            raise Unusable("listed before with another size")
        if folder != beside:
            raise Unusable("listed before as an image of another folder")
        return image

    def _size(self, picture: Picture, name: str) -> tuple[int, int]:
        """(width, height) in px as the file says, else as the image itself does, else as the options do."""
        there = size_of(self.folder / name)
        if picture.width and picture.height:
            labelled = picture.width, picture.height
            if there and there != labelled:
                turned = " (turned by its EXIF record)" if there == labelled[::-1] else ""
                what = "labelled at {}×{} px, but the image in the folder has {}×{} px"
                raise Unusable(what.format(*labelled, *there) + turned)
            return labelled
        if there:
            return there
        if self.options.size is None:
            raise Unusable("size unknown")
        return self.options.size

    def _annotation(self, shape: Shape) -> Annotation:
        image = self.images.get(shape.picture)
        if image is None:
            raise Unusable("its image was skipped or is not in the file")
        category = self._category(shape)
        sure = shape.interpolated is not None or shape.picture not in self.of_video
        by_tool = ("interpolated" if shape.interpolated else "") if sure else "perhaps interpolated"
        if by_tool and self.options.drawn_only:
            raise Unusable(f"{by_tool}: left out on request")
        draw = {"polygon": self._polygon, "box": self._box, "point": self._point, "mask": self._mask}[shape.kind]
        annotation = draw(shape, image, category)
        who = {"annotator": self.options.annotator, "round": self.options.round}
        if shape.about.get("iscrowd"):
            self._change(shape.where, "region of many objects (iscrowd); kept as one")
        self.interpolated[by_tool] += 1
        return annotation.model_copy(update=who | shape.about)

    def _polygon(self, shape: Shape, image: Image, category: Category) -> Annotation:
        rings, faults = [], []
        for part in (shape.points, *shape.rings):
            try:
                rings.append(self._inside(shape, part, image))
            except Unusable as error:
                faults.append(error)
        if not rings:
            raise faults[0]
        for fault in faults:
            self._change(shape.where, f"one of several parts left out: {fault}")
        return polygon_annotation(len(self.annotations) + 1, image.id, category, rings, decimals=6)

    def _box(self, shape: Shape, image: Image, category: Category) -> Annotation:
        if (shape.points[0] > shape.points[1]).any():
            self._change(shape.where, "box of negative size; its corners were exchanged")
        (x, y), (right, bottom) = self._inside(shape, np.sort(shape.points, axis=0), image)
        box = np.round([x, y, right - x, bottom - y], 6).tolist()
        return box_annotation(len(self.annotations) + 1, image.id, category, box)

    def _point(self, shape: Shape, image: Image, category: Category) -> Annotation:
        x, y = self._inside(shape, shape.points, image)[0].tolist() if shape.visibility else (0.0, 0.0)
        if not category.keypoints:
            self.categories[category.name] = category.model_copy(update={"keypoints": ["point"]})
        return Annotation(
            id=len(self.annotations) + 1,
            image_id=image.id,
            category_id=category.id,
            keypoints=[x, y, shape.visibility],
            num_keypoints=int(shape.visibility > 0),
            bbox=[x, y, 0.0, 0.0],
            area=0.0,
        )

    def _mask(self, shape: Shape, image: Image, category: Category) -> Annotation:
        if image.height * image.width > MOST_PIXELS:
            raise Unusable("its image is too large for a mask")
        runs = self._runs(shape, image)
        box, area = extent_of_runs(runs, image.height)
        if not area:
            raise Unusable("zero size")
        return Annotation(
            id=len(self.annotations) + 1,
            image_id=image.id,
            category_id=category.id,
            segmentation={"size": [image.height, image.width], "counts": runs},
            bbox=box,
            area=area,
        )

    def _runs(self, shape: Shape, image: Image) -> list[int]:
        """COCO run lengths of a mask; what of a patch lies outside the image is cut off."""
        if shape.patch is None:
            try:
                return run_lengths(shape.runs or {}, image.height, image.width)
            except AnnotationError:
                raise Unusable("run lengths do not fill the image") from None
        (left, top), (width, height) = shape.points.astype(int).tolist()
        if width > image.width or height > image.height:
            raise Unusable("mask is larger than its image")
        whole = np.zeros((image.width, image.height), dtype=bool)  # column by column, as the run lengths go
        columns, rows = slice(max(left, 0), max(left + width, 0)), slice(max(top, 0), max(top + height, 0))
        painted = shape.patch()
        inside = painted[max(-top, 0) : max(image.height - top, 0), max(-left, 0) : max(image.width - left, 0)]
        whole[columns, rows] = inside.T
        if np.count_nonzero(inside) < np.count_nonzero(painted):
            self._change(shape.where, "clipped to the image")
        del painted, inside
        return runs_of(whole.T)

    def _inside(self, shape: Shape, points: Points, image: Image) -> Points:
        """`points` of the shape in px, clipped to the image; a clipped shape is counted as changed."""
        scale = np.array([image.width, image.height]) if shape.relative else 1.0
        clipped = clip(shape.kind, points * scale, image.width, image.height)
        if clipped is None:
            return points * scale
        self._change(shape.where, "clipped to the image")
        return clipped

    def _category(self, shape: Shape) -> Category:
        label = shape.label or self.options.default_label
        if not label:
            raise Unusable("no label")
        self.unused.discard(fold(label))
        name = self.labels.get(fold(label), label)
        if name is None:
            raise _LeftOut(f"label {label!r} is left out on request")
        name = fold(name)
        if name not in self.categories:
            others = sum(known not in STUDY for known in self.categories)
            self.categories[name] = STUDY.get(name) or Category(id=FIRST_OTHER_ID + others, name=name)
        return self.categories[name]


def image_fields(about: dict[str, Any]) -> dict[str, Any]:
    """The fields of `Image` among a file's own remarks; those of another type or name go under `attributes`."""
    fields: dict[str, Any] = {name: value for name in IMAGE_TEXTS if (value := text(about.get(name)))}
    for name, kind in (("frame_index", int), ("um_per_px", float)):
        try:
            fields[name] = kind(about[name])
            if name == "um_per_px" and not 0 < fields[name] < float("inf"):
                del fields[name]
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
    rest = {name: value for name, value in about.items() if name not in fields and value is not None}
    if isinstance(nested := rest.pop("attributes", {}), dict):
        rest |= nested
    return fields | ({"attributes": rest} if rest else {})


def _drawn(annotation: Annotation) -> str:
    """What two drawings of one thing share."""
    return annotation.model_dump_json(
        include={"image_id", "category_id", "bbox", "segmentation", "keypoints", "annotator", "round"}
    )
