"""`icsi data`: what data the study can use, getting it, checking it."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from icsilib.cli.failure import fail
from icsilib.errors import printable

data = typer.Typer(no_args_is_help=True, help="The study's data sets: list, fetch, verify; convert your own.")

Group = Literal["video_id", "patient_id"]
Format = Annotated[str | None, typer.Option(help="Format of the labels; default: found out.")]
Label = Annotated[list[str] | None, typer.Option(help="THEIRS=OURS, or THEIRS= to leave a label out.")]
DefaultLabel = Annotated[str | None, typer.Option(help="Category of objects without a label.")]
Images = Annotated[Path | None, typer.Option(help="Folder of the images; default: beside the labels.")]
SkipEmpty = Annotated[
    bool, typer.Option("--skip-empty", help="Leave out images without objects that were perhaps not labelled.")
]
Size = Annotated[tuple[int, int] | None, typer.Option(help="Width and height in px, where unknown.")]
Deinterlace = Annotated[bool, typer.Option("--deinterlace", help="Take the comb out of interlaced videos.")]
Name = Annotated[str, typer.Argument(help="Name of a data set, as `icsi data list` shows it.")]


@data.command("list")
def list_() -> None:
    """Every data set and weight file of the study, with kind, size, licence and whether it is here."""
    from rich.console import Console
    from rich.table import Table

    from icsilib.data.manifest import data_root, load_manifest

    table = Table(box=None)
    for column in ("name", "kind", "files", "MB", "here"):
        table.add_column(column, no_wrap=True)
    table.add_column("what, and its licence")
    entries = load_manifest().data
    for name, entry in entries.items():
        files = entry.all_files()
        size = f"{sum(file.bytes for file in files) / 1e6:.1f}" if files else ""
        here = (data_root() / name).is_dir() and all((data_root() / name / file.path).is_file() for file in files)
        what = f"{entry.title}. [dim]{entry.licence}[/dim]"
        table.add_row(name, entry.kind, str(len(files) or ""), size, "yes" if here else "no", what)
    Console().print(table)


@data.command("fetch")
def fetch_(
    name: Name,
    to: Annotated[Path | None, typer.Option(help="Folder; default: ICSILIB_DATA or data/, then the name.")] = None,
) -> None:
    """Get a data set from ICSILIB_MIRROR or its source; continues where a stopped fetch left off."""
    from rich.console import Console
    from rich.progress import Progress

    from icsilib.data.manifest import fetch, load_manifest

    manifest = load_manifest()
    total = sum(file.bytes for file in manifest.entry(name).all_files())
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task(name, total=total)
        folder = fetch(name, to, manifest, report=lambda file: progress.advance(task, file.bytes))
    typer.echo(folder)


@data.command("verify")
def verify(
    name: Annotated[str | None, typer.Argument(help="One data set; default: all that are here.")] = None,
) -> None:
    """Compare fetched files with the manifest's checksums."""
    from icsilib.data.manifest import data_root, faults, load_manifest

    manifest = load_manifest()
    listed = [each for each in ([name] if name else manifest.data) if manifest.entry(each).all_files()]
    names = listed if name else [each for each in listed if (data_root() / each).is_dir()]
    wrong = {each: list(faults(each, manifest)) for each in names}
    if not names:
        typer.echo(f"{name or data_root()}: nothing to verify: no files are listed in the manifest and here")
    for each, found in wrong.items():
        for file, fault in found:
            typer.echo(f"{each}: {file.path}: {fault}; run `icsi data fetch {each}`", err=True)
        typer.echo(f"{each}: {len(manifest.entry(each).all_files()) - len(found)} files right, {len(found)} wrong")
    if any(wrong.values()):
        raise typer.Exit(1)


@data.command("convert")
def convert(
    source: Annotated[Path, typer.Argument(help="File of another tool, or folder of VOC, LabelMe or YOLO files.")],
    out: Annotated[Path, typer.Argument(help="COCO JSON of the study to write, above the images or beside them.")],
    format: Format = None,
    label: Label = None,
    default_label: DefaultLabel = None,
    images: Images = None,
    size: Size = None,
    skip_empty: SkipEmpty = False,
    drawn_only: Annotated[bool, typer.Option("--drawn-only", help="Leave out what a tool interpolated.")] = False,
    keypoint: Annotated[str, typer.Option(help="Of an object's several key points the one to read.")] = "tip",
    annotator: Annotated[str | None, typer.Option(help="Who labelled, where SOURCE does not say.")] = None,
    round: Annotated[int | None, typer.Option(help="Labelling round, where SOURCE does not say.")] = None,
    folder_is: Annotated[Group | None, typer.Option(help="What the folders of the images name.")] = None,
) -> None:
    """Read VIA, CVAT, Label Studio, LabelMe, VOC, YOLO or COCO annotations; report what was kept, changed, skipped."""
    from icsilib.data.annotations import write_coco
    from icsilib.labels import read_annotations
    from icsilib.labels.own import grouped_by_folder, with_names_from

    options = reading_options(label, default_label, images, size, skip_empty)
    options |= {"annotator": annotator, "round": round, "drawn_only": drawn_only, "keypoint": keypoint}
    dataset, report = read_annotations(source, format, besides=out, **options)
    typer.echo("\n".join(report.lines()))
    if not dataset.images or report.records > report.kept == 0:
        what = "object" if dataset.images else "image"
        fail(f"{source}: no {what} of it can be used, so nothing was written; the lines above say why")
    place = report.folder
    if images or place.resolve().is_relative_to(out.parent.resolve()):
        dataset = with_names_from(dataset, place, out.parent)
    else:
        typer.echo(f"File names stay as {source} has them, since it is not below {out.parent}.", err=True)
    if folder_is:
        dataset = grouped_by_folder(dataset, folder_is)
        groups = sorted({str(getattr(image, folder_is)) for image in dataset.images})
        typer.echo(printable(f"{len(groups)} {folder_is}: {', '.join(groups)}"))
    write_coco(dataset, out)


def reading_options(
    label: list[str] | None,
    default_label: str | None,
    images: Path | None,
    size: tuple[int, int] | None,
    skip_empty: bool = False,
) -> dict[str, Any]:
    """The options of `read_annotations` from those of a command; ends it where one of them cannot be meant so."""
    for pair in label or ():
        if "=" not in pair:
            fail(f"--label {pair}: has no '='; write {pair}=sperm to rename it, {pair}= to leave it out")
    if images is not None and not images.is_dir():
        fail(f"--images {images}: no such folder")
    pairs = (pair.partition("=") for pair in label or ())
    labels = {theirs: ours or None for theirs, _, ours in pairs}
    return {
        "labels": labels,
        "default_label": default_label,
        "images": images,
        "size": size,
        "skip_empty": skip_empty,
    }


@data.command("frames")
def frames(
    videos: Annotated[list[Path], typer.Argument(help="Videos.")],
    out: Annotated[Path, typer.Option(help="Folder; each video's frames go to a folder of its name below it.")],
    every: Annotated[int, typer.Option(min=1, help="Take every n-th frame; paper A took every third.")] = 3,
    deinterlace: Deinterlace = False,
) -> None:
    """Write frames of videos as PNG, upright and with square pixels, to be labelled with any tool."""
    from icsilib.data.video import VideoError
    from icsilib.labels.own import write_frames

    stems = [video.stem for video in videos]
    if twice := next((stem for stem in stems if stems.count(stem) > 1), None):
        fail(f"two videos are called {twice}, and their frames would share a folder; rename one of them")
    damaged = 0
    for video in videos:
        folder = out / video.stem
        try:
            count = write_frames(video, folder, every, deinterlace=deinterlace, note=partial(typer.echo, err=True))
            typer.echo(f"{folder}: {count} frames")
        except VideoError as error:
            damaged += 1
            typer.echo(f"Warning: {error}", err=True)
    if damaged:
        fail(f"{damaged} of {len(videos)} videos could not be read whole; what could be read was written")


@data.command("split")
def split(
    annotations: Annotated[Path, typer.Argument(help="COCO JSON of the study; split.json is written beside it.")],
    by: Annotated[Group, typer.Option(help="What is kept together.")] = "video_id",
    share: Annotated[tuple[float, float, float], typer.Option(help="Of training, validation, test.")] = (0.7, 0.1, 0.2),
    seed: Annotated[int, typer.Option(help="Same seed, same split.")] = 0,
) -> None:
    """Draw a split by video or patient, so that the test holds nobody whom training saw."""
    from icsilib.data.annotations import read_coco
    from icsilib.data.splits import PARTS, groups_of, make_split, write_split

    dataset = read_coco(annotations)
    groups = groups_of(dataset, by)
    drawn = make_split(groups, dict(zip(PARTS, share, strict=True)), seed, by)
    drawn.check(dataset)
    if empty := [part for part, wanted in zip(PARTS, share, strict=True) if wanted and not getattr(drawn, part)]:
        fail(
            f"{len(groups)} {by} do not fill three parts: {empty[0]} would be empty; give --share 0 for it, or add data"
        )
    write_split(drawn, annotations.parent / "split.json")
    counts = ", ".join(f"{len(getattr(drawn, part))} {part}" for part in PARTS)
    typer.echo(f"{annotations.parent / 'split.json'}: {by}: {counts}")
