"""`icsi study`: run notebooks and put the book together; the Snakefile calls these."""

import os
import time
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from icsilib.cli.failure import fail

study = typer.Typer(no_args_is_help=True, help="Run notebooks and build the book.")


@study.command("run")
def run(
    notebook: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Notebook to execute.")],
    target: Annotated[Path, typer.Argument(help="Where the executed notebook goes.")],
    parameter: Annotated[list[str] | None, typer.Option("--parameter", "-p", help="name=value, in YAML.")] = None,
) -> None:
    """Execute one notebook with papermill parameters; the target appears only when every cell succeeded."""
    from icsilib.study.execution import run_notebook

    started = time.monotonic()
    run_notebook(notebook, target, _parameters(parameter or []))
    typer.echo(f"{target.stem:<30} {time.monotonic() - started:5.0f} s")


def _parameters(words: list[str]) -> dict[str, Any]:
    if bare := [word for word in words if "=" not in word]:
        fail(f"-p {bare[0]}: has no value; write -p {bare[0]}=value")
    pairs = (word.partition("=") for word in words)
    return {name: yaml.safe_load(value) for name, _, value in pairs}


@study.command("all")
def all_(
    profile: Annotated[str, typer.Option(help="quick, standard or paper.")] = "quick",
    cores: Annotated[int, typer.Option(min=1, help="Processor cores to use.")] = 1,
) -> None:
    """Run whatever of the study is missing or changed, and build the book; this is what `make book` does."""
    from icsilib.study.execution import run_study

    run_study(profile, cores)


@study.command("refresh")
def refresh(
    notebooks: Annotated[
        list[Path] | None,
        typer.Argument(exists=True, dir_okay=False, help="Notebooks to refresh; all when none is named."),
    ] = None,
) -> None:
    """Execute stored notebooks with their defaults, in reading order, and keep the outputs in place."""
    from icsilib.study.execution import run_notebook
    from icsilib.study.order import reading_order

    for notebook in notebooks or reading_order():
        typer.echo(f"refreshing {notebook.name}")
        run_notebook(notebook, notebook)


@study.command("order")
def order(
    training: Annotated[
        str | None, typer.Option(help="Only notebooks whose training is: none, own, or that of earlier ones.")
    ] = None,
) -> None:
    """Print the stored notebooks in reading order, one path a line."""
    from icsilib.study.order import reading_order

    for notebook, kind in reading_order().items():
        if training in (None, kind):
            typer.echo(os.path.relpath(notebook))


@study.command("profiles")
def profiles() -> None:
    """Every setting of the three profiles, side by side."""
    from rich.console import Console
    from rich.table import Table

    from icsilib.study.profiles import PROFILES

    table = Table("part", "setting", *PROFILES, box=None)
    columns = [profile.rows() for profile in PROFILES.values()]
    for rows in zip(*columns, strict=True):
        table.add_row(rows[0]["part"], rows[0]["setting"], *(str(row["value"]) for row in rows))
    Console().print(table)


@study.command("book")
def book(
    notebooks: Annotated[Path, typer.Option(help="Folder of executed notebooks.")],
    results: Annotated[Path, typer.Option(help="Folder of results files.")],
    html: Annotated[Path, typer.Option(help="Where the pages go.")],
) -> None:
    """Assemble the book and build its pages, offline, with warnings as errors."""
    from icsilib.study.book import assemble, build
    from icsilib.study.crate import write_crate

    source = assemble(notebooks, results, html.parent / "book")
    page = build(source, html)
    write_crate(html, html / "notebooks" / "results")
    typer.echo(f"The book is ready; open {os.path.relpath(page)} in a browser.")
