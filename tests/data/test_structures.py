"""The table of structures agrees with itself, and nothing in the library spells its pairs a second time."""

import re
from pathlib import Path

import icsilib
from icsilib.data.structures import ICSI_CATEGORIES, OF_INJECTIONS, OUTLINES, STRUCTURES

SPELT = re.compile(
    r"""["'](iou_)?(oolemma|pipette|suction_pipette)["'],\s*["'](iou_)?(pipette|suction_pipette|needle)["']"""
)


def test_names_ids_and_columns_are_unique():
    for found in ([each.name for each in STRUCTURES], [each.category.id for each in STRUCTURES]):
        assert len(set(found)) == len(STRUCTURES)
    assert [each.column for each in OF_INJECTIONS] == ["iou_oolemma", "iou_pipette", "tip_px"]


def test_the_network_s_masks_are_in_the_published_order():
    assert [each.name for each in OUTLINES] == ["oolemma", "pipette"]
    assert [(each.id, each.name) for each in ICSI_CATEGORIES] == [(1, "oolemma"), (2, "suction_pipette"), (3, "needle")]


def test_no_module_spells_the_outlines_as_a_list():
    """The pattern is one that finds such a list: a third structure would be missing from it."""
    assert SPELT.search('("oolemma", "pipette")')
    root = Path(icsilib.__file__).parent
    assert [path.name for path in root.rglob("*.py") if SPELT.search(path.read_text(encoding="utf-8"))] == []
