"""`icsi detect`: train paper B's detector, evaluate it, find sperm in images, time it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from icsilib.cli.failure import fail

if TYPE_CHECKING:
    from pycocotools.cocoeval import COCOeval

    from icsilib.detection import Detector
    from icsilib.detection.detector import Detections
    from icsilib.detection.images import LabelledImage

detect = typer.Typer(no_args_is_help=True, help="Train, evaluate and use paper B's detector of sperm.")

Data = Annotated[Path, typer.Argument(help="Folder with annotations.json (COCO), its images and split.json.")]
Weights = Annotated[str, typer.Option(help="A shipped detector by name, or a file that training wrote.")]
Also = Annotated[list[Path] | None, typer.Option(help="Further data sets, all of whose images are trained on too.")]
Part = Annotated[str, typer.Option(help="Part of the split: train, validation, test or all.")]
Batch = Annotated[int, typer.Option(min=1, help="Windows that the network sees at a time.")]
Engine = Annotated[str, typer.Option(help="What runs the network: torch, or openvino on the CPU.")]
Device = Annotated[str, typer.Option(help="Where the network runs: auto, cpu, cuda or mps.")]


@detect.command("train")
def train(
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder of the run; continued when it holds a part of it.")],
    profile: Annotated[str, typer.Option(help="quick, standard or paper.")] = "quick",
    also: Also = None,
    initialisation: Annotated[str | None, typer.Option(help="imagenet, shipped or scratch.")] = None,
    start_from: Annotated[
        Path | None, typer.Option(help="Weights to begin with: the profile alone is trained, not the stages before it.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="In place of the profile's.")] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same run.")] = 0,
    workers: Annotated[int, typer.Option(min=0, help="Processes that load images; 0 loads in this one.")] = 0,
    device: Device = "auto",
) -> None:
    """Train on a data set's training part; stopped at any moment, the same command goes on."""
    from icsilib.detection.evaluate import harmonic_mean
    from icsilib.detection.settings import PROFILES, stages
    from icsilib.detection.train import best_validation, train_stages

    if profile not in PROFILES or initialisation not in (None, "imagenet", "shipped", "scratch"):
        fail(
            f"profile {profile!r}, initialisation {initialisation!r}: "
            f"choose {', '.join(PROFILES)}; imagenet, shipped, scratch"
        )
    if start_from is not None and initialisation in ("imagenet", "scratch"):
        fail(f"--start-from: gives weights to begin with, --initialisation {initialisation} others; leave one out")
    chosen = stages(profile)
    if start_from is not None or initialisation is not None:
        chosen = [chosen[-1].with_(initialisation=initialisation or "shipped", after=None)]
    if steps is not None:
        chosen[-1] = chosen[-1].with_(steps=steps)
    training, validation = _training_images(data, also), _images(data, "validation")
    how: dict[str, Any] = {"workers": workers, "progress": True, "device": device, "start_from": start_from}
    trained = train_stages(chosen, training, validation, out, seed, **how)
    kept = best_validation(trained.log)
    best = harmonic_mean(kept["validation_ap"], kept["validation_ar"])
    typer.echo(f"{trained.weights}: started from {trained.initialisation}, best published F1 on validation {best:.3f}")


@detect.command("evaluate")
def evaluate(
    data: Data,
    weights: Weights = "biopsy_phantom",
    part: Part = "test",
    batch_size: Batch = 8,
    results: Annotated[
        Path | None, typer.Option(help="File for the scores with their provenance, JSON; needs a validation part.")
    ] = None,
    origin: Annotated[str | None, typer.Option(help="What the images are, as --results will say: phantom, …")] = None,
    device: Device = "auto",
) -> None:
    """Print AP at IoU 0.5, AR at 100 detections and the published F1, with 95 % intervals by patient or video."""
    from icsilib.detection.evaluate import coco_evaluation, scores_of

    if results is not None and origin is None:
        fail("--results: say with --origin what the images are, such as phantom or the name of your laboratory")
    images = _images(data, part)
    _check_grouped(data, {image.id for image in images})
    detector = _detector(weights, device)
    found = _found(detector, images, batch_size)
    evaluation = coco_evaluation(images, found)
    groups = [image.group for image in images]
    intervals, whole = _intervals(evaluation, groups), scores_of(evaluation)
    sperm = sum(len(image.boxes) for image in images)
    typer.echo(f"{data}, {part}: {len(images)} images of {len(set(groups))} patients or videos, {sperm} sperm")
    for label, name in (("AP at IoU 0.5", "ap"), ("AR at 100", "ar"), ("F1 as published", "f1")):
        typer.echo(f"{label:16} {getattr(whole, name):.3f} ({intervals[name]})")
    if results is not None:
        validation = _images(data, "validation")
        tested = (images, found), (validation, _found(detector, validation, batch_size))
        _write_scores(results, weights, data, part, tested, str(origin), device)


def _check_grouped(data: Path, ids: set[int]) -> None:
    """Fail where one of the images says neither whose nor of which video it is: intervals go by that."""
    from icsilib.data.annotations import read_coco

    for image in read_coco(data / "annotations.json").images:
        if image.id in ids and image.patient_id is None and image.video_id is None:
            fail(
                f"{data}: {image.file_name} has neither patient_id nor video_id, by which intervals go; convert with "
                "--folder-is patient_id or video_id"
            )


def _intervals(evaluation: "COCOeval", groups: list[str]) -> dict[str, str]:
    """The 95 % interval of each published measure as it is printed; there is none of a few patients or videos."""
    from icsilib.detection.evaluate import scores_of
    from icsilib.stats.resampling import FEWEST_GROUPS, jackknife_interval, without_each

    whole, rest = scores_of(evaluation), [scores_of(evaluation, places) for places in without_each(groups)]
    told = {}
    for name in ("ap", "ar", "f1"):
        ends = jackknife_interval(getattr(whole, name), [getattr(one, name) for one in rest], "logit")
        few = f"no interval: fewer than {FEWEST_GROUPS} patients or videos, or all alike"
        told[name] = f"{ends[0]:.3f} to {ends[1]:.3f}" if ends else few
    return told


def _write_scores(
    path: Path, weights: str, data: Path, part: str, tested: "tuple[Any, Any]", origin: str, device: str
) -> None:
    from icsilib.detection.settings import Settings
    from icsilib.detection.weights import weights_file
    from icsilib.files import sha256_of
    from icsilib.study.detection_scores import Tested, add_constants, add_scores
    from icsilib.study.provenance import Results
    from icsilib.training.weights import read_weights

    file = weights_file(weights)
    _, settings, training = read_weights(file, Settings)
    collected = Results(
        "detection_evaluation", settings.profile, None, device, training=training, weights=sha256_of(file)
    )
    collected.data[f"{origin}, {part}"] = sha256_of(data / "annotations.json")
    test, validation = (Tested(*one) for one in tested)
    hits = add_scores(collected, test, validation, origin).hits
    rows = [{"phenotype": name, "found": right, "sperm": number} for name, (right, number) in hits.items()]
    collected.add_table("phenotypes", rows)
    add_constants(collected)
    collected.write(path)


@detect.command("predict")
def predict(
    images: Annotated[list[Path], typer.Argument(help="Image files.")],
    weights: Weights = "biopsy_phantom",
    threshold: Annotated[float, typer.Option(min=0, max=1, help="Lowest score of a box that is kept.")] = 0.3,
    out: Annotated[Path | None, typer.Option(help="File for the boxes as JSON; the screen when left out.")] = None,
    device: Device = "auto",
) -> None:
    """Find sperm in images: box (x, y, width, height in px) and score of each."""
    from icsilib.data.annotations import AnnotationError
    from icsilib.data.images import read_rgb
    from icsilib.files import write_text_atomic

    if out is not None:
        _check_out(out, images)
    detector, rows, empty, skipped = _detector(weights, device), [], [], 0
    for path in images:
        try:
            pixels = read_rgb(path)
        except AnnotationError as error:
            skipped += 1
            typer.echo(f"Skipped: {error}", err=True)
            continue
        found = detector.predict(pixels).above(threshold)
        if not len(found.scores):
            empty.append(str(path))
        pairs = zip(found.boxes.round(2).tolist(), found.scores.round(4).tolist(), strict=True)
        rows += [{"file_name": str(path), "bbox": box, "score": score} for box, score in pairs]
    if empty:
        typer.echo(f"{len(empty)} of {len(images)} images without a box: {', '.join(empty)}", err=True)
    text = json.dumps(rows, indent=1) + "\n"
    if out is None:
        typer.echo(text, nl=False)
    else:
        write_text_atomic(out, text)
    if skipped:
        fail(f"{skipped} of {len(images)} images could not be read; the boxes of the others were written")


def _check_out(out: Path, images: list[Path]) -> None:
    """Fail where the boxes would replace an image, or what was not written as boxes."""
    if out.is_dir():
        fail(f"{out}: is a folder; name a file for --out, such as {out / 'boxes.json'}")
    if out.resolve() in {path.resolve() for path in images} or (out.exists() and out.suffix.lower() != ".json"):
        fail(f"{out}: would be replaced by the boxes; choose another file, ending in .json, for --out")


@detect.command("benchmark")
def benchmark(
    data: Data,
    weights: Weights = "biopsy_phantom",
    part: Part = "all",
    batch_size: Batch = 8,
    engine: Engine = "torch",
    device: Device = "auto",
) -> None:
    """Images per second from file to boxes: decoding, windows, network and non-maximum suppression."""
    from icsilib.detection.throughput import measure_throughput
    from icsilib.training.devices import device_name

    if engine == "openvino" and device not in ("auto", "cpu"):
        fail(f"--engine openvino: runs on the CPU, not on {device}; leave out --device")
    detector = _detector(weights, device)
    if engine == "openvino":
        from icsilib.detection.export import with_openvino
        from icsilib.training.compiled import precisions

        detector = with_openvino(detector, precisions()[-1])
    elif engine != "torch":
        fail(f"engine {engine!r}: choose torch or openvino")
    one = measure_throughput(detector, [image.path for image in _images(data, part)], batch_size)
    typer.echo(
        f"{engine}, {device_name(detector.device)}, batch {batch_size}: {one.images} images ({one.windows} windows) in "
        f"{one.seconds:.1f} s, {one.images_per_second:.1f} images/s"
    )


def _found(detector: "Detector", images: "list[LabelledImage]", batch_size: int) -> "dict[int, Detections]":
    from icsilib.detection.train import detect_files

    return detect_files(detector, images, batch_size)


def _training_images(data: Path, also: list[Path] | None) -> "list[LabelledImage]":
    """All images of the further sets, and the training part of `data`."""
    return [image for folder in also or [] for image in _images(folder, "all")] + _images(data, "train")


def _images(data: Path, part: str) -> "list[LabelledImage]":
    """The labelled images of one part of a data set on disk, or of all of it."""
    from icsilib.detection.images import images_of

    images = images_of(data, part)
    if not images:
        fail(f"{data}: no images in part {part!r}; choose another")
    return images


def _detector(weights: str, device: str) -> "Detector":
    from icsilib.detection.weights import load

    return load(weights, device)
