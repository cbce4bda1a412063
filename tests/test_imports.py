"""Directions of imports within the library: no cycle, and each room imports those below it alone."""

import ast
from graphlib import TopologicalSorter

import pytest

from icsilib.study.order import ROOT

MODULES = {
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
    for file in (ROOT / "icsilib").rglob("*.py")
}
ABOVE = ("study", "cli")  # what no other room imports


def imported(module: str) -> set[str]:
    """Modules of the library that a module imports, within functions too, but not for its type hints alone."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            within = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {*within & MODULES.keys()} if within & MODULES.keys() else {node.module}
    return names & MODULES.keys()


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


GRAPH = {module: imported(module) for module in MODULES}


def test_modules_import_one_another_without_a_cycle() -> None:
    assert len(list(TopologicalSorter(GRAPH).static_order())) == len(MODULES)


@pytest.mark.parametrize(
    ("importing", "forbidden"),
    [("segmentation", ("detection",)), ("detection", ("segmentation",)), ("training", ("segmentation", "detection"))],
)
def test_neither_paper_knows_the_other(importing: str, forbidden: tuple[str, ...]) -> None:
    wrong = [(a, b) for a, found in GRAPH.items() for b in found if room(a) == importing and room(b) in forbidden]
    assert wrong == []


def test_only_notebooks_scripts_and_commands_import_the_study() -> None:
    wrong = [(a, b) for a, found in GRAPH.items() for b in found if room(b) in ABOVE and room(a) not in ABOVE]
    assert wrong == []
    assert [(a, b) for a, found in GRAPH.items() for b in found if room(a) == "study" and room(b) == "cli"] == []


def test_labels_of_other_tools_are_read_without_torch() -> None:
    needed, waiting = set(), [module for module in MODULES if room(module) == "labels"]
    while waiting:
        module = waiting.pop()
        if module not in needed:
            needed.add(module)
            waiting += GRAPH[module]
    assert [m for m in needed if "import torch" in MODULES[m].read_text(encoding="utf-8")] == []
