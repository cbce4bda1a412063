"""The ledger's table filters and sorts in a browser, from the file system, and escapes what it shows."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from icsilib.study.claims import Claim, load_ledger
from icsilib.study.evidence import Place, place_of, study_results
from icsilib.study.ledger_table import ledger_table
from icsilib.study.provenance import Results
from icsilib.study.verdicts import judge, judge_all

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LEDGER = load_ledger()
USE = """<script>
const set = (filter, value) => {{
  const control = document.querySelector(`[data-filter=${{filter}}]`);
  control.value = value;
  control.dispatchEvent(new Event("input"));
}};
{action}
const shown = [...document.querySelectorAll("tbody tr")].filter(row => !row.hidden);
document.title = `${{shown.length}}|${{document.querySelector("output").textContent}}|`
  + shown.map(row => row.cells[0].dataset.sort).join(",");
</script>"""


def after(action: str, folder: Path) -> tuple[int, str, list[str]]:
    """Number of rows shown, the count in words, and the claims shown, after `action` in the page."""
    verdicts = judge_all(LEDGER, {})
    page = folder / "ledger.html"
    table = ledger_table(verdicts, verdicts)
    page.write_text(f"<!DOCTYPE html><meta charset=utf-8>{table}{USE.format(action=action)}", encoding="utf-8")
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/home", "--dump-dom"]
    done = subprocess.run([*map(str, command), page.as_uri()], capture_output=True, text=True, timeout=60, check=True)
    shown, words, claims = re.search("<title>(.*?)</title>", done.stdout, re.DOTALL)[1].split("|")
    return int(shown), words, claims.split(",")


@pytest.mark.skipif(BROWSER is None, reason="needs Chromium or Chrome on the PATH")
def test_filters_and_sorting_in_a_browser(tmp_path: Path) -> None:
    verdicts = judge_all(LEDGER, {})
    wanted = sorted(v.claim.id for v in verdicts if v.word == "inconsistent" and v.claim.paper == "B")
    action = """set("paper", "B"); set("verdict", "inconsistent");
      const heading = document.querySelector("th button"); heading.click(); heading.click();"""
    shown, words, claims = after(action, tmp_path)
    assert claims == sorted(claims, key=str.lower, reverse=True)
    assert sorted(claims) == wanted
    assert words == f"{shown} of {len(verdicts)} checks"


def test_nothing_in_the_table_asks_the_network() -> None:
    verdicts = judge_all(LEDGER, {})
    assert not re.search(r"https?://|src=|@import", ledger_table(verdicts, verdicts))


def test_texts_are_escaped_and_measured_rows_lead_to_page_and_file() -> None:
    check = {"kind": "run", "results": "toy:iou", "note": "<b>bold</b>"}
    claim = Claim.model_validate(
        {"id": "A.x", "where": "§1", "quote": "<script>", "value": 1.0, "checks": [check]}  # as a quotation might
    )
    results = Results("toy", "quick", seed=0)
    results.add("iou", 0.5, data="phantom", interval=(0.4, 0.6))
    results.values["iou"].cell = 7  # as in a notebook
    verdict = judge(claim, claim.checks[0], {"toy": results})
    row = ledger_table([verdict], [verdict]).split("<tbody>")[1]
    assert "&lt;script&gt;" in row
    assert "&lt;b&gt;bold" in row
    assert 'href="toy.html#cell-7"' in row
    assert 'href="results/toy.json"' in row
    assert "differs on phantom data" in row


def test_a_key_leads_to_the_section_that_made_it() -> None:
    place = place_of("claims", "welch.pipette.n140.p")  # added under an f-string
    assert place.section == "What the printed summaries imply"
    assert place.address == "claims.html#what-the-printed-summaries-imply"
    assert place_of("claims", "welch.pipette.n140.p", 5).address == "claims.html#cell-5"
    assert place_of("claims", "no.such.key") == Place("claims", "claims.html")


def test_a_chapter_that_runs_another_notebook_leads_to_its_own_page() -> None:
    assert place_of("annotator_variation-bu-bil", "x").page == "annotator_variation_bu_bil.html"


def test_results_that_no_chapter_wrote_are_no_evidence(tmp_path: Path) -> None:
    for name in ("claims", "left_by_a_draft"):
        Results(name, "quick", seed=0).write(tmp_path / f"{name}.json")
    assert list(study_results(tmp_path)) == ["claims"]
