"""Turn a finished training of paper A's model into what the study ships: weights, model card, reference results.

    python scripts/release_segmentation.py closeups RUN DATA --code … --hardware … --made-by … [--after RESULTS]
    python scripts/release_segmentation.py model RUN DATA STAND_IN COARSER NEW --code … --hardware … --made-by …

RUN is the folder that `icsi segment train` filled, DATA that of the frames it was trained on, STAND_IN the rendered set
in the shape of paper A's 156 videos, whose 23 test videos the model is scored on, COARSER the same videos at 256 px,
NEW videos that nothing was decided with, all of which are scored. `closeups` ships the network of the second look, with
which `model` scores. Run it from the checkout that holds the code of the training, or name that revision. Every number
of card and results is measured here.
"""

from dataclasses import replace
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
from icsilib.segmentation.evaluate import frame_table, model_table, speed
from icsilib.segmentation.export import with_openvino
from icsilib.segmentation.frames import Frames, load_frames
from icsilib.segmentation.nested_unet import parameter_count
from icsilib.segmentation.second_look.closeups import training_closeups
from icsilib.segmentation.segmenter import REFERENCE, SECOND_LOOK, save_weights
from icsilib.segmentation.settings import stages
from icsilib.segmentation.train import WEIGHTS, read_log
from icsilib.stats.agreement import iou
from icsilib.study.provenance import ROOT, Results, read_results
from icsilib.study.segmentation_scores import add_contrasts, add_groups, add_needles, add_scores, add_speed

CARD = (Path(__file__).parent / "segmentation_card.md").read_text(encoding="utf-8")


REFERENCES = ROOT / "book/reference"
WIDER_EVERY = 3  # of the many videos with hard scenes, those that are scored
Code = Annotated[str, typer.Option(help="Revision of the code that trained it.")]
Hardware = Annotated[str, typer.Option(help="What it ran on.")]
MadeBy = Annotated[str, typer.Option(help="The command that rendered DATA.")]
After = Annotated[Path | None, typer.Option(help="Reference results of the training that this one went on from.")]
app = typer.Typer(no_args_is_help=True, help=__doc__)


@app.command("closeups")
def closeups(
    run: Path,
    data: Path,
    code: Code,
    hardware: Hardware,
    made_by: MadeBy,
    after: After = None,
    profile: str = "closeup",
) -> None:
    """Write the weights of the second look, and the reference results of their training."""
    about = origin(data, profile, code, hardware, made_by)
    log = read_log(stages(profile), run)
    if after is not None:
        earlier = read_results(after)
        about["after"] = earlier.parameters["training"]
        log = pd.concat([pd.DataFrame(earlier.tables["log"]), log], ignore_index=True)
    model = ship(run, SECOND_LOOK, about)
    results = training(log, "segmentation_closeups", profile, about)
    labels, settings = data / "annotations.json", model.settings.preprocess
    seen = frame_table(model.model, load_frames(labels, settings, "validation", views=training_closeups))
    add_scores(results, seen, "phantom", "validation.")
    results.write(REFERENCES / "segmentation_closeups.json")


@app.command("model")
def model(
    run: Path,
    data: Path,
    stand_in: Path,
    coarser: Path,
    new: Path,
    code: Code,
    hardware: Hardware,
    made_by: MadeBy,
    profile: str = "standard",
) -> None:
    """Write the reference model's weights, its card, and the reference results of training and evaluation."""
    about = origin(data, profile, code, hardware, made_by)
    log = read_log(stages(profile), run)
    trained = ship(run, REFERENCE, about)
    scores, videos = evaluate(load(), stand_in, coarser, new, data, profile, about)
    scores.write(REFERENCES / "segmentation_evaluation.json")
    training(log, "segmentation_training", profile, about).write(REFERENCES / "segmentation_training.json")
    write_text_atomic(REFERENCE.with_suffix(".md"), card(trained, scores, log, about, videos))


def origin(data: Path, profile: str, code: str, hardware: str, made_by: str) -> dict[str, Any]:
    """What a file of weights says of how it came about."""
    return {
        "data": f"rendered ICSI procedures: {made_by}",
        "annotations_sha256": sha256_of(data / "annotations.json"),
        "code": code,
        "stages": [each.profile for each in stages(profile)],
        "hardware": hardware,
    }


def ship(run: Path, path: Path, about: dict[str, Any]) -> Segmenter:
    """Write a finished run's weights to `path`, in half precision, and give its model."""
    trained = load(run / WEIGHTS)
    save_weights(trained.model, trained.settings, path, half=True, **about)
    return trained


def evaluate(
    model: Segmenter, stand_in: Path, coarser: Path, new: Path, data: Path, profile: str, about: dict[str, Any]
) -> tuple[Results, tuple[int, ...]]:
    """Scores on the test videos of both sets, on new ones and on photographs, and the numbers of videos of these sets.

    Scores of the model as it is used, with its second look, have no prefix; those of its first look alone, which is
    what the paper describes, begin with `one_look.`.
    """
    results = Results("segmentation_evaluation", profile, None, training=about)
    once = model.with_one_look()
    table, unseen = frame_scores(model, stand_in), frame_scores(model, new, None)
    wider = frame_scores(model, data, every=WIDER_EVERY)
    results.data["icsi phantom, paper A's shape, test videos"] = sha256_of(stand_in / "annotations.json")
    results.data["icsi phantom with hard scenes, every third of its test videos"] = about["annotations_sha256"]
    results.data["icsi phantom, new videos, all of them"] = sha256_of(new / "annotations.json")
    add_scores(results, table, "phantom")
    add_scores(results, wider, "phantom", "with_hard_scenes.")
    add_scores(results, unseen, "phantom", "new.")
    add_coarser(results, model, coarser)
    add_scores(results, frame_scores(once, stand_in), "phantom", "one_look.")
    add_scores(results, frame_scores(once, data, every=WIDER_EVERY), "phantom", "one_look.with_hard_scenes.")
    add_scores(results, frame_scores(once, coarser), "phantom", "one_look.coarser.")
    add_scores(results, frame_scores(once.with_flips(), stand_in), "phantom", "flips.")
    add_speed(results, speed(once))
    add_speed(results, speed(with_openvino(once)), "openvino")
    add_speed(results, speed(second_look(model)), "closeup")
    add_contrasts(results, table, stand_in)
    add_needles(results, table, stand_in)
    add_groups(results, table, "kit", "operator", "phase", "video_id")
    if available("embryo"):
        add_embryo(results, model)
        add_embryo(results, once, "one_look.")
    return results, tuple(scored["video_id"].nunique() for scored in (table, wider, unseen))


def add_coarser(results: Results, model: Segmenter, coarser: Path) -> None:
    """Scores on the test videos as a coarser camera shows them."""
    results.data["icsi phantom, paper A's shape at 256 px, test videos"] = sha256_of(coarser / "annotations.json")
    add_scores(results, frame_scores(model, coarser), "phantom", "coarser.")


def add_embryo(results: Results, model: Segmenter, prefix: str = "") -> None:
    """Median and lowest score on the photographs."""
    overlaps = embryo_overlaps(model)
    method = "oolemma against the union of labelled cells; one embryo"
    facts = {"unit": "IoU", "n": len(overlaps), "n_of": "frames", "data": "embryo", "method": method}
    results.add(f"{prefix}embryo.iou.median", float(np.median(overlaps)), **facts)
    results.add(f"{prefix}embryo.iou.min", min(overlaps), **facts)


def second_look(model: Segmenter) -> Segmenter:
    """The model of close-ups; raises `ValueError` for a model that looks once."""
    if model.second is None:
        raise ValueError(f"{SECOND_LOOK}: not used by this model; ship the close-ups first")
    return model.second


def frame_scores(model: Segmenter, folder: Path, part: str | None = "test", every: int = 1) -> pd.DataFrame:
    """One row a frame of every n-th of a set's test videos, or of all its videos where `part` is None."""
    frames = of_every(load_frames(folder / "annotations.json", model.settings.preprocess, part), every)
    return model_table(model, frames).assign(phase=[record.phase for record in frames.records])


def of_every(frames: Frames, every: int) -> Frames:
    """The frames of every n-th video, by name."""
    videos = set(sorted({str(record.video_id) for record in frames.records})[::every])
    kept = [n for n, record in enumerate(frames.records) if str(record.video_id) in videos]
    arrays = {name: getattr(frames, name)[kept] for name in ("images", "masks", "tips", "um_per_px")}
    lists = {name: [getattr(frames, name)[n] for n in kept] for name in ("outlines", "records")}
    return replace(frames, **arrays, **lists)


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


def training(log: pd.DataFrame, name: str, profile: str, about: dict[str, Any]) -> Results:
    """What the chapter on training shows of a reference run."""
    results = Results(name, profile, None, training=about)
    results.data["icsi phantom"] = about["annotations_sha256"]
    results.add_table("log", log.to_dict("records"))
    minutes = log["seconds"].sum() / 60
    results.add("training.minutes", minutes, unit="min", method=f"steps, validation left out; {about['hardware']}")
    results.add("training.epochs", len(log))
    results.add("augmentation.kinds", len(KINDS), method="counted in the code")
    results.add("waiting_for_data", log["waiting_for_data"].mean(), method="share of each step")
    results.add("friction.mean", log["friction"].mean(), method="ξ of diffGrad")
    return results


def card(model: Segmenter, results: Results, log: pd.DataFrame, about: dict[str, Any], videos: tuple[int, ...]) -> str:
    """The model card: the text of `segmentation_card.md` with the measured figures."""
    settings, second = model.settings, second_look(load())
    closeups = _trainings(second.training)
    embryos = results.values.get("embryo.iou.median")
    return CARD.format(
        size=settings.size,
        widths="–".join(map(str, settings.widths)),
        parameters=parameter_count(model.model),
        rows="\n".join(_row(results, *row) for row in ROWS),
        flip_rows="\n".join(_row(results, label, f"flips.{key}", digits) for label, key, digits in ROWS),
        one_look_rows="\n".join(_row(results, label, f"one_look.{key}", digits) for label, key, digits in ROWS),
        closeup_sets="; ".join(map(_set, closeups)),
        closeup_hardware="; ".join(dict.fromkeys(each["hardware"] for each in closeups)),
        closeup_size=second.settings.size,
        new_rows="\n".join(_row(results, label, f"new.{key}", digits) for label, key, digits in ROWS),
        new_frames=results.values["new.oolemma.iou.mean"].n,
        new_videos=videos[2],
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
        embryo_once="unknown" if embryos is None else f"{results.values['one_look.embryo.iou.median'].value:.3f}",
        **{key: about[key] for key in ("data", "annotations_sha256", "code", "hardware")},
    )


def _trainings(about: dict[str, Any]) -> list[dict[str, Any]]:
    """A training's origin, after those of the trainings that it went on from."""
    return [*(_trainings(about["after"]) if "after" in about else []), about]


def _set(about: dict[str, Any]) -> str:
    return f"{about['data']} (annotations SHA-256 {about['annotations_sha256']:.16}…; code {about['code']:.12})"


ROWS = (("oolemma, IoU", "oolemma.iou", 3), ("pipette, IoU", "pipette.iou", 3), ("needle tip, px at 512", "tip", 2))


def _row(results: Results, label: str, key: str, digits: int) -> str:
    mean, sd, median = (results.values[f"{key}.{what}"] for what in ("mean", "sd", "median"))
    low, high = mean.interval or (np.nan, np.nan)
    cells = (f"{mean.value:.{digits}f}", f"{low:.{digits}f} to {high:.{digits}f}", f"{sd.value:.{digits}f}")
    return f"| {label} | {' | '.join(cells)} | {median.value:.{digits}f} |"


if __name__ == "__main__":
    app()
