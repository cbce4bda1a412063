"""Paper A's network at the published settings, trained on labels drawn by simulated people, in resumable pieces.

    python scripts/published_segmentation.py labels DATA
    python scripts/published_segmentation.py train DATA RUN --profile paper [--minutes 9]
    python scripts/published_segmentation.py score DATA RUN --profile paper --results FILE

DATA is what `icsi phantom icsi --videos 156 --size 512 --seed 0` rendered. `labels` writes `people.json` beside its
annotations: every frame labelled by one of five people and validated by a sixth, as §2.1 describes. `train` goes on
where RUN stands and ends after the given minutes at the latest, with exit status 75 while something is left to do; the
profile `paper` is for a GPU, `progressive` is what two cores can do. `score` judges the finished network on the test
videos against people's labels and against the exact truth, and a model that knew the truth against the labels.
"""

import time
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from icsilib.data.annotations import read_coco, write_coco
from icsilib.files import sha256_of
from icsilib.phantoms.people.annotators import annotator_team
from icsilib.phantoms.people.labelled_dataset import label_dataset
from icsilib.segmentation import load
from icsilib.segmentation.evaluate import frame_table, perfect_table, speed
from icsilib.segmentation.frames import load_frames
from icsilib.segmentation.settings import stages
from icsilib.segmentation.train import read_log, train_stages
from icsilib.study.provenance import Results
from icsilib.study.segmentation_scores import add_scores, add_speed
from icsilib.training.runs import WEIGHTS, TimeUpError

TRUTH, PEOPLE = "annotations.json", "people.json"
UNFINISHED = 75  # exit status: run the same command again
Profile = Annotated[str, typer.Option(help="paper or progressive.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
app = typer.Typer(no_args_is_help=True, help=__doc__)


@app.command()
def labels(data: Path, seed: int = 0) -> None:
    """Write the labels of six simulated people beside the exact ones."""
    people = annotator_team(seed, 6, matched=True)  # the team that labelled what the committed runs trained on
    labelled = label_dataset(read_coco(data / TRUTH), people[:5], people[5], seed)
    write_coco(labelled, data / PEOPLE)
    typer.echo(f"{data / PEOPLE}: {labelled.info['labelling']}")


@app.command()
def train(
    data: Path,
    run: Path,
    profile: Profile = "progressive",
    seed: int = 0,
    minutes: Annotated[float, typer.Option(help="Stop after this time.")] = float("inf"),
    device: Device = "auto",
) -> None:
    """Train all stages of the profile, or go on where RUN stands."""
    frames, until = partial(load_frames, data / PEOPLE), time.monotonic() + 60 * minutes
    try:
        digest = sha256_of(data / PEOPLE)
        train_stages(stages(profile), frames, run, seed, data=digest, device=device, until=until)
    except TimeUpError as stopped:
        typer.echo(str(stopped))
        raise typer.Exit(UNFINISHED) from None


@app.command()
def score(
    data: Path,
    run: Path,
    results: Annotated[Path, typer.Option()],
    profile: Profile = "progressive",
    device: Device = "auto",
) -> None:
    """Write scores on the test videos, the log and the time a frame takes."""
    segmenter = load(run / WEIGHTS, device=device)
    collected = Results(f"segmentation_{profile}", profile, None, device)
    judged = {}
    for name, file in (("people", PEOPLE), ("truth", TRUTH)):
        judged[name] = load_frames(data / file, segmenter.settings.preprocess, "test")
        collected.data[f"phantom, test, labels of {name}"] = sha256_of(data / file)
        add_scores(collected, frame_table(segmenter.model, judged[name]), "phantom", f"{name}.")
    add_scores(collected, perfect_table(judged["truth"], judged["people"]), "phantom", "perfect.")
    add_speed(collected, speed(segmenter))
    collected.add_table("log", read_log(stages(profile), run).to_dict("records"))
    collected.write(results)


if __name__ == "__main__":
    app()
