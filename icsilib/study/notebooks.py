"""What the notebooks share: sentences and tables that take their numbers from results, never from a keyboard."""

import ast
import html
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from IPython import get_ipython
from IPython.display import HTML, Markdown

from icsilib.errors import IcsiError
from icsilib.study.evidence import page_and_source
from icsilib.study.order import notebook_sources
from icsilib.study.provenance import ROOT, Results, ResultsFile, Value, provenance_rows, read_results

PROFILES = ("quick", "standard", "paper")

_PLACE = re.compile(r"\{([^{}\n]+)\}")
_KEY = re.compile(
    r"[A-Za-z][\w./-]*(:[^{}]*)?|.*:[+,]?(\.\d+)?[dfeg%]"
)  # what must be a key, not another thing in braces


def say(results: Results | ResultsFile, text: str) -> Markdown:
    """Markdown in which `{key:.3f}` is replaced by the results' value of that key.

    `{key.low:.3f}` and `{key.high:.3f}` are the ends of its interval, `{key.n}` its n. An unknown key is an error.

    >>> results = Results("example", "quick", seed=0)
    >>> _ = results.add("iou", 0.961, n=14)
    >>> say(results, "IoU {iou:.2f} on {iou.n} frames").data
    'IoU 0.96 on 14 frames'
    """

    def insert(match: re.Match[str]) -> str:
        key, colon, form = match[1].rpartition(":")
        if not colon or match[1].rpartition(".")[0] in results.values:  # a key may have a colon itself
            key, form = match[1], ""
        try:
            return format(_look_up(results, key), form)
        except KeyError:
            if _KEY.fullmatch(match[1]):
                raise
            return match[0]

    return Markdown(_PLACE.sub(insert, text))


def in_markdown(name: str) -> str:
    """A name that a user gave, such as a category's, so that a page shows it and does not obey it.

    >>> in_markdown("<b>8_cell")
    '&lt;b&gt;8\\\\_cell'
    """
    return re.sub(r"([\\`*_\[\]{}$|~#!])", r"\\\1", html.escape(" ".join(name.split()), quote=False))


def _look_up(results: Results | ResultsFile, key: str) -> Any:
    if key in results.values:
        return results.values[key].value
    stem, _, field = key.rpartition(".")
    if stem in results.values and field in ("low", "high", "n"):
        value = results.values[stem]
        if field == "n":
            return value.n
        if value.interval is None:
            raise KeyError(f"{stem}: has no interval, so {key} cannot be shown")
        return value.interval[field == "high"]
    raise KeyError(f"{key}: not among the results of {results.notebook}; known: {', '.join(results.values)}")


def side_by_side(
    results: Results | ResultsFile,
    rows: dict[str, str],
    published: dict[str, float],
    reference: Path | str | None = None,
) -> pd.DataFrame:
    """Table published | reference | this run.

    `rows` maps a row's label to its results key, `published` a results key to the paper's value;
    `reference` is the committed results file of the reference run, left out of the table when it is missing.
    """
    earlier = read_results(reference).values if reference and Path(reference).exists() else {}
    table = []
    for label, key in rows.items():
        row: dict[str, Any] = {"": label, "published": published.get(key)}
        if earlier:
            row["reference run"] = earlier[key].value if key in earlier else None
        value = results.values[key]
        row |= {"this run": value.value, "95 % interval": _interval(value.interval), "unit": value.unit}
        row |= {"n": f"{value.n} {value.n_of}".strip() if value.n else "", "data": value.data}
        table.append(row)
    return pd.DataFrame(table).set_index("")


def by_prefix(values: Mapping[str, Value], keys: Sequence[str], prefixes: Mapping[str, str]) -> pd.DataFrame:
    """The same `keys` of several parts of one run: a column for each name in `prefixes`, NaN for what was not scored.

    A part's results have its prefix before their keys, as `new.tip.mean` beside `tip.mean`.
    """
    scored = {
        name: {key: values[prefix + key].value for key in keys if prefix + key in values}
        for name, prefix in prefixes.items()
    }
    return pd.DataFrame(scored, index=pd.Index(keys))


def _interval(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"{interval[0]:.4g} to {interval[1]:.4g}"


def start_chapter(profile: str, seed: int, build: str) -> Path:
    """Check the running notebook's parameters and give the folder of its outputs, such as ``../build/quick``.

    Paths among the parameters are relative to `notebooks/`, which becomes the working folder wherever papermill was
    started. Raises `IcsiError` for a parameter that the notebook does not have and for a profile or seed that is none.
    """
    cells = get_ipython().user_ns["In"] if get_ipython() else []
    injected = next((cell for cell in cells[2:3] if cell.startswith("# Parameters")), "")
    known = _assigned(cells[1]) if injected else []
    if wrong := [name for name in _assigned(injected) if name not in known]:
        raise IcsiError(f"{', '.join(wrong)}: no parameter of this notebook, which has {', '.join(known)}")
    if profile not in PROFILES:
        raise IcsiError(f"profile is {profile!r}; choose {', '.join(PROFILES)}")
    if type(seed) is not int or seed < 0:
        raise IcsiError(f"seed is {seed!r}; give a whole number, such as -p seed 7")
    os.chdir(ROOT / "notebooks")
    return Path(build) / profile


def _assigned(code: str) -> list[str]:
    """Names that the statements of a cell of parameters assign."""
    statements = [statement for statement in ast.parse(code).body if isinstance(statement, ast.Assign)]
    return [target.id for statement in statements for target in statement.targets if isinstance(target, ast.Name)]


def show_provenance(results: ResultsFile) -> HTML:
    """What closes every notebook: the provenance of its results, and the modules of the library that it stands on."""
    rows = provenance_rows(results.provenance)
    table = pd.DataFrame({"": rows.keys(), "this run": rows.values()}).set_index("")
    return HTML(table.to_html() + _modules(page_and_source(results.notebook)[1]))


def _modules(notebook: str) -> str:
    """HTML list of the library's modules behind a notebook, each linked to its source, with lines of code."""
    files = notebook_sources(ROOT / "notebooks" / f"{notebook}.ipynb")
    lines = {file.relative_to(ROOT).as_posix(): len(file.read_text(encoding="utf-8").splitlines()) for file in files}
    items = "".join(
        f'<li><a href="../{name}"><code>{name}</code></a>, {count} lines</li>' for name, count in lines.items() if count
    )
    summary = f"This chapter stands on {len(lines)} modules of icsilib, {sum(lines.values()):,} lines."
    return f"<details><summary>{summary}</summary><ul>{items}</ul></details>"
