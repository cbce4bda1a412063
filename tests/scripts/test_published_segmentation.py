"""The published settings' script runs whole, by the same code at the smallest scale."""

import json

import pytest
from script_files import load_script
from typer.testing import CliRunner

from icsilib.phantoms.icsi_dataset import write_icsi_dataset
from icsilib.segmentation.settings import PROFILES


@pytest.fixture
def script(monkeypatch):
    """The script's commands, with a profile that takes seconds: the paper's, smaller."""
    module = load_script("published_segmentation")
    small = {"size": 32, "widths": (4, 8, 8, 8), "epochs": 1, "workers": 0}
    monkeypatch.setitem(PROFILES, "small", PROFILES["paper"].with_(profile="small", **small))
    return module


def test_it_labels_trains_in_pieces_and_scores(script, tmp_path):
    data, run, results = tmp_path / "data", tmp_path / "run", tmp_path / "results.json"
    write_icsi_dataset(data, videos=3, size=64, every=10, workers=1)

    def call(*words):
        return CliRunner().invoke(script.app, [*map(str, words)])

    assert call("labels", data).exit_code == 0
    assert call("train", data, run, "--profile", "small", "--minutes", 0).exit_code == script.UNFINISHED
    assert call("train", data, run, "--profile", "small").exit_code == 0
    done = call("score", data, run, "--profile", "small", "--results", results)
    assert done.exit_code == 0, done.output
    values = json.loads(results.read_text())["values"]
    assert {"people.oolemma.iou.mean", "truth.tip.mean", "perfect.oolemma.iou.mean"} <= set(values)
    assert values["perfect.oolemma.iou.mean"]["value"] > 0.9
