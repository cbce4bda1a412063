import numpy as np
import pandas as pd
import pytest

from icsilib.segmentation.evaluation import Speed
from icsilib.study.provenance import Results
from icsilib.study.segmentation_scores import add_scores, add_speed


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


def test_speed_says_how_it_was_measured(results):
    add_speed(results, Speed(12.5, 20, 3.5, 2))
    assert results.values["inference.ms"].value == 12.5
    assert "20 single frames after warming up, 2 threads" in results.values["inference.ms"].method
