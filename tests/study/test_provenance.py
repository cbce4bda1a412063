from pathlib import Path

import numpy as np
import pytest

from icsilib.study.notebooks import by_prefix, say, side_by_side
from icsilib.study.provenance import Results, read_results, source_digest


@pytest.fixture
def results() -> Results:
    results = Results("toy", "quick", seed=3, dataset="simulated")
    results.add("iou.mean", np.float64(0.96), unit="IoU", n=14, n_of="frames", interval=(0.95, 0.97), data="simulated")
    return results


def test_results_survive_the_disk_with_their_provenance(results: Results, tmp_path: Path) -> None:
    results.data["simulated"] = "0" * 64
    results.write(tmp_path / "toy.json")
    again = read_results(tmp_path / "toy.json")
    assert again.values["iou.mean"].value == 0.96
    assert again.values["iou.mean"].interval == (0.95, 0.97)
    assert (again.provenance.profile, again.provenance.seed) == ("quick", 3)
    assert again.provenance.data == {"simulated": "0" * 64}
    assert len(again.provenance.revision) in (40, 7)


def test_a_key_is_used_once(results: Results) -> None:
    with pytest.raises(ValueError, match=r"'iou\.mean' is already used"):
        results.add("iou.mean", 1.0)


def test_say_inserts_values_and_refuses_unknown_keys(results: Results) -> None:
    text = "IoU {iou.mean:.2f} ({iou.mean.low:.2f} to {iou.mean.high:.2f}, {iou.mean.n} frames)"
    assert say(results, text).data == "IoU 0.96 (0.95 to 0.97, 14 frames)"
    with pytest.raises(KeyError, match=r"iou\.median"):
        say(results, "{iou.median}")


def test_parts_of_a_run_stand_side_by_side(results: Results) -> None:
    results.add("new.iou.mean", 0.9)
    table = by_prefix(results.values, ["iou.mean", "tip.mean"], {"old": "", "new": "new.", "none": "other."})
    assert table.loc["iou.mean", ["old", "new"]].tolist() == [0.96, 0.9]
    assert table.loc["tip.mean"].isna().all()
    assert table["none"].isna().all()


def test_side_by_side_shows_published_reference_and_this_run(results: Results, tmp_path: Path) -> None:
    results.write(tmp_path / "reference.json")
    table = side_by_side(results, {"IoU": "iou.mean"}, {"iou.mean": 0.961}, tmp_path / "reference.json")
    assert table.loc["IoU", "published"] == 0.961
    assert table.loc["IoU", "reference run"] == 0.96
    assert table.loc["IoU", "95 % interval"] == "0.95 to 0.97"
    missing = side_by_side(results, {"IoU": "iou.mean"}, {"iou.mean": 0.961}, tmp_path / "none.json")
    assert "reference run" not in missing


def test_source_digest_tells_packages_apart() -> None:
    assert source_digest("icsilib.study") == source_digest("icsilib.study")
    assert source_digest("icsilib.study") != source_digest("icsilib.study.provenance")
