"""`icsi phantom`: render data sets that stand in for the papers' private ones, verify them, time the renderer."""

from pathlib import Path
from typing import Annotated

import typer

from icsilib.cli.failure import fail

phantom = typer.Typer(no_args_is_help=True, help="Render and verify phantom data sets.")

Out = Annotated[Path, typer.Option(help="Folder of the data set; continued when it holds a part of it.")]
Seed = Annotated[int, typer.Option(help="Same seed, same data.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes; all cores when left out.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a data set of other parameters or older code.")]


@phantom.command("icsi")
def icsi(
    out: Out,
    videos: Annotated[int, typer.Option(help="Number of procedures; paper A has 156.")] = 156,
    seed: Seed = 0,
    size: Annotated[int, typer.Option(help="Side of a frame, px.")] = 512,
    every: Annotated[int, typer.Option(help="Keep every n-th frame.")] = 3,
    mp4: Annotated[bool, typer.Option("--mp4", help="Also write whole videos at 15 frames/s.")] = False,
    hard: Annotated[float, typer.Option(help="Share of hard scenes: wells, cells without tools, strong relief.")] = 0.0,
    close: Annotated[float, typer.Option(help="Share of scenes seen close: cells pressed flat, in two lobes.")] = 0.0,
    bright: Annotated[float, typer.Option(help="Share of needles brighter than the field.")] = 0.2,
    workers: Workers = None,
    force: Force = False,
) -> None:
    """Render ICSI procedures with exact truth, in the shape of paper A's data."""
    from icsilib.phantoms.icsi_dataset import write_icsi_dataset

    write_icsi_dataset(
        out, videos, seed, size, every, mp4, hard, bright, close, workers=workers, progress=True, force=force
    )
    _report(out)


@phantom.command("biopsy")
def biopsy(
    out: Out,
    images: Annotated[int, typer.Option(help="Number of images, shared among 30 patients; paper B has 702.")] = 702,
    seed: Seed = 0,
    workers: Workers = None,
    force: Force = False,
) -> None:
    """Render testicular biopsy images with exact boxes, in the shape of paper B's data."""
    from icsilib.phantoms.biopsy_dataset import write_biopsy_dataset

    write_biopsy_dataset(out, images, seed, workers=workers, progress=True, force=force)
    _report(out)


@phantom.command("biopsy-crowd")
def biopsy_crowd(
    out: Out,
    patients: Annotated[int, typer.Option(help="Number of patients, two images of each.")] = 600,
    seed: Seed = 0,
    workers: Workers = None,
    force: Force = False,
) -> None:
    """Render biopsy images with far more sperm than a biopsy shows, to train a detector on."""
    from icsilib.phantoms.biopsy_dataset import write_biopsy_crowd

    write_biopsy_crowd(out, patients, seed, workers=workers, progress=True, force=force)
    _report(out)


@phantom.command("verify")
def verify(folder: Annotated[Path, typer.Argument(help="Folder of a phantom data set.")]) -> None:
    """Compare every file of a phantom data set with the digests of what was written."""
    from icsilib.phantoms.dataset import verify_phantom_set

    faults = verify_phantom_set(folder)
    for name, fault in faults.items():
        typer.echo(f"{folder / name}: {fault}", err=True)
    if faults:
        fail(f"{folder}: {len(faults)} faults; delete what is named and run the generator again: it mends the rest")
    _report(folder)
    _compare_with_manifest(folder)


def _compare_with_manifest(folder: Path) -> None:
    """Hold the labels against the digest that the data manifest has for these settings, where it has one."""
    from icsilib.data.manifest import load_manifest
    from icsilib.phantoms.dataset import read_description, settings_of

    about = read_description(folder)
    name, settings = f"{about['name']}-phantom", settings_of(about)
    digest = load_manifest().entry(name).digests.get(settings)
    if digest is None:
        typer.echo(f"data_manifest.yaml has no digest of {name} with {settings}")
    elif digest != about["annotations_sha256"]:
        fail(f"{folder}: labels differ from those of {name} with {settings} in data_manifest.yaml; render it again")
    else:
        typer.echo(f"labels are those of {name} with {settings} in data_manifest.yaml")


@phantom.command("benchmark")
def benchmark(
    size: Annotated[int, typer.Option(help="Side of a frame, px.")] = 512,
    videos: Annotated[int, typer.Option(help="Procedures to render from.")] = 3,
    frames: Annotated[int, typer.Option(help="Frames of each.")] = 40,
) -> None:
    """Frames per second that one core renders with their truth; procedures are set up within the time."""
    from icsilib.phantoms.icsi_dataset import benchmark as run

    run(size, videos=1, frames=3)  # imports and caches
    speed = run(size, videos, frames)
    spent = f"{speed.core_seconds:.1f} s of one core ({speed.seconds:.1f} s on the clock)"
    typer.echo(f"{speed.frames} frames of {size} px with truth in {spent}: {speed.fps:.1f} frames/s per core")


def _report(folder: Path) -> None:
    from icsilib.phantoms.dataset import read_description

    about = read_description(folder)
    typer.echo(f"{folder}: {len(about['items'])} items, {about['images']} images, {about['annotations']} labels")
    typer.echo(f"annotations sha256 {about['annotations_sha256']}\nfiles sha256 {about['files_sha256']}")
