"""No figure that a run produced is typed into prose: it must be inserted from a results file.

Every decimal and percentage of the book's prose and the notebooks' markdown is compared, at its printed precision,
with all numbers of the results files that are here (the reference run's, and the quick run's after `make book`).
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from icsilib.study.claims import published_values
from icsilib.study.order import ROOT

RESULTS = [
    *sorted((ROOT / "book" / "reference").glob("*.json")),
    *sorted((ROOT / "build/quick/results").glob("*.json")),
]
PROSE = [ROOT / "README.md", *sorted(ROOT.glob("book/**/*.md")), *sorted(ROOT.glob("notebooks/*.ipynb"))]
# Code, roles such as {result}`…` and {cite}`…`, link targets, addresses, formulas and tags hold no prose.
NOT_PROSE = re.compile(
    r"```.*?```|\{[\w:]+\}`[^`]*`|`[^`]*`|\]\([^)]*\)|https?://\S+|\$[^$]*\$|<[^>]*>", re.DOTALL
)  # fmt: skip
FIGURE = re.compile(r"(?<![\w.,§])(\d{1,3}(?:,\d{3})+|\d+)?(\.\d+)?(\s?%)?(?![\w]|[.,]\d)")
# Figures that only look like a result: what they are, wherever they stand.
CONSTANTS = {
    "0.5": "threshold of IoU", "0.05": "level of significance", ".05": "level of significance",
    "0.95": "level of an interval, or the sensitivity asked for", "0.99": "the sensitivity asked for",
    "95 %": "level of an interval", "90 %": "level of an interval", "5 %": "level of significance",
    "3.11": "version of Python", "100 %": "everything", "0.0": "nothing", "1.0": "everything", "50 %": "a half",
}  # fmt: skip
# Figures of one file that equal a result by chance: (file, figure) → what the figure is.
ALLOWED: dict[tuple[str, str], str] = {}


def prose(path: Path) -> str:
    """Text of a page or of a notebook's markdown cells, without what is not prose."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return NOT_PROSE.sub(" ", text)


def figures(text: str) -> Iterator[tuple[str, float, int]]:
    """Decimals and percentages: as written, as a number (percentages as shares), and its decimals."""
    for match in FIGURE.finditer(text):
        whole, fraction, percent = match.groups()
        if not (fraction or percent) or not (whole or fraction):
            continue
        if len(f"{whole or ''}{fraction or ''}".replace(",", "").replace(".", "").lstrip("0")) < 3:
            continue  # among thousands of results one or two digits agree with something by chance
        decimals = len(fraction or ".") - 1
        value = float((whole or "0").replace(",", "") + (fraction or ""))
        yield match[0].strip(), value / 100 if percent else value, decimals + 2 * bool(percent)


def numbers(content: Any) -> Iterator[float]:
    """Every number of a results file's values and tables that is not whole."""
    if isinstance(content, float) and not content.is_integer():
        yield content
    elif isinstance(content, dict):
        for item in content.values():
            yield from numbers(item)
    elif isinstance(content, list):
        for item in content:
            yield from numbers(item)


def results_numbers(paths: list[Path]) -> set[float]:
    """Numbers of results files, without their provenance."""
    contents = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    return {number for content in contents for part in ("values", "tables") for number in numbers(content.get(part))}


def typed(text: str, produced: set[float]) -> list[str]:
    """Figures of a text that equal a produced number at their printed precision and are no published figure."""
    published = set(published_values().values())
    found = []
    for written, value, decimals in figures(text):
        paper = value in published or round(value * 100, 9) in published
        if not paper and any(round(number, decimals) == value for number in produced):
            found.append(written)
    return found


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_figure_of_the_prose_was_made_by_a_run(path: Path) -> None:
    if not RESULTS:
        pytest.skip("no results here: `make book` makes them")
    name = path.relative_to(ROOT).as_posix()
    found = typed(prose(path), results_numbers(RESULTS))
    assert [each for each in found if each not in CONSTANTS and (name, each) not in ALLOWED] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The IoU was 0.873 here.", ["0.873"]),
        ("It reached 87.3 % of it.", ["87.3 %"]),
        ("It reached 87.3% of it.", ["87.3%"]),
        ("Its error was 4.12 px.", ["4.12"]),
        ("The IoU was 0.874 here.", []),  # not the number
        ("The paper has 0.961.", []),  # published
        ("Inserted: {result}`toy:iou:.3f`, `0.873`, and $x = 0.873$.", []),
        ("Version 0.873.1, §0.873 and [a link](page-0.873.html).", []),
        ("Four frames, 87 videos.", []),  # counts are settings
    ],
)
def test_typed_figures_are_found_and_others_are_not(text: str, found: list[str]) -> None:
    assert typed(NOT_PROSE.sub(" ", text), {0.8731, 4.123, 0.9613}) == found


def test_numbers_are_taken_from_values_intervals_and_tables(tmp_path: Path) -> None:
    content = {
        "values": {"iou": {"value": 0.87, "interval": [0.81, 0.92], "n": 14}},
        "tables": {"worst": [{"frame": 3, "iou": 0.31}]},
        "provenance": {"seconds": 12.34},
    }
    (tmp_path / "toy.json").write_text(json.dumps(content))
    assert results_numbers([tmp_path / "toy.json"]) == {0.87, 0.81, 0.92, 0.31}
