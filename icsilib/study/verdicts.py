"""Verdicts on the papers' claims, computed from published figures and from results files, never typed."""

import ast
import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import harmonic_mean
from typing import Any

from pydantic import ValidationError

from icsilib.stats.naive import welch_from_summary
from icsilib.study.claims import (
    Arithmetic,
    Authors,
    Built,
    Check,
    Claim,
    Ledger,
    Measured,
    Sample,
    Summary,
    Untestable,
    published,
)
from icsilib.study.provenance import Results, ResultsFile, Value, read_results

# Of a claim with several checks the first of these counts; an extension's outcome is shown and never counts.
VERDICTS = ("inconsistent", "differs", "open", "agrees", "by design", "fitted", "not testable", "extension")
_NO_AGREEMENT = {"design": "by design", "fitted": "fitted"}  # kind → what it is called in place of agreement
_OUTCOMES = {"agrees": "reached", "differs": "missed", "open": "cannot be decided"}
AUTHORS_CAVEAT = "The file is of 2019, eight months older than the submission."
Sources = Mapping[str, ResultsFile | Results]  # by notebook
Number = float | int | bool


@dataclass(frozen=True)
class Verdict:
    """The outcome of one check of one claim."""

    claim: Claim
    check: Check
    word: str  # one of VERDICTS
    found: Number | str | None = None  # what the check gave, in the claim's unit (a p-value for a summary)
    interval: tuple[float, float] | None = None
    data: str = ""  # data that `found` was measured on
    because: str = ""
    outcome: str = ""  # of an extension: whether it reaches the claim's figure
    cell: int | None = None  # that measured `found`

    @property
    def label(self) -> str:
        """The verdict with its data: a run on a phantom can agree, but only "on phantom data"."""
        if self.outcome:
            return f"extension: {self.outcome} on {self.data} data"
        if self.check.kind != "run" or self.word not in ("agrees", "differs"):
            return self.word
        return f"{self.word} on {self.data} data" if self.data else f"{self.word}, data not stated"


def load_results(folder: Path | str) -> dict[str, ResultsFile]:
    """Every results file of a folder under its notebook's name; an absent folder gives none."""
    found = {}
    for path in sorted(Path(folder).glob("*.json")):
        try:
            found[path.stem] = read_results(path)
        except (ValidationError, UnicodeDecodeError) as error:
            raise ValueError(f"{path}: not a results file; delete it and run its notebook again") from error
    return found


def judge_all(ledger: Ledger, results: Sources) -> list[Verdict]:
    """Verdicts of every check of every claim, in the ledger's order."""
    return [judge(claim, check, results) for claim in ledger.claims for check in claim.checks]


def claim_verdicts(ledger: Ledger, verdicts: Iterable[Verdict]) -> dict[str, Verdict]:
    """The verdict of each distinct claim, by the id that it is counted under: the least favourable of its checks.

    Claims that quote the same words, and those `counted_with` another, are one. Extensions do not count, nor do the
    authors' files of 2019, unless nothing else checks the claim.
    """
    first: dict[tuple[str, str], str] = {}
    for claim in ledger.claims:
        first.setdefault((claim.paper, claim.quote), claim.id)
    found: dict[str, list[Verdict]] = {}
    for each in verdicts:
        head = ledger.by_id[each.claim.counted_with] if each.claim.counted_with else each.claim
        found.setdefault(first[head.paper, head.quote], []).append(each)
    return {
        id: min(counting, key=lambda one: VERDICTS.index(one.word))
        for id, every in found.items()
        if (counting := [v for v in every if v.check.kind not in ("authors", "extension")] or every)
    }


def judge(claim: Claim, check: Check, results: Sources) -> Verdict:
    """Verdict of one check."""
    if isinstance(check, Untestable):
        return Verdict(claim, check, "not testable", because=check.why)
    if isinstance(check, Built):
        return Verdict(claim, check, "by design", because=check.note)
    if isinstance(check, Arithmetic):
        return _judge_arithmetic(claim, check)
    if isinstance(check, Authors):
        return _judge_authors(claim, check)
    if isinstance(check, Summary):
        return _judge_summary(claim, check)
    return _judge_measured(claim, check, results)


def _judge_arithmetic(claim: Claim, check: Arithmetic) -> Verdict:
    found = evaluate(check.expression)
    if isinstance(found, bool):
        return Verdict(claim, check, "agrees" if found else "inconsistent", found, because=check.note)
    if claim.value is None:
        raise ValueError(f"{claim.id}: {check.expression!r} gives a number but the claim states none")
    agrees = _agrees(found, claim.value, check.tolerance)
    return Verdict(claim, check, "agrees" if agrees else "inconsistent", found, because=check.note)


def _judge_authors(claim: Claim, check: Authors) -> Verdict:
    """Agrees if the authors' file has the claim's figure; it is older than the paper, so that it may just differ."""
    if claim.value is None:
        raise ValueError(f"{claim.id}: a check against the authors' files needs a figure in the claim")
    found = evaluate(check.expression)
    word = "agrees" if _agrees(found, claim.value, check.tolerance) else "differs"
    lines = f", line {check.lines}" if check.lines else ""
    parts = (f"{check.file}{lines}, commit {check.commit[:7]}.", check.note, AUTHORS_CAVEAT)
    return Verdict(claim, check, word, found, because=" ".join(filter(None, parts)))


def _judge_summary(claim: Claim, check: Summary) -> Verdict:
    """Agrees if the recomputed p-value lies on the claimed side for every assumed n, open if only for some."""
    if claim.value is None:
        raise ValueError(f"{claim.id}: a summary check needs the claimed bound on p as the claim's value")
    p_values = summary_p_values(check)
    sides = [(p > claim.value) == (check.expect == "above") for p in p_values]
    word = "agrees" if all(sides) else "open" if any(sides) else "inconsistent"
    sizes = "; ".join(
        f"n = {first} and {second}: p = {p:.3g}"
        for first, second, p in zip(check.first.n, check.second.n, p_values, strict=True)
    )
    return Verdict(claim, check, word, p_values[0], because=f"{sizes}. {check.note}".strip())


def summary_p_values(check: Summary) -> list[float]:
    """Two-sided p-values of a summary check, one for each assumed pair of n."""
    return [
        _welch(check.first, first, check.second, second)
        for first, second in zip(check.first.n, check.second.n, strict=True)
    ]


def _welch(a: Sample, n_a: int, b: Sample, n_b: int) -> float:
    return welch_from_summary(published(a.mean), published(a.sd), n_a, published(b.mean), published(b.sd), n_b).p


def _judge_measured(claim: Claim, check: Measured, results: Sources) -> Verdict:
    notebook, key = check.results.split(":")
    if notebook not in results:
        return Verdict(claim, check, "open", because=f"{key}: no results of {notebook} here; run that notebook")
    if key not in results[notebook].values:
        return Verdict(claim, check, "open", because=f"{key}: not among the results of {notebook}; run it in full")
    value = results[notebook].values[key]
    if value.value is None or isinstance(value.value, str) or math.isnan(value.value):
        return Verdict(
            claim, check, "open", value.value, data=value.data, because=f"{key}: {notebook} could not measure it"
        )
    wanted = evaluate(check.expected) if isinstance(check.expected, str) else check.expected
    wanted = claim.value if wanted is None else wanted
    if wanted is None and check.compare not in ("above", "equivalent"):
        word, because = ("agrees" if value.value else "differs"), check.note
    else:
        word, because = _by_interval(check, value, wanted or 0.0)
    outcome = _OUTCOMES[word] if check.kind == "extension" else ""
    word = "extension" if outcome else _NO_AGREEMENT.get(check.kind, word) if word == "agrees" else word
    return Verdict(claim, check, word, value.value, value.interval, value.data, because, outcome, value.cell)


def _by_interval(check: Measured, value: Value, wanted: float) -> tuple[str, str]:
    """Agrees if the whole interval lies where the check wants it, differs if none of it does; else it is open.

    What is measured on data, by a run or an extension, is open without an interval; what was built or fitted is judged
    by its figure.
    """
    least, most, place = _wanted(check, wanted)
    if check.kind not in ("run", "extension"):
        return ("agrees" if least <= float(value.value or 0) <= most else "differs"), check.note
    if value.interval is None:
        return "open", f"No interval was measured, so nothing is decided. {check.note}".strip()
    low, high = value.interval
    word = "agrees" if least <= low and high <= most else "differs" if low > most or high < least else "open"
    because = f"The interval is to lie {place}. {check.note}".strip()
    if word == "open":
        because += f" It lies there in part: {value.n or 'too few'} {value.n_of} cannot tell."
    return word, because


def _wanted(check: Measured, wanted: float) -> tuple[float, float, str]:
    """Where a figure is to lie, and that in words."""
    margin = float(evaluate(check.margin))
    slack = check.tolerance + 1e-9 * max(1.0, abs(wanted))  # decimal figures differ in their last binary digit
    match check.compare:
        case "at_least":
            return wanted - slack, math.inf, f"at {wanted:.4g} or above"
        case "at_most":
            return -math.inf, wanted + slack, f"at {wanted:.4g} or below"
        case "above":
            return margin, math.inf, f"above {margin:.3g}"
        case "equivalent":
            return -margin, margin, f"within ±{margin:.3g}"
    return wanted - slack, wanted + slack, f"within {check.tolerance:g} of {wanted:.4g}"


def _agrees(found: Number, wanted: Number, tolerance: float) -> bool:
    # Decimal figures differ in their last binary digit: 0.963 - 0.961 > 0.002.
    return abs(found - wanted) <= tolerance + 1e-9 * max(1.0, abs(wanted))


_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Pow: operator.pow, ast.USub: operator.neg, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge,
}  # fmt: skip
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sqrt": math.sqrt, "log10": math.log10, "ceil": math.ceil, "comb": math.comb, "harmonic_mean": harmonic_mean,
}  # fmt: skip


def evaluate(expression: str) -> Number:
    """Value of an arithmetic expression over claim ids, e.g. `B.data.images / B.throughput.model_s`.

    Only numbers, ids, + - * / **, one comparison and a few functions are understood: ValueError for anything else.

    >>> evaluate("2 * harmonic_mean([0.5, 1])") > 1.3
    True
    """
    return _value(ast.parse(expression, mode="eval").body, expression)


def fill(text: str) -> str:
    """Text in which `{expression:format}` is replaced by the value of the expression over published figures."""
    return re.sub(r"\{([^{}:]+):([^{}]*)\}", lambda place: format(evaluate(place[1].strip()), place[2]), text)


def _value(node: ast.AST, expression: str) -> Any:
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Attribute():
            return _whole(published(ast.unparse(node)))
        case ast.BinOp(left=left, op=op, right=right) | ast.Compare(left=left, ops=[op], comparators=[right]):
            if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](_value(left, expression), _value(right, expression))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, expression)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*_values(arguments, expression))
        case ast.List(elts=elements):
            return _values(elements, expression)
    raise ValueError(f"{expression!r}: {ast.unparse(node)!r} is not understood in an expression over claims")


def _values(nodes: Iterable[ast.AST], expression: str) -> list[Any]:
    return [_value(node, expression) for node in nodes]


def _whole(number: float) -> float | int:
    """Counts as integers, so that functions of integers take them."""
    return int(number) if number.is_integer() else number
