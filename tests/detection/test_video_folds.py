import numpy as np
import pytest

from icsilib.data.annotations import SPERM, Dataset, Image
from icsilib.detection.dataset import labelled_images
from icsilib.detection.video_folds import Run, fold, pooled, run_fold


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
