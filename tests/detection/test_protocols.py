"""Scoring by the text, by the authors' code and by a free-response curve, on cases computed by hand."""

import numpy as np
import pytest

from icsilib.data.annotations import Dataset, Image, box_annotation
from icsilib.data.structures import SPERM
from icsilib.detection import protocols
from icsilib.detection.consensus import consensus
from icsilib.detection.detector import Detections
from icsilib.detection.evaluate import Matched, coco_evaluation, matched_detections, operating_point, scores_of
from icsilib.detection.readings import readings

BOX, FAR = [0, 0, 40, 20], [100, 100, 40, 20]


def label_set(*images):
    """A reader's labels: for each image the boxes drawn."""
    shown = [Image(id=n, file_name=f"{n}.png", width=200, height=200) for n in range(1, len(images) + 1)]
    rows = [(n, box) for n, boxes in enumerate(images, start=1) for box in boxes]
    drawn = [box_annotation(i, n, SPERM, np.array(box, float)) for i, (n, box) in enumerate(rows, start=1)]
    return Dataset(images=shown, annotations=drawn, categories=[SPERM])


@pytest.fixture
def together():
    """Image 1: all agree. 2: only b and c drew, the same. 3: one box each, c's elsewhere. 4: nobody drew."""
    return readings(
        {
            "a": label_set([BOX], [], [BOX], []),
            "b": label_set([BOX], [BOX], [BOX], []),
            "c": label_set([BOX], [BOX], [FAR], []),
        }
    )


def test_the_text_keeps_every_image_and_the_code_what_its_first_reader_labelled(together):
    text, code = protocols.by_text(together), protocols.by_code(together)
    assert [image.boxes.tolist() for image in text] == [[BOX], [BOX], [BOX], []]
    assert [image.path.name for image in code] == ["1.png", "3.png"]
    assert code[0].boxes.tolist() == [BOX]
    assert code[1].boxes.round(3).tolist() == [[33.333, 33.333, 40, 20]]  # a third of the way to c's


def test_a_reader_is_scored_by_each_protocol(together):
    def point(images, reader):
        evaluation = coco_evaluation(images, protocols.as_detections(together, reader, images), limit=None)
        return operating_point(matched_detections(evaluation), 0.0), scores_of(evaluation).ar

    by_text, ar = point(protocols.by_text(together), "a")
    assert (by_text.precision, by_text.recall, ar) == (1, pytest.approx(2 / 3), pytest.approx(2 / 3))
    # By the code a's second box overlaps nothing: (40 - 33.3) · 0 < half.
    by_code, ar = point(protocols.by_code(together), "a")
    assert (by_code.precision, by_code.recall, ar) == (0.5, 0.5, 0.5)


def test_an_order_of_readers_and_their_mean_scores(together):
    found = protocols.order_against_text(together, ["a", "b", "c"])
    assert found == {"order": "a, b, c", "images": 2, "boxes": 2, "in both": 1}
    precision, ar = protocols.readers_scores(together, protocols.by_text(together))
    assert (precision, ar) == (pytest.approx((1 + 1 + 2 / 3) / 3), pytest.approx((2 / 3 + 1 + 2 / 3) / 3))


def test_errors_of_the_code_count_numbers_alone(together):
    agreed = protocols.modal_consensuses(together)
    assert protocols.error_rate(agreed, 3) == (0, 6)
    more = readings({"a": label_set([BOX, FAR], [BOX]), "b": label_set([BOX], []), "c": label_set([BOX], [BOX])})
    # One surplus box in the first image and one missing in the second; two consensus boxes, three readers.
    assert protocols.error_rate(protocols.modal_consensuses(more), 3) == (2, 6)


def test_pooled_recall_wants_more_than_the_threshold(together):
    """Two boxes of IoU exactly one half count at no threshold; three readers who agree count at all ten."""
    same = readings({name: label_set([BOX]) for name in "abc"})
    assert protocols.pooled_recall(same, protocols.modal_consensuses(same)) == 1
    # The mean of widths 40 and 80 is 60: IoU 2/3 and 3/4. Above .50 to .65 are both, above .70 only the second.
    two = readings({"a": label_set([[0, 0, 40, 20]]), "b": label_set([[0, 0, 80, 20]])})
    assert protocols.pooled_recall(two, protocols.modal_consensuses(two)) == pytest.approx((4 * 1 + 1 * 0.5) / 10)
    # 20, 40, 60 wide, mean 40: IoU 1/2, 1, 2/3. The half is above no threshold.
    three = readings({name: label_set([[0, 0, w, 20]]) for name, w in zip("abc", (20, 40, 60), strict=True)})
    agreed = protocols.modal_consensuses(three)
    assert agreed[0].boxes.tolist() == [[0, 0, 40, 20]]
    assert protocols.pooled_recall(three, agreed) == pytest.approx((10 + 4) / 30)


def test_the_free_response_curve_of_four_images():
    """Two images with a sperm each, two without; found: right, wrong (empty image), right and wrong (second)."""
    matched = Matched(
        image=np.array([0, 2, 1, 1]),
        score=np.array([0.9, 0.8, 0.5, 0.5]),
        correct=np.array([True, False, True, False]),
        sperm=np.array([1, 1, 0, 0]),
    )
    curve = protocols.free_response(matched)
    assert curve.threshold.tolist() == [0.9, 0.8, 0.5]
    assert curve.sensitivity.tolist() == [0.5, 0.5, 1]
    assert curve.false_per_image.tolist() == [0, 0.25, 0.5]
    # Nine images in ten are empty: the false box of an empty one weighs .9 / 2, that of one with sperm .1 / 2.
    assert protocols.free_response(matched, 0.9).false_per_image == pytest.approx([0, 0.45, 0.5])
    assert protocols.free_response(matched, 0.0).false_per_image == pytest.approx([0, 0, 0.5])
    assert [curve.sensitivity_at(price) for price in (0, 0.3, 1)] == [0.5, 0.5, 1]
    assert protocols.free_response(matched).sensitivity_at(-1) == 0


def test_what_cannot_be_measured_is_refused():
    nothing = Matched(np.zeros(0, int), np.zeros(0), np.zeros(0, bool), np.array([0, 0]))
    with pytest.raises(ValueError, match="no image has a sperm"):
        protocols.free_response(nothing)
    full = Matched(np.zeros(0, int), np.zeros(0), np.zeros(0, bool), np.array([1, 2]))
    assert protocols.free_response(full).sensitivity_at(1) == 0  # nothing was found
    with pytest.raises(ValueError, match=r"empty_share=0\.5, 0 images are empty"):
        protocols.free_response(full, 0.5)


def test_the_text_s_truth_is_the_consensus(together):
    for image, boxes in zip(protocols.by_text(together), together.boxes, strict=True):
        assert image.boxes.tolist() == consensus(boxes).boxes.tolist()
    assert isinstance(protocols.as_detections(together, "a", protocols.by_text(together))[1], Detections)
