"""The ledger is whole, and its verdicts follow from published figures and results files."""

import json
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter

from icsilib.study.claims import Built, Check, Claim, Ledger, Measured, Summary, load_ledger, published, read_margins
from icsilib.study.order import ROOT
from icsilib.study.provenance import Results
from icsilib.study.verdicts import (
    AUTHORS_CAVEAT,
    VERDICTS,
    Verdict,
    claim_verdicts,
    evaluate,
    fill,
    judge,
    judge_all,
    load_results,
)

LEDGER = load_ledger()
REFERENCE = sorted((ROOT / "book" / "reference").glob("*.json"))


def claim(value: float | None, **check: object) -> Claim:
    entry = {"id": "A.toy", "where": "§0", "quote": "a toy claim", "value": value, "checks": [check]}
    return Claim.model_validate(entry)


def verdict(toy: Claim, results: dict[str, Results] | None = None) -> Verdict:
    return judge(toy, toy.checks[0], results or {})


def measured(
    value: object, data: str = "phantom", interval: tuple[float, float] | str | None = "narrow"
) -> dict[str, Results]:
    """A result with the interval that is given, by default one without width."""
    results = Results("toy", "quick", seed=0)
    known = (value, value) if interval == "narrow" and isinstance(value, float) else None
    results.add("iou", value, data=data, interval=known if interval == "narrow" else interval)
    return {"toy": results}


def write_ledger(folder: Path, *entries: dict[str, object]) -> Path:
    path = folder / "claims.yaml"
    path.write_text(yaml.safe_dump({"claims": list(entries)}))
    return path


ENTRY = {"id": "A.x", "where": "§1", "quote": "some words", "checks": [{"kind": "untestable", "why": "a good reason"}]}


# ---------------------------------------------------------------- the ledger itself


def test_no_row_is_without_a_verdict() -> None:
    verdicts = judge_all(LEDGER, {})
    assert len(verdicts) == sum(len(entry.checks) for entry in LEDGER.claims)
    assert all(each.word in VERDICTS and (each.because or each.check.kind != "untestable") for each in verdicts)


def test_without_results_every_measured_claim_is_open_and_says_what_would_make_it() -> None:
    for each in judge_all(LEDGER, {}):
        if isinstance(each.check, Measured):
            assert each.word == "open"
            assert each.check.results.split(":")[0] in each.because


def test_questions_name_claims_of_the_ledger_and_their_figures_are_computed() -> None:
    for question in LEDGER.questions:
        assert set(question.claims) <= set(LEDGER.by_id), question.id
        assert "{" not in fill(question.text)


def test_samples_of_summary_checks_state_as_many_n_for_both_sides() -> None:
    summaries = [check for entry in LEDGER.claims for check in entry.checks if isinstance(check, Summary)]
    assert all(len(check.first.n) == len(check.second.n) > 0 for check in summaries)


@pytest.mark.parametrize("path", REFERENCE, ids=lambda path: path.stem)
def test_the_reference_run_holds_every_key_that_the_ledger_asks_of_it(path: Path) -> None:
    asked = {
        check.results.split(":")[1]
        for entry in LEDGER.claims
        for check in entry.checks
        if isinstance(check, Measured) and check.results.startswith(f"{path.stem}:")
    }
    assert asked <= set(json.loads(path.read_text())["values"])


def test_an_unknown_field_is_refused_by_file_and_entry(tmp_path: Path) -> None:
    path = write_ledger(tmp_path, ENTRY, ENTRY | {"id": "A.y", "verdict": "agrees"})
    with pytest.raises(ValueError, match=r"claims\.yaml: A\.y: verdict"):
        load_ledger(path)


def test_an_id_used_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"more than once: A\.x"):
        load_ledger(write_ledger(tmp_path, ENTRY, ENTRY))


def test_unknown_claims_have_no_published_figure() -> None:
    assert published("A.table1.oolemma.inter.mean") == 0.960
    with pytest.raises(KeyError, match=r"A\.table1\.oocyte"):
        published("A.table1.oocyte")


# ---------------------------------------------------------------- verdicts


@pytest.mark.parametrize(
    ("value", "expression", "word"),
    [
        (7, "1 + 2 * 3", "agrees"),
        (8, "1 + 2 * 3", "inconsistent"),
        (None, "B.table1.model.map < B.table1.human.map", "agrees"),
        (None, "B.table1.model.map > B.table1.human.map", "inconsistent"),
    ],
)
def test_arithmetic(value: float | None, expression: str, word: str) -> None:
    assert verdict(claim(value, kind="arithmetic", expression=expression)).word == word


def test_the_printed_rounding_is_allowed_and_no_more() -> None:
    rounded = {"kind": "arithmetic", "expression": "1000 / 70.2", "tolerance": 0.5}  # 14.245
    assert verdict(claim(14, **rounded)).word == "agrees"
    assert verdict(claim(13, **rounded)).word == "inconsistent"


def test_a_difference_equal_to_the_tolerance_agrees_despite_binary_digits() -> None:
    run = claim(0.961, kind="run", results="toy:iou", tolerance=0.002)
    assert verdict(run, measured(0.963)).word == "agrees"
    assert verdict(run, measured(0.9631)).word == "differs"


@pytest.mark.parametrize(
    ("compare", "below", "above"), [("at_least", "differs", "agrees"), ("at_most", "agrees", "differs")]
)
def test_one_sided_comparisons(compare: str, below: str, above: str) -> None:
    run = claim(0.961, kind="run", results="toy:iou", compare=compare)
    assert [verdict(run, measured(value)).word for value in (0.9, 0.98)] == [below, above]


STRADDLING = [("at_least", 0.95, 0.97), ("at_most", 0.95, 0.97), ("equal", 0.960, 0.964)]


@pytest.mark.parametrize(("compare", "low", "high"), STRADDLING)
def test_a_run_whose_interval_straddles_the_claim_is_open_as_the_page_says(
    compare: str, low: float, high: float
) -> None:
    run = claim(0.961, kind="run", results="toy:iou", compare=compare, tolerance=0.001)
    assert verdict(run, measured(0.9615, interval=(low, high))).word == "open"
    assert verdict(run, measured(0.9615, interval=None)).word == "open"


@pytest.mark.parametrize(("kind", "word"), [("design", "by design"), ("fitted", "fitted")])
def test_what_was_built_or_fitted_to_the_figure_never_agrees(kind: str, word: str) -> None:
    made = claim(0.961, kind=kind, results="toy:iou")
    assert [verdict(made, measured(value)).word for value in (0.961, 0.9)] == [word, "differs"]


def test_an_extension_shows_its_outcome_and_does_not_count() -> None:
    run = {"kind": "run", "results": "toy:iou", "compare": "at_least"}
    entry = claim(0.961, **run).model_dump() | {"checks": [run, run | {"kind": "extension"}]}
    ledger = Ledger(claims=(Claim.model_validate(entry),))
    results = measured(0.97)
    verdicts = judge_all(ledger, results)
    assert verdicts[1].label == "extension: reached on phantom data"
    assert claim_verdicts(ledger, verdicts[1:])["A.toy"].word == "extension"  # nothing else to count
    assert claim_verdicts(ledger, judge_all(ledger, measured(0.9)))["A.toy"].word == "differs"


def test_claims_are_counted_once_by_the_least_favourable_of_their_checks() -> None:
    holds, fails = ({"kind": "arithmetic", "expression": text} for text in ("1 < 2", "1 > 2"))
    words = {"A.a": [holds], "A.b": [holds, fails], "A.c": [holds]}
    claims = [{"id": id, "where": "§1", "quote": "same words", "checks": checks} for id, checks in words.items()]
    claims[2] |= {"quote": "other words", "counted_with": "A.b"}
    ledger = Ledger(claims=tuple(Claim.model_validate(each) for each in claims))
    counted = claim_verdicts(ledger, judge_all(ledger, {}))
    assert {id: one.word for id, one in counted.items()} == {"A.a": "inconsistent"}


def test_what_is_built_by_design_names_code_and_test_that_exist() -> None:
    for check in (check for entry in LEDGER.claims for check in entry.checks if isinstance(check, Built)):
        file, name = check.test.split("::")
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), check.test
        module, _, attribute = check.code.rpartition(".")
        source = (ROOT / module.replace(".", "/")).with_suffix(".py").read_text(encoding="utf-8")
        assert f"def {attribute}(" in source or f"class {attribute}(" in source, check.code


def test_what_is_expected_may_follow_from_published_figures() -> None:
    run = claim(None, kind="run", results="toy:iou", compare="at_least", expected="B.data.images / 25")  # 28.08
    assert [verdict(run, measured(value)).word for value in (28.0, 28.1)] == ["differs", "agrees"]


def test_a_sentence_is_held_against_a_yes_or_no() -> None:
    run = claim(None, kind="run", results="toy:iou")
    assert [verdict(run, measured(value)).word for value in (True, False)] == ["agrees", "differs"]


@pytest.mark.parametrize("results", [{}, measured(None), measured("not run"), {"toy": Results("toy", "quick", 0)}])
def test_what_was_not_measured_stays_open(results: dict[str, Results]) -> None:
    assert verdict(claim(0.961, kind="run", results="toy:iou"), results).word == "open"


def test_a_verdict_names_the_data_that_it_is_of() -> None:
    run = claim(0.961, kind="run", results="toy:iou", compare="at_least")
    on_phantom, on_real = verdict(run, measured(0.97)), verdict(run, measured(0.97, data="SVIA"))
    assert on_phantom.label == "agrees on phantom data"
    assert on_real.label == "agrees on SVIA data"


def test_changing_a_results_file_changes_the_verdict(tmp_path: Path) -> None:
    oolemma = LEDGER.by_id["A.model.oolemma.iou.mean"]
    words = []
    for value in (0.97, 0.90):
        results = Results("registered-videos", "quick", seed=0)
        results.add("oolemma.iou.mean", value, data="phantom", interval=(value - 0.001, value + 0.001))
        results.write(tmp_path / "registered-videos.json")
        words.append(judge(oolemma, oolemma.checks[0], load_results(tmp_path)).word)
    assert words == ["agrees", "differs"]


def test_a_broken_results_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "toy.json").write_text('{"notebook": "toy", ')
    with pytest.raises(ValueError, match=r"toy\.json: not a results file; delete it"):
        load_results(tmp_path)


# ---------------------------------------------------------------- recomputed from summaries


@pytest.mark.parametrize(("structure", "p"), [("oolemma", 0.51), ("pipette", 0.71), ("needle", 0.85)])
def test_welch_from_the_published_figures_at_n_1000_and_140(structure: str, p: float) -> None:
    entry = LEDGER.by_id[f"A.model.no_difference.{structure}"]
    assert judge(entry, entry.checks[0], {}).found == pytest.approx(p, abs=0.005)


@pytest.mark.parametrize(("expect", "word"), [("above", "open"), ("below", "open")])
def test_a_conclusion_that_hangs_on_the_assumed_n_is_open(expect: str, word: str) -> None:
    pipette = {"mean": "A.model.pipette.iou.mean", "sd": "A.model.pipette.iou.sd"}
    oolemma = {"mean": "A.model.oolemma.iou.mean", "sd": "A.model.oolemma.iou.sd"}
    check = {"kind": "summary", "first": pipette | {"n": (3, 50000)}, "second": oolemma | {"n": (3, 50000)}}
    assert verdict(claim(0.05, **check, expect=expect)).word == word


def test_equal_means_give_a_p_value_of_one() -> None:
    sample = {"mean": "A.model.oolemma.iou.mean", "sd": "A.model.oolemma.iou.sd", "n": (50,)}
    check = claim(0.05, kind="summary", first=sample, second=sample, expect="above")
    assert verdict(check).found == pytest.approx(1)


@pytest.mark.parametrize(
    ("interval", "word"),
    [
        ((-0.9, 0.9), "agrees"),
        ((-0.9, 1.1), "open"),  # zero within, and values beyond the margin: too few frames
        ((0.5, 1.1), "open"),  # surely above zero, yet perhaps by less than the margin
        ((1.1, 2.0), "differs"),
        ((-2.0, -1.1), "differs"),
        (None, "open"),
    ],
)
def test_equivalence_is_judged_by_the_whole_interval(interval: tuple[float, float] | None, word: str) -> None:
    assert judged_by_interval("equivalent", "10 / 10", interval).word == word


@pytest.mark.parametrize(
    ("interval", "word"), [((0.1, 0.2), "agrees"), ((-0.1, 0.2), "open"), ((-0.2, -0.1), "differs"), (None, "open")]
)
def test_a_difference_is_there_if_its_whole_interval_is(interval: tuple[float, float] | None, word: str) -> None:
    found = judged_by_interval("above", "0", interval)
    assert found.word == word
    assert ("14 frames cannot tell" in found.because) == (word == "open" and interval is not None)
    assert ("No interval was measured" in found.because) == (interval is None)


@pytest.mark.parametrize("compare", ["equal", "at_least", "at_most"])
def test_a_figure_that_is_no_number_leaves_the_claim_open(compare: str) -> None:
    run = claim(0.961, kind="run", results="toy:iou", compare=compare)
    found = verdict(run, measured(float("nan")))
    assert (found.word, found.because) == ("open", "iou: toy could not measure it")


def test_a_fact_that_is_no_number_is_not_taken_for_true() -> None:
    assert verdict(claim(None, kind="run", results="toy:iou"), measured(float("nan"))).word == "open"


def judged_by_interval(compare: str, margin: str, interval: tuple[float, float] | None) -> Verdict:
    results = Results("toy", "quick", seed=0)
    results.add("difference", 0.0, interval=interval, data="simulated", n=14, n_of="frames")
    return verdict(claim(None, kind="run", results="toy:difference", compare=compare, margin=margin), {"toy": results})


@pytest.mark.parametrize("structure", ["oolemma", "pipette", "needle"])
def test_the_ledgers_margins_are_those_stated_beforehand(structure: str) -> None:
    checks = [check for check in LEDGER.by_id["A.abstract.comparable"].checks if isinstance(check, Measured)]
    (margin,) = (check.margin for check in checks if check.results.endswith(f":{structure}.difference"))
    assert evaluate(margin) == pytest.approx(read_margins().margin(structure))


def test_near_human_is_within_the_margin_stated_beforehand() -> None:
    (check,) = LEDGER.by_id["B.abstract.near_human"].checks
    assert isinstance(check, Measured)
    assert evaluate(check.margin) == pytest.approx(-evaluate(read_margins().precision)) == pytest.approx(-0.075)


# ---------------------------------------------------------------- expressions


def test_expressions_over_claims() -> None:
    assert evaluate("harmonic_mean([B.table1.model.map, B.table1.model.ar])") == pytest.approx(
        2 * 0.741 * 0.376 / 1.117
    )
    assert evaluate("comb(A.data.labellers, 2)") == 10
    assert fill("{B.data.images / 10:.0f} of {B.data.images:.0f} images") == "70 of 702 images"


@pytest.mark.parametrize("text", ["__import__('os')", "open('x')", "x", "1 if 2 else 3", "'a' + 'b'", "1 < 2 < 3"])
def test_nothing_but_arithmetic_is_evaluated(text: str) -> None:
    with pytest.raises(ValueError, match="not understood"):
        evaluate(text)


def test_check_kinds_are_told_apart() -> None:
    adapter: TypeAdapter[Check] = TypeAdapter(Check)
    with pytest.raises(ValueError, match=r"does not match any of the expected tags"):
        adapter.validate_python({"kind": "belief", "why": "because it must be so"})


@pytest.mark.parametrize(("expression", "word"), [("8 * 1000 + 28", "differs"), ("8732", "agrees")])
def test_a_figure_is_held_against_the_authors_files(expression: str, word: str) -> None:
    found = verdict(
        claim(8732, kind="authors", file="a.config", lines="3-4", commit="e5e21a7", expression=expression, note="So.")
    )
    assert found.word == word
    assert found.because == "a.config, line 3-4, commit e5e21a7. So. " + AUTHORS_CAVEAT


def test_a_check_against_the_authors_files_needs_a_figure_and_a_commit() -> None:
    with pytest.raises(ValueError, match="needs a figure"):
        verdict(claim(None, kind="authors", file="a.config", commit="e5e21a7", expression="1"))
    with pytest.raises(ValueError, match="commit"):
        claim(1, kind="authors", file="a.config", commit="master", expression="1")
