"""The published detector's script runs whole, by the same code at the smallest scale."""

import json

import pandas as pd
import pytest
from script_files import load_script
from typer.testing import CliRunner

from icsilib.detection.settings import PROFILES
from icsilib.phantoms.biopsy_dataset import write_biopsy_dataset


@pytest.fixture
def script(monkeypatch):
    """The script's commands, with a profile that takes seconds and a benchmark of a few images."""
    module = load_script("published_detection")
    small = {"input_size": 64, "batch_size": 2, "steps": 2, "validate_every": 1, "initialisation": "scratch"}
    monkeypatch.setitem(PROFILES, "small", PROFILES["authors"].with_(profile="small", **small))
    monkeypatch.setattr(
        module, "write_biopsy_benchmark", lambda out, seed: write_biopsy_dataset(out, 30, seed + 1, workers=1)
    )
    return module


def test_it_trains_in_pieces_and_scores(script, tmp_path):
    data, run, results = tmp_path / "data", tmp_path / "run", tmp_path / "results.json"
    write_biopsy_dataset(data, images=60, workers=1)

    def call(*words):
        return CliRunner().invoke(script.app, [*map(str, words)])

    assert call("train", data, run, "--profile", "small", "--minutes", 0).exit_code == script.UNFINISHED
    done = call("train", data, run, "--profile", "small")
    assert done.exit_code == 0, done.output
    done = call("score", data, tmp_path / "benchmark", run, "--profile", "small", "--results", results)
    assert done.exit_code == 0, done.output
    values = json.loads(results.read_text())["values"]
    assert {"test.ap", "text.ap", "code.ar", "images_per_second"} <= set(values)
    assert values["text.ap"]["n"] >= values["code.ap"]["n"]


def test_a_run_is_finished_when_its_validation_stopped_improving(script, tmp_path):
    rows = [(1, 0.2), (2, 0.5), (3, 0.4), (4, 0.5)]
    log = pd.DataFrame([{"step": n, "validation_ap": f1, "validation_ar": f1} for n, f1 in rows])
    log.to_csv(tmp_path / "log.csv")
    assert script.stalled(tmp_path, 2)  # the second is the best; two have followed
    assert not script.stalled(tmp_path, 3)
    assert not script.stalled(tmp_path / "new", 1)
