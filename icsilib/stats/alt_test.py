"""The alternative annotator test: may a model stand in for a person? (Calderon, Reichart & Dror, ACL 2025)

Each person j is left out in turn. On each item, the model and person j are both scored by their mean similarity
to the remaining people; the model *wins* where it scores at least as well, and so does j. With ρ^f_j and ρ^h_j the
shares of items that model and person win, person j is beaten if a one-sided test rejects ρ^f_j ≤ ρ^h_j − ε, where ε
rewards the model for being cheap (0.2 for experts, 0.15 for skilled people, 0.1 for crowd workers). Over people the
false discovery rate is held by the Benjamini–Yekutieli procedure. The model passes if it beats at least half of them.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

MIN_ITEMS = 30  # below that the authors advise Wilcoxon's signed-rank test, and above all more items


@dataclass(frozen=True)
class AltTest:
    """Outcome; arrays are by person."""

    advantage: NDArray[np.float64]  # ρ^f_j: share of items on which the model is at least as good as person j
    p: NDArray[np.float64]
    beaten: NDArray[np.bool_]
    items: NDArray[np.int64]
    test: str  # "t" or "Wilcoxon"
    warning: str  # empty when there are enough items

    @property
    def winning_rate(self) -> float:
        """ω: share of people that the model beats."""
        return float(np.mean(self.beaten))

    @property
    def average_advantage(self) -> float:
        """ρ: mean of ρ^f_j, to compare models with one another."""
        return float(np.mean(self.advantage))

    @property
    def passes(self) -> bool:
        """ω ≥ 0.5."""
        return self.winning_rate >= 0.5


def leave_one_out_scores(similarity: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scores of the model and of each person against the remaining people, (A, N) each, NaN where j did not label.

    `similarity` (1 + A, 1 + A, N) holds the model first, then the people; larger is more alike (IoU, or minus the
    distance), NaN where one of the two did not label the item.
    """
    people = similarity.shape[0] - 1
    if people < 2:
        raise ValueError(f"the test needs at least 2 people beside the model, got {people}")
    model, human = (np.full((people, similarity.shape[2]), np.nan) for _ in range(2))
    for j in range(people):
        others = [1 + k for k in range(people) if k != j]
        both = ~np.isnan(similarity[1 + j, others]) & ~np.isnan(similarity[0, others])
        count = both.sum(axis=0)
        for score, row in ((model, similarity[0, others]), (human, similarity[1 + j, others])):
            total = np.where(both, row, 0.0).sum(axis=0)
            score[j] = np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)
    return model, human


def alt_test(
    model: NDArray[np.float64], human: NDArray[np.float64], epsilon: float, q: float = 0.05, min_items: int = MIN_ITEMS
) -> AltTest:
    """The test from scores (A, N) of `leave_one_out_scores`, at false discovery rate `q`."""
    labelled = ~np.isnan(model) & ~np.isnan(human)
    items = labelled.sum(axis=1)
    if (items < 2).any():
        raise ValueError(f"every person needs at least 2 items, got {items.tolist()}")
    enough = bool(items.min() >= min_items)
    advantage, p = np.empty(len(items)), np.empty(len(items))
    for j, chosen in enumerate(labelled):
        model_wins, human_wins = model[j, chosen] >= human[j, chosen], human[j, chosen] >= model[j, chosen]
        advantage[j] = model_wins.mean()
        p[j] = _one_sided_p(human_wins.astype(float) - model_wins - epsilon, enough)
    warning = "" if enough else (
        f"only {items.min()} items for a person: fewer than {min_items}, so Wilcoxon's test is used and its "
        "verdict is weak; label more items"
    )  # fmt: skip
    beaten = stats.false_discovery_control(p, method="by") <= q
    return AltTest(advantage, p, beaten, items, "t" if enough else "Wilcoxon", warning)


def _one_sided_p(values: NDArray[np.float64], enough: bool) -> float:
    """p-value against "the values' mean is not below 0"."""
    if np.ptp(values) == 0:
        return 0.0 if values[0] < 0 else 1.0
    if enough:
        return float(stats.ttest_1samp(values, 0.0, alternative="less").pvalue)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # scipy's note on ties; the outcome carries its own warning
        return float(stats.wilcoxon(values, alternative="less").pvalue)
