"""The two ways to set the study up install the same pinned packages."""

import ast
import json
import re
import sys
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from icsilib.study.order import ROOT

FILES = ("requirements.txt", "requirements-dev.txt")


def test_conda_installs_what_the_makefile_installs() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert pip == ["-r requirements.txt", "-r requirements-dev.txt", "-e ."]
    assert "python=3.11" in environment["dependencies"]


def test_every_package_is_pinned_exactly_and_without_a_local_suffix() -> None:
    lines = [line for name in FILES for line in (ROOT / name).read_text().splitlines()]
    packages = [line for line in lines if line and not line.startswith("#")]
    assert [line for line in packages if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
    names = [line.split("==")[0].lower() for line in packages]
    assert len(names) == len(set(names))
    assert "opencv-python" not in names  # two OpenCV wheels share one folder and break each other


def test_the_package_declares_what_it_imports() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    files = (ROOT / "icsilib").rglob("*.py")
    assert {canonicalize_name(re.split(r"[<>=]", name)[0]) for name in declared} == imported_distributions(files)


def test_the_book_needs_no_development_tool(tmp_path: Path) -> None:
    cells = [cell for file in (ROOT / "notebooks").glob("*.ipynb") for cell in json.loads(file.read_text())["cells"]]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    (tmp_path / "cells.py").write_text("\n".join(code).replace("\n%", "\n# %"))
    installed = with_dependencies((ROOT / "requirements.txt").read_text().splitlines())
    assert imported_distributions([tmp_path / "cells.py", *(ROOT / "icsilib").rglob("*.py")]) - installed == set()
    assert "statsmodels" not in installed


def with_dependencies(lines: Iterable[str]) -> set[str]:
    """Names of the distributions that lines of requirements install, with all that these need on this machine."""
    found, waiting = set[str](), [Requirement(line) for line in lines if line and not line.startswith("#")]
    done = set[str]()
    while waiting:
        wanted = waiting.pop()
        if str(wanted) not in done:
            done.add(str(wanted))
            found.add(wanted.name.lower())
            needs = [Requirement(line) for line in metadata.requires(wanted.name) or []]
            extras = ["", *wanted.extras]
            waiting += [n for n in needs if not n.marker or any(n.marker.evaluate({"extra": e}) for e in extras)]
    return {canonicalize_name(name) for name in found}


def imported_distributions(files: Iterable[Path]) -> set[str]:
    """Names of the distributions that the files import."""
    modules: set[str] = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            modules |= {name.split(".")[0] for name in names}
    known = metadata.packages_distributions()
    outside = modules - set(sys.stdlib_module_names) - {"icsilib"}
    return {canonicalize_name(known[name][0]) for name in outside}
