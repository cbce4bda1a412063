"""A small search over settings: each candidate is trained briefly and measured on the validation images alone."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from icsilib.detection.images import LabelledImage
from icsilib.detection.settings import PROFILES, Settings
from icsilib.detection.train import train

# The first steps of the reference run, long enough to tell candidates apart.
SEARCHED = PROFILES["standard-crowd"].with_(steps=200, validate_every=200, warm_up=50)
# What the paper leaves open, one change at a time from `SEARCHED`.
CANDIDATES: dict[str, dict[str, Any]] = {
    "base": {},
    "rate x3": {"learning_rate": 6e-4},
    "all stages trained": {"frozen_stages": 0},
    "rate /3": {"learning_rate": 7e-5},
    "no momentum, rate x10": {"momentum": 0.0, "learning_rate": 2e-3},
    "localisation x2": {"localisation_weight": 2.0},
    "l2 x10": {"l2": 4e-4},
    "more empty windows": {"empty_share": 0.5},
    "zoom 1.2": {"zoom": 1.2},
}


def search(
    training: Sequence[LabelledImage],
    validation: Sequence[LabelledImage],
    base: Settings,
    candidates: Mapping[str, Mapping[str, Any]],
    out: Path | str,
    seed: int = 0,
    progress: bool = False,
) -> Iterator[dict[str, Any]]:
    """Train `base` with each candidate's changes under `out`, finished ones excepted; one row a candidate.

    A row has the candidate's name, its changes, and average precision and recall on `validation` at the end.
    """
    for name, changes in candidates.items():
        trained = train(training, validation, base.with_(**changes), Path(out) / name, seed, progress=progress)
        last = [row for row in trained.log if "validation_ap" in row][-1]
        scores = {"validation_ap": last["validation_ap"], "validation_ar": last["validation_ar"]}
        about = {"candidate": name, "changes": ", ".join(f"{key} = {value}" for key, value in changes.items())}
        yield about | {"steps": last["step"], "initialisation": trained.initialisation} | scores
