"""`icsi agree`: how far several people's labels of the same images agree, and their consensus."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from icsilib.cli.data import DefaultLabel, Format, Images, Label, Size, SkipEmpty, reading_options
from icsilib.cli.failure import fail

if TYPE_CHECKING:
    import pandas as pd

    from icsilib.labels.records import Report

agree = typer.Typer(no_args_is_help=True, help="Agreement of several people's labels of the same images.")

Files = Annotated[
    list[Path], typer.Argument(help="Files of any annotation tool: one a person, or with annotators named.")
]


ByFile = Annotated[bool, typer.Option("--by-file", help="One person a file, whomever its labels name.")]


@agree.command("outlines")
def outlines(
    files: Files,
    format: Format = None,
    label: Label = None,
    default_label: DefaultLabel = None,
    images: Images = None,
    size: Size = None,
    skip_empty: SkipEmpty = False,
    by_file: ByFile = False,
    table: Annotated[Path | None, typer.Option(help="File for every pair, CSV.")] = None,
) -> None:
    """Paper A's Table 1 of your people: IoU and tip distance between and within, at 512 px, with 95 % intervals."""
    from icsilib.files import write_text_atomic
    from icsilib.study.own_labels import own_labels, read_people

    options = reading_options(label, default_label, images, size, skip_empty)
    people, reports = read_people(files, by_file, format=format, **options)
    _say_what_was_read(reports)
    labels = own_labels(people, images or files[0].parent)
    pairs = labels.pairs()
    summary = _with_intervals(pairs)
    rounds = ", ".join(labels.rounds)
    typer.echo(f"{len(labels.people)} people, {rounds}: {len(labels.frames)} frames labelled by everybody")
    if labels.left_out:
        typer.echo(f"{labels.left_out} frames left out: not labelled by everybody in these rounds")
    if labels.by_name:
        typer.echo(f"{labels.by_name} frames lie in folders of different names; they are taken for one by their own")
    for note in labels.notes:
        typer.echo(f"note: {note}")
    typer.echo(summary.to_string())
    if summary["low"].notna().any():
        typer.echo("estimate, low, high: of the frames on which every pair has a value; mean, sd, n: of every value")
    if summary["low"].isna().any():
        typer.echo("no interval: it needs three people, two frames with every label, and some disagreement")
    if table is not None:
        write_text_atomic(table, pairs.to_csv(index=False))


@agree.command("boxes")
def boxes(
    files: Files,
    format: Format = None,
    label: Label = None,
    default_label: DefaultLabel = None,
    images: Images = None,
    size: Size = None,
    skip_empty: SkipEmpty = False,
    by_file: ByFile = False,
    out: Annotated[Path | None, typer.Option(help="File for the consensus, COCO JSON.")] = None,
    iou: Annotated[float, typer.Option(help="Smallest IoU at which two boxes count as the same.")] = 0.5,
    votes: Annotated[int, typer.Option(min=1, help="Readers who must agree.")] = 2,
) -> None:
    """Paper B's consensus of readers' boxes, and each reader against that of all and of the others."""
    from icsilib.data.annotations import write_coco
    from icsilib.detection.consensus import dataset_consensus, readers_against_consensus
    from icsilib.study.own_labels import read_people

    options = reading_options(label, default_label, images, size, skip_empty)
    sets, reports = read_people(files, by_file, format=format, **options)
    _say_what_was_read(reports)
    people = dict(sets)
    if len(people) < len(sets):
        twice = next(name for name, count in Counter(name for name, _ in sets).items() if count > 1)
        fail(f"labels of {twice} stand in several files; join these, or give --by-file if each is another reader's")
    if votes > len(people):
        fail(f"votes={votes} of {len(people)} readers; ask for as many as there are, or fewer")
    agreed = dataset_consensus(people, iou=iou, min_votes=votes)
    readers = readers_against_consensus(people, iou, votes)
    if not readers["drawn"].any():
        fail("nobody drew a box of a sperm; say what they call it with --label THEIRS=sperm")
    if out is not None:
        write_coco(agreed, out)
    typer.echo(readers.round(3).to_string(index=False))
    counts = agreed.info["consensus"]["counts"]
    typer.echo(f"consensus: {len(agreed.annotations)} boxes on {len(agreed.images)} images")
    typer.echo("\n".join(f"  {count} {what}" for what, count in counts.items() if count))


def _say_what_was_read(reports: "list[Report]") -> None:
    for report in reports:
        typer.echo("\n".join(report.lines()))


def _of_those_who_labelled(pairs: "pd.DataFrame", structure: str) -> "pd.DataFrame":
    """The structure's pairs without the people of whom no pair has a value."""
    rows = pairs[pairs["structure"] == structure]
    found = rows.dropna(subset="value")
    people = {*found["annotator_a"], *found["annotator_b"]}
    return rows[rows["annotator_a"].isin(people) & rows["annotator_b"].isin(people)]


def _with_intervals(pairs: "pd.DataFrame") -> "pd.DataFrame":
    """Mean, SD and n by structure and kind, and the crossed interval with its own estimate and frames.

    The interval takes the frames of which every pair has a value, and the mean every value there is, so that it may
    lie outside: `estimate` is the mean over those `frames`. NaN where an interval does not exist.
    """
    from icsilib.stats.agreement import summary
    from icsilib.stats.cells import cells_of
    from icsilib.stats.crossed import mean_interval

    table = summary(pairs)
    for row in table.index:
        measured = _of_those_who_labelled(pairs, row[0])
        enough = len({*measured["annotator_a"], *measured["annotator_b"]}) >= 3
        found = [float("nan")] * 4
        try:
            if enough:
                complete = (cells_of(measured, *row).count > 0).all(axis=0)
                found = [complete.sum(), *mean_interval(measured, *row)[:3]]
        except ValueError:  # too few complete frames, or nobody disagrees: there is no spread to take it from
            pass
        table.loc[row, ["frames", "estimate", "low", "high"]] = found
    return table.round(4)
