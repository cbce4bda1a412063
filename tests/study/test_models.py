"""Which weights a chapter takes: named ones, else shipped ones, else the newest that this run has trained."""

import os
from pathlib import Path

import pytest

from icsilib.study import models


def choose(folder: Path, named: str = "") -> tuple[Path, str]:
    return models._weights(named, folder / "shipped.safetensors", folder / "runs", "training")


def test_named_before_shipped_before_trained(tmp_path: Path) -> None:
    for number, run in enumerate(("old", "new")):
        weights = tmp_path / "runs" / run / "weights.safetensors"
        weights.parent.mkdir(parents=True)
        weights.touch()
        os.utime(weights, (number, number))
    assert choose(tmp_path) == (tmp_path / "runs/new/weights.safetensors", "weights that this run trained")
    (tmp_path / "shipped.safetensors").touch()
    assert choose(tmp_path) == (tmp_path / "shipped.safetensors", "reference weights shipped with the study")
    assert choose(tmp_path, "mine.safetensors") == (Path("mine.safetensors"), "weights named in the parameters")


def test_without_any_weights_the_notebook_to_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"run notebooks/training\.ipynb"):
        choose(tmp_path)
