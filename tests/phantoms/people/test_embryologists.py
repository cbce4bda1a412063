"""Simulated embryologists: fitted to paper B's human figures, and read back from VIA files as real ones are."""

from dataclasses import replace

import numpy as np
import pytest

from icsilib.data.annotations import Dataset
from icsilib.detection.boxes import box_iou
from icsilib.detection.consensus import ALL, OTHERS, readers_against_consensus
from icsilib.labels import read_annotations
from icsilib.labels.write_via import write_via_csv, write_via_json
from icsilib.phantoms.people.embryologists import (
    Embryologist,
    fitted_readership,
    label_dataset,
    label_image,
    team,
    unrendered_dataset,
)
from icsilib.study.claims import published

HELD_OUT = range(3000, 3005)  # seeds that neither the fit nor its report used
USUAL = Embryologist("E1", miss=1.0, fooled=1.0, loose=1.0)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return unrendered_dataset(5, images=110)


@pytest.fixture(scope="module")
def tables() -> list:
    return [
        readers_against_consensus(label_dataset(unrendered_dataset(seed), seed, team(seed, matched=True)))
        for seed in HELD_OUT
    ]


def boxes_by_image(dataset: Dataset) -> dict[str, list]:
    names = {image.id: image.file_name for image in dataset.images}
    found: dict[str, list] = {image.file_name: [] for image in dataset.images}
    for record in dataset.annotations:
        found[names[record.image_id]].append(record.bbox)
    return found


@pytest.mark.parametrize(("figure", "claim"), [("precision", "map"), ("ar", "ar")])
def test_published_human_figures_on_held_out_seeds(tables: list, figure: str, claim: str) -> None:
    found = np.mean([table.loc[table["against"] == ALL, figure].mean() for table in tables])
    assert found == pytest.approx(published(f"B.table1.human.{claim}"), abs=0.03)


def test_leave_one_out_is_lower(tables: list) -> None:
    for table in tables:
        means = table.groupby("against")[["precision", "ar"]].mean()
        assert (means.loc[OTHERS] < means.loc[ALL]).all()


def test_about_as_many_sperm_as_images_as_in_the_benchmark() -> None:
    per_image = [len(unrendered_dataset(seed).annotations) / 110 for seed in HELD_OUT]
    assert np.mean(per_image) == pytest.approx(111 / 110, abs=0.15)


def test_misses_follow_the_phenotypes() -> None:
    readership = replace(fitted_readership(), lookalikes=0.0, loose=0.0)
    scenes = unrendered_dataset(8, images=400)
    by_image = {image.id: [] for image in scenes.images}
    for record in scenes.annotations:
        by_image[record.image_id].append(record)
    seen: dict[str, list[bool]] = {}
    for image in scenes.images:
        if sperm := by_image[image.id]:
            drawn = label_image(USUAL, readership, image, sperm, seed=1)
            overlap = box_iou(np.array([one.bbox for one in sperm]), drawn)
            for one, hit in zip(sperm, (overlap > 0.9).any(axis=1), strict=True):
                seen.setdefault(one.model_extra["phenotype"], []).append(bool(hit))
    for phenotype, hits in seen.items():
        chance, error = readership.miss[phenotype], 4 * np.sqrt(0.25 / len(hits))
        assert 1 - np.mean(hits) == pytest.approx(chance, abs=error), phenotype


def test_perfect_reader_gives_the_truth(dataset: Dataset) -> None:
    perfect = Embryologist("P", miss=0.0, fooled=0.0, loose=0.0)
    drawn = boxes_by_image(label_dataset(dataset, 0, [perfect])["P"])
    for name, boxes in boxes_by_image(dataset).items():
        np.testing.assert_allclose(drawn[name], boxes, atol=1.0)  # to a tenth, or cut to 1 px


def test_boxes_lie_in_the_image_and_have_an_area(dataset: Dataset) -> None:
    wild = replace(fitted_readership(), loose=1.0)
    sizes = {image.id: (image.width, image.height) for image in dataset.images}
    for reader in label_dataset(dataset, 0, readership=wild).values():
        for record in reader.annotations:
            x, y, width, height = record.bbox
            assert min(width, height) > 0
            assert min(x, y) >= 0
            assert x + width <= sizes[record.image_id][0] + 0.1
            assert y + height <= sizes[record.image_id][1] + 0.1


def test_same_seed_same_boxes_whatever_else_is_in_the_set(dataset: Dataset) -> None:
    half = dataset.model_copy(update={"images": dataset.images[40:]})
    kept = {image.id for image in half.images}
    half.annotations = [record for record in dataset.annotations if record.image_id in kept]
    whole, part, other = label_dataset(dataset, 3), label_dataset(half, 3), label_dataset(dataset, 4)
    for name, drawn in part.items():
        by_image = boxes_by_image(whole[name])
        assert boxes_by_image(drawn) == {image.file_name: by_image[image.file_name] for image in half.images}
    assert boxes_by_image(whole["E1"]) != boxes_by_image(other["E1"])


def test_matched_team_has_the_same_spread_whatever_the_seed() -> None:
    assert [person.name for person in team(0)] == ["E1", "E2", "E3"]
    assert sorted(p.miss for p in team(1, matched=True)) == pytest.approx(sorted(p.miss for p in team(2, matched=True)))
    drawn = [np.log(person.miss) for seed in range(400) for person in team(seed)]
    assert np.std(drawn) == pytest.approx(fitted_readership().spread, rel=0.08)
    assert len({person.loose for person in team(0)}) == 3


@pytest.mark.parametrize(("write", "name"), [(write_via_csv, "E1.csv"), (write_via_json, "E1.json")])
def test_via_files_give_the_boxes_back(dataset: Dataset, tmp_path, write, name: str) -> None:
    drawn = label_dataset(dataset, 2)["E1"]
    write(drawn, tmp_path / name)
    back, report = read_annotations(tmp_path / name)
    assert report.kept == report.records == len(drawn.annotations)
    assert {record.annotator for record in back.annotations} == {"E1"}
    found, expected = boxes_by_image(back), boxes_by_image(drawn)
    assert found.keys() == expected.keys()  # images without sperm are there too
    for image, boxes in expected.items():
        np.testing.assert_allclose(found[image], boxes, atol=1e-6)
