"""Agreement tables against counts made by hand and pycocotools."""

import numpy as np
import pandas as pd
import pytest
from pycocotools import mask as coco_mask

from icsilib.stats import agreement


def test_boundaries_of_shifted_discs_lie_apart_by_geometry():
    y, x = np.mgrid[:120, :120]
    discs = [np.hypot(x - 60, y - 60) < radius for radius in (30, 34)]
    assert agreement.boundary_distance(*discs) == pytest.approx(4, abs=0.2)
    assert agreement.boundary_distance(discs[0], discs[0]) == 0
    assert np.isnan(agreement.boundary_distance(discs[0], np.zeros_like(discs[0])))
    halves = [np.broadcast_to(np.arange(120) < edge, (120, 120)) for edge in (50, 60)]
    assert agreement.boundary_distance(*halves) == pytest.approx(10)  # along the frame's edge there is no outline


def test_pairs_of_the_papers_design_are_counted():
    table = agreement.distance_table(np.zeros((5, 5, 14, 2)), "needle")
    counts = table.groupby("kind").size()
    assert counts["inter"] == 10 * 5 * 14
    assert counts["intra"] == 5 * 10 * 14
    assert agreement.first_round_only(table).groupby("kind").size()["inter"] == 10 * 14
    assert not table.duplicated(["frame", "annotator_a", "round_a", "annotator_b", "round_b"]).any()
    inter = table[table["kind"] == "inter"]
    assert (inter["round_a"] == inter["round_b"]).all()
    assert (inter["annotator_a"] != inter["annotator_b"]).all()


def test_iou_of_shifted_squares():
    a, b = np.zeros((2, 20, 20), bool)
    a[5:15, 5:15], b[5:15, 10:20] = True, True
    assert agreement.iou(a, b) == pytest.approx(50 / 150)
    assert agreement.iou(a, a) == 1
    assert np.isnan(agreement.iou(np.zeros((4, 4), bool), np.zeros((4, 4), bool)))


def test_iou_of_rolled_squares_is_arithmetic():
    square = np.zeros((20, 20), bool)
    square[5:15, 2:12] = True
    masks = np.stack([square, np.roll(square, 2, axis=1), np.roll(square, 5, axis=1)])
    expected = [[1, 8 / 12, 5 / 15], [8 / 12, 1, 7 / 13], [5 / 15, 7 / 13, 1]]
    np.testing.assert_allclose(agreement.iou_matrix(masks), expected)


def test_iou_agrees_with_pycocotools():
    masks = np.random.default_rng(0).random((6, 40, 30)) > 0.6
    runs = [coco_mask.encode(np.asfortranarray(mask.astype(np.uint8))) for mask in masks]
    np.testing.assert_allclose(agreement.iou_matrix(masks), coco_mask.iou(runs, runs, [0] * 6))


def test_empty_masks_and_missing_points_are_excluded_and_counted():
    masks = np.zeros((2, 2, 1, 4, 4), bool)
    masks[0, 0, 0, :2] = True  # one label of four holds anything
    found = agreement.summary(agreement.iou_table(masks, "oolemma"))
    # inter: round 0 is full against empty (IoU 0), round 1 empty against empty (excluded); intra likewise
    assert found.loc[("oolemma", "inter"), ["mean", "n", "excluded"]].tolist() == [0, 1, 1]
    assert found.loc[("oolemma", "intra"), ["mean", "n", "excluded"]].tolist() == [0, 1, 1]
    points = np.zeros((2, 2, 3, 2))
    points[1, 1, 2] = np.nan
    found = agreement.summary(agreement.distance_table(points, "needle"))
    assert found.loc[("needle", "inter"), ["n", "excluded"]].tolist() == [5, 1]


def test_summary_by_hand():
    points = np.zeros((2, 2, 1, 2))
    points[0, 0, 0] = (3, 4)  # 5 px from the three others
    found = agreement.summary(agreement.distance_table(points, "needle"))
    assert found.loc[("needle", "inter"), "mean"] == 2.5
    assert found.loc[("needle", "inter"), "sd"] == pytest.approx(np.std([5, 0], ddof=1))


def test_names_and_matrices():
    rng = np.random.default_rng(1)
    points = rng.normal(size=(3, 2, 4, 2))
    table = agreement.distance_table(points, "needle", annotators=["x", "y", "z"], rounds=["Amira", "ImageJ"])
    matrix = agreement.pair_matrix(table, "needle")
    between = np.linalg.norm(points[0] - points[2], axis=-1).mean()
    within = np.linalg.norm(points[1, 0] - points[1, 1], axis=-1).mean()
    assert matrix.loc["x", "z"] == matrix.loc["z", "x"] == pytest.approx(between)
    assert matrix.loc["y", "y"] == pytest.approx(within)
    assert agreement.round_matrix(table, "needle", "y").loc["ImageJ", "Amira"] == pytest.approx(within)
    spread = agreement.by_annotator(table)
    assert spread.groupby(["kind", "annotator"]).size().loc["inter"].tolist() == [2 * 2 * 4] * 3


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match=r"got the shape \(2, 3\)"):
        agreement.iou_table(np.zeros((2, 3), bool), "oolemma")
    with pytest.raises(ValueError, match="names do not fit"):
        agreement.distance_table(np.zeros((2, 2, 1, 2)), "needle", annotators=["one"])


def test_table_columns():
    table = agreement.distance_table(np.zeros((2, 2, 1, 2)), "needle")
    assert isinstance(table, pd.DataFrame)
    assert list(table) == agreement.COLUMNS
