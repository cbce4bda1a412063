"""What the papers contradict or leave open, as text for a page."""

from collections.abc import Sequence

from icsilib.study.claims import Ledger, Question
from icsilib.study.verdicts import fill


def questions_text(ledger: Ledger, sort: str) -> str:
    """Markdown of the ledger's questions of one sort, paper A's before paper B's, with computed figures."""
    chosen = [question for question in ledger.questions if question.sort == sort]
    return "\n\n".join(_paper(paper, [each for each in chosen if each.id.startswith(paper)]) for paper in "AB")


def _paper(paper: str, questions: Sequence[Question]) -> str:
    return "\n\n".join([f"**Paper {paper}**", *(_entry(question) for question in questions)])


def _entry(question: Question) -> str:
    rows = ", ".join(f'<a href="#claim-{claim}"><code>{claim}</code></a>' for claim in question.claims)
    return f"**{question.title}.** {fill(question.text)} *Here:* {question.here} <small>Rows: {rows}</small>"
