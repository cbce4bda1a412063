"""The study run by Snakemake, and its notebooks by papermill, so that an unchanged run leaves an unchanged file."""

import fcntl
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import papermill
from papermill.exceptions import PapermillExecutionError

from icsilib.errors import IcsiError
from icsilib.files import write_text_atomic
from icsilib.study.provenance import ROOT

NOTEBOOKS = ROOT / "notebooks"


class NotebookError(IcsiError):
    """A notebook that stopped; the message names notebook, cell and error."""


def run_study(profile: str, cores: int) -> None:
    """Run whatever of the study is missing or changed, and build the book; a line for each chapter is printed.

    Everything else that Snakemake and the kernels say goes to `build/<profile>/run.log`, which `IcsiError` repeats.
    """
    log = ROOT / "build" / profile / "run.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), "--config", f"profile={profile}", "--nolock"]
    command += ["--quiet", "rules", "progress", "host"]
    with _alone(ROOT / "build" / ".lock"), log.open("w", encoding="utf-8") as said:
        caches = {"XDG_CACHE_HOME": str(ROOT / "build" / "home" / "cache")}  # a home folder may be read-only
        done = subprocess.run(command, cwd=ROOT, env=os.environ | caches, stderr=said)
    if done.returncode:
        raise IcsiError(f"{log.read_text(encoding='utf-8')}\nThe study stopped; the same command goes on from there.")


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold a lock of the operating system, which ends with its process: a power cut leaves nothing locked."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise IcsiError(f"{path}: another run of the study works in this folder; wait for it to end") from None
        yield


def run_notebook(source: Path | str, target: Path | str, parameters: dict[str, Any] | None = None) -> Path:
    """Execute `source` with `parameters` in the folder `notebooks/` and write the normalised result to `target`.

    The target appears only when every cell succeeded. A notebook that stops leaves `<target>.failed.ipynb`
    to look at and raises `NotebookError`.
    """
    source, target = Path(source), Path(target)
    failed = target.with_suffix(".failed.ipynb")
    failed.parent.mkdir(parents=True, exist_ok=True)
    # Kernels find this checkout's library even where another copy is installed.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")  # a warning of every kernel's debugger
    try:
        papermill.execute_notebook(
            source,
            failed,
            parameters or {},
            kernel_name="python3",
            language="python",
            progress_bar=False,
            start_timeout=600,
            cwd=NOTEBOOKS,
        )
    except PapermillExecutionError as error:
        traceback = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback))
        cause = f"{error.ename}: {error.evalue} (open {failed} to see it)"
        raise NotebookError(f"{source.name}: cell {error.exec_count}: {cause}\n{traceback}") from None
    notebook = normalise(nbformat.read(failed, as_version=4))
    write_text_atomic(target, nbformat.writes(notebook) + "\n")
    failed.unlink()
    return target


def normalise(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Drop what differs between two equal runs: papermill's and the kernel's times, random cell ids."""
    notebook.metadata.pop("papermill", None)
    for number, cell in enumerate(notebook.cells):
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        cell.id = f"cell-{number:02d}"
        if cell.cell_type == "code":
            cell.outputs = _joined_streams(cell.outputs)
    return notebook


def _joined_streams(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Neighbouring pieces of one stream as one output: where they were cut is chance."""
    joined: list[nbformat.NotebookNode] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            joined.append(output)
    return joined
