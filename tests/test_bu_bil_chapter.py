"""The BU-BIL chapter's mean inter-annotator IoU, recomputed from the files with PIL and numpy alone."""

import os
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
MIRROR = Path(os.environ.get("ICSILIB_MIRROR") or ROOT.parent / "shared" / "mirror")
SET = (
    "raw.githubusercontent.com/tobastin/CS760-Project-Lungs/97d69b49028adc61c1f52a2cd2be3fda881608ad"
    "/DataSet/Rabbit/BU-BIL_Dataset1/ExpertsAnnotations"
)
TOOLS = ("Amira", "ImageJ")


@pytest.fixture(scope="module")
def experts():
    if not (MIRROR / SET).is_dir():
        pytest.skip(f"no BU-BIL under {MIRROR}; set ICSILIB_MIRROR to the mirror")
    return MIRROR / SET


def cell(path):
    """The cell of one file: foreground is 0; modes are mixed, so everything goes through grey."""
    return np.asarray(Image.open(path).convert("L")) < 128


def overlaps(experts, tool):
    """IoU of each two people on each frame, straight from the files."""
    found = []
    people = sorted(folder for folder in experts.iterdir() if folder.name.endswith(tool))
    names = [{path.stem.lower(): path for path in folder.glob("*.png")} for folder in people]
    for frame in sorted(names[0]):
        cells = [cell(person[frame]) for person in names]
        found += [(a & b).sum() / (a | b).sum() for a, b in combinations(cells, 2)]
    return np.array(found)


def test_the_chapters_mean_is_the_files_mean(experts, monkeypatch, tmp_path):
    from icsilib.study.repeated_labels import read_labels

    monkeypatch.setenv("ICSILIB_MIRROR", str(MIRROR))
    monkeypatch.setenv("ICSILIB_DATA", str(tmp_path))
    direct = {tool: overlaps(experts, tool) for tool in TOOLS}
    assert [len(values) for values in direct.values()] == [35 * 10, 35 * 10]
    pairs = read_labels("bu-bil", 0).pairs()
    inter = pairs[pairs["kind"] == "inter"]
    for tool, values in direct.items():
        rows = inter[inter["round_a"] == tool]
        assert len(rows) == 35 * 10
        assert rows["value"].mean() == pytest.approx(values.mean(), abs=1e-6)
        assert np.sort(rows["value"]) == pytest.approx(np.sort(values), abs=1e-6)
    assert inter["value"].mean() == pytest.approx(np.concatenate(list(direct.values())).mean(), abs=1e-6)
    intra = pairs[pairs["kind"] == "intra"]
    assert set(intra["annotator_a"]) == {"Person1", "Person3", "Person4", "Person5"}  # Person2's files are copies
