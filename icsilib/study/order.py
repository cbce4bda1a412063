"""The study's notebooks in reading order, as `book/notebooks.yaml` lists them, and the modules each stands on."""

import ast
import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from icsilib.files import sha256_of

ROOT = Path(__file__).resolve().parents[2]
Training = Literal["none", "own", "earlier"]  # a notebook trains a model itself, or reads what one that trains wrote


class Chapter(BaseModel):
    """One executed notebook of the book."""

    model_config = ConfigDict(extra="forbid")
    notebook: str  # the source, without suffix, in notebooks/
    results: str  # the results file that it writes, without suffix
    after: list[str] = Field(default_factory=list)  # chapters that must have run before
    parameters: dict[str, Any] = Field(default_factory=dict)
    trains: bool = False  # it gets half of the cores, so that both papers' trainings run side by side
    also: list[str] = Field(default_factory=list)  # patterns of other files that it reads, from the root
    needs_data: str | None = None  # name in the data manifest without which the chapter is left out

    @property
    def source(self) -> Path:
        """The notebook's file."""
        return ROOT / "notebooks" / f"{self.notebook}.ipynb"

    @property
    def files(self) -> list[Path]:
        """Files, other than code, that the notebook reads."""
        return sorted(path for pattern in self.also for path in ROOT.glob(pattern))

    @property
    def library(self) -> list[Path]:
        """Files of `icsilib` that the notebook uses."""
        return notebook_sources(self.source)


def chapters(path: Path = ROOT / "book" / "notebooks.yaml") -> dict[str, Chapter]:
    """All chapters by name, in reading order."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {
        name: Chapter.model_validate({"notebook": name, "results": name} | entry) for name, entry in content.items()
    }


def relative(files: Iterable[Path]) -> list[str]:
    """Paths from the study's root, so that moving the folder changes none of them."""
    return [file.relative_to(ROOT).as_posix() for file in files]


def digest_of(files: Iterable[Path], *more: object) -> str:
    """SHA-256 over names and bytes of the study's files, and over the text of whatever `more` is."""
    digest = hashlib.sha256(repr(more).encode())
    for file in sorted(files):
        digest.update(file.relative_to(ROOT).as_posix().encode() + b"\0" + sha256_of(file).encode())
    return digest.hexdigest()


def chapter_digests() -> dict[str, str]:
    """For each chapter a digest of its sources and parameters, and of those of the chapters that it needs.

    Snakemake runs a chapter again when its digest changes, whatever the time stamps of its sources are.
    """
    everything, digests = chapters(), dict[str, str]()

    def visit(name: str) -> str:
        if name not in digests:
            chapter = everything[name]
            sources = [cell_sources(chapter.source), chapter.parameters, [visit(earlier) for earlier in chapter.after]]
            digests[name] = digest_of([*chapter.library, *chapter.files], sources)
        return digests[name]

    for name in everything:
        visit(name)
    return digests


def cell_sources(notebook: Path) -> list[str]:
    """Sources of a notebook's cells, prose included: running it again changes its outputs, and not these."""
    return ["".join(cell["source"]) for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]]


def reading_order() -> dict[Path, Training]:
    """Every notebook file once, after those whose results it reads, and how it depends on training."""
    order: dict[Path, Training] = {}

    def visit(name: str) -> Training:
        chapter = everything[name]
        before = {visit(earlier) for earlier in chapter.after}
        kind: Training = "own" if chapter.trains else "earlier" if before - {"none"} else "none"
        return order.setdefault(chapter.source, kind)

    everything = chapters()
    for name in everything:
        visit(name)
    return order


def module_sources(*modules: str) -> list[Path]:
    """Files of `icsilib` that the modules consist of, and those that they import.

    >>> [file.name for file in module_sources("icsilib.errors")]
    ['__init__.py', 'errors.py']
    """
    return sorted(_closure(set(modules)))


def notebook_sources(notebook: Path | str) -> list[Path]:
    """Files of `icsilib` that the code cells of `notebook` import, directly or through one another."""
    cells = json.loads(Path(notebook).read_text(encoding="utf-8"))["cells"]
    code = ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    imported = {name for source in code for name in _imports(source, package="")}
    return sorted(_closure(imported))


def _closure(modules: set[str]) -> set[Path]:
    found: set[Path] = set()
    waiting = list(modules)
    while waiting:
        for file in _files_of(waiting.pop()):
            if file not in found:
                found.add(file)
                waiting.extend(_imports_of(file))
    return found


@cache
def _files_of(module: str) -> tuple[Path, ...]:
    """The file of a module and the `__init__` files of its parents; nothing for a name that is no module."""
    parts = module.split(".")
    parents = (ROOT.joinpath(*parts[:depth], "__init__.py") for depth in range(1, len(parts) + 1))
    own = ROOT.joinpath(*parts).with_suffix(".py")
    return tuple(file for file in (*parents, own) if file.exists())


@cache
def _imports_of(file: Path) -> frozenset[str]:
    return frozenset(_imports(file.read_text(encoding="utf-8"), ".".join(file.relative_to(ROOT).parent.parts)))


def _imports(source: str, package: str) -> set[str]:
    """Names under `icsilib` that the source imports; `from a import b` may mean module a.b, so both are named."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(_without_magics(source))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            names.update([base, *(f"{base}.{alias.name}" for alias in node.names)])
    return {name for name in names if name.split(".")[0] == "icsilib"}


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parents = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*parents, *([node.module] if node.module else [])])


def _without_magics(source: str) -> str:
    return "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in source.splitlines())
