"""The study on machines unlike this one, all at once: a folder with a space and an umlaut inside another repository,
a HOME that cannot be written, no `os.sched_getaffinity` (macOS)."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from icsilib.study.order import ROOT

CHAPTERS = ["icsi_data", "annotator_variation", "segmentation_model"]  # the first three
TESTS = ["tests/study", "tests/data", "--ignore=tests/study/test_machines.py"]
NO_AFFINITY = "import os\nif hasattr(os, 'sched_getaffinity'):\n    del os.sched_getaffinity\n"
IN_CHECKOUT = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs a git checkout of the study")


class Machine:
    """A copy of the study in `folder`, and how to run something there."""

    def __init__(self, folder: Path, customised: Path) -> None:
        self.folder, self.customised = folder, customised

    def run(self, *command: str) -> str:
        """What a command printed; it must succeed."""
        environment = os.environ | {
            "HOME": "/dev/null/home",  # not even root can make it
            "MPLCONFIGDIR": str(self.folder / "build/home/matplotlib"),
            "XDG_CACHE_HOME": str(self.folder / "build/home/cache"),
            "IPYTHONDIR": str(self.folder / "build/home/ipython"),
            "PYTHONPATH": os.pathsep.join([str(self.folder), str(self.customised)]),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        }
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout + done.stderr

    def snakemake(self, *words: str) -> str:
        """Ask Snakemake, as `make book` does, for the book's first chapters."""
        return self.run(sys.executable, "-m", "snakemake", "--cores", "1", "--nolock", *words, "--", *CHAPTERS)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    outer = tmp_path_factory.mktemp("andere Übung")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(outer)]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "another study"]):
        subprocess.run([*git, *words], check=True)
    skipped = shutil.ignore_patterns(".git", ".venv", "build", "__pycache__", ".snakemake", ".*_cache")
    (outer / "python").mkdir()
    (outer / "python" / "sitecustomize.py").write_text(NO_AFFINITY)
    folder = outer / "ICSI Übung"
    shutil.copytree(ROOT, folder, ignore=skipped, symlinks=True)
    (folder / ".git-revision").write_text("c" * 40 + "\n")
    return Machine(folder, outer / "python")


def test_the_first_chapters_are_those_of_the_contents() -> None:
    contents = yaml.safe_load((ROOT / "book/_toc.yml").read_text(encoding="utf-8"))["parts"]
    files = [each.get("file", "") for part in contents for each in part["chapters"]]
    chapters = [name for name in files if (ROOT / f"{name}.ipynb").exists()]  # others are made from these
    assert [name.removeprefix("notebooks/") for name in chapters[:3]] == CHAPTERS


def test_chapters_run_and_run_again_only_for_a_reason(machine: Machine) -> None:
    assert machine.run(sys.executable, "-c", "import os; print(hasattr(os, 'sched_getaffinity'))").strip() == "False"
    machine.snakemake()
    written = sorted((machine.folder / "build/quick/results").glob("*.json"))
    assert len(written) >= len(CHAPTERS)
    for results in written:
        assert '"revision": "' + "c" * 40 in results.read_text()
    moved = machine.folder.rename(machine.folder.with_name("ICSI Übung, umgezogen"))
    machine.folder, results = moved, moved / results.relative_to(machine.folder)
    assert "Nothing to be done" in machine.snakemake("-n")
    text = results.read_text()
    results.unlink()
    assert results.name in machine.snakemake("-n")
    results.write_text(text)
    source = moved / "icsilib/data/annotations.py"
    source.write_text(source.read_text(encoding="utf-8") + "\n# another version\n", encoding="utf-8")
    os.utime(source, (0, 0))  # unpacked from an archive, with the archive's time
    assert "Params have changed" in machine.snakemake("-n")


def test_tests_of_study_and_data_pass(machine: Machine) -> None:
    machine.run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS)


@IN_CHECKOUT
def test_windows_line_endings_reach_no_file(tmp_path: Path) -> None:
    words = ["-c", "core.autocrlf=true", "checkout-index", "--all", "--force", f"--prefix={tmp_path}/"]
    subprocess.run(["git", *words], cwd=ROOT, check=True)
    texts = [
        path for path in tmp_path.rglob("*") if path.suffix in (".py", ".md", ".yaml", ".ipynb", ".sha256", ".txt")
    ]
    assert len(texts) > 200
    assert [path.name for path in [*texts, tmp_path / ".ci/run"] if b"\r\n" in path.read_bytes()] == []


@IN_CHECKOUT
def test_an_archive_carries_its_commit(tmp_path: Path) -> None:
    archive = subprocess.run(["git", "archive", "HEAD", ".git-revision"], cwd=ROOT, check=True, capture_output=True)
    subprocess.run(["tar", "x"], input=archive.stdout, cwd=tmp_path, check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert (tmp_path / ".git-revision").read_text() == head
