"""A small search over settings: each candidate is trained briefly and measured on the validation images alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from icsilib.detection.dataset import LabelledImage
from icsilib.detection.settings import Settings
from icsilib.detection.training import train


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
