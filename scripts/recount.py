"""Recompute every verdict of the claims ledger from its text and the results files, without this study's library.

    python scripts/recount.py [RESULTS …] [--against build/quick/results/claims.json]

RESULTS are folders of results files, by default book/reference; the first that has a file is taken. Registered sets are
scored once, in book/reference. With --against, the
verdicts that the chapter on claims wrote are compared, and a difference ends the program with 1.
"""

import argparse
import json
import math
import re
import sys
from collections import Counter
from pathlib import Path
from statistics import harmonic_mean

import yaml
from scipy.stats import ttest_ind_from_stats

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "book" / "reference"
FUNCTIONS = {
    "harmonic_mean": harmonic_mean,
    "sqrt": math.sqrt,
    "log10": math.log10,
    "ceil": math.ceil,
    "comb": math.comb,
}


def calculated(expression, printed):
    """Value of an expression in which claim ids stand for the printed figures."""
    figures = re.sub(r"\b[AB](\.[a-z][a-z0-9_]*)+", lambda found: f"({printed[found[0]]!r})", str(expression))
    return eval(figures, {"__builtins__": {}}, dict(FUNCTIONS))


def near(a, b, tolerance=0.0):
    """Whether two figures are equal, but for a tolerance and the last binary digit."""
    return abs(a - b) <= tolerance + 1e-9 * max(1, abs(b))


def verdict(claim, check, printed, results):
    """The word of one check."""
    kind, value = check["kind"], claim.get("value")
    if kind == "untestable":
        return "not testable"
    if kind == "built":
        return "by design"
    if kind in ("arithmetic", "authors"):
        found = calculated(check["expression"], printed)
        holds = found if isinstance(found, bool) else near(found, value, check.get("tolerance", 0))
        return "agrees" if holds else "inconsistent" if kind == "arithmetic" else "differs"
    if kind == "summary":
        return by_welch(check, value, printed)
    return measured(check, value, printed, results)


def by_welch(check, level, printed):
    """Word of a claimed significance, by Welch's test of the printed figures for each n."""
    one, other = check["first"], check["second"]
    sides = set()
    for n, m in zip(one["n"], other["n"], strict=True):
        samples = (printed[one["mean"]], printed[one["sd"]], n, printed[other["mean"]], printed[other["sd"]], m)
        p = ttest_ind_from_stats(*samples, equal_var=False).pvalue
        sides.add((p > level) == (check["expect"] == "above"))
    return "open" if len(sides) == 2 else "agrees" if sides == {True} else "inconsistent"


def measured(check, value, printed, results):
    """Word of a check that is held against a results file."""
    file, key = check["results"].split(":")
    entry = results.get(file, {}).get("values", {}).get(key)
    if entry is None or entry["value"] is None or isinstance(entry["value"], str) or math.isnan(entry["value"]):
        word = "open"
    else:
        word = by_place(check, value, printed, entry)
    if check["kind"] == "extension":
        known = entry is not None and entry["value"] is not None and not isinstance(entry["value"], str)
        return "extension" if known else word
    return {"design": "by design", "fitted": "fitted"}.get(check["kind"], word) if word == "agrees" else word


def by_place(check, value, printed, entry):
    """Whether a figure, or of what is measured on data its whole interval, lies where the claim has it."""
    compare, slack = check.get("compare", "equal"), check.get("tolerance", 0)
    wanted = check.get("expected", value)
    if wanted is None and compare not in ("above", "equivalent"):
        return "agrees" if entry["value"] else "differs"
    wanted = calculated(wanted or 0, printed)
    slack, margin = slack + 1e-9 * max(1, abs(wanted)), calculated(check.get("margin", "0"), printed)
    least, most = {
        "equal": (wanted - slack, wanted + slack),
        "at_least": (wanted - slack, math.inf),
        "at_most": (-math.inf, wanted + slack),
        "above": (margin, math.inf),
        "equivalent": (-margin, margin),
    }[compare]
    if check["kind"] not in ("run", "extension"):
        return "agrees" if least <= entry["value"] <= most else "differs"
    if entry.get("interval") is None:
        return "open"
    low, high = entry["interval"]
    return "agrees" if least <= low and high <= most else "differs" if high < least or low > most else "open"


def recount(claims, results):
    """(claim id, number of the check, word) of every check."""
    printed = {claim["id"]: claim["value"] for claim in claims if claim.get("value") is not None}
    return [
        (claim["id"], number, verdict(claim, check, printed, results))
        for claim in claims
        for number, check in enumerate(claim["checks"])
    ]


def read_all(folders):
    """Results files by name; of two with one name, that of the earlier folder."""
    files = [path for folder in reversed(folders) for path in sorted(Path(folder).glob("*.json"))]
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in files}


def main():
    """Print how many checks have each verdict, and what differs."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("results", nargs="*", default=[REFERENCE])
    options.add_argument("--against", type=Path, help="claims.json that the chapter wrote")
    asked = options.parse_args()
    claims = yaml.safe_load((ROOT / "book" / "claims.yaml").read_text(encoding="utf-8"))["claims"]
    once = {name: file for name, file in read_all([REFERENCE]).items() if name.startswith("registered-")}
    found = recount(claims, read_all(asked.results) | once)
    for word, number in Counter(word for *_, word in found).most_common():
        print(f"{number:4} {word}")
    if asked.against is None:
        return 0
    rows = json.loads(asked.against.read_text(encoding="utf-8"))["tables"]["verdicts"]
    theirs = {(row["claim"], row["check"]): row["verdict"] for row in rows}
    ours = {(id, number): word for id, number, word in found}
    different = sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))
    for key in different:
        print(f"{key[0]}, check {key[1]}: {ours.get(key)} here, {theirs.get(key)} in {asked.against}")
    return int(bool(different))


if __name__ == "__main__":
    sys.exit(main())
