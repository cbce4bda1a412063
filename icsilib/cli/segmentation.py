"""`icsi segment`: train paper A's model, evaluate it, segment images and videos, time it."""

import os
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from icsilib.cli.failure import fail

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray
    from rich.progress import Progress

    from icsilib.data.annotations import Dataset, Image
    from icsilib.data.preprocess import Preprocess
    from icsilib.segmentation import Segmenter
    from icsilib.segmentation.evaluate import Score
    from icsilib.segmentation.frames import Frames
    from icsilib.segmentation.records import Journal
    from icsilib.segmentation.settings import Settings

segment = typer.Typer(no_args_is_help=True, help="Train, evaluate and use paper A's segmentation model.")

Data = Annotated[Path, typer.Argument(help="COCO file of labelled frames, or its folder; split.json lies beside it.")]
Weights = Annotated[Path | None, typer.Option(help="File that training wrote; the shipped model when left out.")]
Part = Annotated[str, typer.Option(help="Part of the split: train, validation, test; or all, which needs no split.")]
Closeups = Annotated[Path | None, typer.Option(help="Weights of the profile closeup, for a second look.")]
Once = Annotated[bool, typer.Option("--once", help="Look once, as the paper's method; the shipped model looks twice.")]
_IMAGE: "tuple[Fraction, int | None]" = Fraction(1), 1  # frames/s and frames of what is no video

Engine = Annotated[str, typer.Option(help="What runs the network: torch, or openvino on the CPU.")]
Device = Annotated[str, typer.Option(help="Where the network runs: auto, cpu, cuda or mps.")]


@segment.command("train")
def train(
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder of the run; continued when it holds a part of it.")],
    profile: Annotated[str, typer.Option(help="quick, scratch, standard, closeup or paper.")] = "quick",
    epochs: Annotated[int | None, typer.Option(min=1, help="In place of the profile's.")] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same run.")] = 0,
    start_from: Annotated[
        Path | None, typer.Option(help="Weights to begin with, for fine-tuning, in place of the profile's stages.")
    ] = None,
    device: Device = "auto",
    devices: Annotated[int, typer.Option(min=1, help="GPUs, or processes on a CPU; each takes a batch.")] = 1,
) -> None:
    """Train on a data set's training part; stopped at any moment, the same command goes on."""
    from icsilib.segmentation.train import train_stages

    chosen = _stages(profile)
    if start_from is not None:
        chosen = chosen[-1:]
    if epochs is not None:
        chosen[-1] = chosen[-1].with_(epochs=epochs)
    how: dict[str, Any] = {"start_from": start_from, "device": device, "devices": devices}
    weights = train_stages(chosen, partial(_frames, data), out, seed, data=_digest(data), **how)
    typer.echo(f"{weights}: " + ", then ".join(f"{each.epochs} epochs at {each.size} px" for each in chosen))


@segment.command("evaluate")
def evaluate(
    data: Data,
    weights: Weights = None,
    part: Part = "test",
    table: Annotated[Path | None, typer.Option(help="File for one row a frame, CSV.")] = None,
    results: Annotated[Path | None, typer.Option(help="File for the scores with their provenance, JSON.")] = None,
    origin: Annotated[str | None, typer.Option(help="What the frames are, as --results will say: phantom, …")] = None,
    closeups: Closeups = None,
    once: Once = False,
    device: Device = "auto",
) -> None:
    """Print IoU of both classes and the tip's error, at 512 px, with 95 % intervals by video."""
    from icsilib.data.structures import OF_INJECTIONS
    from icsilib.files import write_text_atomic
    from icsilib.segmentation.evaluate import frame_table, presence_auc, summarise
    from icsilib.segmentation.frames import describe

    if results is not None and origin is None:
        fail("--results: say with --origin what the frames are, such as phantom or the name of your laboratory")
    segmenter = _segmenter(weights, device, closeups, once)
    frames = _frames(data, segmenter.settings.preprocess, part)
    if unnamed := [record.file_name for record in frames.records if record.video_id is None]:
        fail(f"{data}: {unnamed[0]} has no video_id, by which intervals go; convert with --folder-is video_id")
    scores = frame_table(segmenter, frames)
    typer.echo(f"{data}, {part}: " + ", ".join(f"{count} {what}" for what, count in describe(frames).items()))
    for each in OF_INJECTIONS:
        what = f"IoU, {each.label}" if each.unit == "IoU" else f"{each.label}, {each.unit}"
        typer.echo(f"{what:13} {_told(summarise(scores, each.column))}")
    auc = presence_auc(scores)
    told = f"AUC {auc:.3f}" if auc == auc else "not known, the frames are all with a tip or all without"
    typer.echo(f"confidence tells frames with a tip from frames without: {told}")
    if table is not None:
        write_text_atomic(table, scores.to_csv(index=False))
    if results is not None:
        _write_scores(results, segmenter, scores, data, part, str(origin))


def _told(score: "Score") -> str:
    if not score.n:
        return "no frame has one"
    spread = "({:.4g} to {:.4g})".format(*score.interval) if score.interval else "(no interval: too few videos)"
    return f"{score.mean:.4g} {spread}, SD {score.sd:.3g}, {score.n} frames"


def _write_scores(
    path: Path, segmenter: "Segmenter", table: "pd.DataFrame", data: Path, part: str, origin: str
) -> None:
    from icsilib.files import sha256_of
    from icsilib.segmentation.evaluate import speed
    from icsilib.segmentation.second_look import TwoLooks
    from icsilib.study.provenance import Results
    from icsilib.study.segmentation_scores import TWO_LOOKS, add_groups, add_scores, add_speed

    results = Results(
        "segmentation_evaluation", segmenter.settings.profile, None, segmenter.device, training=segmenter.training
    )
    results.data[f"{origin}, {part}"] = sha256_of(_annotations(data))
    prefix = ""
    add_speed(results, speed(segmenter))
    if isinstance(segmenter, TwoLooks):
        prefix = TWO_LOOKS
        results.parameters["second_look"] = segmenter.second.training
        add_speed(results, speed(segmenter.second), f"{prefix}closeup")
    add_scores(results, table, origin, prefix)
    add_groups(results, table, "kit", "operator", "video_id", prefix=prefix)
    results.write(path)


@segment.command("predict")
def predict(
    files: Annotated[list[Path], typer.Argument(help="Images or videos.")],
    out: Annotated[
        Path,
        typer.Option(help="Folder for predictions.json, frames.csv, pictures/ and, of videos, videos/ and frames/."),
    ],
    weights: Weights = None,
    every: Annotated[int, typer.Option(min=1, help="Take every n-th frame of a video.")] = 3,
    confidence: Annotated[float, typer.Option(help="Leave out tips of lower confidence, 0 to 1.")] = 0.3,
    engine: Engine = "torch",
    device: Device = "auto",
    flips: Annotated[bool, typer.Option(help="Average over mirror images: four times slower, more accurate.")] = False,
    closeups: Closeups = None,
    once: Once = False,
    deinterlace: Annotated[bool, typer.Option("--deinterlace", help="Take the comb out of interlaced videos.")] = False,
    um_per_px: Annotated[
        float | None, typer.Option(min=0.001, help="Scale of the files, for lengths in µm, too.")
    ] = None,
) -> None:
    """Segment images and videos: COCO JSON, a table, pictures and videos in the colours of Figure 2.

    Stopped at any moment, the same command goes on: until the end, predictions.jsonl holds what is done.
    """
    import pandas as pd

    from icsilib.data.annotations import AnnotationError, Dataset, write_coco
    from icsilib.data.structures import ICSI_CATEGORIES
    from icsilib.data.video import DamagedVideoError, VideoError, is_video, stated_timing
    from icsilib.files import remove_partials, write_text_atomic
    from icsilib.segmentation.frame_rows import frame_rows
    from icsilib.segmentation.records import Journal, read_source
    from icsilib.segmentation.second_look import with_flips

    dataset = Dataset(images=[], annotations=[], categories=list(ICSI_CATEGORIES))
    if flips and engine != "torch":
        fail("--flips: goes with the engine torch only")
    above = Path(os.path.commonpath([path.resolve().parent for path in files]))  # names alone may repeat
    shorts = [path.resolve().relative_to(above) for path in files]
    _check_free(files, shorts, out)
    segmenter = _segmenter(weights, device, closeups, once)
    segmenter = with_flips(segmenter) if flips else _with_engine(segmenter, engine, device)
    for folder in (out / "pictures", out / "frames", out / "videos"):
        remove_partials(folder)
    how = {"every": every, "confidence": confidence, "engine": engine, "flips": flips, "deinterlace": deinterlace}
    how |= {"um_per_px": um_per_px, "device": device}
    journal = Journal(out / "predictions.jsonl", how | _identity(files, shorts, weights, closeups, once))
    faults, rates = 0, dict[str, float]()
    with _progress() as bar:
        tell = partial(bar.console.print, markup=False, highlight=False, soft_wrap=True)
        for path, short in zip(files, shorts, strict=True):
            first, timing = len(dataset.images), _IMAGE
            try:
                if is_video(path):
                    timing = stated_timing(path)
                frames = read_source(path, every, deinterlace=deinterlace, note=tell)
                for frame in bar.track(frames, timing[1] and -(-timing[1] // every), description=short.name):
                    _predict_frame(segmenter, frame, path, short, out, confidence, um_per_px, dataset, journal)
            except (AnnotationError, VideoError) as error:
                faults += 1
                tell(f"{'Warning' if isinstance(error, DamagedVideoError) else 'Skipped'}: {error}")
            if is_video(path) and len(dataset.images) > first:
                rates[short.as_posix()] = float(timing[0])
                _write_labelled(out, short, dataset.images[first:], timing[0] / every)
    write_text_atomic(out / "frames.csv", pd.DataFrame(frame_rows(dataset, rates)).to_csv(index=False))
    write_coco(dataset, out / "predictions.json")
    journal.close()
    typer.echo(f"{out / 'predictions.json'}: {len(dataset.images)} frames, {len(dataset.annotations)} objects")
    if faults:
        fail(f"{faults} of {len(files)} files could not be read whole; what could be read was segmented")


def _progress() -> "Progress":
    """Frames done and frames/s of the file at hand, on standard error."""
    from rich.console import Console
    from rich.progress import (
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TaskProgressColumn(show_speed=True))
    return Progress(SpinnerColumn(), *columns, TimeElapsedColumn(), console=Console(stderr=True))


def _write_labelled(out: Path, short: Path, images: "list[Image]", rate: Fraction) -> None:
    """Write a video's pictures as one labelled video of `rate` frames/s."""
    from icsilib.data.video import write_mp4

    write_mp4((_even(out / _picture(short, image.frame_index)) for image in images), _labelled(out, short), rate)


def _labelled(out: Path, short: Path) -> Path:
    """The labelled video's place; its format is MP4 whatever the source's."""
    return out / "videos" / (short if short.suffix == ".mp4" else Path(f"{short}.mp4"))


def _even(picture: Path) -> "NDArray[np.uint8]":
    """A picture's pixels (H, W, 3) with even sides, as H.264 wants them: the last row or column stands twice."""
    import numpy as np

    from icsilib.data.images import read_rgb

    pixels = read_rgb(picture)
    odd = [(0, side % 2) for side in pixels.shape[:2]]
    return np.pad(pixels, (*odd, (0, 0)), mode="edge")


def _identity(
    files: list[Path], shorts: list[Path], weights: Path | None, closeups: Path | None, once: bool
) -> dict[str, Any]:
    """What tells the files and weights of a command from others, besides its options."""
    from icsilib.files import sha256_of
    from icsilib.segmentation.second_look import SECOND_LOOK
    from icsilib.segmentation.segmenter import REFERENCE

    states = [path.stat() if path.is_file() else None for path in files]
    second = closeups or (SECOND_LOOK if weights is None and not once else None)
    return {
        "files": [
            [short.as_posix(), *((state.st_size, state.st_mtime_ns) if state else ())]
            for short, state in zip(shorts, states, strict=True)
        ],
        "weights": [sha256_of(path) for path in (weights or REFERENCE, second) if path is not None],
    }


def _check_free(files: list[Path], shorts: list[Path], out: Path) -> None:
    """Fail where a picture or frame would replace one of the files, or anything that no earlier call wrote."""
    from icsilib.data.video import is_video

    sources = {path.resolve() for path in files}
    again = any((out / name).exists() for name in ("predictions.json", "predictions.jsonl"))
    for short in shorts:
        folders = (out / "pictures" / short, out / "frames" / short, _labelled(out, short))
        for target in folders if is_video(short) else (out / _picture(short),):
            if target.resolve() in sources or (target.exists() and not again):
                fail(f"{target}: would be replaced by what the model sees; choose another folder for --out")


def _picture(short: Path, index: int | None = None) -> Path:
    """The picture's place in the folder of the predictions, of an image or of a video's frame `index`."""
    from icsilib.data.video import frame_name

    if index is not None:
        return "pictures" / short / frame_name(short, index)
    return "pictures" / (short if short.suffix == ".png" else Path(f"{short}.png"))


def _predict_frame(
    segmenter: "Segmenter",
    frame: "tuple[int | None, NDArray[np.uint8]]",
    path: Path,
    short: Path,
    out: Path,
    confidence: float,
    um_per_px: float | None,
    dataset: "Dataset",
    journal: "Journal",
) -> None:
    """Add one frame's prediction to the data set, from the journal if an earlier run came so far."""
    from icsilib.data.annotations import Image
    from icsilib.data.images import write_png
    from icsilib.plots.segmentation import overlay, with_dot
    from icsilib.segmentation.records import annotations_of

    index, pixels = frame
    picture, name, video = _picture(short, index), _relative(path, out), None
    known = journal.known(picture.as_posix())
    if known is None or not (out / picture).is_file():
        prediction = segmenter.predict(pixels)
        if index is not None:  # a frame is no file yet, by which others could read it
            name, video = ("frames" / short / picture.name).as_posix(), short.as_posix()
            write_png(out / name, pixels)
        about = {"video_id": video, "frame_index": index, "picture": picture.as_posix(), "um_per_px": um_per_px}
        about["tip_confidence"] = round(prediction.confidence, 4)
        record = Image(id=1, file_name=name, width=pixels.shape[1], height=pixels.shape[0]).model_copy(update=about)
        known = record, annotations_of(prediction, 1, 1, confidence)
        tip = prediction.tip if prediction.confidence >= confidence else None
        write_png(out / picture, with_dot(overlay(pixels, prediction.masks), tip)[..., ::-1])
        journal.add(*known)
    number, first = len(dataset.images) + 1, len(dataset.annotations) + 1
    dataset.images.append(known[0].model_copy(update={"id": number}))
    for k, label in enumerate(known[1]):
        dataset.annotations.append(label.model_copy(update={"id": first + k, "image_id": number}))


def _relative(path: Path, out: Path) -> str:
    """A file's path from the folder `out`, as annotations name their images; the whole one from another drive."""
    source, base = path.resolve(), out.resolve()
    return (Path(os.path.relpath(source, base)) if source.drive == base.drive else source).as_posix()


@segment.command("benchmark")
def benchmark(
    weights: Weights = None,
    engine: Engine = "torch",
    frames: Annotated[int, typer.Option(min=1, help="Frames to time.")] = 30,
    profile: Annotated[str | None, typer.Option(help="Time an untrained model of this profile instead.")] = None,
    device: Device = "auto",
) -> None:
    """Milliseconds and operations a frame at batch 1, after warming up, without preprocessing.

    Of a model that looks twice, a line for each network: the second's is of one close-up, of which a frame has several.
    """
    import torch

    from icsilib.segmentation import Segmenter
    from icsilib.segmentation.evaluate import speed
    from icsilib.segmentation.second_look import TwoLooks
    from icsilib.study.provenance import hardware
    from icsilib.training.devices import resolve_device

    if profile is None:
        segmenter = _segmenter(weights, device)
    else:
        settings = _stages(profile)[-1]
        network = settings.build().eval().to(resolve_device(device))
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        segmenter = Segmenter(network, settings, {})
    segmenter = _with_engine(segmenter, engine, device)
    networks = [("first look", "frame", segmenter)]
    if isinstance(segmenter, TwoLooks):
        networks.append(("second look", "close-up", segmenter.second))
    for look, what, model in networks:
        one = speed(model, frames)
        typer.echo(
            f"{look}, {engine}, {model.settings.size} px, batch 1: {one.milliseconds:.1f} ms a {what} "
            f"(median of {one.frames}), {one.gflop:.1f} GFLOP, {one.device}, {hardware()['processor']}, "
            f"{one.threads} threads"
        )


def _stages(profile: str) -> "list[Settings]":
    from icsilib.segmentation.settings import PROFILES, stages

    if profile not in PROFILES:
        fail(f"profile {profile!r}: choose {', '.join(PROFILES)}")
    return stages(profile)


def _frames(data: Path, preprocess: "Preprocess", part: str, **how: Any) -> "Frames":
    from icsilib.data.splits import PARTS
    from icsilib.segmentation.frames import load_frames

    if part not in (*PARTS, "all"):
        fail(f"part {part!r}: choose {', '.join(PARTS)}, all")
    return load_frames(_annotations(data), preprocess, None if part == "all" else part, **how)


def _digest(data: Path) -> str | None:
    """SHA-256 of the annotations; None where there are none, of which loading them tells."""
    from icsilib.files import sha256_of

    path = _annotations(data)
    return sha256_of(path) if path.is_file() else None


def _annotations(data: Path) -> Path:
    return data / "annotations.json" if data.is_dir() else data


def _segmenter(weights: Path | None, device: str, closeups: Path | None = None, once: bool = False) -> "Segmenter":
    from icsilib.segmentation import load
    from icsilib.segmentation.second_look import with_second_look

    if once and closeups is not None:
        fail("--once: leaves the second look out, for which --closeups gives weights; leave out one of the two")
    looks = 1 if once or closeups is not None else None
    segmenter = load(looks=looks, device=device) if weights is None else load(weights, looks, device)
    if segmenter.settings.closeups:
        fail(f"{weights}: was trained on close-ups; give it as --closeups, beside a model of whole frames")
    return segmenter if closeups is None else with_second_look(segmenter, closeups)


def _with_engine(segmenter: "Segmenter", engine: str, device: str) -> "Segmenter":
    if engine == "openvino":
        if device not in ("auto", "cpu"):
            fail(f"--engine openvino: runs on the CPU, not on {device}; leave out --device")
        from icsilib.segmentation.export import with_openvino

        return with_openvino(segmenter)
    if engine != "torch":
        fail(f"engine {engine!r}: choose torch or openvino")
    return segmenter
