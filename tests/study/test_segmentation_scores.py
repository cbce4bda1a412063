import numpy as np
import pandas as pd
import pytest

from icsilib.data.annotations import read_coco
from icsilib.data.structures import NEEDLE
from icsilib.phantoms.icsi_dataset import write_icsi_dataset
from icsilib.segmentation.evaluate import Speed
from icsilib.study.provenance import Results
from icsilib.study.segmentation_scores import add_contrasts, add_needles, add_scores, add_speed, with_contrasts


@pytest.fixture
def results():
    table = pd.DataFrame(
        {
            "video_id": ["a", "a", "b"],
            "iou_oolemma": [0.9, 1.0, 0.8],
            "iou_pipette": [0.8, np.nan, 1.0],
            "tip_px": [4.0, 12.0, np.nan],
            "tip_um": [1.0, 3.0, np.nan],
            "tip_present": [True, True, False],
            "tip_confidence": [0.9, 0.8, 0.1],
            "false_oolemma": [False, False, False],
            "false_pipette": [False, True, False],
        }
    )
    results = Results("segmentation_evaluation", "quick", 0)
    add_scores(results, table, "phantom", "x.")
    return results


def test_every_measure_has_mean_spread_and_what_was_left_out(results):
    values = {key: value.value for key, value in results.values.items()}
    assert values["x.oolemma.iou.mean"] == pytest.approx(0.9)
    assert values["x.oolemma.iou.sd"] == pytest.approx(0.1)
    assert (values["x.pipette.iou.mean"], values["x.pipette.iou.left_out"]) == (pytest.approx(0.9), 1)
    assert (values["x.tip.mean"], values["x.tip.um.median"], values["x.tip.within_10_px"]) == (8, 2, 0.5)
    assert values["x.tip.presence_auc"] == 1
    assert values["x.pipette.false_frames"] == 1


def test_the_mean_of_both_classes_counts_frames_that_have_both(results):
    both = results.values["x.iou.mean"]
    assert (both.value, both.n, both.data) == (pytest.approx((0.85 + 0.9) / 2), 2, "phantom")


def test_scores_of_one_video_have_no_interval(results):
    tip, oolemma = (results.values[f"x.{name}.mean"] for name in ("tip", "oolemma.iou"))
    assert (tip.interval, tip.level, tip.method) == (None, None, "mean over frames; no interval, videos: 1")
    assert (oolemma.interval, oolemma.method) == (None, "mean over frames; no interval, videos: 2")


def test_speed_says_how_it_was_measured(results):
    add_speed(results, Speed(12.5, 20, 3.5, 2, "cpu"))
    assert results.values["inference.ms"].value == 12.5
    assert "20 single frames after warming up, cpu, 2 threads" in results.values["inference.ms"].method


def tip_table(folder):
    """A frame table of a rendered set, every labelled tip 1 px off."""
    data = read_coco(folder / "annotations.json")
    with_tip = {label.image_id for label in data.annotations if label.category_id == NEEDLE.id}
    rows = [
        {"video_id": i.video_id, "frame_index": i.frame_index, "tip_px": 1.0 if i.id in with_tip else np.nan}
        for i in data.images
    ]
    return pd.DataFrame(rows), len(with_tip)


def test_every_labelled_tip_is_in_the_table_by_contrast(tmp_path):
    folder = write_icsi_dataset(tmp_path, videos=3, seed=5, size=64, every=40, workers=1)
    table, tips = tip_table(folder)
    results = Results("segmentation_evaluation", "quick", 0)
    known = with_contrasts(table, folder)
    add_contrasts(results, known, "two_looks.")
    assert sum(row["tips"] for row in results.tables["two_looks.by_contrast"]) == tips > 0
    assert known["tip_contrast"].notna().sum() == tips


@pytest.mark.parametrize(("share", "kind"), [(1.0, "bright"), (0.0, "dark")])
def test_every_labelled_tip_is_in_the_table_by_needle(tmp_path, share, kind):
    folder = write_icsi_dataset(tmp_path, videos=3, seed=5, size=64, every=40, workers=1, bright=share)
    table, tips = tip_table(folder)
    results = Results("segmentation_evaluation", "quick", 0)
    add_needles(results, table, folder)
    (row,) = results.tables["by_needle"]
    assert (row["needle"], row["tips"], row["mean"], row["sd"]) == (kind, tips, 1, 0)
