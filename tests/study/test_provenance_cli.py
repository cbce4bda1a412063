"""`icsi provenance` walks from a key to what made it, and says what to do when it cannot."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from icsilib.cli import app
from icsilib.study.provenance import Results, code_revision


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, value in (("claims", 0.5), ("toy", 0.9)):
        results = Results(name, "quick", seed=7, split="by video")
        results.data["phantom"] = "ab" * 32
        results.add("equal_confidence.ap", value, unit="IoU", n=14, n_of="frames", interval=(0.4, 0.6), level=0.95)
        results.write(tmp_path / f"{name}.json")
    return tmp_path


def ask(folder: Path, key: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["provenance", key, "--results", str(folder)])
    return result.exit_code, result.output


def test_a_key_leads_to_value_notebook_code_data_and_seed(folder: Path) -> None:
    code, text = ask(folder, "claims:equal_confidence.ap")
    assert code == 0
    assert "0.5 IoU, 95% interval 0.4 to 0.6, n = 14 frames" in text
    assert "notebooks/claims.ipynb" in text
    assert "Checks that this chapter makes itself" in text
    assert code_revision()[0] in text
    assert f"phantom sha256:{'ab' * 32}" in text
    assert "quick, seed 7" in text
    assert "split=by video" in text


def test_a_key_alone_shows_every_notebook_that_has_it(folder: Path) -> None:
    code, text = ask(folder, "equal_confidence.ap")
    assert code == 0
    assert "claims:equal_confidence.ap" in text
    assert "toy:equal_confidence.ap" in text


@pytest.mark.parametrize("key", ["claims:equal_confidence.map", "equal_confidence.map"])
def test_an_unknown_key_names_its_neighbours(folder: Path, key: str) -> None:
    code, text = ask(folder, key)
    assert code == 1
    assert text.startswith("Error: ")
    assert "near it: claims:equal_confidence.ap" in text


@pytest.mark.parametrize("key", ["nowhere:iou", "iou"])
def test_without_results_the_remedy_is_named(tmp_path: Path, key: str) -> None:
    code, text = ask(tmp_path / "none", key)
    assert code == 1
    assert "run `make book`" in text
