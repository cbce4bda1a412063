"""How often each test set was scored: a set that was looked at is no longer a test.

`book/registered.yaml` names sets before anything is scored on them, `book/looks.yaml` lists every scoring.
"""

import datetime
import re
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

ROOT = Path(__file__).resolve().parents[2]
LOOKS = ROOT / "book" / "looks.yaml"
REGISTERED = ROOT / "book" / "registered.yaml"
_TRAINED_ON = re.compile(r"--(?:videos|patients) (\d+) --seed (\d+)")


class Registration(BaseModel):
    """A test set as it was named, with seed and digests, before anything was scored on it."""

    model_config = ConfigDict(extra="forbid")
    paper: Literal["A", "B"]
    what: str
    date: datetime.date
    seed: int
    command: str  # that renders it; the folder is to be added
    code: str  # commit whose code rendered it
    annotations_sha256: str
    files_sha256: str
    protocol: str  # what will be scored, and how


class Scoring(BaseModel):
    """One scoring of a test set."""

    model_config = ConfigDict(extra="forbid")
    date: datetime.date
    what: str  # the model that was scored
    revision: str | None = None  # commit of the scores, of a registered set that of the code; None: no file was written


class ScoredSet(BaseModel):
    """A test set and everything that was scored on it."""

    model_config = ConfigDict(extra="forbid")
    paper: Literal["A", "B"]
    what: str
    registered: datetime.date | None = None  # day on which the set was named, before anything was scored on it
    scorings: list[Scoring] = Field(default_factory=list)

    @property
    def role(self) -> str:
        """`test` for a registered set that was scored at most once, `development` for any other."""
        return "test" if self.registered and len(self.scorings) <= 1 else "development"


def read_registrations(path: Path | str = REGISTERED) -> dict[str, Registration]:
    """The registered test sets by name."""
    content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    return {name: Registration.model_validate(entry) for name, entry in content.items()}


def read_looks(path: Path | str = LOOKS, registered: Path | str = REGISTERED) -> dict[str, ScoredSet]:
    """All test sets by name, registered ones first; of these, looks.yaml has only the scorings."""
    content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    for name, one in read_registrations(registered).items():
        content[name] = content.get(name, {}) | {"paper": one.paper, "what": one.what, "registered": one.date}
    sets = {name: ScoredSet.model_validate(entry) for name, entry in content.items()}
    return dict(sorted(sets.items(), key=lambda item: (item[1].registered is None, item[1].paper)))


def looked_at(name: str, path: Path | str = LOOKS) -> int:
    """How often the set of this name was scored."""
    return len(read_looks(path)[name].scorings)


def looks_table(sets: dict[str, ScoredSet]) -> list[dict[str, Any]]:
    """One mapping per test set: paper, what it is, times scored, date of the last time, role."""
    return [
        {
            "paper": each.paper,
            "test set": each.what,
            "times scored": len(each.scorings),
            "last": max((scoring.date.isoformat() for scoring in each.scorings), default="never"),
            "role": each.role,
        }
        for each in sets.values()
    ]


def trained_on(training: Any) -> int:
    """Videos or patients that a model was trained on, by all commands that the record of its training names.

    >>> trained_on({"data": "icsi phantom icsi --videos 20 --seed 1", "after": {"data": "… --videos 5 --seed 2"}})
    25
    """
    return sum(int(number) for number, _ in sorted(set(_TRAINED_ON.findall(str(training)))))
