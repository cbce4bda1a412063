from dataclasses import replace

import numpy as np
import pytest

from icsilib.data.annotations import SPERM, Dataset, Image
from icsilib.detection.dataset import labelled_images
from icsilib.detection.video_folds import (
    Run,
    fold,
    planned_runs,
    pooled,
    pooled_scores,
    run_fold,
    seeds_interval,
)


def videos():
    images = [
        Image(id=4 * v + f + 1, file_name=f"{v}-{f}.png", width=40, height=30, video_id=f"S_{v}")
        for v in range(5)
        for f in range(4)
    ]
    return Dataset(images=images, annotations=[], categories=[SPERM])


def test_every_video_is_held_out_once_and_never_trains_or_validates_its_own_run():
    for v in range(5):
        split = fold(videos(), f"S_{v}")
        assert split.test == (f"S_{v}",)
        assert split.validation == (f"S_{(v + 1) % 5}",)
        assert len(split.train) == 3
        assert not {*split.test, *split.validation} & set(split.train)


def test_a_finished_run_is_read_not_repeated(tmp_path):
    run = Run("S_0", "imagenet", 2)
    (tmp_path / run.name).mkdir()
    (tmp_path / run.name / "result.json").write_text('{"ap": 0.5}')
    assert run_fold(videos(), "nowhere", run, None, tmp_path) == {"ap": 0.5}


def test_pooling_needs_every_image():
    images = labelled_images(videos(), "")[:2]
    results = [{"detections": {"1": [[1, 2, 3, 4, 0.9]], "2": []}}]
    found = pooled(images, results)
    assert found[1].boxes.tolist() == [[1, 2, 3, 4]]
    assert np.allclose(found[1].scores, 0.9)
    assert len(found[2].boxes) == 0
    with pytest.raises(ValueError, match="image 2 is in no fold"):
        pooled(images, [{"detections": {"1": []}}])


def test_the_plan_has_three_seeds_on_one_video_and_every_video_once():
    runs = planned_runs([f"S_{v}" for v in range(5)], "S_3")
    assert len(set(runs)) == 14
    assert sum(run.held_out == "S_3" for run in runs) == 6
    assert {(run.held_out, run.initialisation) for run in runs if run.seed == 0} == {
        (f"S_{v}", start) for v in range(5) for start in ("imagenet", "scratch")
    }


def test_interval_over_three_seeds_by_hand():
    # Mean 0.8, standard deviation 0.1, t(0.975, 2) = 4.3027: 0.8 ± 4.3027·0.1/√3.
    assert seeds_interval([0.7, 0.8, 0.9]) == pytest.approx((0.8 - 0.24841, 0.8 + 0.24841), abs=1e-4)


def test_pooled_videos_are_scored_together():
    boxes = np.array([[10.0, 10, 12, 12]])
    images = [replace(image, boxes=boxes) for image in labelled_images(videos(), "")]
    hits = {"detections": {str(image.id): [[10, 10, 12, 12, 0.9]] for image in images[:10]}}
    misses = {"detections": {str(image.id): [] for image in images[10:]}}
    scores, (low, high) = pooled_scores(images, [hits, misses], resamples=50)
    assert scores.ap == pytest.approx(51 / 101)  # half of the 20 sperm, at full precision
    assert low < scores.ap < high
