"""Training and testing on SVIA's five videos, one of them held out at a time.

Frames of one video show the same sperm a moment later, so a video is wholly in one part. Fold k tests on video k,
validates on the next and trains on the other three. A run leaves `result.json`, which says of what settings and data
it is; runs that have one are not repeated.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from icsilib.data.annotations import Dataset
from icsilib.data.splits import Split
from icsilib.detection.detector import Detector
from icsilib.detection.evaluate import coco_evaluation, scores_of
from icsilib.detection.export import with_openvino
from icsilib.detection.images import digest_of, labelled_images
from icsilib.detection.settings import Settings, as_record
from icsilib.detection.train import detect_files, train
from icsilib.detection.weights import load_weights
from icsilib.files import write_text_atomic
from icsilib.training.checkpoints import differences

VALIDATION_STRIDE = 8  # every so many frames of the validation video: its neighbours hardly differ


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


def run_fold(
    dataset: Dataset, root: Path | str, run: Run, settings: Settings, out: Path | str, progress: bool = False
) -> dict[str, Any]:
    """Train and test one run under `out`; returns its result, at once where it is there already.

    Raises `ValueError` where the result that is there is of other settings or data, or where the run did not start
    from what it is named after.
    """
    place = Path(out) / run.name
    ids = fold(dataset, run.held_out).of(dataset)
    part = {name: labelled_images(dataset, root, members) for name, members in ids.items()}
    chosen = settings.with_(initialisation=run.initialisation)
    about = {"settings": as_record(chosen), "data": digest_of(*part.values())}
    if (place / "result.json").exists():
        return _finished(place / "result.json", about)
    trained = train(part["train"], part["validation"][::VALIDATION_STRIDE], chosen, place, run.seed, progress=progress)
    if trained.initialisation != run.initialisation:
        raise ValueError(f"{run.name}: started from {trained.initialisation}; set ICSILIB_WEIGHTS and run it again")
    network, _, _ = load_weights(trained.weights)
    found = detect_files(with_openvino(Detector(network, chosen)), part["test"])
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


INITIALISATIONS = ("imagenet", "scratch")
SEEDS = (0, 1, 2)


def held_out_runs(held_out: str) -> list[Run]:
    """Three seeds of each initialisation on one held-out video."""
    return [Run(held_out, start, seed) for seed in SEEDS for start in INITIALISATIONS]


def seeds_interval(values: Sequence[float]) -> tuple[float, float]:
    """95 % t interval of the mean over seeds: how the result varies with chance in training, not with the video."""
    low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
    return float(low), float(high)
