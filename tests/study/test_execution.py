import json
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from typer.testing import CliRunner

from icsilib.cli import app
from icsilib.study.execution import NotebookError, run_notebook


def write_notebook(path: Path, *sources: str) -> Path:
    cells = [new_markdown_cell("# A small notebook")] + [new_code_cell(source) for source in sources]
    cells[1].metadata["tags"] = ["parameters"]
    nbformat.write(new_notebook(cells=cells), path)
    return path


def test_parameters_reach_the_notebook_and_a_repeat_leaves_no_diff(tmp_path: Path) -> None:
    source = write_notebook(tmp_path / "a.ipynb", "x = 1", "print(x + 1)\nprint('end')")
    first = run_notebook(source, tmp_path / "out" / "first.ipynb", {"x": 41}).read_text()
    second = run_notebook(source, tmp_path / "out" / "second.ipynb", {"x": 41}).read_text()
    assert first == second
    assert json.loads(first)["cells"][-1]["outputs"][0]["text"] == ["42\n", "end\n"]


def test_a_notebook_that_stops_leaves_no_target_and_names_the_cell(tmp_path: Path) -> None:
    source = write_notebook(tmp_path / "a.ipynb", "x = 0", "1 / x")
    with pytest.raises(NotebookError, match=r"a\.ipynb: cell 2: ZeroDivisionError"):
        run_notebook(source, tmp_path / "out.ipynb")
    assert not (tmp_path / "out.ipynb").exists()
    assert (tmp_path / "out.failed.ipynb").exists()


@pytest.mark.parametrize("command", [["run", "missing.ipynb", "out.ipynb"], ["refresh", "missing.ipynb"]])
def test_a_notebook_that_is_not_there_is_named(command: list[str]) -> None:
    done = CliRunner().invoke(app, ["study", *command])
    assert done.exit_code == 2
    assert "missing.ipynb" in done.output
