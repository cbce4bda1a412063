"""Which library modules a notebook stands on, found from its imports, so that only what changed runs again."""

import ast
import json
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


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
                waiting.extend(_imports(file.read_text(encoding="utf-8"), _package_of(file)))
    return found


@cache
def _files_of(module: str) -> tuple[Path, ...]:
    """The file of a module and the `__init__` files of its parents; nothing for a name that is no module."""
    parts = module.split(".")
    parents = (ROOT.joinpath(*parts[:depth], "__init__.py") for depth in range(1, len(parts) + 1))
    own = ROOT.joinpath(*parts).with_suffix(".py")
    return tuple(file for file in (*parents, own) if file.exists())


def _package_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).parent.parts)


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
