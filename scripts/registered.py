"""Render the registered test sets, check their digests, and score the study's models on them, once.

    python scripts/registered.py render FOLDER   # each set of book/registered.yaml in a folder of its name
    python scripts/registered.py score FOLDER

`score` writes book/reference/registered-videos.json and registered-patients.json and enters both scorings in
book/looks.yaml. It refuses a set whose digests are not those registered, code with uncommitted changes, and a set that
was scored before. What is scored, and how, stands beside each set's registration.
"""

import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import typer

from icsilib.data.annotations import read_coco
from icsilib.detection import load as load_detector
from icsilib.detection import protocols
from icsilib.detection.detector import Detections
from icsilib.detection.evaluate import coco_evaluation, matched_detections, scores_of
from icsilib.detection.export import with_openvino
from icsilib.detection.images import LabelledImage, images_of
from icsilib.detection.readings import readings
from icsilib.detection.train import detect_files
from icsilib.errors import IcsiError
from icsilib.files import write_text_atomic
from icsilib.phantoms.dataset import read_description, verify_phantom_set
from icsilib.phantoms.people.embryologists import label_dataset
from icsilib.segmentation import load as load_segmenter
from icsilib.segmentation.evaluate import frame_table
from icsilib.segmentation.frames import load_frames
from icsilib.stats.resampling import jackknife_interval, without_each
from icsilib.study.detection_scores import add_precision_gap, add_scores_at
from icsilib.study.looks import LOOKS, Registration, looked_at, read_registrations
from icsilib.study.provenance import ROOT, Results, code_revision, read_results
from icsilib.study.segmentation_scores import TWO_LOOKS, add_scores

REFERENCE = ROOT / "book" / "reference"
app = typer.Typer(no_args_is_help=True, help=__doc__)


class RegistrationError(IcsiError):
    """A set that is not what was registered, or may not be scored (again)."""


@app.command()
def render(folder: Path) -> None:
    """Render what is missing of every registered set and compare its digests."""
    for name, registered in read_registrations().items():
        program, *words = shlex.split(registered.command)
        subprocess.run([Path(sys.executable).with_name(program), *words, "--out", folder / name], check=True)
        check_digests(folder / name, registered)


@app.command()
def score(folder: Path) -> None:
    """Score every registered set that was not scored yet."""
    revision, clean = code_revision()
    if not clean:
        raise RegistrationError("the code has uncommitted changes; commit them, so that the scores name their code")
    for name, registered in read_registrations().items():
        if looked_at(name):
            typer.echo(f"{name}: was scored before; left alone")
            continue
        check_digests(folder / name, registered)
        results = Results(name, "standard", registered.seed, protocol=registered.protocol)
        results.data[name] = registered.annotations_sha256
        SCORERS[name](results, folder / name)
        results.write(REFERENCE / f"{name}.json")
        enter(name, revision)


def check_digests(folder: Path, registered: Registration) -> None:
    """Raise `RegistrationError` unless the rendered set in `folder` is, byte for byte, what was registered."""
    about = read_description(folder)
    for key in ("annotations_sha256", "files_sha256"):
        if about.get(key) != getattr(registered, key):
            raise RegistrationError(
                f"{folder}: {key} is not the registered one; render with the code of revision {registered.code}"
            )
    if faults := verify_phantom_set(folder):
        name, fault = next(iter(faults.items()))
        raise RegistrationError(f"{folder / name}: {fault}; delete the folder and render again")


def enter(name: str, revision: str) -> None:
    """Add the scoring to book/looks.yaml."""
    entry = f"{name}:\n  scorings:\n    - {{revision: {revision[:7]}, date: {today()}, what: the released model}}\n"
    write_text_atomic(LOOKS, LOOKS.read_text(encoding="utf-8") + entry)


def today() -> str:
    """Date of the scoring, ISO 8601."""
    return np.datetime64("today").item().isoformat()


def score_videos(results: Results, folder: Path) -> None:
    """Paper A: one look, which is the paper's method, and two."""
    once = load_segmenter(looks=1)
    frames = load_frames(folder / "annotations.json", once.settings.preprocess)
    add_scores(results, frame_table(once, frames), "phantom")
    add_scores(results, frame_table(load_segmenter(), frames), "phantom", TWO_LOOKS)


def score_patients(results: Results, folder: Path) -> None:
    """Paper B: against the truth, against the readers' consensus (the paper's protocol), and beside the readers."""
    images = images_of(folder)
    found = detect_files(with_openvino(load_detector()), images)
    threshold = read_results(REFERENCE / "detection_evaluation.json").values["threshold"].value
    add_scores_at(results, images, found, float(str(threshold)), "phantom")
    readers = label_dataset(read_coco(folder / "annotations.json"), results.seed or 0)
    together = readings(readers)
    for prefix, labelled in (
        ("consensus.", protocols.by_text(together, folder)),
        ("code_consensus.", protocols.by_code(together, folder)),
    ):
        add_protocol(results, prefix, labelled, found)
    add_false_detections(results, images, found)
    add_precision_gap(results, readers, found, without_each([image.group for image in images]))


def add_protocol(
    results: Results, prefix: str, images: Sequence[LabelledImage], found: Mapping[int, Detections]
) -> None:
    """Add AP and AR against one consensus, with intervals by patient, and how many images and empty ones it has."""
    evaluation = coco_evaluation(images, {image.id: found[image.id] for image in images})
    without = [scores_of(evaluation, places) for places in without_each([image.group for image in images])]
    scores, sperm = scores_of(evaluation), sum(len(image.boxes) for image in images)
    for key, name in (("ap50", "ap"), ("ar100", "ar")):
        about: dict[str, Any] = {"n": sperm, "n_of": "sperm", "level": 0.95, "data": "phantom, simulated readers"}
        ends = jackknife_interval(getattr(scores, name), [getattr(one, name) for one in without], "logit")
        results.add(prefix + key, getattr(scores, name), interval=ends, method="jackknife over patients", **about)
    results.add(f"{prefix}images", len(images), unit="images")
    results.add(f"{prefix}images.empty", sum(not len(image.boxes) for image in images), unit="images")


def add_false_detections(results: Results, images: Sequence[LabelledImage], found: Mapping[int, Detections]) -> None:
    """Add the share of sperm found at three numbers of false detections an image, the empty images among them."""
    curve = protocols.free_response(matched_detections(coco_evaluation(images, found)))
    for price in (0.1, 0.5, 1.0):
        about: dict[str, Any] = {"n": len(images), "n_of": "images", "data": "phantom"}
        results.add(f"froc.{price:g}", curve.sensitivity_at(price), method="false detections an image", **about)


SCORERS: dict[str, Callable[[Results, Path], None]] = {
    "registered-videos": score_videos,
    "registered-patients": score_patients,
}

if __name__ == "__main__":
    app()
