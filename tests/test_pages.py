"""The book builds without warnings, and a real browser reads it from the file system, on a desk and on a phone."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from browser import Tab, browser, needs_browser

from icsilib.study.book import assemble, build
from icsilib.study.order import ROOT, chapters
from icsilib.study.provenance import Results

# Attributes that make a browser load something; a plain link (`a href`) loads only when it is followed.
LOADING = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src", "video": "src"}
DESK, PHONE = {"width": 1280, "height": 720}, {"width": 390, "height": 844}
NOT_TYPESET = "[...document.querySelectorAll('.math')].filter(m => !m.querySelector('mjx-container')).length"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Every page of a book built from the stored notebooks, without running anything.

    Its results are empty but for a word in place of each that a page of text asks for.
    """
    folder = tmp_path_factory.mktemp("book")
    texts = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "book").glob("*.md"))
    asked = re.findall(r"\{result\}`([\w-]+):([\w.-]+)", texts)
    for chapter in chapters().values():
        results = Results(chapter.results, "quick", seed=0)
        for key in dict.fromkeys(key for name, key in asked if name == chapter.results):
            results.add(key, "not run")
        results.write(folder / "results" / f"{chapter.results}.json")
    source = assemble(ROOT / "notebooks", folder / "results", folder / "source")
    index = build(source, folder / "html")
    return sorted(page for page in index.parent.rglob("*.html") if "_static" not in page.parts)


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    with browser() as tab:
        yield tab


def page_named(pages: list[Path], name: str) -> Path:
    return next(page for page in pages if page.stem == name)


class Loads(HTMLParser):
    """Collects what a page makes the browser load."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        wanted = LOADING.get(tag)
        named = dict(attributes)
        if wanted and named.get(wanted) and named.get("rel") not in ("canonical", "next", "prev"):
            self.addresses.append(str(named[wanted]))


def test_every_page_of_the_contents_is_built(pages: list[Path]) -> None:
    contents = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text())
    named = [contents["root"]] + [chapter["file"] for part in contents["parts"] for chapter in part["chapters"]]
    built = {page.with_suffix("").as_posix().split("/html/")[1] for page in pages}
    assert set(named) <= built


def test_no_page_loads_anything_from_a_network(pages: list[Path]) -> None:
    for page in pages:
        loads = Loads()
        loads.feed(page.read_text(encoding="utf-8"))
        assert [address for address in loads.addresses if re.match(r"(https?:)?//", address)] == [], page.name


def test_everything_a_page_loads_is_there(pages: list[Path]) -> None:
    for page in pages:
        loads = Loads()
        loads.feed(page.read_text(encoding="utf-8"))
        local = [re.split(r"[?#]", address)[0] for address in loads.addresses if not address.startswith("data:")]
        missing = [address for address in local if address and not (page.parent / address).exists()]
        assert missing == [], page.name


@needs_browser
def test_pages_work_without_a_network_and_fit_a_phone(tab: Tab, pages: list[Path]) -> None:
    found: dict[str, Any] = {}
    for page in pages:
        tab.open(page)
        formulas = tab.evaluate(NOT_TYPESET)
        tab.page.set_viewport_size(PHONE)
        width = tab.evaluate("new Promise(done => setTimeout(() => done(document.documentElement.scrollWidth), 150))")
        tab.page.set_viewport_size(DESK)
        wider = f"{width} px wide" if width > PHONE["width"] + 1 else "fits a phone"
        found[page.name] = ([*tab.requested], [*tab.complaints], f"{formulas} formulas not typeset", wider)
    assert found == {page.name: ([], [], "0 formulas not typeset", "fits a phone") for page in pages}


@needs_browser
def test_a_row_of_the_ledger_leads_to_its_cell_and_its_results(tab: Tab, pages: list[Path]) -> None:
    ledger = page_named(pages, "claims")
    tab.open(ledger)
    tab.evaluate("document.querySelector('[data-filter=kind]').value = 'run'")
    tab.evaluate("document.querySelector('[data-filter=kind]').dispatchEvent(new Event('input'))")
    rows = "[...document.querySelectorAll('.ledger tbody tr')].filter(row => !row.hidden)"
    assert tab.evaluate(f"{rows}.every(row => row.dataset.kind === 'run')")
    tab.evaluate("document.querySelector('[data-filter=kind]').value = ''")
    tab.evaluate("document.querySelector('[data-filter=kind]').dispatchEvent(new Event('input'))")
    links = tab.evaluate(f"{rows}.map(row => [...row.cells[5].querySelectorAll('a')].map(a => a.href))")
    links = [pair for pair in links if len(pair) == 2 and "results/" in pair[1]]
    assert sum("#" in cell for cell, _ in links) >= 10
    for cell, results in links:
        page, _, anchor = cell.removeprefix("file://").partition("#")
        assert not anchor or f'id="{anchor}"' in Path(page).read_text(encoding="utf-8"), cell
        assert Path(results.removeprefix("file://")).is_file(), results
    chosen = f"{rows}.map(row => row.cells[5].querySelectorAll('a')).find(a => a.length === 2 && a[0].hash)"
    with tab.page.expect_navigation():
        tab.evaluate(f"{chosen}[0].click()")
    assert tab.evaluate("!!document.querySelector(':target')")
    tab.open(ledger)
    tab.open(tab.evaluate(f"{chosen}[1].href"))
    assert tab.requested == []
    assert '"provenance"' in tab.evaluate("document.body.textContent")
