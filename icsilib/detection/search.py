"""A small search over settings: each candidate is trained briefly and measured on the validation images alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from icsilib.detection.dataset import LabelledImage
from icsilib.detection.settings import Settings
from icsilib.detection.training import train

# What the paper leaves open, one change at a time from the first; read with the `standard` profile.
CANDIDATES: dict[str, dict[str, Any]] = {
    "base": {},
    "rate x3": {"learning_rate": 3e-3},
    "rate /3": {"learning_rate": 3e-4},
    "epsilon 1": {"epsilon": 1.0, "learning_rate": 4e-3},
    "no momentum": {"momentum": 0.0},
    "l2 x10": {"l2": 4e-4},
    "localisation x2": {"localisation_weight": 2.0},
    "zoom 1.2": {"zoom": 1.2},
    "more empty windows": {"empty_share": 0.5},
    "stages 0-3 frozen": {"frozen_stages": 4},
    "whole images, 640 px, averaged": {"window": None, "input_size": 640, "resample": "pool"},
    "whole images, 640 px, bilinear": {"window": None, "input_size": 640, "resample": "bilinear"},
    "whole images, 300 px": {"window": None, "input_size": 300},
}


def search(
    training: Sequence[LabelledImage],
    validation: Sequence[LabelledImage],
    base: Settings,
    candidates: Mapping[str, Mapping[str, Any]],
    out: Path | str,
    seed: int = 0,
    progress: bool = False,
) -> list[dict[str, Any]]:
    """Train `base` with each candidate's changes under `out`, finished ones excepted; one row a candidate.

    A row has the candidate's name, its changes, and average precision and recall on `validation` at the end.
    """
    rows = []
    for name, changes in candidates.items():
        trained = train(training, validation, base.with_(**changes), Path(out) / name, seed, progress=progress)
        last = [row for row in trained.log if "validation_ap" in row][-1]
        scores = {"validation_ap": last["validation_ap"], "validation_ar": last["validation_ar"]}
        rows.append({"candidate": name, "steps": last["step"], "initialisation": trained.initialisation} | scores)
        rows[-1] |= {"changes": ", ".join(f"{key} = {value}" for key, value in changes.items())}
    return rows
