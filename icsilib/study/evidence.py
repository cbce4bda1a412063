"""From a results key to where it was made: chapter, section, cell."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from docutils.nodes import make_id

from icsilib.study.order import ROOT, chapters

_ADDED = re.compile(r"""\.add\(\s*f?["']([^"']+)["']""")
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Place:
    """The cell of a stored notebook that makes a number."""

    notebook: str  # source, without suffix
    page: str  # page of the book, beside the other notebooks' pages
    cell: int | None = None  # position among all cells, from 0; None where no cell names the key
    section: str = ""  # heading above the cell

    @property
    def address(self) -> str:
        """Relative address of the section on the page."""
        return f"{self.page}#{make_id(self.section)}" if self.section else self.page


def place_of(results: str, key: str, notebooks: Path = ROOT / "notebooks") -> Place:
    """Where the number `key` of `results/<results>.json` is made.

    A cell is found by its `results.add("key", …)`, with an f-string's fields standing for anything.
    """
    page, source = _page_and_source(results)
    path = notebooks / f"{source}.ipynb"
    if not path.exists():
        return Place(source, f"{page}.html")
    section = ""
    for position, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            section = (_HEADING.findall(text) or [section])[-1]
        elif any(_stands_for(name, key) for name in _ADDED.findall(text)):
            return Place(source, f"{page}.html", position, section)
    return Place(source, f"{page}.html")


def _page_and_source(results: str) -> tuple[str, str]:
    for page, chapter in chapters().items():
        if chapter.results == results:
            return page, chapter.notebook
    return results, results


def _stands_for(name: str, key: str) -> bool:
    parts = re.split(r"\{[^{}]*\}", name)
    return re.fullmatch(".+".join(map(re.escape, parts)), key) is not None
