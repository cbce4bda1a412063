"""The pages' explorers, run in a real browser from the file system, compute what the library computes."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from browser import Tab, browser, needs_browser

from icsilib.detection.evaluate import Matched, f_measure, operating_point
from icsilib.detection.workload import workload
from icsilib.segmentation.dsnt import dsnt, gaussian_heatmap, tip_confidence
from icsilib.segmentation.losses import euclidean_loss, js_loss
from icsilib.study.order import ROOT

RAW = re.compile(r"^```\{raw\} html\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def html_of(page: str, folder: Path) -> Path:
    """The HTML within a page of the book, alone on a page of its own."""
    [content] = RAW.findall((ROOT / "book" / f"{page}.md").read_text(encoding="utf-8"))
    assert len(content) < 150_000
    file = folder / f"{page}.html"
    file.write_text(f'<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">{content}', encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    with browser() as tab:
        yield tab


def put(tab: Tab, settings: dict[str, float]) -> None:
    for name, number in settings.items():
        slider = f"document.querySelector('[data-name={name}]')"
        tab.evaluate(f"{slider}.value = {number}; {slider}.dispatchEvent(new Event('input', {{bubbles: true}}))")


def shown(tab: Tab) -> dict[str, list[float]]:
    cells = "[...document.querySelectorAll('[data-out]')]"
    found: dict[str, list[float]] = tab.evaluate(
        f"Object.fromEntries({cells}.map(c => [c.dataset.out, JSON.parse(c.dataset.exact)]))"
    )
    return found


def expected(s: dict[str, float]) -> dict[str, list[float]]:
    """The numbers of the DSNT explorer by the library, at the page's settings."""

    def point(name: str) -> torch.Tensor:
        return torch.tensor([[s[f"{name}x"], s[f"{name}y"]]], dtype=torch.float64)

    peaks = [gaussian_heatmap(point(name), (16, 16), s["sigma"]) for name in ("peak", "false")]
    z = (1 - s["weight"]) * peaks[0] + s["weight"] * peaks[1]
    at, target = dsnt(z), point("target")
    row, column = divmod(int(z.argmax()), 16)
    darkest = torch.tensor([[(2 * column - 15) / 16, (2 * row - 15) / 16]], dtype=torch.float64)
    js = js_loss(z, target, s["targetsigma"])  # the target goes through 32 bits there
    return {
        "sum": [1.0],
        "coordinate": at[0].tolist(),
        "argmax": darkest[0].tolist(),
        "euclidean": euclidean_loss(at, target).tolist(),
        "pixels": (256 * euclidean_loss(at, target)).tolist(),
        "argmaxdistance": euclidean_loss(darkest, target).tolist(),
        "js": js.tolist(),
        "confidence": tip_confidence(z, at).tolist(),
    }


SHARP = {"peakx": -0.31, "peaky": 0.22, "sigma": 1.0, "weight": 0.0, "falsex": 0.6, "falsey": -0.6}
SPOILT = {"peakx": -0.7, "peaky": 0.45, "sigma": 2.3, "weight": 0.35, "falsex": 0.9, "falsey": -0.2}


@needs_browser
@pytest.mark.parametrize(
    "settings",
    [
        SHARP | {"targetx": -0.31, "targety": 0.22, "targetsigma": 1.0},
        SPOILT | {"targetx": 0.13, "targety": 0.07, "targetsigma": 0.6},
    ],
    ids=["a sharp peak on the target", "a broad peak and a false one"],
)
def test_the_dsnt_explorer_computes_what_the_library_does(tab: Tab, tmp_path: Path, settings: dict[str, float]) -> None:
    tab.open(html_of("explore-dsnt", tmp_path))
    assert (tab.requested, tab.complaints) == ([], [])
    put(tab, settings)
    found = shown(tab)
    for name, numbers in expected(settings).items():
        assert found[name] == pytest.approx(numbers, abs=1e-6), name


@needs_browser
def test_the_dsnt_explorer_answers_to_clicks_and_keys(tab: Tab, tmp_path: Path) -> None:
    tab.open(html_of("explore-dsnt", tmp_path))
    tab.evaluate("document.querySelector('[data-name=weight]').focus()")
    tab.page.keyboard.press("Home")
    assert shown(tab)["confidence"][0] > 0.98  # a single peak of one square's width
    tab.evaluate("document.querySelectorAll('#dsnt button')[3].click()")
    halves = shown(tab)  # two equal peaks, the target between them
    assert halves["euclidean"][0] < 0.02
    assert halves["js"][0] > 0.69
    assert halves["confidence"][0] < 0.01
    put(tab, {"weight": 0})
    box = tab.evaluate("(b => [b.left, b.top, b.width])(document.querySelector('canvas').getBoundingClientRect())")
    left, top, width = box
    tab.page.mouse.click(left + width * 0.75, top + width * 0.5)
    assert shown(tab)["coordinate"] == pytest.approx([0.5, 0], abs=0.02)


@needs_browser
@pytest.mark.parametrize("threshold", [0.12, 0.46, 0.8])
def test_the_threshold_explorer_computes_what_the_library_does(tab: Tab, tmp_path: Path, threshold: float) -> None:
    page = html_of("explore-threshold", tmp_path)
    tab.open(page)
    assert (tab.requested, tab.complaints) == ([], [])
    put(tab, {"threshold": threshold})
    found = {name: number for name, [number] in shown(tab).items()}
    [table] = re.findall(r'application/json">(.*?)</script>', page.read_text(encoding="utf-8"), re.DOTALL)
    images = json.loads(table)
    rows = [(place, *box) for place, image in enumerate(images) for box in image["boxes"]]
    image, score, right = (np.array(column) for column in zip(*rows, strict=True))
    sperm = np.array([each["sperm"] for each in images])
    point = operating_point(Matched(image, score, right.astype(bool), sperm), threshold)
    best = np.array([max((box[0] for box in each["boxes"]), default=0) for each in images])
    work = workload(best >= threshold, sperm)
    assert found["shown"] == (score >= threshold).sum()
    assert found["right"] + found["missed"] == sperm.sum()
    scores = [point.precision, point.recall, point.matched_f1, f_measure(point.precision, point.recall, 2)]
    names = ("precision", "recall", "f1", "f2", "saved", "sensitivity", "spermseen")
    assert [found[name] for name in names] == pytest.approx([*scores, *work], abs=1e-6)
