from test_train import SMALL, write_images

from icsilib.detection.search import CANDIDATES, SEARCHED, search
from icsilib.detection.settings import PROFILES, Settings, as_record, from_record


def test_each_candidate_is_trained_and_recorded(tmp_path):
    images = write_images(tmp_path)
    candidates = {"base": {}, "gentle": {"learning_rate": 1e-4}}
    rows = list(search(images, images[:1], SMALL.with_(steps=2), candidates, tmp_path / "search"))
    assert [row["candidate"] for row in rows] == ["base", "gentle"]
    assert rows[1]["changes"] == "learning_rate = 0.0001"
    assert all(0 <= row["validation_ap"] <= 1 for row in rows)
    assert list(search(images, images[:1], SMALL.with_(steps=2), candidates, tmp_path / "search")) == rows


def test_every_candidate_is_a_setting():
    for changes in CANDIDATES.values():
        assert SEARCHED.with_(**changes) == SEARCHED or changes


def test_settings_survive_their_record():
    for settings in PROFILES.values():
        assert from_record(as_record(settings)) == settings


def test_the_paper_profile_is_the_papers():
    paper = PROFILES["paper"]
    assert (paper.input_size, paper.window, paper.detections) == (640, None, 100)
    assert (paper.negatives_per_positive, paper.initialisation) == (3, "imagenet")
    assert paper == Settings("paper")
