"""The claims ledger: what both papers state, each with the way in which it is checked.

`book/claims.yaml` holds the statements and the checks, `book/questions.yaml` what the papers contradict or
leave open. Neither holds a verdict: verdicts are computed from the published figures and from results
files by `icsilib.study.verdicts`.
"""

from functools import cache
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from icsilib.study.provenance import ROOT

LEDGER = ROOT / "book" / "claims.yaml"
QUESTIONS = ROOT / "book" / "questions.yaml"
MARGINS = ROOT / "book" / "margins.yaml"
CLAIM_ID = r"^[AB](\.[a-z][a-z0-9_]*)+$"
RESULTS_KEY = r"^[a-z][a-z0-9_-]*:[A-Za-z][\w./@-]*$"  # notebook:key


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


_Entry = TypeVar("_Entry", bound=_Strict)


class Arithmetic(_Strict):
    """Follows from other published figures: `expression` over claim ids must give the claim's value."""

    kind: Literal["arithmetic"]
    expression: str  # a number that must equal the claim's, or a comparison that must hold
    tolerance: float = Field(default=0, ge=0)  # absolute, in the claim's unit; the printed rounding
    note: str = ""


class Sample(_Strict):
    """A published mean and standard deviation (claim ids) and the n assumed for them."""

    mean: str = Field(pattern=CLAIM_ID)
    sd: str = Field(pattern=CLAIM_ID)
    n: tuple[int, ...]  # one or several assumptions, since the papers do not state n


class Summary(_Strict):
    """Recomputed from published means, SDs and n: does Welch's test give p above (or below) the claim's value?"""

    kind: Literal["summary"]
    first: Sample
    second: Sample
    expect: Literal["above", "below"]
    note: str = ""


class Measured(_Strict):
    """Compared with a results file.

    `construction` is a fact about a tool or the network as built, `run` a measurement of the paper's method on stated
    data. The others never count as agreement: `design` was built to the claim's figure, `fitted` was fitted to it,
    `extension` is measured with what this study added to the method.
    """

    kind: Literal["construction", "run", "design", "fitted", "extension"]
    results: str = Field(pattern=RESULTS_KEY)
    expected: float | str | None = None  # where the results key's figure is not the claim's own; or an expression
    compare: Literal["equal", "at_least", "at_most", "above", "equivalent"] = "equal"
    tolerance: float = Field(default=0, ge=0)  # absolute, in the claim's unit
    margin: str = "0"  # an expression; `above` wants a figure's whole interval above it, `equivalent` within ± it
    note: str = ""


class Built(_Strict):
    """Built as the paper says it: `code` is the class or function, `test` what holds it to that. It never agrees."""

    kind: Literal["built"]
    code: str = Field(pattern=r"^icsilib(\.\w+)+$")
    test: str = Field(pattern=r"^tests/[\w/]+\.py::\w+$")
    note: str = ""


class Authors(_Strict):
    """Held against a file that the authors published: `expression` is what stands there, in the claim's unit."""

    kind: Literal["authors"]
    file: str = Field(min_length=3)  # path in the authors' repository
    lines: str = Field(default="", pattern=r"^(\d+(-\d+)?)?$")  # none in a file that is no text
    commit: str = Field(pattern=r"^[0-9a-f]{7,40}$")
    expression: str  # a number, or an expression over claim ids
    tolerance: float = Field(default=0, ge=0)  # absolute, in the claim's unit
    note: str = ""


class Untestable(_Strict):
    """Nothing in this study can check it; `why` says so in one sentence."""

    kind: Literal["untestable"]
    why: str = Field(min_length=10)


Check = Annotated[Arithmetic | Summary | Measured | Built | Authors | Untestable, Field(discriminator="kind")]


class Claim(_Strict):
    """One number or checkable sentence of a paper."""

    id: str = Field(pattern=CLAIM_ID)
    where: str = Field(min_length=1)  # section or table
    quote: str = Field(min_length=3, max_length=120)
    rebuilt: bool = False  # the quote is put together, from a table or around a gap; the paper has other words
    counted_with: str = ""  # id of the claim that says the same; of a sentence with one quote it need not be named
    value: float | None = None  # None only for a sentence that states no figure
    unit: str = ""
    checks: tuple[Check, ...] = Field(min_length=1)

    @property
    def paper(self) -> str:
        """A (He et al. 2020) or B (Wu et al. 2021)."""
        return self.id[0]


class Question(_Strict):
    """Something that a paper contradicts or leaves open, and what the study does about it."""

    id: str = Field(pattern=CLAIM_ID)
    sort: Literal["contradiction", "open"]
    title: str
    claims: tuple[str, ...]  # ids of the claims concerned
    text: str  # what the papers say, and why it does not fit; `{expression:format}` is computed from the claims
    here: str  # what this study does about it


class Ledger(_Strict):
    """Content of `book/claims.yaml` and `book/questions.yaml`."""

    claims: tuple[Claim, ...]
    questions: tuple[Question, ...] = ()

    @property
    def by_id(self) -> dict[str, Claim]:
        """Claims under their ids."""
        return {claim.id: claim for claim in self.claims}


def load_ledger(claims: Path = LEDGER, questions: Path = QUESTIONS) -> Ledger:
    """Read and validate the ledger; ValueError names the file and the faulty entry."""
    ledger = Ledger(claims=_read(claims, "claims", Claim), questions=_read(questions, "questions", Question))
    ids = [claim.id for claim in ledger.claims] + [question.id for question in ledger.questions]
    if unknown := sorted({claim.counted_with for claim in ledger.claims} - {"", *ids}):
        raise ValueError(f"{claims}: counted_with names {', '.join(unknown)}, which is no claim; correct it")
    if twice := sorted({each for each in ids if ids.count(each) > 1}):
        raise ValueError(f"{claims}: id used more than once: {', '.join(twice)}; rename one of each")
    return ledger


def _read(path: Path, heading: str, kind: type[_Entry]) -> tuple[_Entry, ...]:
    entries = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get(heading, [])
    checked = []
    for number, entry in enumerate(entries, start=1):
        try:
            checked.append(kind.model_validate(entry))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            name = entry.get("id", f"number {number}") if isinstance(entry, dict) else f"number {number}"
            raise ValueError(f"{path}: {name}: {place}: {first['msg']}; correct that entry") from error
    return tuple(checked)


@cache
def published_values() -> dict[str, float]:
    """Every published figure under its claim id."""
    return {claim.id: float(claim.value) for claim in load_ledger().claims if claim.value is not None}


def published(claim_id: str) -> float:
    """The figure that a paper prints; KeyError for an unknown id.

    >>> 0.9 < published("A.table1.oolemma.inter.mean") < 1
    True
    """
    values = published_values()
    if claim_id not in values:
        raise KeyError(f"{claim_id}: no claim of {LEDGER.name} has this id and a figure")
    return values[claim_id]


class Margins(_Strict):
    """Margins of equivalence: `share` of the published figure that `scales` names for each structure."""

    share: float = Field(gt=0)
    alpha: float = Field(gt=0, lt=0.5)
    scales: dict[str, str]  # structure → claim id of a standard deviation
    precision: str  # expression: by how much paper B's model may be less precise than people and still be near them

    def margin(self, structure: str) -> float:
        """Margin of a structure in its measure's unit: IoU, or px for the needle tip."""
        return self.share * self._scale(structure)

    def _scale(self, structure: str) -> float:
        if structure not in self.scales:
            raise KeyError(f"no margin is stated for {structure!r}; stated are {', '.join(self.scales)}")
        return published(self.scales[structure])


def read_margins(path: Path | str = MARGINS) -> Margins:
    """Read and validate a file of margins."""
    try:
        return Margins.model_validate(yaml.safe_load(Path(path).read_text(encoding="utf-8")))
    except (yaml.YAMLError, ValidationError) as error:
        raise ValueError(f"{path}: not a file of margins; compare it with book/margins.yaml ({error})") from None
