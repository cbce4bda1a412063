"""Train the detector on real sperm videos (SVIA) from ImageNet and from scratch, and test it on a held-out video.

    python scripts/svia_folds.py RUNS            three seeds of each, about a quarter of an hour on one core

Writes `book/reference/detection_svia.json`, which the chapters on the detector show, and enters its figures in the
reference results of those chapters, where the ledger looks for them. RUNS keeps the trainings; those that are finished
are not repeated.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import typer

from icsilib.data.manifest import data_digest, fetch
from icsilib.data.svia import load
from icsilib.detection.settings import PROFILES, as_record
from icsilib.detection.video_folds import INITIALISATIONS, SEEDS, held_out_runs, run_fold, seeds_interval
from icsilib.files import write_text_atomic
from icsilib.study.provenance import ROOT, Results, Value

REFERENCE = ROOT / "book" / "reference"
HELD_OUT = "S_0004"  # the video that no training sees


def main(runs: Path) -> None:
    """Run what is missing, and write the results."""
    root = fetch("svia")
    dataset, settings = load(root), PROFILES["svia"]
    results = Results("detection_svia", "svia", None, settings=as_record(settings), held_out=HELD_OUT)
    rows = []
    for run in held_out_runs(HELD_OUT):
        rows.append(run_fold(dataset, root, run, settings, runs))
        print(rows[-1], flush=True)
    results.data["svia"] = data_digest("svia")
    results.add_table("svia", rows)
    summarise(results, rows)
    results.write(REFERENCE / "detection_svia.json")
    enter("detection_evaluation", {key: value for key, value in results.values.items() if key.startswith("svia.")})
    enter("detection_training", {"imagenet_gain": results.values["imagenet_gain.ap50"]})


def enter(name: str, values: dict[str, Value]) -> None:
    """Replace values of a chapter's reference results; their method says which file holds their provenance."""
    path = REFERENCE / f"{name}.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["tables"].pop("svia", None)
    for key, value in values.items():
        content["values"][key] = value.model_dump() | {"method": f"{value.method}; from detection_svia.json"}
    write_text_atomic(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def summarise(results: Results, rows: list[dict[str, Any]]) -> None:
    """Mean over seeds of each initialisation, and of ImageNet less scratch, with t intervals over seeds."""
    about = {"data": "SVIA", "level": 0.95, "n": len(SEEDS), "n_of": "seeds"}
    for name, key in (("ap", "ap50"), ("ar", "ar100")):
        found = {start: [row[name] for row in rows if row["initialisation"] == start] for start in INITIALISATIONS}
        for start, values in found.items():
            method = f"one held-out video, {start}, mean over seeds; t interval over seeds"
            results.add(f"svia.{start}.{key}", np.mean(values), interval=seeds_interval(values), method=method, **about)
        results.values[f"svia.{key}"] = results.values[f"svia.imagenet.{key}"]
        gains = np.subtract(found["imagenet"], found["scratch"])
        method = "ImageNet less scratch, same seed; one held-out video; t interval over seeds"
        results.add(f"imagenet_gain.{key}", gains.mean(), interval=seeds_interval(gains), method=method, **about)


if __name__ == "__main__":
    typer.run(main)
