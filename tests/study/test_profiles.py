from dataclasses import FrozenInstanceError

import pytest

from icsilib.study.profiles import PROFILES


def test_the_paper_profile_is_what_the_papers_state() -> None:
    paper = PROFILES["paper"]
    assert (paper.icsi.videos, paper.icsi.size, paper.icsi.every) == (156, 512, 3)
    a = paper.segmentation
    assert (a.size, a.widths, a.batch_size, a.epochs, a.learning_rate) == (512, (32, 64, 128, 256), 4, 31, 1e-3)
    assert paper.biopsy.images == 702
    b = paper.detection
    assert (b.input_size, b.negatives_per_positive, b.detections) == (640, 3, 100)
    assert b.initialisation == "imagenet"


def test_profiles_hold_the_same_settings_and_cannot_be_changed() -> None:
    names = [[(row["part"], row["setting"]) for row in profile.rows()] for profile in PROFILES.values()]
    assert names[0] == names[1] == names[2]
    with pytest.raises(FrozenInstanceError):
        PROFILES["quick"].name = "slow"  # type: ignore[misc]
