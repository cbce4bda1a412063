"""The second reckoning of the ledger, without the library, gives the same verdicts as the first."""

import copy
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import yaml
from script_files import load_script

from icsilib.study.claims import Measured, load_ledger
from icsilib.study.order import ROOT
from icsilib.study.provenance import ResultsFile
from icsilib.study.verdicts import judge_all

LEDGER = load_ledger()
CLAIMS = yaml.safe_load((ROOT / "book" / "claims.yaml").read_text(encoding="utf-8"))["claims"]


@pytest.fixture(scope="module")
def recount() -> ModuleType:
    return load_script("recount")


def made_up(seed: int) -> dict[str, Any]:
    """Results files that hold every key the ledger asks for, with numbers about the claims' own."""
    draw = np.random.default_rng(seed)
    files: dict[str, Any] = {}
    reference = json.loads(next((ROOT / "book" / "reference").glob("*.json")).read_text(encoding="utf-8"))
    for claim in LEDGER.claims:
        for check in (check for check in claim.checks if isinstance(check, Measured)):
            name, key = check.results.split(":")
            scale = claim.value or 0.1
            middle = scale * draw.choice([0.7, 0.99, 1.0, 1.01, 1.4])
            ends = [middle - abs(scale) * draw.choice([0, 0.02]), middle + abs(scale) * draw.choice([0, 0.02])]
            empty = reference | {"notebook": name, "values": {}, "tables": {}}
            entry = {"value": middle, "interval": ends if draw.random() < 0.9 else None}
            files.setdefault(name, empty)["values"][key] = entry
    return files


def the_librarys(files: dict[str, Any]) -> list[str]:
    results = {name: ResultsFile.model_validate(file) for name, file in files.items()}
    return [one.word for one in judge_all(LEDGER, results)]


def test_it_does_not_import_the_library() -> None:
    assert "icsilib" not in (ROOT / "scripts" / "recount.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("seed", range(20))
def test_every_verdict_is_found_again(recount: ModuleType, seed: int) -> None:
    files = made_up(seed)
    assert [word for *_, word in recount.recount(CLAIMS, files)] == the_librarys(files)


def test_every_verdict_on_the_reference_run_is_found_again(recount: ModuleType) -> None:
    files = recount.read_all([ROOT / "book" / "reference"])
    assert [word for *_, word in recount.recount(CLAIMS, files)] == the_librarys(files)


def test_changing_one_number_changes_its_verdict_and_no_other(recount: ModuleType) -> None:
    files = {"registered-videos": {"values": {"tip.mean": {"value": 3.0, "interval": [2.5, 3.5]}}}}
    before = recount.recount(CLAIMS, files)
    changed = copy.deepcopy(files)
    changed["registered-videos"]["values"]["tip.mean"]["interval"][1] = 4.0  # beyond the published 3.793
    after = recount.recount(CLAIMS, changed)
    assert [(a[0], a[2], b[2]) for a, b in zip(before, after, strict=True) if a != b] == [
        ("A.model.tip.mean", "agrees", "open")
    ]


def test_changing_a_published_figure_changes_its_verdict(recount: ModuleType) -> None:
    changed = copy.deepcopy(CLAIMS)
    next(claim for claim in changed if claim["id"] == "B.table1.human.f1")["value"] = 0.768
    words = [{(id, n): word for id, n, word in recount.recount(claims, {})} for claims in (CLAIMS, changed)]
    assert [word["B.table1.human.f1", 0] for word in words] == ["agrees", "inconsistent"]


def test_a_difference_from_the_chapters_verdicts_ends_with_one(
    recount: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"claim": id, "check": n, "verdict": word} for id, n, word in recount.recount(CLAIMS, {})]
    file = tmp_path / "claims.json"
    (tmp_path / "results").mkdir()
    monkeypatch.setattr("sys.argv", ["recount.py", str(tmp_path / "results"), "--against", str(file)])
    file.write_text(json.dumps({"tables": {"verdicts": rows}}))
    assert recount.main() == 0
    rows[0]["verdict"] = "agrees"
    file.write_text(json.dumps({"tables": {"verdicts": rows}}))
    assert recount.main() == 1
    assert "A.abstract.first, check 0: not testable here, agrees in" in capsys.readouterr().out
