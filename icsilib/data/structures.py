"""The table of structures: how files, results and figures name and draw what the two papers label.

Whatever goes over structures reads this table; a new one is a row here. The outlines' order is that of the network's
masks and, with the needle, that of the columns of every table of scores.
"""

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict


class Category(BaseModel):
    """A kind of labelled object in a file; `keypoints` names the points that an annotation of it carries."""

    model_config = ConfigDict(extra="allow")
    id: int
    name: str
    supercategory: str = ""
    keypoints: list[str] | None = None


@dataclass(frozen=True)
class Structure:
    """One row of the table."""

    name: str  # in results, claims and the phantoms
    category: Category  # in annotation files
    kind: Literal["outline", "point", "box"]
    unit: str  # of how far two labels of it agree or differ
    colour: str  # paper A's Figure 2
    label: str  # in figures and on the command line

    @property
    def column(self) -> str:
        """Its measure's column in a table of scores."""
        return f"iou_{self.name}" if self.unit == "IoU" else "tip_px"


STRUCTURES = (
    Structure("oolemma", Category(id=1, name="oolemma"), "outline", "IoU", "#A349A4", "oolemma"),
    Structure("pipette", Category(id=2, name="suction_pipette"), "outline", "IoU", "#B8B8B8", "pipette"),
    Structure("needle", Category(id=3, name="needle", keypoints=["tip"]), "point", "px", "#FFE600", "tip"),
    Structure("sperm", Category(id=4, name="sperm"), "box", "IoU", "#0072B2", "sperm"),
    Structure("impurity", Category(id=5, name="impurity"), "box", "IoU", "#7F7F7F", "impurity"),
)
OUTLINES = tuple(each for each in STRUCTURES if each.kind == "outline")
OF_INJECTIONS = tuple(each for each in STRUCTURES if each.kind != "box")  # paper A's
OOLEMMA, SUCTION_PIPETTE, NEEDLE, SPERM, IMPURITY = (each.category for each in STRUCTURES)
ICSI_CATEGORIES = tuple(each.category for each in OF_INJECTIONS)
BIOPSY_CATEGORIES = (SPERM, IMPURITY)
