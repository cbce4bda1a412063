"""Margins of equivalence from `book/margins.yaml`: a share of published intra-annotator standard deviations."""

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from icsilib.study.claims import published
from icsilib.study.provenance import ROOT

MARGINS = ROOT / "book" / "margins.yaml"


class Margins(BaseModel):
    """The rule: `share` of the published figure that `scales` names for each structure."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    share: float = Field(gt=0)
    alpha: float = Field(gt=0, lt=0.5)
    scales: dict[str, str]  # structure → claim id of a standard deviation

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
