import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from icsilib.data.annotations import AnnotationError, Dataset, Image, box_annotation
from icsilib.data.structures import SPERM, Category
from icsilib.detection.boxes import box_iou
from icsilib.detection.consensus import (
    ALL,
    OTHERS,
    consensus,
    dataset_consensus,
    modal_consensus,
    readers_against_consensus,
)
from icsilib.detection.readings import readings


def at(x, y=0.0, width=30.0, height=20.0):
    return [x, y, width, height]


def boxes(*rows):
    return np.array(rows, dtype=float).reshape(-1, 4)


# Boxes of one height: shifted by d of their width 30 they overlap by (30 - d) / (30 + d), so d = 10 is IoU 1/2 exactly.


def test_two_of_three_agree_and_the_mean_stands():
    """Figure 3: two overlap by half or more, the third drew elsewhere."""
    found = consensus({"a": boxes(at(0)), "b": boxes(at(6, 2)), "c": boxes(at(200))})
    assert found.boxes.tolist() == [[3, 1, 30, 20]]
    assert found.votes.tolist() == [2]
    assert found.members == ({"a": 0, "b": 0},)
    assert found.left_over({"a": boxes(at(0)), "b": boxes(at(6, 2)), "c": boxes(at(200))}) == {
        "a": [],
        "b": [],
        "c": [0],
    }


def test_three_agree():
    found = consensus({"a": boxes(at(0)), "b": boxes(at(3)), "c": boxes(at(6))})
    assert found.boxes.tolist() == [[3, 0, 30, 20]]
    assert found.votes.tolist() == [3]


@pytest.mark.parametrize(("shift", "number"), [(10.0, 1), (10.01, 0)])
def test_half_an_overlap_is_enough(shift, number):
    assert len(consensus({"a": boxes(at(0)), "b": boxes(at(shift)), "c": boxes()}).boxes) == number


def test_a_chain_is_its_closer_pair():
    """A~B by 1/2 and B~C by 23/37, but A and C by 13/47 only: B and C stand, A has no partner left."""
    chain = {"a": boxes(at(0)), "b": boxes(at(10)), "c": boxes(at(17))}
    found = consensus(chain)
    assert found.boxes.tolist() == [[13.5, 0, 30, 20]]
    assert found.left_over(chain) == {"a": [0], "b": [], "c": []}


def test_a_chain_of_equal_overlaps_is_its_pair_with_the_smaller_coordinates():
    for names in ("abc", "cba", "bca"):
        found = consensus(dict(zip(names, (boxes(at(0)), boxes(at(10)), boxes(at(20))), strict=True)))
        assert found.boxes.tolist() == [[5, 0, 30, 20]]


def test_one_box_over_two_goes_to_the_closer():
    """A drew one long box; B and C drew two sperm in it. A's box joins those it fits; the others agree without A."""
    found = consensus({"a": boxes(at(2)), "b": boxes(at(0), at(12)), "c": boxes(at(1), at(12))})
    assert found.boxes.tolist() == [[1, 0, 30, 20], [12, 0, 30, 20]]
    assert found.votes.tolist() == [3, 2]


def test_more_votes_come_before_a_closer_pair():
    """b and d are equal, but b also agrees with a and c, and three votes outrank a perfect pair."""
    found = consensus({"a": boxes(at(0)), "b": boxes(at(6)), "c": boxes(at(3)), "d": boxes(at(14))}, min_votes=2)
    assert found.votes.tolist() == [3]
    assert found.boxes.tolist() == [[3, 0, 30, 20]]


def test_a_reader_has_one_vote_for_a_sperm():
    twice = {"a": boxes(at(0), at(1)), "b": boxes(), "c": boxes()}
    assert len(consensus(twice).boxes) == 0
    confirmed = consensus({"a": boxes(at(0), at(2)), "b": boxes(at(1.5)), "c": boxes()})
    assert confirmed.members == ({"a": 1, "b": 0},)
    both = consensus({"a": boxes(at(0), at(1)), "b": boxes(at(0), at(1)), "c": boxes()})
    assert both.boxes.tolist() == [at(0), at(1)]


def test_empty_readers():
    assert consensus({"a": boxes(), "b": boxes(), "c": boxes()}).boxes.shape == (0, 4)
    assert consensus({}).votes.shape == (0,)


def test_more_readers_more_votes():
    five = {name: boxes(at(shift)) for name, shift in zip("abcde", (0, 1, 2, 3, 100), strict=True)}
    assert consensus(five, min_votes=4).boxes.tolist() == [[1.5, 0, 30, 20]]
    assert len(consensus(five, min_votes=5).boxes) == 0
    assert consensus({"a": boxes(at(7))}, min_votes=1).boxes.tolist() == [at(7)]


def test_many_readers_take_no_longer_than_few():
    """Twenty-four readers of one sperm have 2²⁴ subsets; only the largest is looked at."""
    many = {f"reader {k:02d}": boxes(at(k / 10), at(100 + k / 10)) for k in range(24)}
    assert consensus(many).votes.tolist() == [24, 24]


@pytest.mark.parametrize("readers", ["abc", "abcde"])
def test_forty_copies_of_one_box_take_no_longer_than_forty_boxes(readers):
    """The k-th copies agree with each other; 40³ and 40⁵ other groups are as good and need not be looked at."""
    begun = time.perf_counter()
    found = consensus({reader: boxes(*[at(7)] * 40) for reader in readers})
    assert time.perf_counter() - begun < 1
    assert found.members == tuple(dict.fromkeys(readers, k) for k in range(40))


@pytest.mark.parametrize("bad", [at(0, width=0.0), at(np.nan), at(0, height=-3.0)])
def test_a_box_without_area_is_named(bad):
    with pytest.raises(ValueError, match="reader b, box 1"):
        consensus({"a": boxes(at(0)), "reader b": boxes(at(0), bad)})


@pytest.mark.parametrize("wrong", [{"iou": 0.0}, {"iou": 1.1}, {"min_votes": 0}])
def test_impossible_rules_are_refused(wrong):
    with pytest.raises(ValueError, match="need"):
        consensus({}, **wrong)


number = st.integers(0, 40)
box = st.tuples(number, number, st.integers(5, 30), st.integers(5, 30))
drawn = st.dictionaries(st.sampled_from("abcd"), st.lists(box, max_size=5), min_size=1, max_size=4)


@settings(max_examples=80, deadline=None)
@given(drawn, st.randoms(use_true_random=False), st.integers(2, 3))
def test_order_changes_nothing(rows, random, min_votes):
    first = consensus({name: boxes(*some) for name, some in rows.items()}, min_votes=min_votes)
    names = list(rows)
    random.shuffle(names)
    shuffled = {name: random.sample(rows[name], len(rows[name])) for name in names}
    second = consensus({name: boxes(*some) for name, some in shuffled.items()}, min_votes=min_votes)
    assert first.boxes.tolist() == second.boxes.tolist()
    assert first.votes.tolist() == second.votes.tolist()


@settings(max_examples=80, deadline=None)
@given(drawn)
def test_rules_hold_for_any_boxes(rows):
    """Members agree pairwise by pycocotools' own IoU; no box is used twice; what stays over could form no group."""
    given_boxes = {name: boxes(*some) for name, some in rows.items()}
    found = consensus(given_boxes)
    for mean, votes, members in zip(found.boxes, found.votes, found.members, strict=True):
        own = np.array([given_boxes[name][index] for name, index in members.items()])
        assert len(own) == votes >= 2
        assert coco_mask.iou(own, own, [0] * len(own)).min() >= 0.5
        np.testing.assert_allclose(mean, own.mean(axis=0))
    used = [(name, index) for members in found.members for name, index in members.items()]
    assert len(used) == len(set(used))
    over = [(name, given_boxes[name][index]) for name, some in found.left_over(given_boxes).items() for index in some]
    for name, one in over:
        assert all(box_iou(one[None], other[None])[0, 0] < 0.5 for reader, other in over if reader != name)


# Label sets


def labels(shown, rows, category=SPERM, size=(640, 400)):
    """A label set: `shown` file names, `rows` as (file name, box)."""
    images = [Image(id=i, file_name=name, width=size[0], height=size[1]) for i, name in enumerate(shown, start=1)]
    ids = {image.file_name: image.id for image in images}
    records = [box_annotation(i, ids[name], category, box) for i, (name, box) in enumerate(rows, start=1)]
    return Dataset(images=images, annotations=records, categories=[category])


def test_three_real_readers():
    """Other ids, folders, suffixes, spellings; images not shown to all; boxes beyond the image."""
    ana = labels(["im/A.png", "im/B.png", "im/D.png"], [("im/A.png", at(0)), ("im/B.png", at(-10))])
    ben = labels(["b.jpg", "a.jpg"], [("a.jpg", at(3)), ("b.jpg", at(0))], Category(id=9, name="Spermatozoon"))
    eva = labels(["a.tif"], [("a.tif", at(6)), ("a.tif", at(650))], Category(id=1, name=" Sperm-cell"))
    together = readings({"eva": eva, "ana": ana, "ben": ben})
    assert [image.file_name for image in together.images] == ["im/A.png", "im/B.png", "im/D.png"]
    assert [sorted(boxes) for boxes in together.boxes] == [["ana", "ben", "eva"], ["ana", "ben"], ["ana"]]
    assert dict(together.counts) == {"ana: box clipped to the image": 1, "eva: box outside the image left out": 1}
    agreed = dataset_consensus({"eva": eva, "ana": ana, "ben": ben})
    assert [(record.image_id, record.bbox) for record in agreed.annotations] == [(1, at(3)), (2, [0, 0, 25, 20])]
    assert agreed.annotations[0].model_extra == {"votes": 3, "readers": ["ana", "ben", "eva"]}
    counts = agreed.info["consensus"]["counts"]
    assert counts["images shown to too few readers, left out"] == 1
    assert counts["images not shown to every reader"] == 2
    assert counts["boxes without enough votes"] == 0


def test_other_categories_and_zero_sizes_are_counted():
    one = labels(["a.png"], [("a.png", at(0))], Category(id=5, name="impurity"))
    two = labels(["a.png"], [("a.png", [5, 5, 0, 3])])
    counts = readings({"one": one, "two": two}).counts
    assert counts == {
        "one: label of another category left out": 1,
        "two: label without a box, or of zero size, left out": 1,
    }


def test_same_names_in_several_folders_are_different_images():
    shown = ["p1/01.png", "p2/01.png"]
    together = readings({name: labels(shown, [("p2/01.png", at(0))]) for name in "ab"})
    assert [len(found["a"]) for found in together.boxes] == [0, 1]


def test_what_cannot_be_matched_is_refused():
    with pytest.raises(AnnotationError, match=r"b: image 'a\.png' is 320×200 px, for another reader 640×400 px"):
        readings({"a": labels(["a.png"], []), "b": labels(["a.png"], [], size=(320, 200))})
    with pytest.raises(AnnotationError, match="listed twice"):
        readings({"a": labels(["a.png", "A.PNG"], [])})
    with pytest.raises(AnnotationError, match="shares no image"):
        readers_against_consensus({"a": labels(["1.png"], []), "b": labels(["2.png"], []), "c": labels(["3.png"], [])})


def test_readers_against_consensus_by_hand():
    """Ten sperm. a and b draw all alike; c draws five of them, and five things that nobody else saw.

    Against all: a and b are perfect; c has precision 5/10 and recall 5/10 at each IoU. Against the others: a meets
    b's and c's consensus of five with ten boxes, so precision 5/10; c's others agree on all ten.
    """
    ten = [(f"{k}.png", at(10.0)) for k in range(10)]
    shown = [f"{k}.png" for k in range(10)]
    c = ten[:5] + [(f"{k}.png", at(300.0)) for k in range(5)]
    table = readers_against_consensus({"a": labels(shown, ten), "b": labels(shown, ten), "c": labels(shown, c)})
    table = table.set_index(["reader", "against"])
    assert table.loc[("a", ALL), ["sperm", "drawn", "precision", "recall", "ar", "f1"]].tolist() == [10, 10, 1, 1, 1, 1]
    assert table.loc[("c", ALL), ["precision", "recall", "ar", "matched_f1"]].tolist() == [0.5, 0.5, 0.5, 0.5]
    assert table.loc[("a", OTHERS), ["sperm", "precision", "recall", "ar"]].tolist() == [5, 0.5, 1, 1]
    assert table.loc[("c", OTHERS), ["sperm", "precision", "recall"]].tolist() == [10, 0.5, 0.5]


def test_a_reader_may_draw_more_boxes_than_a_detector_is_scored_by():
    rows = [("1.png", at(40 * (n % 15), 30 * (n // 15))) for n in range(120)]
    table = readers_against_consensus({name: labels(["1.png"], rows) for name in "ab"})
    assert table["drawn"].tolist() == [120] * 4
    assert table["recall"].tolist() == table["ar"].tolist() == [1.0] * 4


def test_ar_counts_how_well_boxes_fit():
    """a and b draw alike and c 6 px beside them: the recall of c counts the IoUs that its box reaches."""
    drawn = {name: labels(["a.png"], [("a.png", at(shift))]) for name, shift in (("a", 0), ("b", 0), ("c", 6))}
    table = readers_against_consensus(drawn).set_index(["reader", "against"])
    assert table.loc[("c", ALL), "ar"] == pytest.approx(0.6)  # mean at x = 2: (30 - 4) / (30 + 4) = .765: 6 of 10
    assert table.loc[("c", OTHERS), "ar"] == pytest.approx(0.4)  # at x = 0: 24 / 36 = .667: 4 of 10


def boxes_of(**readers):
    return {name: boxes(*rows) for name, rows in readers.items()}


def test_the_code_counts_boxes_where_the_text_asks_for_overlap():
    """One box each, at three places: the text agrees on none, the code on their mean, where nobody drew."""
    apart = boxes_of(a=[[0, 0, 10, 10]], b=[[100, 0, 10, 10]], c=[[200, 60, 10, 10]])
    assert len(consensus(apart).boxes) == 0
    by_code = modal_consensus(apart)
    assert by_code is not None
    assert by_code.boxes.tolist() == [[100, 20, 10, 10]]
    assert by_code.errors == 0


def test_the_code_drops_one_surplus_box_even_where_two_readers_agree_on_it():
    """A and B drew both sperm, C one; then A and C one, B both: the number that most readers drew decides."""
    near, far = [0, 0, 10, 10], [50, 0, 10, 10]
    both = modal_consensus(boxes_of(a=[near, far], b=[near, far], c=[near]))
    assert both is not None
    assert (both.boxes.tolist(), both.errors) == ([near, far], 1)
    # B alone saw the far sperm, A and C the near one. The text wants two votes; the code keeps A's number.
    one = boxes_of(a=[near], b=[far, near], c=[near])
    by_code = modal_consensus(one)
    assert by_code is not None
    assert (by_code.boxes.tolist(), by_code.errors) == ([near], 1)
    # A drew near and far, B near, C far: each sperm has two votes by the text; the code has room for one of them,
    # takes B's, drops A's far box, and moves the sperm half way to C's.
    crossed = boxes_of(a=[near, far], b=[near], c=[far])
    assert consensus(crossed).boxes.tolist() == [near, far]
    by_code = modal_consensus(crossed)
    assert by_code is not None
    assert by_code.boxes.round(3).tolist() == [[16.667, 0, 10, 10]]
    assert by_code.errors == 1


def test_the_code_leaves_out_what_its_first_reader_left_empty():
    """Two readers drew the same sperm: a sperm by the text, no image by the code."""
    box = [5, 5, 20, 10]
    assert consensus(boxes_of(a=[], b=[box], c=[box])).boxes.tolist() == [box]
    assert modal_consensus(boxes_of(a=[], b=[box], c=[box])) is None
    alone = modal_consensus(boxes_of(a=[box], b=[], c=[]))  # most readers drew none: an image without a sperm
    assert alone is not None
    assert (len(alone.boxes), alone.errors) == (0, 1)


def test_the_code_removes_one_surplus_box_and_no_more():
    """C drew three, the others one: the worst goes, and of the other two the closer is averaged in."""
    three = boxes_of(a=[[0, 0, 10, 10]], b=[[0, 0, 10, 10]], c=[[3, 0, 10, 10], [90, 0, 10, 10], [8, 0, 10, 10]])
    by_code = modal_consensus(three)
    assert by_code is not None
    assert by_code.boxes.tolist() == [[1, 0, 10, 10]]
    assert by_code.errors == 2


def test_on_a_tie_of_numbers_the_earliest_reader_decides():
    """None, one and two boxes: each number once."""
    one, two = [[0.0, 0.0, 10.0, 10.0]], [[0.0, 0.0, 10.0, 10.0], [40.0, 0.0, 10.0, 10.0]]
    first, last = modal_consensus(boxes_of(a=one, b=two, c=[])), modal_consensus(boxes_of(b=two, a=one, c=[]))
    assert first is not None
    assert last is not None
    assert (len(first.boxes), len(last.boxes)) == (1, 2)
