"""Turn a finished training of paper B's detector into what the study ships: weights, model card, reference results.

    python scripts/release_detection.py RUN BIOPSY CROWD OTHERS --code REVISION --hardware …

RUN is the folder that `icsi detect train --profile standard` filled, with a folder for each of its earlier stages;
BIOPSY and CROWD are the rendered sets that it was trained on, OTHERS a set of patients of another seed, to test on.
Every number of card and results is measured here, except those on SVIA's videos, which `scripts/svia_folds.py` has
measured.
"""

from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from icsilib.detection import load
from icsilib.detection.detector import Detector
from icsilib.detection.evaluate import coco_evaluation, scores_of
from icsilib.detection.export import with_openvino
from icsilib.detection.images import images_of
from icsilib.detection.settings import Settings, stages
from icsilib.detection.throughput import measure_throughput
from icsilib.detection.train import best_validation, detect_files
from icsilib.detection.weights import BIOPSY_PHANTOM
from icsilib.files import sha256_of, write_text_atomic
from icsilib.study.detection_scores import Evaluated, Tested, add_constants, add_scores
from icsilib.study.provenance import ROOT, Results, Value, read_results
from icsilib.study.provenance import hardware as this_machine
from icsilib.training.compiled import Precision, precisions
from icsilib.training.runs import WEIGHTS
from icsilib.training.weights import read_weights, save_weights

STAGES = [settings.profile for settings in stages("standard")]
FASTEST = precisions()[-1]
REFERENCE = ROOT / "book" / "reference"
CARD = (Path(__file__).parent / "detection_card.md").read_text(encoding="utf-8")
MADE_BY = (
    "icsi phantom biopsy --images 702 --seed 0 (training patients of its split) and "
    "icsi phantom biopsy-crowd --patients 600 --seed 0"
)


def main(
    run: Path,
    biopsy: Path,
    crowd: Path,
    others: Path,
    code: Annotated[str, typer.Option(help="Revision of the code that trained it.")],
    hardware: Annotated[str, typer.Option(help="What it ran on.")],
    remark: Annotated[str, typer.Option(help="What else is to be said of the run.")] = "",
) -> None:
    """Write weights, card, and the two reference results."""
    folders = {stage: run / stage for stage in STAGES} | {STAGES[-1]: run}
    log = pd.concat([pd.read_csv(folder / "log.csv").assign(stage=stage) for stage, folder in folders.items()])
    network, settings, _ = read_weights(run / WEIGHTS, Settings)
    about = {
        "data": f"rendered biopsy images: {MADE_BY}",
        "annotations_sha256": {folder.name: sha256_of(folder / "annotations.json") for folder in (biopsy, crowd)},
        "code": code,
        "initialisation": "imagenet",
        "schedule": schedule(log, settings) + remark,
        "hardware": hardware,
    }
    save_weights(network, settings, BIOPSY_PHANTOM, half=True, **about)
    results, evaluated = evaluate(biopsy, others, about)
    results.write(REFERENCE / "detection_evaluation.json")
    training(log, about).write(REFERENCE / "detection_training.json")
    write_text_atomic(BIOPSY_PHANTOM.with_suffix(".md"), card(results, evaluated, settings, about, biopsy, others))


def schedule(log: pd.DataFrame, settings: Settings) -> str:
    """The stages in words."""
    steps = log.groupby("stage", sort=False)["step"].max()
    return "; ".join(
        f"stage {number}, profile {stage}: {count} steps of {settings.batch_size} windows"
        for number, (stage, count) in enumerate(steps.items(), 1)
    )


def evaluate(biopsy: Path, others: Path, about: dict[str, Any]) -> tuple[Results, Evaluated]:
    """Scores on the test patients and on all of `others`, time for 702 images, and what was measured on SVIA."""
    detector = load()
    engines = {precision: with_openvino(detector, precision) for precision in precisions()}
    results = Results("detection_evaluation", "standard", 0, training=about)
    results.data["biopsy"] = sha256_of(biopsy / "annotations.json")
    results.data["biopsy, other patients"] = sha256_of(others / "annotations.json")
    test, validation, more = (
        Tested(images, detect_files(engines["f32"], images))
        for images in (images_of(biopsy, "test"), images_of(biopsy, "validation"), images_of(others))
    )
    add_scores(results, more, validation, "phantom", "other_patients.")
    evaluated = add_scores(results, test, validation, "phantom")
    add_constants(results)
    results.values |= {key: value for key, value in from_svia(results).items() if key.startswith("svia.")}
    add_throughput(results, engines, biopsy)
    return results, evaluated


def add_throughput(results: Results, detectors: dict[Precision, Detector], biopsy: Path) -> None:
    """Add speed and AP on the test patients of each precision, and the time that the fastest takes for all images."""
    test = images_of(biopsy, "test")
    files = dict.fromkeys(detectors, test) | {FASTEST: images_of(biopsy)}
    times = {
        precision: measure_throughput(one, [image.path for image in files[precision]], batch_size=8)
        for precision, one in detectors.items()
    }
    rows = [
        {
            "precision": precision,
            "images": times[precision].images,
            "images/s": times[precision].images_per_second,
            "AP at IoU 0.5, test patients": scores_of(coco_evaluation(test, detect_files(one, test))).ap,
        }
        for precision, one in detectors.items()
    ]
    results.add_table("throughput", rows)
    time = times[FASTEST]
    machine = this_machine()
    method = (
        f"from file to boxes, OpenVINO in {FASTEST}, batch 8, {time.images} images in {time.windows} windows, "
        f"{machine['processor']}, {machine['cores']} cores"
    )
    about = {"n": time.images, "n_of": "images", "data": "phantom", "method": method}
    results.add("images_per_second", time.images_per_second, unit="images/s", **about)
    results.add("seconds_for_702", time.seconds, unit="s", **about)


def from_svia(results: Results) -> dict[str, Value]:
    """What `detection_svia.json` holds; the method of each value says so."""
    measured = read_results(REFERENCE / "detection_svia.json")
    results.data["svia"] = measured.provenance.data["svia"]
    source = "; from detection_svia.json"
    return {key: one.model_copy(update={"method": one.method + source}) for key, one in measured.values.items()}


def training(log: pd.DataFrame, about: dict[str, Any]) -> Results:
    """What the chapter on training shows of the reference run."""
    results = Results("detection_training", "standard", 0, training=about)
    results.data |= about["annotations_sha256"]
    offset = log.groupby("stage", sort=False)["step"].max().cumsum().shift(fill_value=0)
    rows = log.assign(step=log["step"] + log["stage"].map(offset))
    results.add_table("log", [row.dropna().to_dict() for _, row in rows.iterrows()])
    validated = rows[rows["stage"] == STAGES[-1]].dropna(subset="validation_ap")
    kept = best_validation(validated.to_dict("records"))
    facts = {"n_of": "validation images", "data": "phantom", "method": "weights as shipped"}
    results.add("steps", int(rows["step"].max()))
    results.add("initialisation", about["initialisation"])
    results.add("validation.ap50", kept["validation_ap"], **facts)
    results.add("validation.ar100", kept["validation_ar"], **facts)
    results.values["imagenet_gain"] = from_svia(results)["imagenet_gain.ap50"]
    return results


def card(
    results: Results, evaluated: Evaluated, settings: Settings, about: dict[str, Any], biopsy: Path, others: Path
) -> str:
    """The model card: the text of `detection_card.md` with the measured figures."""
    test, more, digests = images_of(biopsy, "test"), images_of(others), list(about["annotations_sha256"].values())
    return CARD.format(
        input_size=settings.input_size,
        window=settings.window,
        frozen=settings.frozen_stages,
        parameters=sum(weight.numel() for weight in read_weights(BIOPSY_PHANTOM, Settings)[0].parameters()),
        biopsy_sha256=digests[0],
        crowd_sha256=digests[1],
        images=len(test),
        patients=len({image.group for image in test}),
        sperm=results.values["ap50"].n,
        rows="\n".join(_row(results, *row) for row in ROWS),
        other_images=len(more),
        other_patients=len({image.group for image in more}),
        other_sperm=results.values["other_patients.ap50"].n,
        other_rows="\n".join(_row(results, label, f"other_patients.{key}") for label, key in ROWS),
        phenotypes=", ".join(
            f"{name.replace('_', ' ')} {right} of {number}" for name, (right, number) in evaluated.hits.items()
        ),
        **{key: about[key] for key in ("data", "schedule", "code", "hardware")},
    )


ROWS = (
    ("AP at IoU 0.5", "ap50"),
    ("AR at 100 detections, ten IoUs", "ar100"),
    ("precision at the operating point", "precision"),
    ("recall at the operating point", "recall"),
)


def _row(results: Results, label: str, key: str) -> str:
    value = results.values[key]
    low, high = value.interval or (float("nan"), float("nan"))
    return f"| {label} | {value.value:.3f} | {low:.3f} to {high:.3f} |"


if __name__ == "__main__":
    typer.run(main)
