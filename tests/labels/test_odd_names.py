"""File names and labels that would forge a report, a page or a path."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from test_export_faults import coco
from typer.testing import CliRunner

from icsilib.cli import app
from icsilib.errors import printable
from icsilib.labels import read_annotations
from icsilib.plots.variation import distribution_panels, labelled_frame, people_heat_maps, round_heat_maps
from icsilib.study.notebooks import in_markdown, say
from icsilib.study.provenance import Results

FORGED = "a\n  5 of 5 objects kept\x1b]0;title\x07.png"


def test_line_breaks_and_terminal_codes_are_spelt_out() -> None:
    assert printable("a\nb\x1b[31m\u202eé精") == r"a\nb\x1b[31m\u202eé精"


def test_a_file_name_cannot_forge_a_line_of_the_report(tmp_path: Path) -> None:
    boxes = [{"image_id": 1, "bbox": [95, 75, 10, 10]}]
    file = coco(tmp_path, [{"id": 1, "file_name": FORGED}], boxes, ("sp\nerm",))
    result = CliRunner().invoke(app, ["data", "convert", str(file), str(tmp_path / "out.json")])
    assert result.exit_code == 0
    assert "\x1b" not in result.output
    assert not any(line.startswith("  5 of 5") for line in result.output.splitlines())


def test_nor_a_line_of_an_error(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["data", "convert", str(tmp_path / FORGED), str(tmp_path / "out.json")])
    assert (result.exit_code, len(result.output.splitlines())) == (1, 1)


@pytest.mark.parametrize("name", ["a" * 300 + ".png", "é" * 140 + ".png"])
def test_a_name_that_no_file_system_holds_is_skipped_and_counted(tmp_path: Path, name: str) -> None:
    images = [{"id": 1, "file_name": name}, {"id": 2, "file_name": "b.png"}]
    dataset, report = read_annotations(coco(tmp_path, images, [{"image_id": 1}, {"image_id": 2}]))
    assert report.skipped_images == {"file name of more than 255 bytes": 1}
    assert [image.file_name for image in dataset.images] == ["b.png"]


@pytest.mark.parametrize("name", ["2pn", "8_cell", "œuf", "a b", "ratio 1:2", "<script>alert('x')</script>"])
def test_a_category_s_name_leaves_the_numbers_beside_it_whole_and_the_page_alone(name: str) -> None:
    results = Results("example", "quick", seed=0)
    results.add(f"{name}.iou", 0.5, n=3)
    text = say(results, f"**{in_markdown(name)}**: {{{name}.iou:+.2f}} of {{{name}.iou.n}}, $x^{{2}}$").data
    assert text.endswith("**: +0.50 of 3, $x^{2}$")
    assert "<" not in text
    with pytest.raises(KeyError, match="not among"):
        say(results, f"{{{name}.typo:.2f}}")


def test_annotators_of_any_name_are_in_the_legend() -> None:
    region = np.zeros((2, 8, 8), bool)
    region[:, 2:6, 2:6] = True
    people = ["_ada", "b$n$"]
    figure = labelled_frame(np.zeros((8, 8), np.uint8), {"cell": region}, {}, people, close_up=4)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["_ada", r"b\$n\$"]


def test_names_that_matplotlib_would_take_for_formulas_are_drawn():
    people = ["$_^$", "b$x$", "_ada"]
    matrix = pd.DataFrame(np.eye(3), index=people, columns=people)
    pairs = pd.DataFrame({"annotator": people, "kind": "inter", "value": [0.9, 0.8, 0.7]})
    units = {"$\\frac$": "IoU"}
    for figure in (
        people_heat_maps({"$\\frac$": matrix}, units),
        round_heat_maps({people[0]: matrix}, "IoU"),
        distribution_panels({"$\\frac$": pairs}, units),
    ):
        figure.canvas.draw()
        plt.close(figure)
