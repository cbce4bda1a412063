import json

import pytest
from script_files import load_script

from icsilib.data.annotations import Dataset, Image, box_annotation
from icsilib.data.structures import SPERM
from icsilib.detection.images import digest_of, labelled_images
from icsilib.detection.settings import Settings

script = load_script("svia_folds")


def videos():
    images = [
        Image(id=4 * v + f + 1, file_name=f"{v}-{f}.png", width=40, height=30, video_id=f"S_{v}")
        for v in range(5)
        for f in range(4)
    ]
    return Dataset(images=images, annotations=[], categories=[SPERM])


def test_every_video_is_held_out_once_and_never_trains_or_validates_its_own_run():
    for v in range(5):
        split = script.fold(videos(), f"S_{v}")
        assert split.test == (f"S_{v}",)
        assert split.validation == (f"S_{(v + 1) % 5}",)
        assert len(split.train) == 3
        assert not {*split.test, *split.validation} & set(split.train)


def test_a_finished_run_of_the_same_settings_and_data_is_read_not_repeated(tmp_path):
    dataset, run, settings = videos(), script.Run("S_0", "imagenet", 2), Settings("test", initialisation="imagenet")
    for image in dataset.images:
        (tmp_path / image.file_name).write_bytes(b"pixels")
    ids = script.fold(dataset, "S_0").of(dataset)
    data = digest_of(*(labelled_images(dataset, tmp_path, members) for members in ids.values()))
    (tmp_path / run.name).mkdir()
    result = tmp_path / run.name / "result.json"
    result.write_text(json.dumps({"ap": 0.5, "about": {"settings": settings.as_record(), "data": data}}))
    assert script.run_fold(dataset, tmp_path, run, settings, tmp_path) == {"ap": 0.5}
    with pytest.raises(ValueError, match=r"result\.json: is of other settings; choose another folder"):
        script.run_fold(dataset, tmp_path, run, settings.with_(steps=1), tmp_path)
    dataset.annotations.append(box_annotation(1, 1, SPERM, [1, 2, 3, 4]))
    with pytest.raises(ValueError, match="is of other data"):
        script.run_fold(dataset, tmp_path, run, settings, tmp_path)


def test_three_seeds_of_each_initialisation_on_one_video():
    runs = script.held_out_runs("S_3")
    assert len(set(runs)) == 6
    assert {(run.held_out, run.initialisation) for run in runs} == {("S_3", "imagenet"), ("S_3", "scratch")}


def test_interval_over_three_seeds_by_hand():
    # Mean 0.8, standard deviation 0.1, t(0.975, 2) = 4.3027: 0.8 ± 4.3027·0.1/√3.
    assert script.seeds_interval([0.7, 0.8, 0.9]) == pytest.approx((0.8 - 0.24841, 0.8 + 0.24841), abs=1e-4)
