"""The model as one more annotator, on two frames of four pixels whose overlaps can be counted."""

import numpy as np
import pytest

from icsilib.study.model_as_annotator import MODEL, ModelStudy, model_values, people_only, similarity


@pytest.fixture
def study() -> ModelStudy:
    """Two people, one round: ada marks pixels 0 and 1, ben pixel 1; the model pixel 1 on frame 0, 0 to 3 on frame 1."""
    people = np.zeros((2, 1, 2, 1, 4), dtype=bool)
    people[0, ..., :2] = True
    people[1, ..., 1] = True
    model = np.zeros((2, 1, 4), dtype=bool)
    model[0, 0, 1] = model[1] = True
    tips = np.zeros((2, 1, 2, 2))
    tips[1, ..., 0] = 3.0  # ben's tips lie 3 px to the right of ada's
    found = np.array([[0.0, 4.0], [3.0, 0.0]])
    masks, model_masks = {"oolemma": people}, {"oolemma": model}
    return ModelStudy(("ada", "ben"), masks, tips, model_masks, found, np.zeros((1, 4), np.uint8))


def test_iou_and_distance_of_the_model_with_each_person(study: ModelStudy) -> None:
    pairs = study.pairs()
    np.testing.assert_allclose(model_values(pairs, "oolemma"), [[1 / 2, 2 / 4], [1, 1 / 4]])
    np.testing.assert_allclose(model_values(pairs, "needle"), [[4, 3], [5, 0]])


def test_people_alone_are_the_pairs_without_the_model(study: ModelStudy) -> None:
    people = people_only(study.pairs())
    assert MODEL not in {*people["annotator_a"], *people["annotator_b"]}
    assert people[people["structure"] == "oolemma"]["value"].tolist() == [1 / 2, 1 / 2]
    assert people[people["structure"] == "needle"]["value"].tolist() == [3, 3]


def test_similarity_is_symmetric_has_the_model_first_and_turns_distances_round(study: ModelStudy) -> None:
    overlap, nearness = similarity(study.pairs(), "oolemma"), similarity(study.pairs(), "needle")
    np.testing.assert_allclose(overlap[0, 1:], [[1 / 2, 2 / 4], [1, 1 / 4]])
    np.testing.assert_allclose(nearness[0, 1:], [[-4, -3], [-5, 0]])
    np.testing.assert_allclose(overlap, overlap.transpose(1, 0, 2))
    assert np.isnan(overlap[0, 0]).all()


def test_the_model_has_no_pairs_with_itself(study: ModelStudy) -> None:
    pairs = study.pairs()
    assert not ((pairs["annotator_a"] == MODEL) & (pairs["annotator_b"] == MODEL)).any()
