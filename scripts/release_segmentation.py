"""Turn a finished training of paper A's model into what the study ships: weights, model card, reference results.

    python scripts/release_segmentation.py RUN DATA STAND_IN COARSER --profile standard --code … --hardware … …

RUN is the folder that `icsi segment train` filled, DATA that of the frames it was trained on, STAND_IN the rendered set
in the shape of paper A's 156 videos, whose 23 test videos the model is scored on, COARSER the same videos at 256 px.
Run it from the checkout that holds the code of the training, or name that revision. Every number of card and results is
measured here.
"""

from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import pandas as pd
import typer

from icsilib.data import embryo
from icsilib.data.annotations import mask_of
from icsilib.data.manifest import available, fetch
from icsilib.files import sha256_of, write_text_atomic
from icsilib.segmentation import Segmenter, load
from icsilib.segmentation.augmentation import KINDS
from icsilib.segmentation.dataset import load_frames
from icsilib.segmentation.evaluation import frame_table, iou, speed
from icsilib.segmentation.export import with_openvino
from icsilib.segmentation.nested_unet import parameter_count
from icsilib.segmentation.settings import stages
from icsilib.segmentation.training import WEIGHTS, read_log
from icsilib.segmentation.weights import REFERENCE, save_weights
from icsilib.study.provenance import ROOT, Results
from icsilib.study.segmentation_scores import add_contrasts, add_groups, add_scores, add_speed

CARD = (Path(__file__).parent / "segmentation_card.md").read_text(encoding="utf-8")


def main(
    run: Path,
    data: Path,
    stand_in: Path,
    coarser: Path,
    profile: Annotated[str, typer.Option(help="Profile that was trained.")],
    code: Annotated[str, typer.Option(help="Revision of the code that trained it.")],
    hardware: Annotated[str, typer.Option(help="What it ran on.")],
    made_by: Annotated[str, typer.Option(help="The command that rendered DATA.")],
) -> None:
    """Write weights, card, and the two reference results."""
    chosen = stages(profile)
    log = read_log(chosen, run)
    about = {
        "data": f"rendered ICSI procedures: {made_by}",
        "annotations_sha256": sha256_of(data / "annotations.json"),
        "code": code,
        "stages": [each.profile for each in chosen],
        "hardware": hardware,
    }
    trained = load(run / WEIGHTS)
    save_weights(trained.model, trained.settings, REFERENCE, half=True, **about)
    scores, videos = evaluate(load(), stand_in, coarser, data, profile, about)
    scores.write(ROOT / "book/reference/segmentation_evaluation.json")
    training(log, profile, about).write(ROOT / "book/reference/segmentation_training.json")
    write_text_atomic(REFERENCE.with_suffix(".md"), card(trained, scores, log, about, videos))


def evaluate(
    model: Segmenter, stand_in: Path, coarser: Path, data: Path, profile: str, about: dict[str, Any]
) -> tuple[Results, tuple[int, int]]:
    """Scores on the test videos of both sets and on the embryo photographs, and the numbers of test videos."""
    results = Results("segmentation_evaluation", profile, None, training=about)
    table, wider = (test_table(model, folder) for folder in (stand_in, data))
    results.data["icsi phantom, paper A's shape, test videos"] = sha256_of(stand_in / "annotations.json")
    results.data["icsi phantom with hard scenes, test videos"] = about["annotations_sha256"]
    add_scores(results, table, "phantom")
    add_scores(results, wider, "phantom", "with_hard_scenes.")
    add_coarser(results, model, coarser)
    add_scores(results, test_table(model.with_flips(), stand_in), "phantom", "flips.")
    add_speed(results, speed(model))
    add_speed(results, speed(with_openvino(model)), "openvino")
    add_contrasts(results, table, stand_in)
    add_groups(results, table, "kit", "operator", "phase", "video_id")
    if available("embryo"):
        overlaps = embryo_overlaps(model)
        facts = {"unit": "IoU", "n": len(overlaps), "n_of": "frames", "data": "embryo"}
        method = "oolemma against the union of labelled cells; one embryo"
        results.add("embryo.iou.median", float(np.median(overlaps)), **facts, method=method)
        results.add("embryo.iou.min", min(overlaps), **facts, method=method)
    return results, (table["video_id"].nunique(), wider["video_id"].nunique())


def add_coarser(results: Results, model: Segmenter, coarser: Path) -> None:
    """Scores on the test videos as a coarser camera shows them."""
    results.data["icsi phantom, paper A's shape at 256 px, test videos"] = sha256_of(coarser / "annotations.json")
    add_scores(results, test_table(model, coarser), "phantom", "coarser.")


def test_table(model: Segmenter, folder: Path) -> pd.DataFrame:
    """One row a frame of a set's test videos."""
    test = load_frames(folder / "annotations.json", model.settings.preprocess, "test")
    return frame_table(model.network, test).assign(phase=[record.phase for record in test.records])


def embryo_overlaps(model: Segmenter) -> list[float]:
    """IoU of the oolemma with the union of the labelled cells, on each of the six photographs."""
    place = fetch("embryo")
    real = embryo.load(place)
    return [
        iou(
            model.predict(cv2.imread(str(place / record.file_name), cv2.IMREAD_GRAYSCALE)).masks[0],
            mask_of(cells, record.height, record.width),
        )
        for record, cells in zip(real.images, real.annotations, strict=True)
    ]


def training(log: pd.DataFrame, profile: str, about: dict[str, Any]) -> Results:
    """What the chapter on training shows of the reference run."""
    results = Results("segmentation_training", profile, None, training=about)
    results.data["icsi phantom"] = about["annotations_sha256"]
    results.add_table("log", log.to_dict("records"))
    minutes = log["seconds"].sum() / 60
    results.add("training.minutes", minutes, unit="min", method=f"steps, validation left out; {about['hardware']}")
    results.add("training.epochs", len(log))
    results.add("augmentation.kinds", len(KINDS), method="counted in the code")
    results.add("waiting_for_data", log["waiting_for_data"].mean(), method="share of each step")
    results.add("friction.mean", log["friction"].mean(), method="ξ of diffGrad")
    return results


def card(model: Segmenter, results: Results, log: pd.DataFrame, about: dict[str, Any], videos: tuple[int, int]) -> str:
    """The model card: the text of `segmentation_card.md` with the measured figures."""
    settings = model.settings
    embryos = results.values.get("embryo.iou.median")
    return CARD.format(
        size=settings.size,
        widths="–".join(map(str, settings.widths)),
        parameters=parameter_count(model.model),
        rows="\n".join(_row(results, *row) for row in ROWS),
        flip_rows="\n".join(_row(results, label, f"flips.{key}", digits) for label, key, digits in ROWS),
        coarser_rows="\n".join(_row(results, label, f"coarser.{key}", digits) for label, key, digits in ROWS),
        wider_rows="\n".join(_row(results, label, f"with_hard_scenes.{key}", digits) for label, key, digits in ROWS),
        frames=results.values["oolemma.iou.mean"].n,
        wider_frames=results.values["with_hard_scenes.oolemma.iou.mean"].n,
        videos=videos[0],
        wider_videos=videos[1],
        epochs=len(log),
        minutes=log["seconds"].sum() / 60,
        stage_names=", ".join(about["stages"]),
        embryo="was not measured" if embryos is None else f"is {embryos.value:.3f}",
        **{key: about[key] for key in ("data", "annotations_sha256", "code", "hardware")},
    )


ROWS = (("oolemma, IoU", "oolemma.iou", 3), ("pipette, IoU", "pipette.iou", 3), ("needle tip, px at 512", "tip", 2))


def _row(results: Results, label: str, key: str, digits: int) -> str:
    mean, sd, median = (results.values[f"{key}.{what}"] for what in ("mean", "sd", "median"))
    low, high = mean.interval or (np.nan, np.nan)
    cells = (f"{mean.value:.{digits}f}", f"{low:.{digits}f} to {high:.{digits}f}", f"{sd.value:.{digits}f}")
    return f"| {label} | {' | '.join(cells)} | {median.value:.{digits}f} |"


if __name__ == "__main__":
    typer.run(main)
