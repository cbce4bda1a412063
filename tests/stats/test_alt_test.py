"""The alternative annotator test against its authors' published figures and cases by hand."""

import numpy as np
import pytest
from scipy import stats

from icsilib.stats.alt_test import alt_test, leave_one_out_scores

# MT-Bench as the authors use it (github.com/nitaytech/AltTest, data/mtbench; people's judgments: lmsys, CC BY 4.0).
# One line a comparison of two chatbots, two turns each: which is better, a, b or t (tie), by the people author_0,
# author_4 and expert_24 and by the models gemini_flash and gemini_pro; - where a person did not judge.
MT_BENCH = """
-- at ab bb bb|-- bb bb bb bb|-- tt aa bb bb|-- bb bb bb bb|-- ta ta bb bb|-- ta ta bb aa|ta aa -- aa aa|-- tt bb aa tt
tt tt -- aa aa|tt -- tt bb tt|tt -- tt aa aa|-- tt tt aa bb|-- bt bt bb bb|-- ta tt aa aa|-- ta tt tt tt|tt bb -- bb bb
bb -- bb bb bb|bb -- bb aa aa|bb bb -- aa aa|aa -- aa aa aa|bt bt -- aa ab|-- aa at aa ba|-- tb tt bb tb|aa -- aa aa aa
aa -- aa aa aa|-- aa aa aa aa|ta aa -- aa aa|tb tb -- bb bb|-- bb bb bb bb|bb bb -- bb bb|bt bb -- bb bb|tt aa tb bb aa
-- aa aa aa aa|aa aa -- aa aa|aa -- aa aa aa|aa aa -- aa aa|bb ba ab bb bb|-- ba ta aa aa|bb -- tb bb aa|tb bb -- bb bb
bt -- bb bb bb|tb -- tt bb bb|ta tt -- bb bb|ba aa -- ba aa|-- ab tt bb bb|-- bb tb bb bb|tt -- ta bb ab|tt -- aa aa bb
bb -- bb bb bb|-- bt ta bb bb|aa aa -- ab aa|ta ba ba bb aa|ab aa -- aa aa|-- ba ba bb aa|bb -- tb ba bb|-- bt tb bb bb
-- ab ab bb bb|bt -- bb bb bb|bb -- bb bb bb|bt -- bt aa aa
"""
PUBLISHED = {"gemini_flash": (0.00, 0.72), "gemini_pro": (0.00, 0.76)}  # ω and ρ at ε = 0.2, alt_test_example.ipynb


def mt_bench():
    comparisons = [line.split() for line in MT_BENCH.replace("\n", "|").split("|") if line]
    judgments = np.array([[list(turns) for turns in line] for line in comparisons])  # (comparison, judge, turn)
    return judgments.transpose(1, 0, 2).reshape(5, -1)


def sameness(judgments):
    """1 where two judges say the same, 0 where not, NaN where one is silent: mean accuracy is the authors' ACC."""
    silent = judgments == "-"
    same = (judgments[:, None] == judgments[None]).astype(float)
    same[silent[:, None] | silent[None]] = np.nan
    return same


@pytest.mark.parametrize(("name", "row"), [("gemini_flash", 3), ("gemini_pro", 4)])
def test_published_figures(name, row):
    judgments = mt_bench()
    assert judgments.shape[1] == 120
    outcome = alt_test(*leave_one_out_scores(sameness(judgments[[row, 0, 1, 2]])), epsilon=0.2)
    winning_rate, advantage = PUBLISHED[name]
    assert round(outcome.winning_rate, 2) == winning_rate
    assert round(outcome.average_advantage, 2) == advantage
    assert outcome.items.min() >= 30
    assert (outcome.test, outcome.warning, outcome.passes) == ("t", "", False)


def test_scores_by_hand():
    # one item; the model is 0.9, 0.6, 0.3 like the people; people 0 and 1 are 0.5 alike, 0–2 0.7, 1–2 NaN
    similarity = np.array([
        [1, 0.9, 0.6, 0.3], [0.9, 1, 0.5, 0.7], [0.6, 0.5, 1, np.nan], [0.3, 0.7, np.nan, 1],
    ])[:, :, None]  # fmt: skip
    model, human = leave_one_out_scores(similarity)
    assert model[:, 0] == pytest.approx([0.45, 0.9, 0.9])
    assert human[:, 0] == pytest.approx([0.6, 0.5, 0.7])


def test_p_values_are_scipys():
    rng = np.random.default_rng(0)
    model, human = rng.random((2, 3, 50))
    outcome = alt_test(model, human, epsilon=0.15)
    wins = (human[0] >= model[0]).astype(float) - (model[0] >= human[0])
    assert outcome.p[0] == pytest.approx(stats.ttest_1samp(wins, 0.15, alternative="less").pvalue)
    assert outcome.advantage[0] == pytest.approx(np.mean(model[0] >= human[0]))


def test_a_model_that_is_always_better_beats_everyone():
    outcome = alt_test(np.ones((4, 40)), np.zeros((4, 40)), epsilon=0.0)
    assert (outcome.winning_rate, outcome.average_advantage, outcome.passes) == (1.0, 1.0, True)
    assert not alt_test(np.zeros((4, 40)), np.ones((4, 40)), epsilon=0.2).beaten.any()


def test_ties_count_for_both():
    outcome = alt_test(np.ones((3, 40)), np.ones((3, 40)), epsilon=0.1)
    assert outcome.average_advantage == 1.0
    assert outcome.passes  # the model loses nothing, and is cheaper by ε


def test_fourteen_frames_carry_a_warning():
    rng = np.random.default_rng(1)
    outcome = alt_test(*rng.random((2, 5, 14)), epsilon=0.2)
    assert outcome.test == "Wilcoxon"
    assert "only 14 items" in outcome.warning


def test_too_few_people_or_items():
    with pytest.raises(ValueError, match="at least 2 people"):
        leave_one_out_scores(np.ones((2, 2, 5)))
    with pytest.raises(ValueError, match="at least 2 items"):
        alt_test(np.ones((2, 1)), np.ones((2, 1)), epsilon=0.1)
