"""From a results key to where it was made: chapter, section, cell."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from docutils.nodes import make_id

from icsilib.study.order import ROOT, chapters
from icsilib.study.provenance import ResultsFile
from icsilib.study.verdicts import load_results

CELL_ANCHOR = "cell-"  # and a number: what a page calls its code cells
_ADDED = re.compile(r"""\.add\(\s*f?["']([^"']+)["']""")
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Place:
    """The cell of a stored notebook that makes a number."""

    notebook: str  # source, without suffix
    page: str  # page of the book, beside the other notebooks' pages
    cell: int | None = None  # number of the executed cell, as its brackets show it; None where the run did not tell
    section: str = ""  # heading above the stored notebook's cell that names the key; empty where none does

    @property
    def address(self) -> str:
        """Relative address of the cell on its page, else of its section, else of the page."""
        if self.cell is not None:
            return f"{self.page}#{CELL_ANCHOR}{self.cell}"
        return f"{self.page}#{make_id(self.section)}" if self.section else self.page


def place_of(results: str, key: str, cell: int | None = None, notebooks: Path = ROOT / "notebooks") -> Place:
    """Where the number `key` of `results/<results>.json` is made; `cell` is the one that the results name.

    The section is found by the stored notebook's `results.add("key", …)`, an f-string's fields standing for anything.
    """
    page, source = page_and_source(results)
    path = notebooks / f"{source}.ipynb"
    section = _section(path, key) if path.exists() else ""
    return Place(source, f"{page}.html", cell, section)


def _section(notebook: Path, key: str) -> str:
    """The heading above the code cell that adds `key`."""
    section = ""
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            section = (_HEADING.findall(text) or [section])[-1]
        elif any(_stands_for(name, key) for name in _ADDED.findall(text)):
            return section
    return ""


def study_results(folder: Path | str) -> dict[str, ResultsFile]:
    """Results of the study's chapters in a folder; files that other or earlier notebooks left there are no evidence."""
    known = {chapter.results for chapter in chapters().values()}
    return {name: file for name, file in load_results(folder).items() if name in known}


def page_and_source(results: str) -> tuple[str, str]:
    """The page and the stored notebook, both without suffix, that belong to a results file."""
    for page, chapter in chapters().items():
        if chapter.results == results:
            return page, chapter.notebook
    return results, results


def _stands_for(name: str, key: str) -> bool:
    parts = re.split(r"\{[^{}]*\}", name)
    return re.fullmatch(".+".join(map(re.escape, parts)), key) is not None
