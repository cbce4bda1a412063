"""Several people's own labels: agreement and consensus of squares whose overlaps are counted by hand."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from icsilib.cli import app
from icsilib.cli.agree import _with_intervals
from icsilib.data.annotations import (
    AnnotationError,
    Dataset,
    Image,
    box_annotation,
    polygon_annotation,
    read_coco,
    tip_annotation,
    write_coco,
)
from icsilib.data.structures import NEEDLE, OOLEMMA, SPERM
from icsilib.study.own_labels import own_labels, read_people
from icsilib.study.repeated_labels import read_labels

# Squares of 100 px shifted to the right by so much overlap in 80, 70 and 50 columns; tips lie 5, √73 and 12 px apart.
PEOPLE = {"ada": (0, (300, 300)), "ben": (20, (303, 304)), "eve": (50, (300, 312))}
IOU = {("ada", "ben"): 80 / 120, ("ada", "eve"): 50 / 150, ("ben", "eve"): 70 / 130}
TIPS = {("ada", "ben"): 5.0, ("ada", "eve"): 12.0, ("ben", "eve"): 73**0.5}


def outlines(names="ada ben eve", rounds=(1, 2), frames=3, moved=0):
    """Labels of squares and tips; in round 2 they stand (frame number · `moved`) px lower."""
    images = [Image(id=f, file_name=f"f{f}.png", width=512, height=512) for f in range(1, frames + 1)]
    labels = []
    for name, number, image in [(n, r, i) for n in names.split() for r in rounds for i in images]:
        right, (x, y) = PEOPLE[name]
        down = (number - 1) * moved * image.id
        corners = np.array([[0, 0], [100, 0], [100, 100], [0, 100]]) + np.array([100.0 + right, 100.0 + down])
        who = {"annotator": name, "round": number}
        labels.append(polygon_annotation(len(labels) + 1, image.id, OOLEMMA, [corners], **who))
        labels.append(tip_annotation(len(labels) + 1, image.id, (x, y + down), **who))
    return Dataset(images=images, annotations=labels, categories=[OOLEMMA, NEEDLE])


def icsi(*words):
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, result.output


@pytest.fixture(name="saved")
def saved_(tmp_path):
    def save(name: str, dataset: Dataset) -> Path:
        write_coco(dataset, tmp_path / name)
        return tmp_path / name

    return save


def test_three_people_in_three_files_give_the_counted_pairs(saved, tmp_path):
    files = [saved(f"{name}.json", outlines(name, moved=1)) for name in PEOPLE]
    code, text = icsi("agree", "outlines", *files, "--table", tmp_path / "pairs.csv")
    assert (code, "3 people, round 1, round 2: 3 frames" in text, "no interval" in text) == (0, True, False), text
    pairs = pd.read_csv(tmp_path / "pairs.csv")
    means = pairs[pairs["kind"] == "inter"].groupby(["structure", "annotator_a", "annotator_b"])["value"].mean()
    for expected, structure in ((IOU, "oolemma"), (TIPS, "needle")):
        assert means[structure].to_dict() == pytest.approx(expected)
    within = pairs[pairs["kind"] == "intra"].groupby(["structure", "frame"])["value"].mean()
    assert within["needle"].to_list() == pytest.approx([1, 2, 3])  # each frame's labels were moved by as much
    assert within["oolemma"].to_list() == pytest.approx([99 / 101, 98 / 102, 97 / 103])


def test_two_people_have_means_but_no_intervals_and_a_chapter_that_says_so(saved):
    file = saved("two.json", outlines("ada ben", moved=1))
    code, text = icsi("agree", "outlines", file)
    assert (code, "0.6667" in text, "no interval" in text) == (0, True, True), text
    with pytest.raises(ValueError, match="needs three people and two rounds"):
        read_labels(str(file), seed=0)


def test_people_who_repeat_themselves_exactly_have_no_interval_of_that(saved):
    code, text = icsi("agree", "outlines", saved("same.json", outlines()))
    row = next(line.split() for line in text.splitlines() if "intra" in line and "IoU" in line)
    assert (code, row[-8:-6], row[-2:]) == (0, ["0.0000", "9"], ["NaN", "NaN"]), text


def test_a_round_or_frame_that_somebody_left_out_is_left_out_and_counted(saved):
    files = [saved(f"{name}.json", outlines(name)) for name in ("ada", "ben")]
    files.append(saved("eve.json", outlines("eve", rounds=(1,), frames=2)))
    labels = own_labels(read_people(files)[0], files[0].parent)
    assert (labels.rounds, labels.frames, labels.left_out) == (("round 1",), ("f1", "f2"), 1)
    assert labels.notes == ("round 2 is left out: eve labelled nothing in it",)
    code, text = icsi("agree", "outlines", *files)
    assert (code, "1 frames left out" in text, "intra" in text) == (0, True, False), text
    assert "note: round 2 is left out: eve" in text


def test_faulty_labels_of_one_file_are_skipped_and_counted(saved):
    files = [saved(f"{name}.json", outlines(name)) for name in PEOPLE]
    content = json.loads(files[2].read_text())
    content["annotations"][0]["segmentation"] = [[1, 1, 5, 5]]  # two corners; the tip of that frame stays
    files[2].write_text(json.dumps(content))
    code, text = icsi("agree", "outlines", *files)
    assert (code, "11 of 12 objects kept" in text) == (0, True), text
    pairs = own_labels(read_people(files)[0], files[0].parent).pairs()
    first = pairs[(pairs["frame"] == "f1") & (pairs["round_a"] == "round 1") & (pairs["structure"] == "oolemma")]
    found = first[first["kind"] == "inter"].set_index(["annotator_a", "annotator_b"])["value"].to_dict()
    assert found == pytest.approx(IOU | {("ada", "eve"): 0, ("ben", "eve"): 0})  # she has no outline there


def test_one_round_in_two_files_is_refused(saved):
    files = [saved("monday.json", outlines("ada")), saved("tuesday.json", outlines("ada"))]
    with pytest.raises(AnnotationError, match=r"ada: round 1 of f1 is in two files.*--round"):
        own_labels(read_people(files)[0], files[0].parent)


def test_an_unmarked_tip_leaves_its_frame_out_of_the_coordinates(saved):
    dataset = outlines(frames=3)
    dataset.annotations[1].keypoints = [0, 0, 0]  # ada's tip of frame 1
    labels = read_labels(str(saved("all.json", dataset)), seed=0)
    shapes = {name: values.shape for name, values in labels.scalars().items()}
    assert shapes == {"oolemma radius": (3, 2, 3), "needle x": (3, 2, 2), "needle y": (3, 2, 2)}
    assert labels.scalars()["oolemma radius"][0, 0, 0] == pytest.approx((100 * 100 / np.pi) ** 0.5)


def boxes(*x):
    """One image with boxes of 20 × 20 px that begin at x."""
    labels = [box_annotation(n, 1, SPERM, (left, 10, 20, 20)) for n, left in enumerate(x, start=1)]
    return Dataset(
        images=[Image(id=1, file_name="a.png", width=200, height=60)], annotations=labels, categories=[SPERM]
    )


def test_boxes_of_three_readers_give_their_mean_and_each_readers_score(saved, tmp_path):
    files = [saved("ada.json", boxes(10)), saved("ben.json", boxes(14)), saved("eve.json", boxes(100))]
    code, text = icsi("agree", "boxes", *files, "--out", tmp_path / "agreed.json")
    assert code == 0, text
    assert [label.bbox for label in read_coco(tmp_path / "agreed.json").annotations] == [[12, 10, 20, 20]]
    assert "consensus: 1 boxes on 1 images" in text
    assert "1 boxes without enough votes" in text
    against_all = [line.split() for line in text.splitlines() if "consensus of all" in line]
    assert [(row[0], row[5:9]) for row in against_all] == [
        ("ada", ["1", "1", "1.0", "1.0"]),
        ("ben", ["1", "1", "1.0", "1.0"]),
        ("eve", ["1", "1", "0.0", "0.0"]),
    ], text


def test_more_votes_than_readers_are_refused(saved):
    code, text = icsi("agree", "boxes", saved("ada.json", boxes(10)), saved("ben.json", boxes(14)), "--votes", 3)
    assert (code, text.splitlines()[-1]) == (1, "Error: votes=3 of 2 readers; ask for as many as there are, or fewer")


def test_files_of_one_name_are_called_by_their_folders(saved, tmp_path):
    files = []
    for name, left in (("ada", 10), ("ben", 14)):
        (tmp_path / name).mkdir()
        files.append(saved(f"{name}/labels.json", boxes(left)))
    assert [name for name, _ in read_people(files)[0]] == ["ada/labels", "ben/labels"]
    with pytest.raises(AnnotationError, match="given twice"):
        read_people([files[0], files[0]])


def test_one_annotator_in_several_files_is_refused_unless_each_file_is_a_person(saved):
    named = boxes(10)
    named.annotations[0].annotator = "1"  # as every Label Studio of one person calls that person
    files = [saved("ada.json", named), saved("ben.json", named)]
    code, text = icsi("agree", "boxes", *files)
    assert (code, "labels of 1 stand in several files" in text) == (1, True), text
    code, text = icsi("agree", "boxes", *files, "--by-file")
    assert (code, "consensus: 1 boxes on 1 images" in text) == (0, True), text


def test_nobody_who_names_a_sperm_is_refused(saved):
    dataset = boxes(10)
    dataset.categories = [SPERM.model_copy(update={"name": "spz"})]
    code, text = icsi("agree", "boxes", saved("ada.json", dataset), saved("ben.json", dataset))
    assert (code, "--label THEIRS=sperm" in text.splitlines()[-1]) == (1, True), text


def shared(*annotators):
    """Two images: ada and ben drew on the first, ada alone on the second; `annotators` submitted the second."""
    about = {"attributes": {"annotators": list(annotators)}} if annotators else {}
    images = [Image(id=1, file_name="a.png", width=200, height=60)]
    images.append(Image(id=2, file_name="b.png", width=200, height=60, **about))
    drawn = ((1, "ada"), (1, "ben"), (2, "ada"))
    labels = [
        box_annotation(n, image, SPERM, (10, 10, 20, 20), annotator=name)
        for n, (image, name) in enumerate(drawn, start=1)
    ]
    return Dataset(images=images, annotations=labels, categories=[SPERM])


@pytest.mark.parametrize(
    ("annotators", "skip_empty", "images", "noted"),
    [
        ((), False, 2, True),  # nothing says whether ben saw the second image
        ((), True, 1, False),
        (("ada",), False, 1, False),  # he did not
        (("ada", "ben"), False, 2, False),  # he did, and saw no sperm
        (("ada", "ben"), True, 2, False),
    ],
)
def test_who_drew_nothing_on_a_shared_files_image(annotators, skip_empty, images, noted, saved):
    people, reports = read_people([saved("all.json", shared(*annotators))], skip_empty=skip_empty)
    assert {name: len(one.images) for name, one in people} == {"ada": 2, "ben": images}
    assert any("ben has no label on 1 images" in line for line in reports[0].lines()) == noted


def test_two_images_of_one_name_are_not_taken_for_one_frame(saved):
    dataset = outlines("ada", frames=2)
    for image, name in zip(dataset.images, ("v1/f.png", "v1/f.jpg"), strict=True):
        image.file_name = name
    with pytest.raises(AnnotationError, match="two images are called"):
        own_labels(read_people([saved("ada.json", dataset)])[0], Path())


def test_an_image_matched_by_its_name_in_another_folder_is_counted(saved):
    files = [saved("ada.json", boxes(10)), saved("ben.json", boxes(14))]
    for file, folder in zip(files, ("v1", "v2"), strict=True):
        file.write_text(file.read_text().replace("a.png", f"{folder}/a.png"))
    code, text = icsi("agree", "boxes", *files)
    assert (code, "1 ben: image taken for another reader's by its name" in text) == (0, True), text
    files = [saved(f"{name}.json", outlines(name)) for name in ("ada", "ben")]
    files[1].write_text(files[1].read_text().replace("f1.png", "v2/f1.png").replace("f2.png", "v2/f2.png"))
    files[0].write_text(files[0].read_text().replace("f1.png", "v1/f1.png"))
    code, text = icsi("agree", "outlines", *files)
    assert (code, "1 frames lie in folders of different names" in text) == (0, True), text


def test_each_file_numbers_its_categories_itself(saved):
    """Categories that the study does not know are numbered as they occur: ben's file begins with another."""
    files = []
    for name, first in (("ada", "cell"), ("ben", "polar body")):
        dataset = outlines(name, rounds=(1,))
        dataset.categories = [
            OOLEMMA.model_copy(update={"id": 100 + n, "name": f}) for n, f in enumerate((first, "cell"))
        ]
        outlined = [label for label in dataset.annotations if label.category_id == OOLEMMA.id]
        cells = [label.model_copy(update={"category_id": 101}) for label in outlined]
        dataset.annotations = [outlined[0].model_copy(update={"id": 99, "category_id": 100}), *cells]
        files.append(saved(f"{name}.json", dataset))
    pairs = own_labels(read_people(files)[0], Path()).pairs()
    assert pairs[pairs["structure"] == "cell"]["value"].to_list() == pytest.approx([IOU["ada", "ben"]] * 3)


def by_pair_and_frame(labels, structure):
    rows = labels.pairs().query("structure == @structure")
    return rows.set_index(["annotator_a", "annotator_b", "frame"])["value"].sort_index()


def test_a_structure_that_one_person_never_outlines_is_excluded_and_not_scored_as_disagreement(saved):
    """eve's oolemma is a box on f1; ben outlines it elsewhere, but not on f2; ann draws none at all."""
    files = [saved(f"{name}.json", outlines(name, rounds=(1,))) for name in PEOPLE]
    changes = {"ben": {3: {"segmentation": None, "keypoints": [0, 0, 0]}}, "eve": {1: {"segmentation": None}}}
    for file in files[1:]:
        content = json.loads(file.read_text())
        for record in content["annotations"]:
            record |= changes[file.stem].get(record["id"], {})
        content["annotations"] = [each for each in content["annotations"] if each.get("keypoints") != [0, 0, 0]]
        file.write_text(json.dumps(content))
    bare = outlines("ada", rounds=(1,))
    bare.annotations = [each.model_copy(update={"annotator": "ann"}) for each in bare.annotations if each.keypoints]
    files.append(saved("ann.json", bare))
    labels = own_labels(read_people(files)[0], files[0].parent)
    pairs = by_pair_and_frame(labels, "oolemma")
    none = float("nan")
    expected = {("ada", "ben"): [2 / 3, 0, 2 / 3], ("ada", "eve"): [none, 1 / 3, 1 / 3], ("ada", "ann"): [none] * 3}
    for pair, values in expected.items():
        np.testing.assert_allclose(pairs[pair], values)
    assert "eve: 1 labels of oolemma are not compared: not an outline" in labels.notes
    assert "ann outlines oolemma nowhere; pairs with ann are excluded there" in labels.notes
    code, text = icsi("agree", "outlines", *files)
    assert (code, "1 objects of 'oolemma' are not an outline" in text) == (0, True), text
    assert "no interval" not in text  # ada, ben and eve have one without ann


def test_a_tip_marked_twice_is_no_tip_and_counted(saved):
    files = [saved(f"{name}.json", outlines(name, rounds=(1,))) for name in ("ada", "ben")]
    twice = outlines("eve", rounds=(1,))
    twice.annotations.append(tip_annotation(99, 2, (10, 10), annotator="eve", round=1))
    files.append(saved("eve.json", twice))
    labels = own_labels(read_people(files)[0], files[0].parent)
    tips = by_pair_and_frame(labels, "needle")
    np.testing.assert_allclose(tips["ada", "eve"], [12, np.nan, 12])
    assert labels.notes == ("eve: 2 labels of needle are not compared: one of several in its frame",)
    assert "several tips in one image, such as f2.png" in icsi("agree", "outlines", *files)[1]


def test_round_0_is_another_round_than_round_1(saved):
    labels = own_labels(read_people([saved("all.json", outlines("ada ben", rounds=(0, 1)))])[0], Path())
    assert (labels.rounds, labels.notes) == (("round 0", "round 1"), ())


def test_names_that_roboflow_changed_match_and_names_that_do_not_are_shown(saved):
    files = [saved(f"{name}.json", boxes(left)) for name, left in (("ada", 10), ("ben", 14))]
    files[1].write_text(files[1].read_text().replace("a.png", "a_png.rf.0f9c2a.jpg"))
    code, text = icsi("agree", "boxes", *files)
    assert (code, "consensus: 1 boxes on 1 images" in text) == (0, True), text
    files[1].write_text(files[1].read_text().replace("a_png.rf.0f9c2a.jpg", "3f2a1b2c-a.png"))
    for command in ("boxes", "outlines"):
        code, text = icsi("agree", command, *files)
        assert (code, "ada has a.png, ben has 3f2a1b2c-a.png" in text) == (1, True), text


def test_an_interval_goes_with_the_estimate_of_its_own_frames():
    """Means of the complete frames are 2 and 4; the third frame's one value is in the mean alone."""
    values = {"f1": (1.0, 2.0, 3.0), "f2": (2.0, 4.0, 6.0), "f3": (100.0, np.nan, np.nan)}
    rows = [
        {"structure": "needle", "kind": "inter", "frame": frame, "annotator_a": a, "annotator_b": b, "value": value}
        for frame, three in values.items()
        for (a, b), value in zip(("ab", "ac", "bc"), three, strict=True)
    ]
    found = _with_intervals(pd.DataFrame(rows).assign(unit="px")).loc[("needle", "inter")]
    assert (found["mean"], found["n"]) == (pytest.approx(118 / 7, abs=1e-4), 7)
    assert (found["estimate"], found["frames"]) == (pytest.approx(3), 2)
    assert found["low"] < 3 < found["high"]
