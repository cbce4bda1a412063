"""The stored notebooks were run, top to bottom, with their defaults, and read as prose."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from icsilib.study.order import ROOT, chapters

STORED = sorted((ROOT / "notebooks").glob("*.ipynb"))


def code_cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code" and "".join(cell["source"]).strip()]


def never_run(notebook: dict[str, Any]) -> list[int]:
    """Positions of code cells whose execution count does not follow the one before."""
    counts = [cell["execution_count"] for cell in code_cells(notebook)]
    return [position for position, count in enumerate(counts, start=1) if count != position]


@pytest.fixture(params=STORED, ids=lambda path: path.stem)
def stored(request: pytest.FixtureRequest) -> dict[str, Any]:
    return json.loads(request.param.read_text(encoding="utf-8"))


def test_every_cell_was_run_in_order(stored: dict[str, Any]) -> None:
    assert never_run(stored) == []


def test_a_notebook_that_was_never_run_is_found(tmp_path: Path) -> None:
    nbformat.write(new_notebook(cells=[new_code_cell("1 + 1")]), tmp_path / "a.ipynb")
    assert never_run(json.loads((tmp_path / "a.ipynb").read_text())) == [1]


def test_no_cell_ended_in_an_error(stored: dict[str, Any]) -> None:
    kinds = [output["output_type"] for cell in code_cells(stored) for output in cell["outputs"]]
    assert "error" not in kinds


def test_parameters_stand_in_one_tagged_cell_with_the_quick_run(stored: dict[str, Any]) -> None:
    tagged = [cell for cell in code_cells(stored) if "parameters" in cell["metadata"].get("tags", [])]
    assert len(tagged) == 1
    assert 'profile = "quick"' in "".join(tagged[0]["source"])


def test_cells_are_short_and_define_nothing(stored: dict[str, Any]) -> None:
    sources = ["".join(cell["source"]) for cell in code_cells(stored)]
    assert max(len(source.splitlines()) for source in sources) <= 25
    assert not [source for source in sources if source.startswith(("def ", "class ")) or "\ndef " in source]


def test_every_stored_notebook_is_a_chapter_and_every_chapter_is_stored() -> None:
    assert {chapter.source for chapter in chapters().values()} == set(STORED)


@pytest.mark.parametrize(("stored_text", "passes"), [("42\n", True), ("43\n", False)])
def test_nbval_holds_a_stored_number_against_the_run(tmp_path: Path, stored_text: str, passes: bool) -> None:
    cell = new_code_cell("print(6 * 7)", execution_count=1)
    cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=stored_text)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new_notebook(cells=[cell], metadata=kernel), tmp_path / "a.ipynb")
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-p", "no:cacheprovider", tmp_path]
    done = subprocess.run(list(map(str, command)), cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode == 0) is passes, done.stdout
