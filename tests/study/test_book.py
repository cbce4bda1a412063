"""What is done to prose, notebooks and pages on their way into the book."""

from pathlib import Path

import pytest

from icsilib.study.book import insert_results, with_cell_anchors, with_own_labels
from icsilib.study.provenance import Results


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


def test_code_cells_are_numbered_and_their_parts_are_not() -> None:
    cell = '<div class="cell{} docutils container">'
    page = cell.format("") + '<div class="cell_input docutils container">' + cell.format(" tag_hide-input tag_x")
    assert with_cell_anchors(page) == (
        '<div id="cell-1" class="cell docutils container"><div class="cell_input docutils container">'
        '<div id="cell-2" class="cell tag_hide-input tag_x docutils container">'
    )
