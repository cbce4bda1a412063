"""RO-Crate metadata of a built study: pages, results, and the run that made each, for machines to read.

RO-Crate 1.1 (Soiland-Reyes et al. 2022): one JSON-LD file beside the pages. Each results file is the `result` of a
`CreateAction` whose `instrument` is the notebook and whose `object`s are the data sets, by their SHA-256.
"""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from rocrate.model.contextentity import ContextEntity
from rocrate.model.entity import Entity
from rocrate.rocrate import ROCrate

from icsilib.files import sha256_of, write_text_atomic
from icsilib.study.evidence import place_of
from icsilib.study.provenance import ROOT, ResultsFile
from icsilib.study.verdicts import load_results

METADATA = "ro-crate-metadata.json"
CODE_LICENCE = "https://spdx.org/licenses/BSD-3-Clause"
TEXT_LICENCE = "https://creativecommons.org/licenses/by/4.0/"


def write_crate(html: Path, results: Path) -> Path:
    """Write the metadata of the pages in `html` and of the results files of `results`; returns its path.

    The results files must lie beside the pages, as `notebooks/results/*.json`.
    """
    files = load_results(results)
    crate = ROCrate(version="1.1")
    _describe(crate, html, files)
    for stem, file in files.items():
        _add_run(crate, html, stem, file)
    path = html / METADATA
    write_text_atomic(path, json.dumps(crate.metadata.generate(), indent=1, ensure_ascii=False) + "\n")
    return path


def _describe(crate: ROCrate, html: Path, files: dict[str, ResultsFile]) -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    root: Any = crate.root_dataset
    root["name"] = citation["title"]
    root["description"] = citation["abstract"].strip()
    root["license"] = _licence(crate, TEXT_LICENCE, "Creative Commons Attribution 4.0 International")
    if files:
        root["datePublished"] = max(_end(file) for file in files.values())
    authors = [_add(crate, "#authors", "Organization", name=author["name"]) for author in citation["authors"]]
    root["author"] = root["publisher"] = _one_or_list(authors)
    root["citation"] = [
        _add(crate, _address(reference), "ScholarlyArticle", name=reference["title"])
        for reference in citation["references"]
    ]
    for page in sorted(html.glob("*.html")) + sorted(html.glob("notebooks/*.html")):
        name = page.relative_to(html).as_posix()
        crate.add_file(page, name, properties={"name": name, "encodingFormat": "text/html"})


def _add_run(crate: ROCrate, html: Path, stem: str, file: ResultsFile) -> None:
    """One results file, the action that made it, its notebook as instrument and its data as objects."""
    origin = file.provenance
    name = f"notebooks/results/{stem}.json"
    if not (html / name).exists():
        raise FileNotFoundError(f"{html / name}: missing beside the pages; build the book again")
    about = {"name": f"Results of {stem}", "encodingFormat": "application/json", "sha256": sha256_of(html / name)}
    result = crate.add_file(html / name, name, properties=about | {"contentSize": str((html / name).stat().st_size)})
    notebook = place_of(stem, "").notebook
    instrument = _add(
        crate, f"#notebook-{notebook}", ["SoftwareSourceCode", "SoftwareApplication"],
        name=f"notebooks/{notebook}.ipynb", version=origin.revision, programmingLanguage="Python",
        softwareRequirements=[f"{package}=={number}" for package, number in origin.versions.items()],
        license=_licence(crate, CODE_LICENCE, "BSD 3-Clause License"),
    )  # fmt: skip
    data = [
        _add(crate, f"#sha256-{digest}", "Dataset", name=title, sha256=digest) for title, digest in origin.data.items()
    ]
    _add(
        crate, f"#run-{stem}", "CreateAction", name=f"Run of {stem}, profile {origin.profile}, seed {origin.seed}",
        startTime=origin.started, endTime=_end(file), instrument=instrument, object=_one_or_list(data), result=result,
        description=f"On {origin.hardware['processor']}, {origin.hardware['cores']} cores, GPU "
        f"{origin.hardware['gpu']}; code {'as committed' if origin.clean else 'with uncommitted or unknown changes'}.",
    )  # fmt: skip


def _add(crate: ROCrate, identifier: str, kind: str | list[str], **properties: Any) -> Entity:
    """A contextual entity, once: a second call with the same identifier gives the first entity."""
    existing = crate.dereference(identifier)
    if existing is not None:
        return existing
    links = {key: value for key, value in properties.items() if _is_link(value)}
    plain = {key: value for key, value in properties.items() if key not in links and value not in ([], None)}
    entity = crate.add(ContextEntity(crate, identifier, properties={"@type": kind} | plain))
    for key, value in links.items():
        entity[key] = value
    return entity


def _one_or_list(entities: list[Entity]) -> Entity | list[Entity]:
    """RO-Crate asks for a single value rather than a list of one."""
    return entities[0] if len(entities) == 1 else entities


def _is_link(value: Any) -> bool:
    return isinstance(value, Entity) or (isinstance(value, list) and bool(value) and isinstance(value[0], Entity))


def _licence(crate: ROCrate, address: str, name: str) -> Entity:
    return _add(crate, address, "CreativeWork", name=name)


def _address(reference: dict[str, Any]) -> str:
    return f"https://doi.org/{reference['doi']}" if "doi" in reference else reference["url"]


def _end(file: ResultsFile) -> str:
    origin = file.provenance
    return (datetime.fromisoformat(origin.started) + timedelta(seconds=origin.seconds)).isoformat(timespec="seconds")
