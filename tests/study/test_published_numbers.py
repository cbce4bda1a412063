"""Every number of both papers, from abstract to conclusion, has a row in the ledger or a reason why not."""

import os
import re
from pathlib import Path

import pytest
import yaml

from icsilib.study.claims import load_ledger
from icsilib.study.order import ROOT

LISTED = yaml.safe_load(Path(__file__).with_name("published_numbers.yaml").read_text(encoding="utf-8"))
CLAIMS = load_ledger().by_id
WORDS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "sixth": 6, "seven": 7, "eight": 8, "nine": 9,
         "ten": 10, "thirty-two": 32, "half": 0.5}  # fmt: skip
NUMBER = re.compile(r"(?<![\w.])(?:\d+(?:[.,]\d+)*|\.\d+)|\b(?:" + "|".join(WORDS) + r")\b", re.IGNORECASE)
# Numbers of references, figures, tables and equations are no statements.
LABEL = re.compile(r"\[\d+(?:, \d+)*\](?!\^)|\b(?:Figure|Table|Equation)\s*\d|(?m:^#+ .*$)")
PAPERS = Path(os.environ.get("ICSILIB_PAPERS", ROOT.parent / "shared" / "papers"))
SPANS = {
    "A": ("icsi-video-segmentation.md", "We present the first", "### Broader Impact"),
    "B": ("micro-tese-sperm-detection.md", "Sperm identification and selection", "AUTHOR CONTRIBUTIONS"),
}


def numbers(text: str) -> list[str]:
    text = LABEL.sub(" ", text).replace(r"1 \times 10^{-3}", "0.001")
    text = re.sub(r"\b(\d{1,3}) (\d{3})\b", r"\1\2", text)  # 129 600
    return [match[0] for match in NUMBER.finditer(text)]


@pytest.mark.parametrize("paper", ["A", "B"])
def test_every_listed_number_is_a_figure_of_the_ledger_or_an_exception(paper: str) -> None:
    for entry in LISTED[paper]:
        if "exception" in entry:
            assert len(entry["exception"]) > 10, entry
            continue
        value = WORDS.get(entry["number"].lower()) or float(entry["number"])
        assert CLAIMS[entry["claim"]].value == pytest.approx(value * entry.get("times", 1)), entry
        assert entry["claim"].startswith(paper)


@pytest.mark.parametrize("paper", ["A", "B"])
def test_the_list_holds_every_number_of_the_paper_in_order(paper: str) -> None:
    name, start, end = SPANS[paper]
    if not (PAPERS / name).exists():
        pytest.skip(f"the paper's text is not at {PAPERS / name}; set ICSILIB_PAPERS to its folder")
    text = (PAPERS / name).read_text(encoding="utf-8")
    assert [entry["number"] for entry in LISTED[paper]] == numbers(text[text.index(start) : text.index(end)])


def test_every_figure_of_the_ledger_stands_in_its_paper() -> None:
    stated = {entry.get("claim") for paper in "AB" for entry in LISTED[paper]}
    # Written without a figure: "a single", "an additional four times" and the six kinds of augmentation.
    unwritten = {"A.data.clinics", "A.training.gpus", "A.variation.rounds", "A.training.augmentation",
                 "B.data.annotators", "B.benchmark.single"}  # fmt: skip
    same_sentence = {f"A.{part}.no_difference.{structure}" for part in ("variation", "model")
                     for structure in ("oolemma", "pipette", "needle")}  # fmt: skip
    figures = {key for key, entry in CLAIMS.items() if entry.value is not None}
    assert figures - stated - same_sentence == unwritten
