"""Simulated labellers: exact where they make no error, like Table 1 where they do."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icsilib.data.annotations import (
    Dataset,
    Image,
    polygon_annotation,
    polygon_area,
    polygons_of,
    tip_annotation,
    tip_of,
)
from icsilib.data.structures import ICSI_CATEGORIES, OOLEMMA, SUCTION_PIPETTE
from icsilib.phantoms.people.annotators import Hand, Pointing, annotator_team, draw_polygon, draw_tip, fitted_population
from icsilib.phantoms.people.labelled_dataset import label_dataset
from icsilib.phantoms.people.labelling import balanced_normals, label_study, study_frames
from icsilib.stats.agreement import distance_table, iou_table, summary
from icsilib.study.claims import published

EXACT = Hand(0, noise=0, correlation=0.1, click_tolerance=1e-4, reading=0, reading_rate=0, slip=0, slip_rate=0)
CIRCLE = np.stack(
    [256 + 100 * np.cos(np.linspace(0, 2 * np.pi, 400)), 256 + 100 * np.sin(np.linspace(0, 2 * np.pi, 400))], 1
)
SQUARE = np.array([[0.0, 100], [200, 100], [200, 300], [0, 300]])  # its left side is the frame's edge


@dataclass(frozen=True)
class Plain:
    """A disc, a square that the frame cuts, a tip."""

    oolemma: np.ndarray | None = None
    pipette: np.ndarray | None = None
    tip: np.ndarray | None = None
    tip_axis: np.ndarray | None = None


TRUTH = Plain(CIRCLE, SQUARE, np.array([300.0, 250.0]), np.array([-0.6, 0.8]))


def radius(polygon):
    return np.sqrt(polygon_area(polygon) / np.pi)


def test_a_hand_without_error_draws_the_truth():
    drawn = draw_polygon(EXACT, CIRCLE, np.random.default_rng(0))
    assert radius(drawn) == pytest.approx(100, abs=0.1)


@pytest.mark.parametrize("order", [1, -1])
def test_a_lasting_offset_is_outwards_whichever_way_the_polygon_turns(order):
    drawn = draw_polygon(replace(EXACT, offset=0.05), CIRCLE[::order], np.random.default_rng(0))
    assert radius(drawn) == pytest.approx(105, abs=0.1)  # the size 2·area/perimeter of a disc is its radius


def test_noise_has_the_stated_spread():
    rng = np.random.default_rng(1)
    drawn = [draw_polygon(replace(EXACT, noise=0.02), CIRCLE, rng) for _ in range(300)]
    distance = np.concatenate([np.linalg.norm(polygon - 256, axis=1) for polygon in drawn])
    assert distance.std() == pytest.approx(2.0, rel=0.1)


def test_a_label_ends_where_the_frame_cuts_the_object():
    hand = replace(EXACT, noise=0.05, offset=-0.05)
    for seed in range(20):
        drawn = draw_polygon(hand, SQUARE, np.random.default_rng(seed), frame=(512, 512))
        assert drawn[:, 0].min() == 0
        assert drawn.min() >= 0
    assert (
        len(draw_polygon(replace(EXACT, slip=0.3, slip_rate=1), SQUARE, np.random.default_rng(0), frame=(512, 512))) > 4
    )


def test_a_sliver_along_the_edge_is_left_as_it_is():
    sliver = np.array([[0.0, 10], [0.8, 10], [0.8, 60], [0, 60]])
    drawn = draw_polygon(replace(EXACT, noise=0.1, slip_rate=1.0), sliver, np.random.default_rng(0), frame=(512, 512))
    np.testing.assert_array_equal(drawn, sliver)


def test_coarse_clicking_leaves_fewer_vertices():
    counts = [
        len(draw_polygon(replace(EXACT, click_tolerance=t), CIRCLE, np.random.default_rng(0))) for t in (0.003, 0.02)
    ]
    assert counts[0] > 1.5 * counts[1]


def test_the_tip_errs_more_along_the_needle_than_across():
    pointing = Pointing(offset=1.0, along=3.0, across=1.0, slip=20, slip_rate=0)
    axis, rng = np.array([0.6, 0.8]), np.random.default_rng(2)
    errors = np.array([draw_tip(pointing, np.array([50.0, 60]), axis, rng) for _ in range(4000)]) - [50, 60]
    along, across = errors @ axis, errors @ [-0.8, 0.6]
    assert along.mean() == pytest.approx(1.0, abs=0.2)
    assert (along.std(), across.std()) == pytest.approx((3, 1), rel=0.05)


@given(st.integers(2, 5), st.integers(2, 5), st.integers(2, 8), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_balanced_normals_have_exact_sums_of_squares(annotators, rounds, frames, seed):
    weights = np.linspace(0.5, 2, frames)
    z = balanced_normals(np.random.default_rng(seed), annotators, rounds, weights, 3)
    assert z.shape == (annotators, rounds, frames, 3)
    # the expectation of independent normals: each pair differs by 2·weight² on average
    between = np.sum((z[:, None] - z[None]) ** 2, axis=(0, 1, 2, 3)) / (annotators * (annotators - 1) * rounds * frames)
    np.testing.assert_allclose(between, 2 * np.mean(weights**2), rtol=1e-9)
    np.testing.assert_allclose(np.sum(z**2, axis=(0, 1, 2)), annotators * rounds * np.sum(weights**2), rtol=1e-9)


def test_studies_are_deterministic_and_differ_by_seed():
    truths, team = [TRUTH, TRUTH], annotator_team(0)
    one, same, other = (label_study(truths, team, rounds=2, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.tips, same.tips)
    np.testing.assert_array_equal(one.outlines["oolemma"][4][1][1], same.outlines["oolemma"][4][1][1])
    assert not np.array_equal(one.tips, other.tips)
    assert one.masks("pipette").shape == (5, 2, 2, 512, 512)


def test_matched_teams_share_out_the_same_traits():
    teams = [annotator_team(seed, matched=True) for seed in range(4)]
    offsets = np.array([sorted(person.tip.offset for person in team) for team in teams])
    np.testing.assert_allclose(offsets, offsets[:1].repeat(4, 0))
    assert len({tuple(person.tip.offset for person in team) for team in teams}) > 1


def test_drawn_traits_have_the_spread_of_the_population():
    offsets = [person.tip.offset for seed in range(300) for person in annotator_team(seed)]
    assert np.std(offsets) == pytest.approx(fitted_population().offset_spread["tip"], rel=0.08)
    by_team = np.reshape(offsets, (300, 5)).std(axis=1, ddof=1)
    assert by_team.max() > 3 * by_team.min()  # teams differ, as matched ones do not


def test_drawn_studies_slip_as_often_as_the_population_and_never_alike():
    population = fitted_population()
    wide = replace(population, tip=replace(population.tip, slip=1000.0, slip_rate=0.2))
    truths = [TRUTH] * 40
    slipped = []
    for seed in range(20):
        study = label_study(truths, annotator_team(seed, 5, wide), 2, seed, population=wide)
        slipped.append(np.mean(np.linalg.norm(study.tips - TRUTH.tip, axis=-1) > 500))
    assert np.mean(slipped) == pytest.approx(0.2, abs=0.015)
    assert np.std(slipped) == pytest.approx(np.sqrt(0.2 * 0.8 / 400), rel=0.4)  # binomial; dealt slips have none


def test_absent_structures_stay_absent():
    study = label_study([Plain(CIRCLE), TRUTH, TRUTH], annotator_team(0), rounds=2)
    assert not study.masks("pipette")[:, :, 0].any()
    assert np.isnan(study.tips[:, :, 0]).all()
    assert np.isfinite(study.tips[:, :, 1:]).all()


@pytest.fixture(scope="module")
def tables():
    """Table 1 of three studies with seeds that the fit has not seen."""
    found = []
    for seed in range(3):
        study = label_study(study_frames(seed), annotator_team(seed, matched=True), 5, seed, matched=True)
        found.append(summary(pd.concat([
            iou_table(study.masks("oolemma"), "oolemma"),
            iou_table(study.masks("pipette"), "pipette"),
            distance_table(study.tips, "needle"),
        ])))  # fmt: skip
    return found


@pytest.mark.parametrize("kind", ["inter", "intra"])
@pytest.mark.parametrize(("structure", "tolerance"), [("oolemma", 0.002), ("pipette", 0.002), ("needle", 0.15)])
def test_table_1_on_held_out_seeds(tables, structure, kind, tolerance):
    for table in tables:
        found, key = table.loc[(structure, kind)], f"A.table1.{structure}.{kind}"
        assert found["mean"] == pytest.approx(published(f"{key}.mean"), abs=tolerance)
        assert found["sd"] == pytest.approx(published(f"{key}.sd"), rel=0.25)


def truth_dataset(frames):
    images, annotations = [], []
    for i in range(1, frames + 1):
        images.append(Image(id=i, file_name=f"{i}.png", width=512, height=512))
        annotations.append(polygon_annotation(3 * i, i, OOLEMMA, [TRUTH.oolemma]))
        annotations.append(polygon_annotation(3 * i + 1, i, SUCTION_PIPETTE, [TRUTH.pipette]))
        annotations.append(tip_annotation(3 * i + 2, i, TRUTH.tip, tip_axis=TRUTH.tip_axis.tolist()))
    return Dataset(images=images, annotations=annotations, categories=list(ICSI_CATEGORIES))


def test_a_data_set_is_labelled_by_one_of_five_and_validated_by_a_sixth():
    truth, people = truth_dataset(60), annotator_team(0, 6)
    labelled = label_dataset(truth, people[:5], people[5], seed=1)
    assert labelled == label_dataset(truth, people[:5], people[5], seed=1)
    assert {annotation.annotator for annotation in labelled.annotations} == set("ABCDE")
    for image in labelled.images:
        assert len({a.annotator for a in labelled.annotations if a.image_id == image.id}) == 1
    assert [a.id for a in labelled.annotations] == [a.id for a in truth.annotations]
    assert 0 < labelled.info["labelling"]["corrected"] < 0.2 * len(labelled.annotations)
    tips = [(tip_of(a), tip_of(b)) for a, b in zip(truth.annotations, labelled.annotations, strict=True) if a.keypoints]
    assert 0.5 < np.mean([np.linalg.norm(a - b) for a, b in tips]) < 4
    assert len(polygons_of(labelled.annotations[0])) == 1


def test_a_needle_without_axis_is_refused():
    truth = truth_dataset(1)
    bare = truth.model_copy(update={"annotations": [tip_annotation(1, 1, (5, 5))]})
    people = annotator_team(0, 6)
    with pytest.raises(ValueError, match="annotation 1: a needle label needs"):
        label_dataset(bare, people[:5], people[5])


def test_fitted_parameters_say_where_they_come_from():
    population = fitted_population()
    assert population.tip.along > population.tip.across
    assert replace(population.hands["oolemma"], noise=0).noise == 0
