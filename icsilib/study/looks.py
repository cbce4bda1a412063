"""How often each test set was scored, as `book/looks.yaml` lists it: a set that was looked at is no longer a test."""

import datetime
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

ROOT = Path(__file__).resolve().parents[2]


class Scoring(BaseModel):
    """One scoring of a test set."""

    model_config = ConfigDict(extra="forbid")
    date: datetime.date
    what: str  # the model that was scored
    revision: str | None = None  # commit whose results file holds the scores; None where no file was written


class ScoredSet(BaseModel):
    """A test set and everything that was scored on it."""

    model_config = ConfigDict(extra="forbid")
    paper: Literal["A", "B"]
    what: str
    registered: str | None = None  # commit that named the set before anything was scored on it
    digest: str | None = None  # SHA-256 of its annotations, which the registration fixes
    scorings: list[Scoring] = Field(default_factory=list)

    @property
    def role(self) -> str:
        """`test` for a registered set that was scored at most once, `development` for any other."""
        return "test" if self.registered and len(self.scorings) <= 1 else "development"


def read_looks(path: Path | str = ROOT / "book" / "looks.yaml") -> dict[str, ScoredSet]:
    """The test sets by name."""
    content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    return {name: ScoredSet.model_validate(entry) for name, entry in content.items()}


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
