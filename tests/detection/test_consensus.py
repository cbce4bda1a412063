"""Consensus of readers (paper B, Figure 3): hand-made cases, independence of order, real files' irregularities."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icsilib.data.annotations import SPERM, AnnotationError, Category, Dataset, Image, box_annotation
from icsilib.detection.boxes import box_iou
from icsilib.detection.consensus import (
    consensus,
    dataset_consensus,
    matches,
    readers_against_consensus,
)
from icsilib.detection.evaluation import IOUS
from icsilib.detection.label_sets import join_readers, label_sets

NOTHING = np.zeros((0, 4))


def at(*lefts: float, width: float = 10.0) -> np.ndarray:
    """Boxes 10 px high at y = 0 whose left edges are given: shifts by d overlap at (10 - d) / (10 + d)."""
    return np.array([[left, 0.0, width, 10.0] for left in lefts]).reshape(-1, 4)


def test_two_of_three_make_the_mean_box_and_one_alone_makes_none() -> None:
    agreed = consensus({"A": at(0, 100), "B": at(2), "C": at(50)})
    np.testing.assert_allclose(agreed.boxes, at(1))
    assert agreed.votes.tolist() == [2]
    assert agreed.members == ((("A", 0), ("B", 0)),)


def test_all_three_make_the_mean_of_all_three() -> None:
    agreed = consensus({"A": [[0, 0, 20, 20]], "B": [[1, 2, 20, 21]], "C": [[2, 1, 23, 22]]})
    np.testing.assert_allclose(agreed.boxes, [[1, 1, 21, 21]])
    assert agreed.votes.tolist() == [3]


@pytest.mark.parametrize(("shift", "boxes"), [(10 / 3, 1), (10 / 3 + 1e-6, 0)])
def test_half_is_enough_and_less_is_not(shift: float, boxes: int) -> None:
    assert len(consensus({"A": at(0.1), "B": at(0.1 + shift)}).boxes) == boxes  # IoU (10-d)/(10+d) = 1/2 at d = 10/3


def test_chain_gives_the_closer_pair() -> None:
    drawn = {"A": at(0), "B": at(2), "C": at(5)}  # IoU A~B 8/12, B~C 7/13, A~C 5/15
    agreed = consensus(drawn)
    np.testing.assert_allclose(agreed.boxes, at(1))
    assert agreed.members == ((("A", 0), ("B", 0)),)


def test_chain_with_equal_links_gives_the_pair_further_left_whoever_drew_it() -> None:
    for names in itertools.permutations("ABC"):
        agreed = consensus(dict(zip(names, (at(0), at(3), at(6)), strict=True)))
        np.testing.assert_allclose(agreed.boxes, at(1.5))
        assert agreed.votes.tolist() == [2]


def test_box_over_two_sperm_joins_the_one_it_overlaps_more() -> None:
    wide = np.array([[0.0, 0, 16, 10]])  # IoU with at(0): 10/16; with at(7): 9/17
    agreed = consensus({"A": at(0, 7), "B": wide})
    assert agreed.members == ((("A", 0), ("B", 0)),)


def test_reader_who_draws_a_sperm_twice_has_one_vote() -> None:
    assert len(consensus({"A": at(0, 1), "B": NOTHING, "C": NOTHING}).boxes) == 0
    agreed = consensus({"A": at(0, 1), "B": at(1), "C": at(1)})
    assert agreed.votes.tolist() == [3]
    np.testing.assert_allclose(agreed.boxes, at(1))


def test_empty_readers_give_no_boxes() -> None:
    for drawn in ({}, {"A": []}, {"A": NOTHING, "B": NOTHING, "C": NOTHING}, {"A": at(0), "B": NOTHING}):
        agreed = consensus(drawn)
        assert agreed.boxes.shape == (0, 4)
        assert agreed.votes.shape == (0,)
        assert agreed.members == ()


@pytest.mark.parametrize(("min_votes", "boxes"), [(1, 3), (2, 2), (3, 1), (4, 1), (5, 0)])
def test_votes_among_more_than_three_readers(min_votes: int, boxes: int) -> None:
    drawn = {"A": at(0, 40, 80), "B": at(0, 40), "C": at(0), "D": at(0), "E": NOTHING}
    assert len(consensus(drawn, min_votes=min_votes).boxes) == boxes


@pytest.mark.parametrize(
    ("boxes", "message"), [([[0, 0, 0, 5]], "no area"), ([[0, 0, np.nan, 5]], "'A': box 0"), ([1, 2, 3, 4], "shape")]
)
def test_unusable_boxes_name_the_reader(boxes: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        consensus({"A": boxes, "B": at(0)})


def test_unusable_arguments() -> None:
    with pytest.raises(ValueError, match="iou=0"):
        consensus({"A": at(0)}, iou=0)
    with pytest.raises(ValueError, match="min_votes=0"):
        consensus({"A": at(0)}, min_votes=0)


whole = st.integers(0, 12)
one_box = st.tuples(whole, whole, st.integers(4, 9), st.integers(4, 9))  # whole numbers make many ties
readers_boxes = st.lists(st.lists(one_box, max_size=4), min_size=2, max_size=5)


@given(readers_boxes, st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_order_of_readers_and_boxes_changes_nothing(drawn: list, rng) -> None:
    named = {"ABCDE"[i]: boxes for i, boxes in enumerate(drawn)}
    shuffled = [(name, rng.sample(boxes, len(boxes))) for name, boxes in named.items()]
    rng.shuffle(shuffled)
    one, other = consensus(named), consensus(dict(shuffled))
    np.testing.assert_array_equal(one.boxes, other.boxes)
    np.testing.assert_array_equal(one.votes, other.votes)


@given(readers_boxes)
@settings(max_examples=150, deadline=None)
def test_members_overlap_each_other_belong_to_different_readers_and_vote_once(drawn: list) -> None:
    named = {"ABCDE"[i]: np.array(boxes, dtype=float).reshape(-1, 4) for i, boxes in enumerate(drawn)}
    agreed = consensus(named)
    everyone = [member for group in agreed.members for member in group]
    assert len(everyone) == len(set(everyone))
    for box, votes, group in zip(agreed.boxes, agreed.votes, agreed.members, strict=True):
        assert votes == len({name for name, _ in group}) == len(group) >= 2
        boxes = np.array([named[name][place] for name, place in group])
        assert (box_iou(boxes, boxes) >= 0.5 - 1e-9).all()
        np.testing.assert_allclose(box, boxes.mean(axis=0))


@given(readers_boxes)
@settings(max_examples=100, deadline=None)
def test_nobody_who_could_still_agree_is_left_alone(drawn: list) -> None:
    named = {"ABCDE"[i]: np.array(boxes, dtype=float).reshape(-1, 4) for i, boxes in enumerate(drawn)}
    used = {member for group in consensus(named).members for member in group}
    alone = [(name, i) for name, boxes in named.items() for i in range(len(boxes)) if (name, i) not in used]
    for (a, i), (b, j) in itertools.combinations(alone, 2):
        assert a == b or box_iou(named[a][[i]], named[b][[j]])[0, 0] < 0.5


@given(st.lists(one_box, max_size=4), st.lists(one_box, max_size=4))
@settings(max_examples=100, deadline=None)
def test_matches_are_the_most_that_any_pairing_gives(mine: list, true: list) -> None:
    overlap = box_iou(np.array(mine, float).reshape(-1, 4), np.array(true, float).reshape(-1, 4))
    few, many = (overlap, overlap.T)[overlap.shape[0] > overlap.shape[1]], max(overlap.shape)
    for level, found in zip(IOUS, matches(overlap), strict=True):
        pairings = itertools.permutations(range(many), len(few))
        assert found == max(sum(few[i, j] >= level - 1e-9 for i, j in enumerate(order)) for order in pairings)


def data_set(drawn: dict[str, dict[int, np.ndarray]], images: int = 2, **about: object) -> Dataset:
    """Images of 200 × 100 px and each reader's boxes on them."""
    annotations = []
    for reader, by_image in drawn.items():
        for image, boxes in by_image.items():
            for box in boxes:
                annotations.append(box_annotation(len(annotations) + 1, image, SPERM, box, annotator=reader))
    records = [Image(id=i + 1, file_name=f"images/{i + 1}.png", width=200, height=100) for i in range(images)]
    return Dataset(images=records, annotations=annotations, categories=[SPERM], **about)


def test_scores_of_hand_made_readers() -> None:
    drawn = {"A": {1: at(0, 100), 2: at(50)}, "B": {1: at(0)}, "C": {1: at(0), 2: at(50)}}
    table = readers_against_consensus(data_set(drawn))  # the truth is one sperm in each image
    np.testing.assert_allclose(table["precision"], [2 / 3, 1, 1, 8 / 9])
    np.testing.assert_allclose(table["recall"], [1, 1 / 2, 1, 5 / 6])
    np.testing.assert_allclose(table["ar"], [1, 1 / 2, 1, 5 / 6])
    np.testing.assert_allclose(table.loc["B", "f1"], 2 / 3)
    assert table.loc["A", ["drawn", "sperm"]].tolist() == [3, 2]


def test_leave_one_out_asks_the_other_two_to_agree() -> None:
    drawn = {"A": {1: at(0, 100), 2: at(50)}, "B": {1: at(0)}, "C": {1: at(0), 2: at(50)}}
    table = readers_against_consensus(data_set(drawn), leave_one_out=True)
    # against A: B and C agree on the first image only, so A's box on the second, which C drew too, counts as wrong
    np.testing.assert_allclose(
        table.loc["A", ["precision", "recall", "drawn", "sperm"]].astype(float), [1 / 3, 1, 3, 1]
    )
    np.testing.assert_allclose(table.loc["B", ["precision", "recall", "drawn", "sperm"]].astype(float), [1, 0.5, 1, 2])


def test_average_recall_counts_the_ten_ious() -> None:
    drawn = {"A": {1: at(0)}, "B": {1: at(2)}}  # the mean lies 1 px from each: IoU 9/11 = .818, above 7 of the 10
    table = readers_against_consensus(data_set(drawn, images=1))
    np.testing.assert_allclose(table["ar"], 0.7)


def test_own_vote_can_only_help() -> None:
    rng = np.random.default_rng(0)
    drawn = {name: {i + 1: at(*rng.uniform(0, 30, rng.integers(0, 3))) for i in range(60)} for name in "ABC"}
    sets = label_sets(data_set(drawn, images=60))
    circular, held_out = readers_against_consensus(sets), readers_against_consensus(sets, leave_one_out=True)
    assert (circular["precision"] >= held_out["precision"]).all()


def test_too_few_judges_are_refused() -> None:
    with pytest.raises(ValueError, match="1 readers cannot give min_votes=2"):
        readers_against_consensus(data_set({"A": {1: at(0)}, "B": {1: at(0)}}), leave_one_out=True)
    with pytest.raises(AnnotationError, match="two or more"):
        label_sets(data_set({"A": {1: at(0)}}))


def test_consensus_data_set_counts_what_it_left_out() -> None:
    drawn = {
        "A": {1: np.array([[-2.0, 0, 12, 10], [300, 0, 5, 5], [5, 5, 0, 3]])},
        "B": {1: at(0)},
        "C": {2: at(0)},
    }
    dataset = data_set(drawn)
    dataset.annotations[-1].annotator = None
    agreed = dataset_consensus(dataset, readers=["A", "B"])
    assert [annotation.bbox for annotation in agreed.annotations] == [[0, 0, 10, 10]]
    assert agreed.info["counts"] == {
        "boxes of A cut at the edge of the image": 1,
        "boxes of A left out: outside the image": 1,
        "boxes of A left out: without an area": 1,
        "boxes left out: by nobody": 1,
    }


def reader_file(names: list[str], label: str = "sperm", size: tuple[int, int] = (200, 100)) -> Dataset:
    """A reader's own file: one box at the left of every image."""
    category = Category(id=7, name=label)
    images = [Image(id=10 + i, file_name=name, width=size[0], height=size[1]) for i, name in enumerate(names)]
    boxes = [box_annotation(i + 1, image.id, category, at(0)[0]) for i, image in enumerate(images)]
    return Dataset(images=images, annotations=boxes, categories=[category])


def test_real_readers_with_other_folders_spellings_and_missing_images() -> None:
    joined = join_readers(
        {
            "Ann": reader_file(["a.png", "b.png", "c.png"], "Spermatozoon"),
            "Bea": reader_file(["images\\A.PNG", "images\\b.png"], "sperm cell"),
            "Cy": reader_file(["x/a.png", "x/b.png", "x/c.png"], "SPERM"),
        }
    )
    sets = label_sets(joined)
    assert [image.file_name for image in sets.images] == ["a.png", "b.png"]
    assert sets.counts == {"images left out: not seen by Bea": 1}
    assert len(dataset_consensus(joined).annotations) == 2
    assert readers_against_consensus(joined).loc["mean", "precision"] == 1


def test_unknown_category_is_left_out_and_counted_unless_it_is_named() -> None:
    files = {"A": reader_file(["a.png"], "Spermium"), "B": reader_file(["a.png"]), "C": reader_file(["a.png"])}
    assert label_sets(join_readers(files)).lines()[1] == "1 boxes of A labelled 'Spermium'"
    assert consensus(label_sets(join_readers(files, ["sperm", "spermium"])).boxes[1]).votes.tolist() == [3]


def test_reader_who_saw_an_image_and_drew_nothing_is_kept() -> None:
    files = {name: reader_file(["a.png"]) for name in "ABC"}
    files["C"].annotations.clear()
    sets = label_sets(join_readers(files))
    assert len(sets.images) == 1
    assert sets.boxes[1]["C"].shape == (0, 4)


def test_same_name_in_two_folders_stays_two_images() -> None:
    files = {name: reader_file(["p1/a.png", "p2/a.png"]) for name in "AB"}
    assert len(label_sets(join_readers(files)).images) == 2


def test_files_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(AnnotationError, match=r"a\.png: 100×50 px for B and 200×100"):
        join_readers({"A": reader_file(["a.png"]), "B": reader_file(["a.png"], size=(100, 50))})
    with pytest.raises(AnnotationError, match="no image was seen by all of A, B"):
        label_sets(join_readers({"A": reader_file(["a.png"]), "B": reader_file(["b.png"])}))
