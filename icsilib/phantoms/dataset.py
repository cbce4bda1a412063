"""Phantom data sets on disk: rendered in parallel, item by item, each item whole or not at all.

An item is what is rendered in one go and never split: a video, a patient. A folder holds

    <the items' own files>        e.g. frames/icsi-0007/00012.png
    items/<item>.json             written last of an item: its records and the SHA-256 of each of its files
    annotations.json              all records, COCO JSON of the study's schema (icsilib.data.annotations)
    split.json                    which items train, validate and test
    datasheet.md                  what the data are, how many, what they are not
    dataset.json                  parameters, digest of the generator's code, digests of annotations and files

A run that is stopped, at any moment, leaves finished items and at most hidden `.partial-*` files, which the next
run removes; it renders only what is missing. A folder made with other parameters or other code is never mixed.
"""

import fcntl
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from icsilib.data.annotations import Annotation, Dataset, Image, write_coco
from icsilib.data.splits import Split, write_split
from icsilib.data.structures import Category
from icsilib.errors import IcsiError
from icsilib.files import atomic_path, digest_of, remove_partials, sha256_of, write_text_atomic
from icsilib.phantoms.datasheet import fill_datasheet
from icsilib.phantoms.workers import cores, run_in_processes

LAYOUT = 1  # raised when records or files change although the generator's code does not
Records = tuple[list[Image], list[Annotation]]  # of one item; their ids count from 1 within the item


class DatasetError(IcsiError):
    """A data set that cannot be written or does not fit; the message names folder and remedy."""


class Item(BaseModel):
    """What is known of one finished item, kept in `items/<item>.json`."""

    images: list[Image]
    annotations: list[Annotation]
    files: dict[str, str]  # path relative to the data set → SHA-256


class Folder:
    """Where one item's files go: written atomically, their digests kept."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: dict[str, str] = {}

    def add_png(self, name: str, image: NDArray[np.uint8]) -> None:
        """Write an 8-bit grey (H, W) or RGB (H, W, 3) image as PNG under `name`, relative to the data set."""
        pixels = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        content = cv2.imencode(".png", pixels)[1].tobytes()
        with atomic_path(self.root / name) as partial:
            partial.write_bytes(content)
        self.files[name] = hashlib.sha256(content).hexdigest()

    def add(self, name: str) -> None:
        """Count in a file that has been written, atomically, by other means."""
        self.files[name] = sha256_of(self.root / name)


@dataclass(frozen=True)
class PhantomSet:
    """A data set to be: everything the writer needs to know of one."""

    name: str  # "icsi"
    items: Sequence[str]  # names, e.g. "icsi-0007"; item k is rendered by render(k, folder)
    render: Callable[[int, Folder], Records]  # picklable: a function of a module, or a partial of one
    parameters: dict[str, Any]  # all that, with the code, decides the content
    sources: Sequence[str]  # files beside this one whose code decides the content
    categories: Sequence[Category]
    split: Callable[[Dataset], Split]
    datasheet: str  # its prose (`fill_datasheet`)
    count_by: Sequence[str]  # fields of images by which the datasheet counts

    def identity(self) -> dict[str, Any]:
        """What two folders must share to hold the same data."""
        here = Path(__file__).parent
        code = digest_of((name, sha256_of(here / name)) for name in self.sources)
        return {"name": self.name, "layout": LAYOUT, "parameters": self.parameters, "generator_sha256": code}


class Rendering(TypedDict, total=False):
    """How a data set is rendered: arguments of `write_phantom_set`."""

    workers: int | None
    progress: bool
    force: bool


def write_phantom_set(
    plan: PhantomSet, out: Path | str, workers: int | None = None, progress: bool = False, force: bool = False
) -> Path:
    """Render what is missing of `plan` into the folder `out` and return it; quick when nothing is missing.

    `workers` processes render (all cores when None, this process itself when 1). `force` empties a folder that
    other parameters or code filled. Raises `DatasetError` with one line: folder, cause, remedy.
    """
    out = Path(out)
    with _plain_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        with _alone(out):
            _claim(plan, out, force)
            missing = [number for number, item in enumerate(plan.items) if _finished(out, item) is None]
            if missing or not _is_complete(out):
                _render(plan, out, missing, workers or cores(), progress)
                _complete(plan, out)
    return out


def read_description(out: Path | str) -> dict[str, Any]:
    """Content of a data set's `dataset.json`; empty when there is none."""
    try:
        return json.loads((Path(out) / "dataset.json").read_text())
    except FileNotFoundError:
        return {}
    except (NotADirectoryError, json.JSONDecodeError) as error:
        raise DatasetError(f"{out}: dataset.json cannot be read ({error}); choose another folder") from None


def settings_of(description: dict[str, Any]) -> str:
    """Settings of a data set as the data manifest names them: "every=3 mp4=False seed=0 …"."""
    return " ".join(f"{key}={value}" for key, value in sorted(description["parameters"].items()))


def verify_phantom_set(out: Path | str) -> dict[str, str]:
    """Faults of a data set on disk, file by file: empty when every byte is as it was written."""
    out, description = Path(out), read_description(out)
    if not description.get("complete"):
        return {"dataset.json": "missing, or the data set was not finished; run the generator again, it continues"}
    faults: dict[str, str] = {}
    files: dict[str, str] = {}
    for name in description["items"]:
        item = _read_item(out, name)
        if item is None:
            faults[f"items/{name}.json"] = "missing or damaged"
        files |= item.files if item else {}
    digests = files | {"annotations.json": description["annotations_sha256"]}
    for name, digest in digests.items():
        if not (out / name).is_file():
            faults[name] = "missing"
        elif sha256_of(out / name) != digest:
            faults[name] = "not the bytes that were written"
    if not faults and digest_of(files.items()) != description["files_sha256"]:
        faults["items"] = "their listings are not those that were written"
    return faults


def _claim(plan: PhantomSet, out: Path, force: bool) -> None:
    """Make sure that `out` holds this plan's data or nothing, and mark it as this plan's."""
    description, identity = read_description(out), plan.identity()
    if not description and any(path.name[0] != "." for path in out.iterdir()):
        raise DatasetError(f"{out}: is not empty and holds no phantom data set; choose another folder")
    different = [key for key in identity if description and description.get(key) != identity[key]]
    if different and not force:
        raise DatasetError(
            f"{out}: holds a data set of other {', '.join(different)}; choose another folder, or --force to replace it"
        )
    remove_partials(out)
    if different:
        for path in out.iterdir():
            if path.name != ".lock":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    if different or not description:
        _write_json(out / "dataset.json", identity | {"complete": False})


def _render(plan: PhantomSet, out: Path, missing: Sequence[int], workers: int, progress: bool) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not progress) as bar:
        task = bar.add_task(f"rendering {plan.name}", total=len(plan.items), completed=len(plan.items) - len(missing))
        if workers == 1 or len(missing) < 2:
            for number in missing:
                _render_item(plan, out, number)
                bar.advance(task)
            return
        try:
            for _ in run_in_processes(_render_item, [(plan, out, number) for number in missing], workers):
                bar.advance(task)
        except BrokenProcessPool:
            raise DatasetError(
                f"{out}: a rendering process was ended, perhaps for want of memory; run again with fewer --workers"
            ) from None


def _render_item(plan: PhantomSet, out: Path, number: int) -> None:
    folder = Folder(out)
    with _plain_errors(out):
        images, annotations = plan.render(number, folder)
        item = Item(images=images, annotations=annotations, files=folder.files)
        write_text_atomic(_marker(out, plan.items[number]), item.model_dump_json(exclude_none=True))


def _complete(plan: PhantomSet, out: Path) -> None:
    """Join the items' records, in order and with ids of their own, and write all that belongs to the whole."""
    images: list[Image] = []
    annotations: list[Annotation] = []
    files: dict[str, str] = {}
    for name in plan.items:
        item = _read_item(out, name)
        if item is None:
            raise DatasetError(f"{_marker(out, name)}: vanished while the data set was written; run again")
        first, last = len(images), len(annotations)
        for image in item.images:
            images.append(image.model_copy(update={"id": first + image.id}))
        for record in item.annotations:
            ids = {"id": last + record.id, "image_id": first + record.image_id}
            annotations.append(record.model_copy(update=ids))
        files |= item.files
    info = {"description": f"phantom data set {plan.name}: rendered, not photographed", **plan.parameters}
    dataset = Dataset(info=info, images=images, annotations=annotations, categories=list(plan.categories))
    split = plan.split(dataset)
    split.check(dataset)
    write_coco(dataset, out / "annotations.json")
    write_split(split, out / "split.json")
    write_text_atomic(out / "datasheet.md", fill_datasheet(plan.datasheet, dataset, split, plan.count_by))
    digests = {"annotations_sha256": sha256_of(out / "annotations.json"), "files_sha256": digest_of(files.items())}
    whole = {"complete": True, "items": list(plan.items), "images": len(images), "annotations": len(annotations)}
    _write_json(out / "dataset.json", plan.identity() | whole | digests)


def _marker(out: Path, item: str) -> Path:
    return out / "items" / f"{item}.json"


def _read_item(out: Path, name: str) -> Item | None:
    try:
        return Item.model_validate_json(_marker(out, name).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def _finished(out: Path, name: str) -> Item | None:
    """The item, when its record and every file of it are there."""
    item = _read_item(out, name)
    return item if item and all((out / path).is_file() for path in item.files) else None


def _is_complete(out: Path) -> bool:
    wanted = ("annotations.json", "split.json", "datasheet.md")
    return bool(read_description(out).get("complete")) and all((out / name).is_file() for name in wanted)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    write_text_atomic(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Wait for, then hold, the right to write into `out`; the system gives it back however the process ends."""
    with (out / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _plain_errors(out: Path) -> Iterator[None]:
    """Turn the system's errors into one line with the remedy."""
    try:
        yield
    except OSError as error:
        place = error.filename or out
        raise DatasetError(
            f"{place}: {error.strerror or error}; make room or choose a folder that can be written, and run the "
            "same command again: it continues where it stopped"
        ) from error
