"""Coverage of every kind of interval in the book, and size of its tests of spread, in simulated studies.

    python scripts/interval_coverage.py [--studies 1000]

writes book/reference/interval_coverage.json, which the chapter on annotator variation prints. People err as the fitted
population does (`icsilib.phantoms.people.errors`); videos differ as those of the reference run did; patients as
`DetectorDesign` assumes. Every figure of a study is drawn anew: people, frames, videos, patients.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from numpy.typing import NDArray
from scipy import stats

from icsilib.data.structures import OF_INJECTIONS
from icsilib.phantoms.people.annotators import Population, fitted_population
from icsilib.phantoms.people.errors import disagreement, label_errors
from icsilib.stats import spread
from icsilib.stats.agreement import pair_table
from icsilib.stats.cells import pseudo_values
from icsilib.stats.coverage import group_coverage, share_held, study_of
from icsilib.stats.equivalence import model_against_people
from icsilib.stats.resampling import jackknife_ends
from icsilib.stats.variance import crossed_interval
from icsilib.study.provenance import Results, read_results

REFERENCE = Path(__file__).resolve().parents[1] / "book" / "reference"
PAPER = (5, 5, 14)  # people, rounds, frames
MANY = (5, 1, 240)  # of the second run of the chapter on people and model
Labels = NDArray[np.float64]
Row = dict[str, Any]


def people_rows(structure: str, studies: int, rng: np.random.Generator) -> Iterator[Row]:
    """Means, inter and intra, and their difference, in studies of the paper's design."""
    drawn = [study_of(label_errors(structure, PAPER, rng), disagreement) for _ in range(studies)]
    means = {kind: np.array([one[kind][1].mean() for one in drawn]) for kind in ("inter", "intra")}
    values = [{kind: pseudo_values(one[kind][0]) for kind in means} for one in drawn]
    for kind, found in means.items():
        ends = [crossed_interval(one[kind], log=True)[1:3] for one in values]
        yield _row(f"{structure}: mean, {kind}", PAPER, "crossed t, log scale", 0.95, ends, found.mean())
    ends = [crossed_interval(one["inter"] - one["intra"])[1:3] for one in values]
    truth = float(np.mean(means["inter"] - means["intra"]))
    yield _row(f"{structure}: inter − intra", PAPER, "crossed t", 0.95, ends, truth)


def model_row(structure: str, design: tuple[int, int, int], studies: int, rng: np.random.Generator) -> Row:
    """Model less people, where the model, always the same, errs as a person without habits who labels once."""
    ends, means, alike = [], [], without_habits(fitted_population())
    for _ in range(studies):
        people = label_errors(structure, design, rng)
        model = label_errors(structure, (1, 1, design[2]), rng, alike)
        own = disagreement(people, model).mean(axis=1)
        difference = model_against_people(own, study_of(people, disagreement)["inter"][0])
        means.append(difference.mean())
        ends.append(crossed_interval(difference, 0.90)[1:3])
    return _row(f"{structure}: model less people", design, "crossed t", 0.90, ends, float(np.mean(means)))


def _row(
    figure: str, design: tuple[int, int, int], method: str, level: float, ends: list[tuple[float, float]], truth: float
) -> Row:
    low, high = np.array(ends).T
    people, rounds, frames = design
    text = f"{people} people, {rounds} rounds, {frames} frames"
    return {"figure": figure, "design": text, "interval": method, "level": level} | share_held(
        (low <= truth) & (truth <= high)
    )


def video_rows(studies: int) -> Iterator[Row]:
    """Means over frames of as many videos as the reference run was tested on, which differ as those did."""
    table = pd.DataFrame(read_results(REFERENCE / "segmentation_evaluation.json").tables["by_video_id"])
    for structure in OF_INJECTIONS:
        scored = table.dropna(subset=[structure.column])
        counts = scored["frames" if structure.unit == "IoU" else "tips"].to_numpy()
        loss = scored[structure.column].to_numpy()
        loss = 1 - loss if structure.unit == "IoU" else loss
        held = group_coverage(loss * counts, counts, studies)
        design = f"{len(counts)} videos"
        about = {
            "figure": f"{structure.name}: mean over frames",
            "design": design,
            "interval": "jackknife t, log scale",
        }
        yield about | {"level": 0.95, "coverage": held, "studies": studies}


def detector_rows(studies: int, seed: int) -> Iterator[Row]:
    """Average precision, and recall with sperm taken as independent."""
    design = DetectorDesign()
    names = {"ap": ("average precision", "jackknife t, logit scale"), "recall": ("share of sperm found", "Wilson")}
    for name, held in detector_coverage(design, studies, seed).items():
        figure, method = names[name]
        yield {"figure": figure, "design": f"{design.patients} patients", "interval": method, "level": 0.95} | held


@dataclass(frozen=True)
class DetectorDesign:
    """A detector on images of several patients, who differ in how many sperm they have and how well they are seen."""

    patients: int = 30
    sperm: float = 4.0  # mean number a patient
    false: float = 6.0  # mean number of false detections a patient
    separation: float = 2.0  # of the scores of sperm from those of false detections, in their SD
    spread: float = 0.7  # SD between patients of the logarithm of both numbers, and of the separation


def detector_coverage(design: DetectorDesign, studies: int = 500, seed: int = 0) -> dict[str, dict[str, float]]:
    """Coverage (`share_held`) of the jackknife interval of average precision, "ap", and of Wilson's of "recall".

    Sperm are found where their score is above 1; Wilson's interval takes them as independent.
    """
    rng = np.random.default_rng(seed)
    truth = _detector_figures(*_detections(replace(design, patients=20_000), rng))
    held: dict[str, list[bool]] = {name: [] for name in truth}
    for _ in range(studies):
        patient, score, correct = _detections(design, rng)
        whole = _detector_figures(patient, score, correct)
        weight = (np.arange(design.patients)[:, None] != patient).astype(float)
        ends = {"ap": jackknife_ends(whole["ap"], average_precision(score, correct, weight), "logit")}
        wilson = stats.binomtest(round(whole["recall"] * correct.sum()), int(correct.sum())).proportion_ci(
            method="wilson"
        )
        ends["recall"] = wilson.low, wilson.high
        for name, (low, high) in ends.items():
            held[name].append(bool(low <= truth[name] <= high))
    return {name: share_held(np.array(one)) for name, one in held.items()}


def _detections(
    design: DetectorDesign, rng: np.random.Generator
) -> tuple[NDArray[np.int64], Labels, NDArray[np.bool_]]:
    """Patient, score and correctness of every detection; each sperm has one, be its score ever so low."""
    factors = np.exp(design.spread * rng.normal(size=(2, design.patients)) - design.spread**2 / 2)
    numbers = rng.poisson(np.array([[design.sperm], [design.false]]) * factors)
    patient = np.concatenate([np.repeat(np.arange(design.patients), number) for number in numbers])
    correct = np.arange(len(patient)) < numbers[0].sum()
    shift = design.separation + design.spread * rng.normal(size=design.patients)
    return patient, rng.normal(size=len(patient)) + np.where(correct, shift[patient], 0), correct


def _detector_figures(patient: NDArray[np.int64], score: Labels, correct: NDArray[np.bool_]) -> dict[str, Any]:
    return {"ap": average_precision(score, correct, np.ones(len(patient))), "recall": (score[correct] > 1).mean()}


def average_precision(score: Labels, correct: NDArray[np.bool_], weight: Labels) -> Labels:
    """Average precision (…) of N detections, one of each sperm among them, that count `weight` (…, N) times."""
    order = np.argsort(-score)
    weight, right = weight[..., order], weight[..., order] * correct[order]
    precision = np.cumsum(right, axis=-1) / np.maximum(np.cumsum(weight, axis=-1), 1)
    envelope = np.maximum.accumulate(precision[..., ::-1], axis=-1)[..., ::-1]
    return np.sum(envelope * right, axis=-1) / np.maximum(right.sum(axis=-1), 1)


def spread_rows(structure: str, studies: int, rng: np.random.Generator) -> Iterator[Row]:
    """Share of equal spreads that tests at the 5 % level call unequal: the F-test, and those of this study."""
    alike = without_habits(fitted_population())
    found: dict[str, list[float]] = {name: [] for name in ("inter", "inter F", "model", "model F")}
    for _ in range(studies):
        errors = label_errors(structure, PAPER, rng, alike)
        table = pairs_of(errors)
        found["inter"].append(spread.inter_against_intra(table, "x").p)
        sides = [table.loc[table["kind"] == kind, "value"] for kind in ("inter", "intra")]
        found["inter F"].append(f_test(*sides))
        errors = label_errors(structure, (PAPER[0] + 1, *PAPER[1:]), rng)
        once = errors[:, 0]
        found["model"].append(spread.model_against_people(disagreement(once[:, None], once[None]), 499).p)
        people = study_of(errors[:-1], disagreement)["inter"][1]
        found["model F"].append(f_test(disagreement(errors[:-1], errors[-1:, :1]), people))
    names = {"inter": "inter against intra", "model": "model against people"}
    for name, test in names.items():
        method = "crossed t of the log ratio" if name == "inter" else "places traded frame by frame"
        for key, way in ((f"{name} F", "F-test over pairs"), (name, method)):
            size = share_held(np.array(found[key]) <= 0.05)
            size["size"] = size.pop("coverage")
            yield {"comparison": f"{structure}: {test}", "test": way} | size


def without_habits(people: Population) -> Population:
    """People who differ from one another in nothing that lasts, so that inter and intra pairs have one law."""
    hands = {name: replace(hand, reading_rate=0.0) for name, hand in people.hands.items()}
    return replace(people, hands=hands, offset_spread=dict.fromkeys(people.offset_spread, 0.0), care_spread=0.0)


def pairs_of(errors: Labels) -> pd.DataFrame:
    """The tidy table of pairs of labels' errors (A, R, F, K)."""
    flat = errors.reshape(-1, *errors.shape[2:])
    matrices = (disagreement(flat[:, None, f], flat[None, :, f]) for f in range(flat.shape[1]))
    return pair_table(matrices, errors.shape[:2], "x", "any")


def f_test(a: Any, b: Any) -> float:
    """Two-sided p-value of the F-test of equal variances, which takes pairs as independent and normal."""
    law = stats.f(np.size(a) - 1, np.size(b) - 1)
    ratio = np.var(a, ddof=1) / np.var(b, ddof=1)
    return float(2 * min(law.cdf(ratio), law.sf(ratio)))


def simulate(studies: int, seed: int = 0) -> dict[str, list[Row]]:
    """Both tables."""
    rng = np.random.default_rng(seed)
    names = [structure.name for structure in OF_INJECTIONS]
    intervals = [row for name in names for row in people_rows(name, studies, rng)]
    intervals += [model_row(name, design, studies, rng) for design in (PAPER, MANY) for name in names]
    intervals += [*video_rows(studies), *detector_rows(studies, seed)]
    return {"intervals": intervals, "spread": [row for name in names for row in spread_rows(name, studies, rng)]}


def main(studies: Annotated[int, typer.Option(min=10)] = 1000, seed: int = 0) -> None:
    """Simulate and write the results file."""
    results = Results("interval_coverage", "simulation", seed, studies=studies)
    for name, rows in simulate(studies, seed).items():
        results.add_table(name, rows)
    results.write(REFERENCE / "interval_coverage.json")


if __name__ == "__main__":
    typer.run(main)
