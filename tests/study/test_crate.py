"""The study's RO-Crate is read back by rocrate's own reader and holds to the rules of RO-Crate 1.1."""

import json
from pathlib import Path
from typing import Any

import pytest
from rocrate.rocrate import ROCrate

from icsilib.files import sha256_of
from icsilib.study.crate import write_crate
from icsilib.study.provenance import Results

DIGEST = "cd" * 32


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """Pages and results of a study with two notebooks that used the same data."""
    html = tmp_path / "html"
    for name in ("claims", "toy"):
        results = Results(name, "quick", seed=3)
        results.data["phantom"] = DIGEST
        results.add("iou", 0.9)
        results.write(html / "notebooks" / "results" / f"{name}.json")
    for page in ("index.html", "notebooks/claims.html"):
        (html / page).write_text("<!DOCTYPE html><title>page</title>")
    write_crate(html, html / "notebooks" / "results")
    return html


@pytest.fixture
def graph(built: Path) -> dict[str, dict[str, Any]]:
    content = json.loads((built / "ro-crate-metadata.json").read_text())
    assert content["@context"] == "https://w3id.org/ro/crate/1.1/context"
    entities = {entity["@id"]: entity for entity in content["@graph"]}
    assert len(entities) == len(content["@graph"]), "an identifier occurs twice"
    return entities


def references(value: Any) -> list[str]:
    """Identifiers that a property points to."""
    if isinstance(value, list):
        return [target for item in value for target in references(item)]
    return [value["@id"]] if isinstance(value, dict) else []


def test_its_own_reader_finds_pages_results_and_runs(built: Path) -> None:
    crate = ROCrate(built)
    assert {entity.id for entity in crate.data_entities} == {
        "index.html", "notebooks/claims.html", "notebooks/results/claims.json", "notebooks/results/toy.json"
    }  # fmt: skip
    assert {run["result"].id for run in crate.get_by_type("CreateAction")} == {
        f"notebooks/results/{name}.json" for name in ("claims", "toy")
    }


def test_the_rules_for_descriptor_and_root_hold(graph: dict[str, dict[str, Any]]) -> None:
    descriptor, root = graph["ro-crate-metadata.json"], graph["./"]
    assert descriptor["@type"] == "CreativeWork"
    assert descriptor["about"] == {"@id": "./"}
    assert descriptor["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    assert root["@type"] == "Dataset"
    assert all(root[required] for required in ("name", "description", "datePublished", "license"))


def test_every_reference_resolves_and_every_entity_has_a_type_and_a_name(graph: dict[str, dict[str, Any]]) -> None:
    outside = {"https://w3id.org/ro/crate/1.1"}
    for entity in graph.values():
        assert entity["@type"]
        assert entity["@id"] == "ro-crate-metadata.json" or entity["name"]
        targets = {target for key, value in entity.items() if key != "@id" for target in references(value)}
        assert targets <= set(graph) | outside


def test_every_file_is_a_part_of_the_root_and_is_there(built: Path, graph: dict[str, dict[str, Any]]) -> None:
    files = {name for name, entity in graph.items() if entity["@type"] == "File"}
    assert set(references(graph["./"]["hasPart"])) == files
    assert all((built / name).is_file() for name in files)


def test_a_run_leads_from_result_to_notebook_data_and_digest(built: Path, graph: dict[str, dict[str, Any]]) -> None:
    run = graph["#run-claims"]
    assert run["startTime"] <= run["endTime"]
    assert graph[run["instrument"]["@id"]]["name"] == "notebooks/claims.ipynb"
    assert graph[references(run["object"])[0]]["sha256"] == DIGEST
    result = graph[run["result"]["@id"]]
    assert result["sha256"] == sha256_of(built / result["@id"])


def test_results_that_are_not_beside_the_pages_are_refused(built: Path, tmp_path: Path) -> None:
    Results("stray", "quick", seed=0).write(tmp_path / "elsewhere" / "stray.json")
    with pytest.raises(FileNotFoundError, match=r"stray\.json: missing beside the pages"):
        write_crate(built, tmp_path / "elsewhere")
