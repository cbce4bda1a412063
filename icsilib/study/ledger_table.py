"""The claims ledger as a table in a page, filtered and sorted by plain JavaScript, and its questions as text."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from icsilib.study.claims import Arithmetic, Built, Claim, Ledger, Measured, Question
from icsilib.study.evidence import place_of
from icsilib.study.verdicts import VERDICTS, Verdict, fill

KINDS = (
    "arithmetic",
    "summary",
    "construction",
    "run",
    "design",
    "built",
    "fitted",
    "extension",
    "authors",
    "untestable",
)

_HERE = Path(__file__).parent
_STYLE = f"\n<style>\n{(_HERE / 'ledger.css').read_text(encoding='utf-8')}</style>\n"
_SCRIPT = f"\n<script>\n{(_HERE / 'ledger.js').read_text(encoding='utf-8')}</script>\n"


def ledger_table(here: Sequence[Verdict], reference: Sequence[Verdict]) -> str:
    """HTML of the ledger, one row a check: published, this run, reference run, and links to what made them.

    `here` and `reference` are the same checks judged with the results of this run and of the reference run.
    """
    headings = "".join(
        f'<th scope="col"><button type="button">{name}</button></th>'
        for name in ("Claim", "Published", "Check", "This run", "Reference run", "Evidence")
    )
    seen: set[str] = set()
    rows = "".join(_row(one, other, seen) for one, other in zip(here, reference, strict=True))
    return (
        f'<div class="ledger">{_STYLE}{_controls()}<div class="scroll" tabindex="0" role="region" '
        f'aria-label="Claims ledger"><table><thead><tr>{headings}</tr></thead><tbody>{rows}</tbody></table></div>'
        f"{_SCRIPT}</div>"
    )


def _controls() -> str:
    choices = {"paper": ("A", "B"), "kind": KINDS, "verdict": VERDICTS}
    selects = "".join(
        f'<label>{name}<select data-filter="{name}"><option value="">all</option>'
        + "".join(f"<option>{choice}</option>" for choice in options)
        + "</select></label>"
        for name, options in choices.items()
    )
    search = '<label>words<input type="search" data-filter="text" placeholder="needle, Table 1, …"></label>'
    return f'<div class="controls">{search}{selects}<output aria-live="polite"></output></div>'


def _row(here: Verdict, reference: Verdict, seen: set[str]) -> str:
    claim, check = here.claim, here.check
    anchor = "" if claim.id in seen else f' id="claim-{claim.id}"'
    seen.add(claim.id)
    cells = (
        f'<td data-sort="{claim.id}"><span class="id">{claim.id}</span>{_quote(claim)}'
        f"{escape(claim.where)}</td><td>{escape(_published(claim))}</td><td>{check.kind}</td>"
        f"{_outcome(here)}{_outcome(reference, link=True)}<td>{_evidence(here)}</td>"
    )
    return f'<tr{anchor} data-paper="{claim.paper}" data-kind="{check.kind}" data-verdict="{here.word}">{cells}</tr>'


def _quote(claim: Claim) -> str:
    words = escape(claim.quote)
    return f"<span>{words}</span> (rebuilt from) " if claim.rebuilt else f"<q>{words}</q>"


def _published(claim: Claim) -> str:
    return "" if claim.value is None else f"{_number(claim.value)} {claim.unit}".strip()


def _outcome(verdict: Verdict, link: bool = False) -> str:
    interval = f" ({_number(verdict.interval[0])} to {_number(verdict.interval[1])})" if verdict.interval else ""
    found = "" if verdict.found is None else _number(verdict.found) + interval
    if verdict.check.kind == "summary":
        found = f"p = {found}"
    badge = f'<span class="verdict {verdict.word.split()[0]}">{escape(verdict.label)}</span>'
    text = escape(found)
    if link and found and isinstance(verdict.check, Measured):
        text = f'<a href="results/reference/{verdict.check.results.split(":")[0]}.json">{text}</a>'
    return f'<td data-sort="{verdict.word} {escape(found)}">{badge}<br>{text}</td>'


def _evidence(verdict: Verdict) -> str:
    check, note = verdict.check, escape(verdict.because)
    if isinstance(check, Arithmetic):
        return f"<code>{escape(check.expression)}</code> {note}"
    if isinstance(check, Built):
        return f"<code>{check.code}</code>, held to it by <code>{check.test}</code>. {note}"
    if not isinstance(check, Measured):
        return note
    results, key = check.results.split(":")
    if verdict.word == "open" and verdict.cell is None:  # nothing was measured
        return note
    if results.startswith("registered-"):  # scored once, by no chapter
        return f'<a href="results/reference/{results}.json">{escape(key)}</a>. {note}'
    near = f"within {check.tolerance:g} of" if check.tolerance else "exactly"
    sign = {"equal": near, "at_least": "at least", "at_most": "at most"}.get(check.compare)
    wanted = "" if verdict.claim.value is None or sign is None else f" Held to be {sign} the figure."
    place = place_of(results, key, verdict.cell).address
    return f'<a href="{place}">notebook</a>, <a href="results/{results}.json">{escape(key)}</a>.{wanted} {note}'


def _number(value: float | int | bool | str) -> str:
    if isinstance(value, bool):
        return "holds" if value else "does not hold"
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) >= 1000 else f"{value:.4g}"


def questions_text(ledger: Ledger, sort: str) -> str:
    """Markdown of the ledger's questions of one sort, paper A's before paper B's, with computed figures."""
    chosen = [question for question in ledger.questions if question.sort == sort]
    return "\n\n".join(_questions_of(paper, [each for each in chosen if each.id.startswith(paper)]) for paper in "AB")


def _questions_of(paper: str, questions: Sequence[Question]) -> str:
    return "\n\n".join([f"**Paper {paper}**", *(_entry(question) for question in questions)])


def _entry(question: Question) -> str:
    rows = ", ".join(f'<a href="#claim-{claim}"><code>{claim}</code></a>' for claim in question.claims)
    return f"**{question.title}.** {fill(question.text)} *Here:* {question.here} <small>Rows: {rows}</small>"
