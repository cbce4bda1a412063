"""The weights that the study ships, on rendered images of patients that no training saw."""

from icsilib.detection import load
from icsilib.detection.boxes import box_iou
from icsilib.detection.settings import Settings
from icsilib.detection.weights import BIOPSY_PHANTOM
from icsilib.phantoms.biopsy import BiopsyRanges, biopsy_image
from icsilib.training.weights import read_weights

UNSEEN = 300_000  # seeds of the study's data sets lie below
DIFFUSE = (4, 7, 9, 10, 11, 13, 15, 16, 17, 18)
OPERATING_POINT = 0.2  # score of the reference run's largest F2 on validation, about
ONE_SPERM = BiopsyRanges(sperm_per_image=(0.0, 1.0, *[0.0] * 6))


def test_load_gives_a_detector_that_finds_half_of_the_sperm_in_diffuse_tissue_or_more():
    images = [biopsy_image(UNSEEN, number, ONE_SPERM) for number in DIFFUSE]
    detector = load()
    found = 0
    for image in images:
        assert image.kind == "diffuse"
        boxes, _ = detector.predict(image.pixels).above(OPERATING_POINT)
        found += int((box_iou(boxes, image.boxes) >= 0.5).any())
    assert found >= 5


def test_the_file_says_what_it_was_trained_on():
    _, settings, about = read_weights(BIOPSY_PHANTOM, Settings)
    assert settings.profile == "standard"
    assert set(about) >= {"data", "annotations_sha256", "code", "initialisation"}
    assert BIOPSY_PHANTOM.with_suffix(".md").exists()
