"""Margins follow from published figures alone."""

from pathlib import Path

import pytest

from icsilib.study.claims import MARGINS, read_margins


def test_half_of_the_published_intra_annotator_sd() -> None:
    margins = read_margins()
    assert margins.margin("oolemma") == pytest.approx(0.0075)  # half of .015, paper A, Table 1
    assert margins.margin("pipette") == pytest.approx(0.0065)  # half of .013
    assert margins.margin("needle") == pytest.approx(1.615)  # half of 3.230 px


def test_only_published_intra_annotator_figures_enter() -> None:
    assert all(
        claim.startswith("A.table1.") and claim.endswith(".intra.sd") for claim in read_margins().scales.values()
    )


def test_unknown_structure_and_bad_file_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="no margin is stated for 'zona'"):
        read_margins().margin("zona")
    path = tmp_path / "margins.yaml"
    path.write_text(MARGINS.read_text(encoding="utf-8").replace("share: 0.5", "share: -1", 1), encoding="utf-8")
    with pytest.raises(ValueError, match=r"compare it with book/margins\.yaml"):
        read_margins(path)
