"""Train the detector on real sperm videos (SVIA) from ImageNet and from scratch, and test it on a held-out video.

    python scripts/svia_folds.py RUNS            three seeds of each, about a quarter of an hour on one core

Writes `book/reference/detection_svia.json`, which the chapters on the detector show, and enters its figures in the
reference results of those chapters, where the ledger looks for them. RUNS keeps the trainings, each with its
`result.json`, which names settings and data; those that are finished are not repeated.

Frames of one video show the same sperm a moment later, so a video is wholly in one part: one tests, the next one
validates, the other three train.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import typer
from scipy import stats

from icsilib.data.annotations import Dataset
from icsilib.data.manifest import data_digest, fetch
from icsilib.data.splits import Split
from icsilib.data.svia import load
from icsilib.detection.evaluate import coco_evaluation, scores_of
from icsilib.detection.export import with_openvino
from icsilib.detection.images import digest_of, labelled_images
from icsilib.detection.settings import PROFILES, Settings
from icsilib.detection.train import detect_files, train
from icsilib.detection.weights import load as load_detector
from icsilib.files import write_text_atomic
from icsilib.study.provenance import ROOT, Results, Value
from icsilib.training.runs import differences

REFERENCE = ROOT / "book" / "reference"
HELD_OUT = "S_0004"  # the video that no training sees
VALIDATION_STRIDE = 8  # every so many frames of the validation video: its neighbours hardly differ
INITIALISATIONS = ("imagenet", "scratch")
SEEDS = (0, 1, 2)


def main(runs: Path) -> None:
    """Run what is missing, and write the results."""
    root = fetch("svia")
    dataset, settings = load(root), PROFILES["svia"]
    results = Results("detection_svia", "svia", None, settings=settings.as_record(), held_out=HELD_OUT)
    rows = []
    for run in held_out_runs(HELD_OUT):
        rows.append(run_fold(dataset, root, run, settings, runs))
        print(rows[-1], flush=True)
    results.data["svia"] = data_digest("svia")
    results.add_table("svia", rows)
    summarise(results, rows)
    results.write(REFERENCE / "detection_svia.json")
    enter("detection_evaluation", {key: value for key, value in results.values.items() if key.startswith("svia.")})
    enter("detection_training", {"imagenet_gain": results.values["imagenet_gain.ap50"]})


def enter(name: str, values: dict[str, Value]) -> None:
    """Replace values of a chapter's reference results; their method says which file holds their provenance."""
    path = REFERENCE / f"{name}.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["tables"].pop("svia", None)
    for key, value in values.items():
        content["values"][key] = value.model_dump() | {"method": f"{value.method}; from detection_svia.json"}
    write_text_atomic(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def summarise(results: Results, rows: list[dict[str, Any]]) -> None:
    """Mean over seeds of each initialisation, and of ImageNet less scratch, with t intervals over seeds."""
    about = {"data": "SVIA", "level": 0.95, "n": len(SEEDS), "n_of": "seeds"}
    for name, key in (("ap", "ap50"), ("ar", "ar100")):
        found = {start: [row[name] for row in rows if row["initialisation"] == start] for start in INITIALISATIONS}
        for start, values in found.items():
            method = f"one held-out video, {start}, mean over seeds; t interval over seeds"
            results.add(f"svia.{start}.{key}", np.mean(values), interval=seeds_interval(values), method=method, **about)
        results.values[f"svia.{key}"] = results.values[f"svia.imagenet.{key}"]
        gains = np.subtract(found["imagenet"], found["scratch"])
        method = "ImageNet less scratch, same seed; one held-out video; t interval over seeds"
        results.add(f"imagenet_gain.{key}", gains.mean(), interval=seeds_interval(gains), method=method, **about)


@dataclass(frozen=True)
class Run:
    """One training of the study on videos."""

    held_out: str
    initialisation: str
    seed: int

    @property
    def name(self) -> str:
        """The run's folder."""
        return f"{self.initialisation}-{self.held_out}-seed{self.seed}"


def fold(dataset: Dataset, held_out: str) -> Split:
    """Split by video that tests on `held_out` and validates on the video after it."""
    videos = sorted({image.video_id or "" for image in dataset.images})
    following = videos[(videos.index(held_out) + 1) % len(videos)]
    rest = tuple(video for video in videos if video not in (held_out, following))
    return Split(by="video_id", train=rest, validation=(following,), test=(held_out,))


def run_fold(dataset: Dataset, root: Path | str, run: Run, settings: Settings, out: Path | str) -> dict[str, Any]:
    """Train and test one run under `out`; returns its result, at once where it is there already.

    Raises `ValueError` where the result that is there is of other settings or data, or where the run did not start
    from what it is named after.
    """
    place = Path(out) / run.name
    ids = fold(dataset, run.held_out).of(dataset)
    part = {name: labelled_images(dataset, root, members) for name, members in ids.items()}
    chosen = settings.with_(initialisation=run.initialisation)
    about = {"settings": chosen.as_record(), "data": digest_of(*part.values())}
    if (place / "result.json").exists():
        return _finished(place / "result.json", about)
    trained = train(part["train"], part["validation"][::VALIDATION_STRIDE], chosen, place, run.seed)
    if trained.initialisation != run.initialisation:
        raise ValueError(f"{run.name}: started from {trained.initialisation}; set ICSILIB_WEIGHTS and run it again")
    found = detect_files(with_openvino(load_detector(trained.weights)), part["test"])
    scores = scores_of(coco_evaluation(part["test"], found))
    result = {
        "held_out": run.held_out,
        "initialisation": run.initialisation,
        "seed": run.seed,
        "ap": scores.ap,
        "ar": scores.ar,
        "frames": len(part["test"]),
        "sperm": sum(len(image.boxes) for image in part["test"]),
    }
    write_text_atomic(place / "result.json", json.dumps(result | {"about": about}))
    return result


def _finished(file: Path, about: dict[str, Any]) -> dict[str, Any]:
    """The result in `file`; raises `ValueError` where it says that it is of other settings or data."""
    result = json.loads(file.read_text())
    found = result.pop("about", {})
    if other := differences(found, about):
        raise ValueError(f"{file}: is of other {', '.join(other)}; choose another folder or delete it")
    return result


def held_out_runs(held_out: str) -> list[Run]:
    """Three seeds of each initialisation on one held-out video."""
    return [Run(held_out, start, seed) for seed in SEEDS for start in INITIALISATIONS]


def seeds_interval(values: Sequence[float]) -> tuple[float, float]:
    """95 % t interval of the mean over seeds: how the result varies with chance in training, not with the video."""
    low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
    return float(low), float(high)


if __name__ == "__main__":
    typer.run(main)
