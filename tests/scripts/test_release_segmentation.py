"""The release script scores the shipped weights by one look and by two in one go, on sets of the smallest scale."""

import pytest
from script_files import load_script
from typer.testing import CliRunner

from icsilib.phantoms.icsi_dataset import write_icsi_dataset
from icsilib.study.provenance import read_results
from icsilib.study.segmentation_scores import TWO_LOOKS


@pytest.fixture
def script(monkeypatch, tmp_path):
    """The script, which writes into `tmp_path` and has no photographs."""
    module = load_script("release_segmentation")
    monkeypatch.setattr(module, "REFERENCES", tmp_path)
    monkeypatch.setattr(module, "MODEL_CARD", tmp_path / "card.md")
    monkeypatch.setattr(module, "available", lambda name: False)
    return module


def test_every_key_and_table_of_one_look_has_its_twin_of_two(script, tmp_path, monkeypatch):
    data = write_icsi_dataset(tmp_path / "data", videos=3, seed=5, size=64, every=40, workers=1)

    def score():
        return CliRunner().invoke(script.app, ["scores", *[str(data)] * 4, str(tmp_path / "kept")])

    done = score()
    assert done.exit_code == 0, done.output
    written = read_results(tmp_path / "segmentation_evaluation.json")
    once = {key for key in written.values if not key.startswith((TWO_LOOKS, "inference.", "openvino.", "flips."))}
    twice = {key.removeprefix(TWO_LOOKS) for key in written.values if key.startswith(TWO_LOOKS)}
    assert twice - once == {"closeup.ms", "closeup.gflop"}
    assert {"tip.mean", "new.tip.mean", "coarser.tip.mean", "with_hard_scenes.tip.mean"} <= once <= twice
    tables = {name.removeprefix(TWO_LOOKS) for name in written.tables if name.startswith(TWO_LOOKS)}
    assert tables == {name for name in written.tables if not name.startswith(TWO_LOOKS)}
    assert tables >= {"by_contrast", "by_needle", "by_kit"}
    assert "by one look, the paper's method" in (tmp_path / "card.md").read_text()

    monkeypatch.setattr(script, "frame_table", None)  # all tables are kept: nothing is scored again
    assert score().exit_code == 0
