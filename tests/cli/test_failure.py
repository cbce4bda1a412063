"""Every command ends with one line when it cannot do what it was asked."""

import errno
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from icsilib.cli import app
from icsilib.cli.failure import OneLineErrors
from icsilib.errors import IcsiError

FULL = OSError(errno.ENOSPC, "No space left on device", "out/labels.json")
ENDS = {
    "refused": (IcsiError("a.json: has no images; choose another"), 1, "Error: a.json: has no images; choose another"),
    "disk full": (FULL, 1, "Error: out/labels.json: No space left on device"),
    "Ctrl-C": (KeyboardInterrupt(), 130, "Stopped."),
}


@pytest.mark.parametrize("end", ENDS)
def test_one_line_and_its_exit_status(end):
    error, status, line = ENDS[end]
    failing = typer.Typer(cls=OneLineErrors)

    @failing.command("go")
    def go():
        raise error

    failing.command("other")(lambda: None)
    result = CliRunner().invoke(failing, ["go"])
    assert (result.exit_code, result.stderr.strip().splitlines()) == (status, [line])


def test_a_mistake_in_the_code_keeps_its_traceback():
    failing = typer.Typer(cls=OneLineErrors)
    failing.command("go")(lambda: {}["missing"])
    failing.command("other")(lambda: None)
    assert isinstance(CliRunner().invoke(failing, ["go"]).exception, KeyError)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(app, ["phantom", "icsi", "--videos", "3", "--size", "32", "--out", str(tmp_path / "file" / "x")])  # fmt: skip  # noqa: E501
    assert result.exit_code == 1
    assert len(result.stderr.strip().splitlines()) == 1
    assert str(tmp_path / "file") in result.stderr


def test_help_imports_no_numerics():
    """`icsi --help` answers at once: what takes long to import is imported by the command that needs it."""
    code = "import sys, icsilib.cli; print([m for m in ('torch', 'numpy', 'pandas', 'pydantic') if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"
