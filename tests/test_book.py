"""The book builds without warnings and its pages ask the network for nothing."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from icsilib.study.book import insert_results, with_own_labels
from icsilib.study.order import ROOT
from icsilib.study.provenance import Results

# Attributes that make a browser load something; a plain link (`a href`) loads only when it is followed.
LOADING = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src", "video": "src"}


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


def test_results_are_inserted_and_unknown_keys_refused(tmp_path: Path) -> None:
    results = Results("toy", "quick", seed=0)
    results.add("iou.mean", 0.96123)
    results.write(tmp_path / "toy.json")
    assert insert_results("IoU {result}`toy:iou.mean:.3f`.", tmp_path) == "IoU 0.961."
    assert insert_results("{result}`other:iou.mean`", tmp_path) == "*not run*"
    with pytest.raises(KeyError, match=r"iou\.median"):
        insert_results("{result}`toy:iou.median`", tmp_path)


def test_a_second_chapter_from_one_notebook_gets_labels_of_its_own() -> None:
    notebook = "(pairs)=\\n see [there](#pairs), {ref}`pairs` or {ref}`so <pairs>`; pairs (of people)"
    expected = "(x-pairs)=\\n see [there](#x-pairs), {ref}`x-pairs` or {ref}`so <x-pairs>`; pairs (of people)"
    assert with_own_labels(notebook, "x") == expected
