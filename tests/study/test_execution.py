import fcntl
import json
import subprocess
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from typer.testing import CliRunner

from icsilib.cli import app
from icsilib.errors import IcsiError
from icsilib.study import execution
from icsilib.study.execution import NotebookError, run_notebook, run_study


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


START = "from icsilib.study.notebooks import start_chapter\nstart_chapter(profile, seed, build)"
PARAMETERS = 'profile = "quick"\nseed = 0\nbuild = "../build"'
WRONG = {
    "a misspelt parameter": ({"sed": 7}, "sed: no parameter of this notebook, which has profile, seed, build"),
    "a misspelt profile": ({"profile": "quik"}, "profile is 'quik'; choose quick, standard, paper"),
    "no seed": ({"seed": None}, "seed is None; give a whole number"),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_parameter_that_cannot_be_meant_is_refused_by_name(tmp_path: Path, mistake: str) -> None:
    parameters, message = WRONG[mistake]
    with pytest.raises(NotebookError, match=message):
        run_notebook(write_notebook(tmp_path / "a.ipynb", PARAMETERS, START), tmp_path / "out.ipynb", parameters)


def test_papermill_by_hand_writes_where_the_study_does(tmp_path: Path) -> None:
    source = write_notebook(tmp_path / "a.ipynb", PARAMETERS, START + ".resolve()")
    command = ["papermill", str(source), str(tmp_path / "b.ipynb"), "-p", "seed", "7", "-k", "python3", "-l", "python"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    shown = json.loads((tmp_path / "b.ipynb").read_text())["cells"][-1]["outputs"][0]["data"]["text/plain"]
    assert str(execution.ROOT / "build" / "quick") in "".join(shown)


def test_a_value_that_is_missing_on_the_command_line_is_asked_for(tmp_path: Path) -> None:
    source = write_notebook(tmp_path / "a.ipynb", "x = 1")
    done = CliRunner().invoke(app, ["study", "run", str(source), str(tmp_path / "out.ipynb"), "-p", "seed"])
    assert (done.exit_code, done.output.strip()) == (1, "Error: -p seed: has no value; write -p seed=value")


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study of one rule, whose command `run.sh` holds."""
    monkeypatch.setattr(execution, "ROOT", tmp_path)
    (tmp_path / "Snakefile").write_text('rule a:\n    input: "run.sh"\n    output: "a.txt"\n    shell: "sh run.sh"\n')
    return tmp_path


def test_a_run_prints_its_chapters_lines_alone(study: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (study / "run.sh").write_text("echo chapter 3 s; echo a warning of the kernel >&2; touch a.txt")
    (study / ".snakemake" / "locks").mkdir(parents=True)
    (study / ".snakemake" / "locks" / "0.output.lock").write_text("a.txt\n")  # left by a power cut
    run_study("quick", 1)
    assert capfd.readouterr() == ("chapter 3 s\n", "")


def test_a_run_that_fails_repeats_the_error_in_full(study: Path) -> None:
    (study / "run.sh").write_text("echo line one >&2; echo line two >&2; exit 1")
    with pytest.raises(IcsiError, match=r"(?s)line one\nline two\n.*the same command goes on"):
        run_study("quick", 1)


def test_two_runs_in_one_folder_do_not_meet(study: Path) -> None:
    (study / "build").mkdir()
    with (study / "build" / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(IcsiError, match="another run of the study works in this folder"):
            run_study("quick", 1)
