"""Fit the simulated embryologists to paper B's Table 1, and report how well held-out seeds hold it.

    python scripts/fit_embryologists.py            fit, write icsilib/phantoms/people/embryologists.json, report
    python scripts/fit_embryologists.py --check    report on the committed file without fitting

The fit searches for `fooled` and `loose`, the chance of being fooled by a look-alike and the looseness of the boxes,
with least squares on two residuals: mean precision and mean average recall of three readers against their own
consensus, less the published 0.925 and 0.642. Everything else in `START` is an assumption.
"""

import argparse
import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from icsilib.data.annotations import Dataset
from icsilib.detection.consensus import ALL, readers_against_consensus
from icsilib.files import write_text_atomic
from icsilib.phantoms.people.embryologists import (
    _FITTED,
    Readership,
    fitted_readership,
    label_dataset,
    team,
    unrendered_dataset,
)
from icsilib.study.claims import published

FIT_SEEDS, HELD_OUT = range(1000, 1004), range(2000, 2012)
IMAGES = 330  # of each seed: three times the published test set, so that chance weighs less
START = Readership(
    fooled=0.1,
    loose=0.08,
    miss={
        "normal": 0.04,
        "bent_tail": 0.10,
        "deformed": 0.12,
        "head_only": 0.15,
        "out_of_focus": 0.20,
        "occluded": 0.25,
    },
    lookalikes=0.5,
    spread=0.25,
)


@cache
def scenes(seed: int, images: int) -> Dataset:
    """True boxes of one seed."""
    return unrendered_dataset(seed, images)


def human_figures(readership: Readership, seeds: Iterable[int], images: int = IMAGES) -> NDArray[np.float64]:
    """(seeds, 2): mean precision and average recall of three readers against their own consensus."""
    found = []
    for seed in seeds:
        people = team(seed, readership=readership, matched=True)
        table = readers_against_consensus(label_dataset(scenes(seed, images), seed, people, readership))
        found.append(table.loc[table["against"] == ALL, ["precision", "ar"]].mean().to_numpy())
    return np.array(found, dtype=float)


def targets() -> NDArray[np.float64]:
    """The published precision and average recall of the embryologists."""
    return np.array([published("B.table1.human.map"), published("B.table1.human.ar")])


def fit(start: Readership) -> Readership:
    """Least squares over the logarithms of `fooled` and `loose`, which keeps both positive."""

    def residuals(logs: NDArray[np.float64]) -> NDArray[np.float64]:
        fooled, loose = np.exp(logs).tolist()
        return human_figures(replace(start, fooled=fooled, loose=loose), FIT_SEEDS).mean(axis=0) - targets()

    found = least_squares(residuals, np.log([start.fooled, start.loose]), diff_step=0.05, max_nfev=8)
    fooled, loose = (float(f"{value:.4g}") for value in np.exp(found.x))
    return replace(start, fooled=fooled, loose=loose)


def report(readership: Readership) -> None:
    """Print the held-out figures, for sets of the fit's size and of the published one."""
    for images in (IMAGES, 110):
        figures = human_figures(readership, HELD_OUT, images)
        mean, sd = figures.mean(axis=0), figures.std(axis=0, ddof=1)
        for name, target, middle, spread in zip(("precision", "AR"), targets(), mean, sd, strict=True):
            print(f"{images} images, {name}: {middle:.3f} (SD over seeds {spread:.3f}), published {target}")


def main() -> None:
    """Fit, write, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="report on the committed file without fitting")
    if parser.parse_args().check:
        return report(fitted_readership())
    readership = fit(START)
    about = "fooled and loose fitted to paper B's Table 1 by scripts/fit_embryologists.py; the rest is assumed."
    content = {"about": about, "fit_seeds": list(FIT_SEEDS), "readership": asdict(readership)}
    write_text_atomic(_FITTED, json.dumps(content, indent=1) + "\n")
    return report(readership)


if __name__ == "__main__":
    main()
