"""Turn a finished training of paper A's model into what the study ships: weights, model card, reference results.

    python scripts/release_segmentation.py closeups RUN DATA --code … --hardware … --made-by … [--after RESULTS]
    python scripts/release_segmentation.py model RUN DATA --code … --hardware … --made-by …
    python scripts/release_segmentation.py scores STAND_IN COARSER NEW DATA KEPT

RUN is the folder that `icsi segment train` filled, DATA that of the frames it was trained on. `closeups` ships the
network of the second look, `model` that of the first. `scores` scores the shipped weights: STAND_IN is the rendered set
in the shape of paper A's 156 videos, whose 23 test videos are scored, COARSER the same videos at 256 px, NEW videos
that nothing was decided with, all of which are scored. The frame tables are kept in the folder KEPT, so that the same
command goes on after it was stopped. Run it from the checkout that holds the code of the training, or name that
revision. Every number of card and results is measured here.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import pandas as pd
import typer

from icsilib.data import embryo
from icsilib.data.annotations import mask_of
from icsilib.data.manifest import available, fetch
from icsilib.files import atomic_path, sha256_of, write_text_atomic
from icsilib.segmentation import Segmenter, load
from icsilib.segmentation.augmentation import KINDS
from icsilib.segmentation.evaluate import frame_table, speed
from icsilib.segmentation.export import with_openvino
from icsilib.segmentation.frames import Frames, load_frames
from icsilib.segmentation.nested_unet import parameter_count
from icsilib.segmentation.second_look import SECOND_LOOK, with_flips
from icsilib.segmentation.second_look.closeups import training_closeups
from icsilib.segmentation.segmenter import REFERENCE, read_model
from icsilib.segmentation.settings import stages
from icsilib.segmentation.train import read_log
from icsilib.stats.agreement import iou
from icsilib.study.provenance import ROOT, Results, read_results
from icsilib.study.segmentation_scores import (
    TWO_LOOKS,
    add_contrasts,
    add_groups,
    add_needles,
    add_scores,
    add_speed,
    with_contrasts,
)
from icsilib.training.runs import WEIGHTS
from icsilib.training.weights import save_weights

CARD = (Path(__file__).parent / "segmentation_card.md").read_text(encoding="utf-8")


REFERENCES = ROOT / "book/reference"
TRAINING = REFERENCES / "segmentation_training.json"
MODEL_CARD = REFERENCE.with_suffix(".md")
LABELS = "annotations.json"
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
    labels, settings = data / LABELS, model.settings.preprocess
    seen = frame_table(model.model, load_frames(labels, settings, "validation", views=training_closeups))
    add_scores(results, seen, "phantom", f"{TWO_LOOKS}validation.")
    results.write(REFERENCES / "segmentation_closeups.json")


@app.command("model")
def model(run: Path, data: Path, code: Code, hardware: Hardware, made_by: MadeBy, profile: str = "standard") -> None:
    """Write the weights of the first look, which is the paper's method, and the reference results of its training."""
    about = origin(data, profile, code, hardware, made_by)
    ship(run, REFERENCE, about)
    training(read_log(stages(profile), run), "segmentation_training", profile, about).write(TRAINING)


@app.command("scores")
def scores(stand_in: Path, coarser: Path, new: Path, data: Path, kept: Path) -> None:
    """Write the reference results of the shipped weights, by one look and by two, and the model card."""
    once = load(looks=1)
    results = Results("segmentation_evaluation", once.settings.profile, None, training=once.training)
    sets, videos = scored_sets(stand_in, coarser, new, data), dict[str, int]()
    name_of = {prefix: name for name, prefix in SETS.items()}
    for one in sets.values():
        results.data[one.what] = sha256_of(one.folder / LABELS)
    for looks, each in (("", once), (TWO_LOOKS, load())):
        tables = {name: kept_table(kept, one, f"{looks}{name}", each) for name, one in sets.items()}
        for name, table in tables.items():
            add_scores(results, table, "phantom", f"{looks}{name}")
            videos[f"{name_of[name]}_videos"] = table["video_id"].nunique()
        add_tables(results, tables[""], stand_in, looks)
        if available("embryo"):
            add_embryo(results, each, looks)
    add_scores(results, kept_table(kept, sets[""], "flips.", with_flips(once)), "phantom", "flips.")
    add_speed(results, speed(once))
    add_speed(results, speed(with_openvino(once)), "openvino")
    add_speed(results, speed(read_model(SECOND_LOOK)), f"{TWO_LOOKS}closeup")
    results.write(REFERENCES / "segmentation_evaluation.json")
    write_text_atomic(MODEL_CARD, card(once, results, read_results(TRAINING), videos))


def origin(data: Path, profile: str, code: str, hardware: str, made_by: str) -> dict[str, Any]:
    """What a file of weights says of how it came about."""
    return {
        "data": f"rendered ICSI procedures: {made_by}",
        "annotations_sha256": sha256_of(data / LABELS),
        "code": code,
        "stages": [each.profile for each in stages(profile)],
        "hardware": hardware,
    }


def ship(run: Path, path: Path, about: dict[str, Any]) -> Segmenter:
    """Write a finished run's weights to `path`, in half precision, and give its model."""
    trained = read_model(run / WEIGHTS)
    save_weights(trained.model, trained.settings, path, half=True, **about)
    return trained


@dataclass(frozen=True)
class ScoredSet:
    """A rendered set, and which of its videos are scored."""

    what: str
    folder: Path
    part: str | None = "test"  # None: all
    every: int = 1  # every how many videos of the part one is scored

    def frames(self, model: Segmenter) -> Frames:
        """The frames of those videos, as the model takes them."""
        return of_every(load_frames(self.folder / LABELS, model.settings.preprocess, self.part), self.every)


def scored_sets(stand_in: Path, coarser: Path, new: Path, data: Path) -> dict[str, ScoredSet]:
    """The scored sets by the prefix of their keys."""
    return {
        "": ScoredSet("icsi phantom, paper A's shape, test videos", stand_in),
        "new.": ScoredSet("icsi phantom, new videos, all of them", new, None),
        "coarser.": ScoredSet("icsi phantom, paper A's shape at 256 px, test videos", coarser),
        "with_hard_scenes.": ScoredSet(
            "icsi phantom with hard scenes, every third of its test videos", data, every=WIDER_EVERY
        ),
    }


def kept_table(kept: Path, scored: ScoredSet, name: str, model: Segmenter) -> pd.DataFrame:
    """The frame table of a model on a set, with the phase of each frame; read from the folder `kept` if it is there."""
    digests = [sha256_of(path)[:8] for path in (REFERENCE, SECOND_LOOK, scored.folder / LABELS)]
    path = kept / f"{name or 'test.'}{'-'.join(digests)}.csv"
    if not path.is_file():
        frames = scored.frames(model)
        table = frame_table(model, frames).assign(phase=[record.phase for record in frames.records])
        kept.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as partial:
            table.to_csv(partial, index=False)
    return pd.read_csv(path)


def add_tables(results: Results, table: pd.DataFrame, folder: Path, prefix: str) -> None:
    """Add the tables of the test videos: by contrast of the tip, kind of needle, kit, operator, phase and video."""
    add_contrasts(results, with_contrasts(table, folder), prefix)
    add_needles(results, table, folder, prefix)
    add_groups(results, table, "kit", "operator", "phase", "video_id", prefix=prefix)


def add_embryo(results: Results, model: Segmenter, prefix: str) -> None:
    """Median and lowest score on the photographs."""
    overlaps = embryo_overlaps(model)
    method = "oolemma against the union of labelled cells; one embryo"
    facts = {"unit": "IoU", "n": len(overlaps), "n_of": "frames", "data": "embryo", "method": method}
    results.add(f"{prefix}embryo.iou.median", float(np.median(overlaps)), **facts)
    results.add(f"{prefix}embryo.iou.min", min(overlaps), **facts)


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


def card(model: Segmenter, results: Results, trained: Results, videos: dict[str, int]) -> str:
    """The model card: the text of `segmentation_card.md` with the measured figures."""
    settings, about, second = model.settings, model.training, read_model(SECOND_LOOK)
    closeups = _trainings(second.training)
    embryo = {
        name: results.values.get(f"{looks}embryo.iou.median")
        for name, looks in (("embryo", ""), ("embryo_two_looks", TWO_LOOKS))
    }
    return CARD.format(
        size=settings.size,
        widths="–".join(map(str, settings.widths)),
        parameters=parameter_count(model.model),
        closeup_sets="; ".join(map(_set, closeups)),
        closeup_hardware="; ".join(dict.fromkeys(each["hardware"] for each in closeups)),
        closeup_size=second.settings.size,
        **{f"{name}_rows": _rows(results, prefix) for name, prefix in SCORED.items()},
        **{f"{name}_frames": results.values[f"{prefix}oolemma.iou.mean"].n for name, prefix in SCORED.items()},
        **videos,
        epochs=int(trained.values["training.epochs"].value),
        minutes=float(trained.values["training.minutes"].value),
        stage_names=", ".join(about["stages"]),
        **{name: "not measured" if one is None else f"{one.value:.3f}" for name, one in embryo.items()},
        **{key: about[key] for key in ("data", "annotations_sha256", "code", "hardware")},
    )


def _trainings(about: dict[str, Any]) -> list[dict[str, Any]]:
    """A training's origin, after those of the trainings that it went on from."""
    return [*(_trainings(about["after"]) if "after" in about else []), about]


def _set(about: dict[str, Any]) -> str:
    return f"{about['data']} (annotations SHA-256 {about['annotations_sha256']:.16}…; code {about['code']:.12})"


ROWS = (("oolemma, IoU", "oolemma.iou", 3), ("pipette, IoU", "pipette.iou", 3), ("needle tip, px at 512", "tip", 2))


SETS = {"test": "", "new": "new.", "coarser": "coarser.", "wider": "with_hard_scenes."}
SCORED = SETS | {f"{name}_two_looks": TWO_LOOKS + prefix for name, prefix in SETS.items()} | {"flips": "flips."}


def _rows(results: Results, prefix: str) -> str:
    return "\n".join(_row(results, label, f"{prefix}{key}", digits) for label, key, digits in ROWS)


def _row(results: Results, label: str, key: str, digits: int) -> str:
    mean, sd, median = (results.values[f"{key}.{what}"] for what in ("mean", "sd", "median"))
    low, high = mean.interval or (np.nan, np.nan)
    cells = (f"{mean.value:.{digits}f}", f"{low:.{digits}f} to {high:.{digits}f}", f"{sd.value:.{digits}f}")
    return f"| {label} | {' | '.join(cells)} | {median.value:.{digits}f} |"


if __name__ == "__main__":
    app()
