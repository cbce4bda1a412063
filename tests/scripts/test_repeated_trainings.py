"""The script behind the reference tables of ablation, repeated seeds and search, at the smallest scale."""

import json

import pytest
from script_files import load_script
from typer.testing import CliRunner

from icsilib.phantoms.biopsy_dataset import write_biopsy_dataset
from icsilib.phantoms.icsi_dataset import write_icsi_dataset
from icsilib.segmentation.settings import PROFILES

BIOPSY = {"input_size": 64, "window": 320, "batch_size": 2, "steps": 2, "warm_up": 1, "sperm_per_visit": 1}


@pytest.fixture
def script():
    module = load_script("repeated_trainings")
    module.ABLATION = module.ABLATION.with_(size=32, widths=(4, 8, 8), epochs=1)
    return module


@pytest.fixture(scope="module")
def injections(tmp_path_factory):
    return write_icsi_dataset(tmp_path_factory.mktemp("icsi"), videos=4, size=64, every=20, workers=1)


def call(script, *words):
    return CliRunner().invoke(script.app, [*map(str, words)])


def test_variants_differ_from_the_base_in_one_thing_and_have_their_own_folders(script):
    base, *others = script.VARIANTS
    assert base.changes == {}
    for variant in others:
        assert len(variant.changes) == 1
        assert script.ABLATION.with_(**variant.changes) != script.ABLATION
    assert len({variant.name for variant in script.VARIANTS}) == len(script.VARIANTS)
    assert all(variant.name.isascii() for variant in script.VARIANTS)


def test_ablation_runs_every_variant_once_per_seed(script, injections, tmp_path):
    script.VARIANTS = script.VARIANTS[:1] + script.VARIANTS[-2:]
    words = ("ablate", injections, tmp_path / "runs", tmp_path / "r.json", "--seeds", 2)
    assert call(script, *words).exit_code == 0
    weights = tmp_path / "runs" / "CLAHE-off-1" / "weights.safetensors"
    stamp = weights.stat().st_mtime_ns
    assert call(script, *words).exit_code == 0  # nothing is trained twice
    script.ABLATION = script.ABLATION.with_(epochs=2)
    assert "is of a run with other settings" in str(call(script, *words).exception)
    assert weights.stat().st_mtime_ns == stamp
    rows = json.loads((tmp_path / "r.json").read_text())["tables"]["runs"]
    assert [(row["factor"], row["seed"]) for row in rows] == [
        (factor, seed) for seed in (0, 1) for factor in ("base", "skips", "CLAHE")
    ]


def test_repeated_training_reports_every_seed(script, injections, tmp_path, monkeypatch):
    monkeypatch.setitem(PROFILES, "small", script.ABLATION.with_(profile="small"))
    words = ("repeat", injections, tmp_path / "runs", tmp_path / "r.json", "--profile", "small", "--seeds", 2)
    done = call(script, *words)
    assert done.exit_code == 0, done.output
    assert {"seed0.tip.mean", "seed1.tip.mean"} <= set(json.loads((tmp_path / "r.json").read_text())["values"])
    monkeypatch.setitem(PROFILES, "small", script.ABLATION.with_(profile="small", epochs=2))
    assert "is of a run with other settings" in str(call(script, *words).exception)


def test_a_search_records_every_candidate(script, tmp_path):
    data = write_biopsy_dataset(tmp_path / "data", 30, workers=1)
    script.SEARCHED = script.SEARCHED.with_(**BIOPSY, initialisation="scratch", validate_every=2)
    script.CANDIDATES = {"base": {}, "gentle": {"learning_rate": 1e-4}}
    words = ("search", data, tmp_path / "runs", tmp_path / "r.json", "--also", data)
    done = call(script, *words)
    assert done.exit_code == 0, done.output
    rows = json.loads((tmp_path / "r.json").read_text())["tables"]["runs"]
    assert [(row["candidate"], row["changes"]) for row in rows] == [("base", ""), ("gentle", "learning_rate = 0.0001")]
    assert all(0 <= row["validation_ap"] <= 1 for row in rows)
    assert call(script, *words).exit_code == 0
    assert json.loads((tmp_path / "r.json").read_text())["tables"]["runs"] == rows


def test_every_candidate_is_a_setting(script):
    for changes in script.CANDIDATES.values():
        assert script.SEARCHED.with_(**changes) == script.SEARCHED or changes
