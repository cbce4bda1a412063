"""Trainings whose spread is the result: an ablation and repeated seeds of paper A's model, a search of paper B's.

    python scripts/repeated_trainings.py ablate DATA RUNS RESULTS [--seeds 3]
    python scripts/repeated_trainings.py repeat DATA RUNS RESULTS --profile quick [--seeds 3]
    python scripts/repeated_trainings.py search DATA RUNS RESULTS [--also CROWD]

DATA is a rendered set with its split. Every training has a folder below RUNS, where it goes on if it was stopped and is
not repeated if it is finished. RESULTS is written anew after every training.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from icsilib import segmentation
from icsilib.data.structures import OF_INJECTIONS
from icsilib.detection.images import images_of
from icsilib.detection.settings import CANDIDATES, SEARCHED
from icsilib.detection.train import train as train_detector
from icsilib.files import sha256_of
from icsilib.segmentation.evaluate import frame_table, summarise
from icsilib.segmentation.frames import Frames, load_frames
from icsilib.segmentation.settings import PROFILES, Settings, stages
from icsilib.segmentation.train import read_log, train, train_stages
from icsilib.study.provenance import Results
from icsilib.study.segmentation_scores import add_scores

LABELS = "annotations.json"
Seeds = Annotated[int, typer.Option(min=2, help="Trainings, with seeds 0, 1, …")]
app = typer.Typer(no_args_is_help=True, help=__doc__)


@dataclass(frozen=True)
class Variant:
    """One choice of an ablation: what it is called, and the settings that it changes."""

    factor: str  # "σ"
    level: str  # "4 cells"
    changes: dict[str, Any]

    @property
    def name(self) -> str:
        """A name for a folder, in plain letters."""
        text = f"{self.factor}-{self.level}".rstrip("-").replace(" ", "_")
        return text.replace("λ", "lambda").replace("σ", "sigma")


ABLATION = Settings(
    "ablation",
    size=48,
    widths=(8, 16, 32, 64),
    heatmap_level=1,
    learning_rate=4e-3,
    warm_up=50,
    batch_size=16,
    epochs=6,
    averaging=0.98,
)

# Each varies one thing against `ABLATION`, which is run once, as the base.
VARIANTS = (
    Variant("base", "", {}),
    Variant("λ1", "0", {"lambda1": 0.0}),
    Variant("λ1", "10", {"lambda1": 10.0}),
    Variant("λ2", "0", {"lambda2": 0.0}),
    Variant("λ2", "10", {"lambda2": 10.0}),
    Variant("σ", "0.5 cells", {"sigma_px": 0.5}),
    Variant("σ", "2 cells", {"sigma_px": 2.0}),
    Variant("reading", "bilinear", {"reading": "bilinear"}),
    Variant("reading", "up-convolution", {"reading": "up-convolution"}),
    Variant("skips", "plain", {"nested": False}),
    Variant("CLAHE", "off", {"clip_limit": None}),
)


@app.command()
def ablate(data: Path, runs: Path, results: Path, seeds: Seeds = 3) -> None:
    """Train and test every variant of the model's open choices, at the scale of the `ablation` settings."""
    collected = Results("segmentation_ablation", "ablation", None, settings=ABLATION.as_record())
    collected.data["icsi-training"] = sha256_of(data / LABELS)
    parts = {limit: _parts(data, ABLATION.with_(clip_limit=limit)) for limit in (ABLATION.clip_limit, None)}
    _record(collected, results, run_ablation(ABLATION, parts, runs, range(seeds)))


def _parts(data: Path, settings: Settings) -> dict[str, Frames]:
    return {part: load_frames(data / LABELS, settings.preprocess, part) for part in ("train", "validation", "test")}


def run_ablation(
    base: Settings, parts: dict[float | None, dict[str, Frames]], out: Path, seeds: Sequence[int]
) -> Iterator[dict[str, Any]]:
    """Train and test every variant with every seed; yields one row per run, those already done at once.

    `parts` holds train, validation and test frames for each CLAHE limit, since that changes the frames themselves.
    """
    for seed in seeds:
        for variant in VARIANTS:
            settings = base.with_(**variant.changes)
            frames = parts[settings.clip_limit]
            run = out / f"{variant.name}-{seed}"
            weights = train(settings, frames["train"], frames["validation"], run, seed, "cpu", progress=False)
            table = frame_table(segmentation.load(weights).model, frames["test"])
            scores = {each.column: summarise(table, each.column).mean for each in OF_INJECTIONS}
            yield {"factor": variant.factor, "level": variant.level, "seed": seed, **scores}


def _record(collected: Results, file: Path, rows: Iterator[dict[str, Any]]) -> None:
    """Write the table `runs` anew after every row."""
    done = []
    for row in rows:
        done.append(row)
        collected.add_table("runs", done)
        collected.write(file)
        typer.echo(f"{len(done)}: {row}")


@app.command()
def repeat(data: Path, runs: Path, results: Path, profile: str = "quick", seeds: Seeds = 3) -> None:
    """Train one profile of paper A's model with several seeds on the same data, and score each on the test videos."""
    if profile not in PROFILES:
        raise typer.BadParameter(f"profile {profile!r}: choose {', '.join(PROFILES)}")
    chosen, load = stages(profile), partial(load_frames, data / LABELS)
    test, digest = load(chosen[-1].preprocess, "test"), sha256_of(data / LABELS)
    collected = Results(f"segmentation_{profile}", profile, None)
    collected.data["icsi-training"] = digest
    for seed in range(seeds):
        weights = train_stages(chosen, load, runs / f"seed{seed}", seed, data=digest)
        seconds = read_log(chosen, runs / f"seed{seed}")["seconds"].sum()
        add_scores(collected, frame_table(segmentation.load(weights).model, test), "phantom", f"seed{seed}.")
        collected.add(f"seed{seed}.training.seconds", seconds, unit="s", method="steps, validation left out")
        collected.write(results)
        typer.echo(f"seed {seed}: {weights}")


@app.command()
def search(data: Path, runs: Path, results: Path, also: list[Path] = typer.Option([])) -> None:  # noqa: B008
    """Train briefly with each of a few values of what paper B leaves open, and score it on the validation part."""
    collected = Results("detection_search", "search", 0, settings=SEARCHED.as_record())
    collected.data |= {folder.name: sha256_of(folder / LABELS) for folder in [data, *also]}
    training = [image for folder in also for image in images_of(folder)] + images_of(data, "train")
    _record(collected, results, run_search(training, images_of(data, "validation"), runs))


def run_search(training: Sequence[Any], validation: Sequence[Any], out: Path) -> Iterator[dict[str, Any]]:
    """Train `SEARCHED` with each candidate's changes; one row per candidate.

    A row has the candidate's name, its changes, and average precision and recall on `validation` at the end.
    """
    for name, changes in CANDIDATES.items():
        trained = train_detector(training, validation, SEARCHED.with_(**changes), out / name, 0, progress=False)
        last = [row for row in trained.log if "validation_ap" in row][-1]
        scores = {"validation_ap": last["validation_ap"], "validation_ar": last["validation_ar"]}
        about = {"candidate": name, "changes": ", ".join(f"{key} = {value}" for key, value in changes.items())}
        yield about | {"steps": last["step"], "initialisation": trained.initialisation} | scores


if __name__ == "__main__":
    app()
