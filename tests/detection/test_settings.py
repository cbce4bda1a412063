import numpy as np
import pytest

from icsilib.detection.default_boxes import default_boxes
from icsilib.detection.settings import PROFILES, Settings


def test_settings_survive_their_record():
    for settings in PROFILES.values():
        assert Settings.from_record(settings.as_record()) == settings


def test_the_paper_profile_is_the_papers():
    paper = PROFILES["paper"]
    assert (paper.input_size, paper.window, paper.detections) == (640, None, 100)
    assert (paper.negatives_per_positive, paper.initialisation) == (3, "imagenet")
    assert paper == Settings("paper", mining="per_sperm")


def test_the_authors_profile_is_that_of_their_configuration():
    authors = PROFILES["authors"]
    assert (authors.input_size, authors.window, authors.batch_size, authors.steps) == (640, None, 18, 120_000)
    assert (authors.learning_rate, authors.momentum, authors.decay, authors.epsilon) == (0.004, 0.9, 0.9, 1.0)
    assert (authors.nms_iou, authors.score_threshold, authors.detections) == (0.6, 1e-8, 100)
    assert (authors.negatives_per_positive, authors.minimum_negatives, authors.mining) == (3, 3, "per_match")
    assert authors.scales == pytest.approx([*np.linspace(0.2, 0.95, 6), 1])
    assert authors.candidates == len(default_boxes(authors.scales, authors.ratios, authors.layout))
