"""`icsi provenance`: from a number on a page back to code, data, seed and machine."""

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from icsilib.cli.failure import fail

if TYPE_CHECKING:
    from icsilib.study.provenance import ResultsFile, Value


def provenance(
    key: Annotated[str, typer.Argument(help="notebook:key, or key alone, which may be found in several notebooks.")],
    results: Annotated[
        Path | None, typer.Option(help="Folder of results files; default: all of build/*/results and book/reference.")
    ] = None,
) -> None:
    """Walk from a number to its value, notebook, code revision, data digests, seed, profile and machine."""
    from icsilib.study.provenance import ROOT
    from icsilib.study.verdicts import load_results

    folders = [results] if results else [*sorted(ROOT.glob("build/*/results")), ROOT / "book" / "reference"]
    files = [(folder, file) for folder in folders for file in load_results(folder).items()]
    notebook, _, name = key.rpartition(":")
    chosen = [(folder, stem, file) for folder, (stem, file) in files if notebook in ("", stem)]
    found = [(folder, stem, file) for folder, stem, file in chosen if name in file.values]
    if not found:
        fail(_not_found(key, name, chosen, folders))
    for number, (folder, stem, file) in enumerate(found):
        typer.echo(("\n" if number else "") + "\n".join(_lines(folder / f"{stem}.json", stem, name, file)))


def _not_found(key: str, name: str, chosen: "list[tuple[Path, str, ResultsFile]]", folders: list[Path]) -> str:
    if not chosen:
        places = ", ".join(str(folder) for folder in folders)
        return f"{key}: no such results in {places}; run `make book`, or name a folder with --results"
    known = [f"{stem}:{each}" for _, stem, file in chosen for each in file.values]
    near = get_close_matches(key if ":" in key else f"{chosen[0][1]}:{name}", known, n=3, cutoff=0)
    return f"{key}: no such number; near it: {', '.join(near)}"


def _lines(path: Path, stem: str, key: str, file: "ResultsFile") -> list[str]:
    from icsilib.study.evidence import place_of
    from icsilib.study.provenance import provenance_rows

    place = place_of(stem, key, file.values[key].cell)
    executed = path.parents[1] / "notebooks" / Path(place.page).with_suffix(".ipynb")
    rows = {
        "value": _value(file.values[key]),
        "method": file.values[key].method,
        "measured on": file.values[key].data,
        "results file": str(path),
        "notebook": f"notebooks/{place.notebook}.ipynb",
        "section": place.section,
        "cell": "" if place.cell is None else f"[{place.cell}]" + (f" of {executed}" if executed.exists() else ""),
        "parameters": ", ".join(f"{name}={value}" for name, value in file.parameters.items()),
        **provenance_rows(file.provenance),
    }
    return [f"{stem}:{key}", *(f"  {name:<20} {row}" for name, row in rows.items() if row)]


def _value(value: "Value") -> str:
    text = f"{value.value} {value.unit}".strip()
    if value.interval:
        level = f"{value.level:.0%} " if value.level else ""
        text += f", {level}interval {value.interval[0]:.6g} to {value.interval[1]:.6g}"
    return text + (f", n = {value.n} {value.n_of}".rstrip() if value.n is not None else "")
