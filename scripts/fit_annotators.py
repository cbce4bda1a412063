"""Fit the simulated labellers to paper A's Table 1 and write icsilib/phantoms/people/annotators.json.

    python scripts/fit_annotators.py            # fit on FIT_SEEDS, write the file, report held-out seeds
    python scripts/fit_annotators.py --check    # only report, for the file as it is

Each structure has four published figures (inter and intra mean and SD) and at most four free parameters, FREE.
What the table cannot tell is set by hand below, in START, and stays. A study's figures are averaged over the
fitting seeds, each with its own team and its own frames; the seeds of HELD_OUT are never used to fit.
"""

import argparse
import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.progress import track
from scipy.optimize import least_squares

from icsilib.data.structures import OF_INJECTIONS
from icsilib.files import write_text_atomic
from icsilib.phantoms.icsi import Frame
from icsilib.phantoms.people.annotators import Hand, Pointing, Population, annotator_team, fitted_population
from icsilib.phantoms.people.labelling import label_study, study_frames
from icsilib.stats.agreement import distance_table, iou_table, summary
from icsilib.study.claims import published

FIT_SEEDS = range(100, 104)
HELD_OUT = range(40)
OUT = Path(__file__).resolve().parents[1] / "icsilib" / "phantoms" / "people" / "annotators.json"
STRUCTURES = tuple(each.name for each in OF_INJECTIONS)
TOLERANCE = {"IoU": 0.002, "px": 0.15}  # of a mean; an SD may differ by a quarter

WEIGHT = np.array([2.0, 1.0])  # of a mean's and an SD's misfit: from seed to seed the means come closer to their limit

START = Population(
    hands={
        "oolemma": Hand(0, 0.018, 0.10, 0.008, reading=0.0, reading_rate=0.0, slip=0.1, slip_rate=0.04),
        "pipette": Hand(0, 0.0161, 0.06, 0.008, reading=0.33, reading_rate=0.015, slip=0.08, slip_rate=0.04),
    },
    tip=Pointing(0, along=2.4, across=1.1, slip=12, slip_rate=0.04),
    offset_spread={"oolemma": 0.002, "pipette": 0.0005, "tip": 0.6},
    care_spread=0.08,
    click_spread=0.1,
    difficulty={"oolemma": 0.15, "pipette": 0.25, "tip": 0.2},
)


FREE = {
    "oolemma": ("oolemma.noise", "oolemma.correlation", "difficulty.oolemma", "offset_spread.oolemma"),
    "pipette": ("pipette.noise", "difficulty.pipette"),
    "needle": ("tip.along", "tip.slip", "offset_spread.tip"),
}


def with_parameters(population: Population, structure: str, values: NDArray[np.float64]) -> Population:
    """The population with the free parameters of one structure; the tip's errors keep their ratio of START."""
    for name, value in zip(FREE[structure], values, strict=True):
        group, key = name.split(".")
        if hand := population.hands.get(group):
            new = {"hands": population.hands | {group: replace(hand, **{key: float(value)})}}
        else:
            old = getattr(population, group)
            new = {group: old | {key: float(value)} if isinstance(old, dict) else replace(old, **{key: float(value)})}
        population = replace(population, **new)
    across = population.tip.along * START.tip.across / START.tip.along
    return replace(population, tip=replace(population.tip, across=across))


def parameters(population: Population, structure: str) -> NDArray[np.float64]:
    """The free parameters of one structure."""
    values = asdict(population)
    values |= values.pop("hands")
    return np.array([values[group][key] for group, key in (name.split(".") for name in FREE[structure])])


@cache
def frames_of(seed: int) -> list[Frame]:
    """The fourteen rendered frames of a study."""
    return study_frames(seed)


def only(frame: Frame, structures: Iterable[str]) -> Frame:
    """The frame without what is not asked for; the labels of the rest stay the same, and cost less."""
    absent = {"oolemma": "oolemma", "pipette": "pipette", "needle": "tip"}
    return replace(frame, **{field: None for name, field in absent.items() if name not in structures})


def table_1(population: Population, seed: int, structures: Iterable[str] = STRUCTURES) -> pd.DataFrame:
    """Table 1 of one simulated study: mean and SD by structure and kind."""
    frames = [only(frame, structures) for frame in frames_of(seed)]
    study = label_study(
        frames, annotator_team(seed, 5, population, matched=True), 5, seed, population=population, matched=True
    )
    tables = [
        distance_table(study.tips, name) if name == "needle" else iou_table(study.masks(name), name)
        for name in structures
    ]
    return summary(pd.concat(tables, ignore_index=True))


def misfit(found: pd.DataFrame) -> pd.DataFrame:
    """Each mean's and SD's distance from the published one in units of its tolerance."""
    rows = {}
    for structure, kind in found.index:
        row, key = found.loc[(structure, kind)], f"A.table1.{structure}.{kind}"
        mean = (row["mean"] - published(f"{key}.mean")) / TOLERANCE[row["unit"]]
        rows[structure, kind] = {"mean": mean, "sd": (row["sd"] / published(f"{key}.sd") - 1) / 0.25}
    return pd.DataFrame(rows).T


def fit(population: Population, structure: str) -> Population:
    """Least squares over the mean misfit of the fitting seeds; steps in the logarithm keep parameters positive."""

    def residuals(log_values: NDArray[np.float64]) -> NDArray[np.float64]:
        candidate = with_parameters(population, structure, np.exp(log_values))
        found = [misfit(table_1(candidate, seed, [structure])).to_numpy() for seed in FIT_SEEDS]
        print(np.exp(log_values).round(4), np.mean(found, axis=0).ravel().round(2), flush=True)
        return (np.mean(found, axis=0) * WEIGHT).ravel()

    start = np.log(parameters(population, structure))
    found = least_squares(residuals, start, diff_step=0.05, max_nfev=5, bounds=(start - 2.5, start + 1.2))
    print(structure, "weighted misfit in tolerances", np.round(found.fun, 2), flush=True)
    return with_parameters(population, structure, np.exp(found.x))


def report(population: Population) -> pd.DataFrame:
    """Misfit of every held-out seed, printed as the share of seeds that hold each cell and all of them."""
    cells = {seed: misfit(table_1(population, seed)).stack() for seed in track(list(HELD_OUT), "held-out seeds")}
    found = pd.DataFrame(cells).T
    print("mean misfit\n", found.mean().round(2), "\nlargest\n", found.abs().max().round(2))
    print(f"all twelve figures within tolerance on {(found.abs() <= 1).all(axis=1).mean():.0%} of {len(found)} seeds")
    return found


def rounded(values: dict) -> dict:
    """Parameters to four significant digits, so that the file reads well."""
    return {key: rounded(value) if isinstance(value, dict) else float(f"{value:.4g}") for key, value in values.items()}


def main() -> None:
    """Fit, write, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="report on the committed file without fitting")
    parser.add_argument("--only", choices=STRUCTURES, help="fit this structure again, keep the others of the file")
    choice = parser.parse_args()
    if choice.check:
        report(fitted_population())
        return
    population = fitted_population() if choice.only else START
    for structure in [choice.only] if choice.only else STRUCTURES:
        population = fit(with_parameters(population, structure, parameters(START, structure)), structure)
    content = {
        "about": "Fitted to paper A's Table 1 by scripts/fit_annotators.py; no measurement of any person.",
        "fit_seeds": list(FIT_SEEDS),
        "population": rounded(asdict(population)),
    }
    write_text_atomic(OUT, json.dumps(content, indent=1) + "\n")
    report(population)


if __name__ == "__main__":
    main()
