"""The two ways to set the study up install the same pinned packages."""

import ast
import re
import sys
import tomllib
from importlib import metadata

import yaml

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
    assert {re.split(r"[<>=]", name)[0].lower() for name in declared} == imported_distributions()


def imported_distributions() -> set[str]:
    """Names of the distributions that the modules of icsilib import."""
    modules: set[str] = set()
    for file in (ROOT / "icsilib").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            modules |= {name.split(".")[0] for name in names}
    known = metadata.packages_distributions()
    outside = modules - set(sys.stdlib_module_names) - {"icsilib"}
    return {known[name][0].lower() for name in outside}
