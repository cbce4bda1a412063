import contextlib
import copy
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from icsilib.detection.detector import Detections
from icsilib.detection.evaluate import (
    choose_threshold,
    coco_evaluation,
    f_measure,
    matched_detections,
    operating_point,
    recall_by,
    scores_of,
)
from icsilib.detection.images import LabelledImage


def labelled(id, boxes, group="p"):
    boxes = np.array(boxes, dtype=float).reshape(-1, 4)
    return LabelledImage(id, Path(f"{id}.png"), 640, 400, group, boxes, ("",) * len(boxes))


def found(boxes, scores):
    return Detections(np.array(boxes, dtype=float).reshape(-1, 4), np.array(scores, dtype=float))


def pycocotools_directly(images, detections):
    """COCOeval as its own demonstration uses it: default parameters, `loadRes`, `summarize`."""
    truth = COCO()
    boxes = [(image.id, box) for image in images for box in image.boxes.tolist()]
    truth.dataset = {
        "images": [{"id": image.id} for image in images],
        "categories": [{"id": 4, "name": "sperm"}],
        "annotations": [
            {"id": n + 1, "image_id": i, "category_id": 4, "bbox": b, "area": b[2] * b[3], "iscrowd": 0}
            for n, (i, b) in enumerate(boxes)
        ],
    }
    results = [
        {"image_id": i, "category_id": 4, "bbox": b, "score": s}
        for i, d in detections.items()
        for b, s in zip(d.boxes.tolist(), d.scores.tolist(), strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def random_case(seed, images=12):
    draw = np.random.default_rng(seed)
    cases, detections = [], {}
    for id in range(5, 5 + 3 * images, 3):
        count = int(draw.integers(0, 4))
        boxes = np.c_[draw.uniform(0, 300, (count, 2)), draw.uniform(10, 120, (count, 2))]
        near = boxes.repeat(2, axis=0) + draw.normal(0, 6, (2 * count, 4)) if count else np.zeros((0, 4))
        far = np.c_[draw.uniform(0, 300, (3, 2)), draw.uniform(10, 60, (3, 2))]
        guesses = np.maximum(np.concatenate([near, far]), 1)
        cases.append(labelled(id, boxes, group=f"p{id % 4}"))
        detections[id] = found(guesses, np.round(draw.random(len(guesses)), 2))
    return cases, detections


@pytest.mark.parametrize("seed", range(8))
def test_it_equals_pycocotools_run_directly(seed):
    images, detections = random_case(seed)
    direct = pycocotools_directly(images, detections)
    scores = scores_of(coco_evaluation(images, detections))
    assert scores.ap == pytest.approx(direct.stats[1], abs=1e-12)  # AP at IoU 0.50
    assert scores.ar == pytest.approx(direct.stats[8], abs=1e-12)  # AR at 100 detections
    assert np.array_equal(scores.precision, direct.eval["precision"][0, :, 0, 0, 2])
    assert scores.f1 == pytest.approx(2 * direct.stats[1] * direct.stats[8] / (direct.stats[1] + direct.stats[8]))


def test_one_hit_one_miss_one_false_alarm():
    # Best first: hit (0.9), false alarm (0.8); one of two sperm is found. Precision is 1 up to recall 0.5, of the
    # 101 recall points 51 (0, .01, … .50), and 0 beyond.
    images = [labelled(1, [[10, 10, 40, 40]]), labelled(2, [[10, 10, 40, 40]])]
    detections = {1: found([[10, 10, 40, 40], [200, 200, 40, 40]], [0.9, 0.8])}
    scores = scores_of(coco_evaluation(images, detections))
    assert scores.ap == pytest.approx(51 / 101)
    assert scores.ar == pytest.approx(0.5)
    assert scores.f1 == pytest.approx(2 * (51 / 101) * 0.5 / (51 / 101 + 0.5))


def test_recall_is_averaged_over_ten_overlaps():
    # Shifted by 8 of 40 px the overlap is 32/48 = 0.667: enough at .50, .55, .60 and .65, so 4 of 10.
    images = [labelled(1, [[0, 0, 40, 40]])]
    scores = scores_of(coco_evaluation(images, {1: found([[8, 0, 40, 40]], [0.5])}))
    assert scores.ap == pytest.approx(1.0)
    assert scores.ar == pytest.approx(0.4)


def test_the_published_f1_is_the_harmonic_mean_of_table_1():
    assert f_measure(0.741, 0.376) == pytest.approx(0.499, abs=5e-4)
    assert f_measure(0.925, 0.642) == pytest.approx(0.758, abs=5e-4)


def test_images_without_sperm_and_without_detections():
    nothing = coco_evaluation([labelled(1, []), labelled(2, [])], {})
    assert np.isnan(scores_of(nothing).ap)
    assert np.isnan(operating_point(matched_detections(nothing), 0.5).recall)
    missed = coco_evaluation([labelled(1, [[0, 0, 9, 9]])], {})
    assert scores_of(missed).ap == scores_of(missed).ar == 0
    with pytest.raises(ValueError, match="train longer"):
        choose_threshold(matched_detections(missed))


def test_detections_of_an_unknown_image_are_refused():
    with pytest.raises(ValueError, match="image 9"):
        coco_evaluation([labelled(1, [])], {9: found([[0, 0, 9, 9]], [0.5])})


def test_images_must_be_in_order():
    with pytest.raises(ValueError, match="ascending id"):
        coco_evaluation([labelled(2, []), labelled(1, [])], {})


def test_operating_point_of_hand_made_detections():
    images = [labelled(1, [[0, 0, 40, 40], [100, 0, 40, 40]]), labelled(2, [[0, 0, 40, 40]])]
    detections = {
        1: found([[0, 0, 40, 40], [1, 0, 40, 40], [100, 0, 40, 40]], [0.9, 0.8, 0.3]),
        2: found([[300, 0, 40, 40]], [0.6]),
    }
    matched = matched_detections(coco_evaluation(images, detections))
    assert matched.correct.tolist() == [True, False, False, True]  # the second box on the first sperm is one too many
    point = operating_point(matched, 0.5)
    assert (point.precision, point.recall) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert point.matched_f1 == pytest.approx(1 / 3)
    # At 0.3: P = 2/4, R = 2/3, F2 = 5·(1/3)/(4/2 + 2/3) = 0.625; at 0.9: P = 1, R = 1/3, F2 = 0.385.
    assert choose_threshold(matched) == 0.3
    assert choose_threshold(matched, beta=0.2) == 0.9


def test_recall_by_phenotype():
    images = [
        labelled(1, [[0, 0, 40, 40], [100, 0, 40, 40], [200, 0, 40, 40]]),
        labelled(2, []),
        labelled(3, [[5, 5, 9, 9]]),
    ]
    images[0] = replace(images[0], phenotypes=("normal", "bent tail", "normal"))
    images[2] = replace(images[2], phenotypes=("bent tail",))
    # The bent one is hit, the second normal one only below the threshold; the larger box is listed first on purpose.
    detections = {1: found([[101, 0, 40, 40], [0, 0, 40, 40], [200, 0, 40, 40]], [0.9, 0.8, 0.2])}
    assert recall_by(images, detections, 0.5) == {"normal": (1, 2), "bent tail": (1, 2)}
    assert recall_by(images, detections, 0.1) == {"normal": (2, 2), "bent tail": (1, 2)}


def test_a_resample_equals_the_images_written_out_so_often():
    images, detections = random_case(3, images=6)
    evaluation = coco_evaluation(images, detections)
    drawn = [0, 0, 3, 5]
    copies, copied = [], {}
    for new_id, place in enumerate(drawn):
        image = copy.deepcopy(images[place])
        copies.append(labelled(new_id + 1, image.boxes))
        copied[new_id + 1] = detections[image.id]
    expected = coco_evaluation(copies, copied)
    assert scores_of(evaluation, drawn).ap == pytest.approx(scores_of(expected).ap)
    assert scores_of(evaluation, drawn).ar == pytest.approx(scores_of(expected).ar)
    ours = operating_point(matched_detections(evaluation), 0.4, np.array(drawn))
    theirs = operating_point(matched_detections(expected), 0.4)
    assert ours.precision == pytest.approx(theirs.precision)
    assert ours.recall == pytest.approx(theirs.recall)
