from pathlib import Path

import numpy as np
import pytest

from icsilib.detection.detector import Detections
from icsilib.detection.images import LabelledImage
from icsilib.study import detection_scores
from icsilib.study.provenance import Results

BOX = np.array([[10.0, 10.0, 20.0, 20.0]])


def image(number, phenotype):
    boxes = BOX if phenotype else np.zeros((0, 4))
    return LabelledImage(number, Path("none"), 50, 50, f"p{number}", boxes, (phenotype,) if phenotype else ())


def test_scores_of_a_detector_that_finds_the_normal_sperm_and_nothing_else():
    kinds = ("normal", "normal", "deformed", "") * 2
    images = [image(number, kind) for number, kind in enumerate(kinds, 1)]
    found = {number: Detections(BOX, np.array([0.9])) for number in (1, 2, 5, 6)}
    tested = detection_scores.Tested(images, found)
    results = Results("detection_evaluation", "quick", 0)
    evaluated = detection_scores.add_scores(results, tested, tested, "phantom", "some.")
    values = {key: one.value for key, one in results.values.items()}
    assert values["some.ap50"] == pytest.approx(67 / 101)  # precision 1 up to a recall of two thirds
    assert values["some.ar100"] == pytest.approx(2 / 3)
    assert (values["some.threshold"], values["some.precision"]) == (0.9, 1.0)
    assert values["some.f1.matched"] == pytest.approx(0.8)
    assert values["some.recall.normal_minus_distorted"] == 1.0
    assert results.values["some.recall.normal"].n == 4
    assert evaluated.hits == {"normal": (4, 4), "deformed": (0, 2)}
    low, high = results.values["some.ap50"].interval
    assert low <= 67 / 101 <= high


def test_scores_of_one_patient_have_no_interval():
    images = [LabelledImage(number, Path("none"), 50, 50, "p", BOX, ("normal",)) for number in (1, 2)]
    tested = detection_scores.Tested(images, {number: Detections(BOX, np.array([0.9])) for number in (1, 2)})
    results = Results("detection_evaluation", "quick", 0)
    detection_scores.add_scores(results, tested, tested, "phantom")
    for key in ("ap50", "ar100", "f1.published", "precision", "recall", "f1.matched"):
        assert (results.values[key].value, results.values[key].interval) == (1.0, None)


def test_distorted_sperm_are_the_kinds_that_the_paper_names():
    """Newcombe (1998), example a of table II: 56/70 against 48/80 differ by 0.2, from 0.0524 to 0.3339."""
    results = Results("detection_evaluation", "quick", 0)
    hits = {"normal": (56, 70), "bent_tail": (30, 40), "deformed": (18, 30), "occluded": (0, 10), "head_only": (0, 50)}
    detection_scores._add_phenotypes(results, hits, "phantom", "")
    difference = results.values["recall.normal_minus_distorted"]
    assert difference.value == pytest.approx(0.2)
    assert difference.interval == pytest.approx((0.0524, 0.3339), abs=1e-4)
    assert difference.n == 150


def test_what_the_measures_are_made_of():
    results = Results("detection_evaluation", "quick", 0)
    detection_scores.add_constants(results)
    assert {key: one.value for key, one in results.values.items()} == {
        "ap.iou": 0.5,
        "ar.thresholds": 10,
        "recall_points": 101,
    }
