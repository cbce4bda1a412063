"""The study's notebooks in reading order, as `book/notebooks.yaml` lists them."""

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from icsilib.study.dependencies import notebook_sources

ROOT = Path(__file__).resolve().parents[2]
Training = Literal["none", "own", "earlier"]  # a notebook trains a model itself, or reads what one that trains wrote


class Chapter(BaseModel):
    """One executed notebook of the book."""

    model_config = ConfigDict(extra="forbid")
    notebook: str  # the source, without suffix, in notebooks/
    results: str  # the results file that it writes, without suffix
    after: list[str] = Field(default_factory=list)  # chapters that must have run before
    parameters: dict[str, Any] = Field(default_factory=dict)
    trains: bool = False  # it gets half of the cores, so that both papers' trainings run side by side
    also: list[str] = Field(default_factory=list)  # patterns of other files that it reads, from the root
    needs_data: str | None = None  # name in the data manifest without which the chapter is left out

    @property
    def source(self) -> Path:
        """The notebook's file."""
        return ROOT / "notebooks" / f"{self.notebook}.ipynb"

    @property
    def files(self) -> list[Path]:
        """Files, other than code, that the notebook reads."""
        return sorted(path for pattern in self.also for path in ROOT.glob(pattern))

    @property
    def library(self) -> list[Path]:
        """Files of `icsilib` that the notebook uses."""
        return notebook_sources(self.source)


def chapters(path: Path = ROOT / "book" / "notebooks.yaml") -> dict[str, Chapter]:
    """All chapters by name, in reading order."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {
        name: Chapter.model_validate({"notebook": name, "results": name} | entry) for name, entry in content.items()
    }


def reading_order() -> dict[Path, Training]:
    """Every notebook file once, after those whose results it reads, and how it depends on training."""
    order: dict[Path, Training] = {}

    def visit(name: str) -> Training:
        chapter = everything[name]
        before = {visit(earlier) for earlier in chapter.after}
        kind: Training = "own" if chapter.trains else "earlier" if before - {"none"} else "none"
        return order.setdefault(chapter.source, kind)

    everything = chapters()
    for name in everything:
        visit(name)
    return order
