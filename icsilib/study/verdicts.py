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

VERDICTS = ("agrees", "differs", "inconsistent", "open", "not testable")
SYNTHETIC = ("phantom", "simulated")
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
    cell: int | None = None  # that measured `found`

    @property
    def label(self) -> str:
        """The verdict with its data: a run on a phantom can agree, but only "on phantom data"."""
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


def judge(claim: Claim, check: Check, results: Sources) -> Verdict:
    """Verdict of one check."""
    if isinstance(check, Untestable):
        return Verdict(claim, check, "not testable", because=check.why)
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
    agrees = _agrees(found, claim.value, "equal", check.tolerance)
    return Verdict(claim, check, "agrees" if agrees else "inconsistent", found, because=check.note)


def _judge_authors(claim: Claim, check: Authors) -> Verdict:
    """Agrees if the authors' file has the claim's figure; it is older than the paper, so that it may just differ."""
    if claim.value is None:
        raise ValueError(f"{claim.id}: a check against the authors' files needs a figure in the claim")
    found = evaluate(check.expression)
    word = "agrees" if _agrees(found, claim.value, "equal", check.tolerance) else "differs"
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
    if check.compare in ("above", "equivalent"):
        return _judge_interval(claim, check, value)
    wanted = evaluate(check.expected) if isinstance(check.expected, str) else check.expected
    wanted = claim.value if wanted is None else wanted
    agrees = bool(value.value) if wanted is None else _agrees(value.value, wanted, check.compare, check.tolerance)
    word = "agrees" if agrees else "differs"
    return Verdict(claim, check, word, value.value, value.interval, value.data, check.note, value.cell)


def _judge_interval(claim: Claim, check: Measured, value: Value) -> Verdict:
    """A figure agrees if its interval lies where the check wants it, differs if wholly elsewhere; else it is open."""
    margin = float(evaluate(check.margin))
    least, most = (margin, math.inf) if check.compare == "above" else (-margin, margin)
    low, high = value.interval or (-math.inf, math.inf)
    word = "agrees" if least <= low and high <= most else "differs" if low > most or high < least else "open"
    place = f"above {margin:.3g}" if check.compare == "above" else f"within ±{margin:.3g}"
    because = f"The interval is to lie {place}. {check.note}"
    if word == "open":
        because += f" It lies there in part: {value.n or 'too few'} {value.n_of} cannot tell."
    return Verdict(claim, check, word, value.value, value.interval, value.data, because, value.cell)


def _agrees(found: Number, wanted: Number, compare: str, tolerance: float) -> bool:
    # Decimal figures differ in their last binary digit: 0.963 - 0.961 > 0.002.
    slack = tolerance + 1e-9 * max(1.0, abs(wanted))
    if compare == "at_least":
        return found >= wanted - slack
    if compare == "at_most":
        return found <= wanted + slack
    return abs(found - wanted) <= slack


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
