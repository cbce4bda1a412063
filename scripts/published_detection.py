"""Paper B's detector on whole images at the published settings, trained in resumable pieces.

    python scripts/published_detection.py train DATA RUN --profile paper [--minutes 9] [--patience 10]
    python scripts/published_detection.py score DATA BENCHMARK RUN --profile paper --results FILE

DATA is what `icsi phantom biopsy --images 702 --seed 0` rendered, BENCHMARK a folder for the 110 images of further
patients, which `score` renders. The profile `paper` is the text's network with 8,732 boxes, `authors` that of the
authors' files of 2019 with 8,028. `train` goes on where RUN stands and ends after the given minutes at the latest, with
exit status 75 while something is left to do. Between pieces it ends for good once the validation has not improved for
`--patience` validations. `score` judges the best weights on the test patients, against the exact truth, and on the
benchmark, under the protocol of the text and that of the authors' code, against the consensus of three simulated
readers.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from icsilib.data.annotations import read_coco
from icsilib.detection import load, protocols
from icsilib.detection.detector import Detections
from icsilib.detection.evaluate import coco_evaluation, matched_detections, scores_of
from icsilib.detection.images import LabelledImage, images_of
from icsilib.detection.readings import readings
from icsilib.detection.settings import PROFILES
from icsilib.detection.throughput import measure_throughput
from icsilib.detection.train import best_validation, detect_files
from icsilib.detection.train import train as train_detector
from icsilib.files import sha256_of
from icsilib.phantoms.biopsy_dataset import write_biopsy_benchmark
from icsilib.phantoms.people.embryologists import label_dataset, team
from icsilib.stats.resampling import jackknife_interval, without_each
from icsilib.study.provenance import Results
from icsilib.training.runs import WEIGHTS, TimeUpError

UNFINISHED = 75  # exit status: run the same command again
Profile = Annotated[str, typer.Option(help="paper or authors.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
app = typer.Typer(no_args_is_help=True, help=__doc__)


@app.command()
def train(
    data: Path,
    run: Path,
    profile: Profile = "paper",
    seed: int = 0,
    minutes: Annotated[float, typer.Option(help="Stop after this time.")] = float("inf"),
    patience: Annotated[int, typer.Option(help="Validations without an improvement that end the run.")] = 10,
    workers: Annotated[int, typer.Option(help="Processes that prepare images.")] = 0,
    device: Device = "auto",
) -> None:
    """Train the profile, or go on where RUN stands, until the validation stops improving."""
    if stalled(run, patience):
        typer.echo(f"{run}: the validation has not improved for {patience} validations; finished")
        return
    parts, until = [images_of(data, part) for part in ("train", "validation")], time.monotonic() + 60 * minutes
    settings = PROFILES[profile]
    try:
        train_detector(*parts, settings, run, seed, workers, device=device, until=until)
    except TimeUpError as stopped:
        typer.echo(str(stopped))
        raise typer.Exit(0 if stalled(run, patience) else UNFINISHED) from None


def stalled(run: Path, patience: int) -> bool:
    """Whether the best validation lies `patience` validations back."""
    if not (run / "log.csv").exists():
        return False
    log = pd.read_csv(run / "log.csv")
    validated = log.dropna(subset="validation_ap").to_dict("records") if "validation_ap" in log else []
    return bool(validated) and len(validated) - 1 - validated.index(best_validation(validated)) >= patience


@app.command()
def score(
    data: Path,
    benchmark: Path,
    run: Path,
    results: Annotated[Path, typer.Option()],
    profile: Profile = "paper",
    device: Device = "auto",
    seed: int = 0,
) -> None:
    """Write scores, a free-response curve, images per second and the log."""
    detector = load(run / WEIGHTS, device)
    collected = Results(f"detection_{profile}", profile, seed, device)
    write_biopsy_benchmark(benchmark, seed)
    for name, folder in (("biopsy", data), ("benchmark", benchmark)):
        collected.data[name] = sha256_of(folder / "annotations.json")
    together = readings(label_dataset(read_coco(benchmark / "annotations.json"), seed, team(seed, matched=True)))
    text, code = protocols.by_text(together, benchmark), protocols.by_code(together, benchmark)
    test, found = images_of(data, "test"), detect_files(detector, text)
    add_protocol(collected, "test", test, detect_files(detector, test))
    for key, images in (("text", text), ("code", code)):
        add_protocol(collected, key, images, {image.id: found[image.id] for image in images})
    curve = protocols.free_response(matched_detections(coco_evaluation(text, found)))
    collected.add_table("free_response", pd.DataFrame(vars(curve)).to_dict("records"))
    speed = measure_throughput(detector, [image.path for image in text], batch_size=8)
    collected.add("images_per_second", speed.images_per_second, n=speed.images, n_of="images", data="phantom")
    collected.add_table("log", pd.read_csv(run / "log.csv").dropna(subset="validation_ap").to_dict("records"))
    collected.write(results)


def add_protocol(results: Results, key: str, images: Sequence[LabelledImage], found: Mapping[int, Detections]) -> None:
    """Add AP and AR of detections on `images`, with intervals by patient."""
    evaluation = coco_evaluation(images, found)
    whole, rest = scores_of(evaluation), without_each([image.group for image in images])
    without = [scores_of(evaluation, places) for places in rest]
    for name in ("ap", "ar"):
        ends = jackknife_interval(getattr(whole, name), [getattr(one, name) for one in without], "logit")
        about = {"n": len(images), "n_of": "images", "interval": ends, "level": 0.95, "data": "phantom"}
        results.add(f"{key}.{name}", getattr(whole, name), method="jackknife over patients", **about)


if __name__ == "__main__":
    app()
