"""What the notebooks share: sentences and tables that take their numbers from results, never from a keyboard."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from IPython.display import Markdown

from icsilib.study.provenance import Results, ResultsFile, Value, read_results

_PLACE = re.compile(r"\{([A-Za-z][\w./-]*)(?::([^{}]*))?\}")


def say(results: Results | ResultsFile, text: str) -> Markdown:
    """Markdown in which `{key:.3f}` is replaced by the results' value of that key.

    `{key.low:.3f}` and `{key.high:.3f}` are the ends of its interval, `{key.n}` its n. An unknown key is an error.
    """

    def insert(match: re.Match[str]) -> str:
        return format(_look_up(results, match[1]), match[2] or "")

    return Markdown(_PLACE.sub(insert, text))


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


def show_provenance(results: ResultsFile) -> pd.DataFrame:
    """The provenance of a notebook's results, as the table that closes every notebook."""
    origin = results.provenance
    tree = {True: "clean", False: "with uncommitted changes", None: "unknown"}[origin.clean]
    rows = {
        "code revision": f"{origin.revision} ({tree})",
        "data": ", ".join(f"{name} {digest[:12]}" for name, digest in origin.data.items()),
        "profile and seed": f"{origin.profile}, seed {origin.seed}",
        "started and duration": f"{origin.started}, {origin.seconds:.0f} s",
        "hardware": f"{origin.hardware['processor']}, {origin.hardware['cores']} cores, GPU: {origin.hardware['gpu']}",
        "versions": ", ".join(f"{name} {number}" for name, number in origin.versions.items()),
    }
    return pd.DataFrame({"": rows.keys(), "this run": rows.values()}).set_index("")
