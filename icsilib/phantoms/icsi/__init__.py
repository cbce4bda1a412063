"""Rendered ICSI procedures: from `(seed, video)` a whole trimmed video with exact truth for every frame."""

from icsilib.phantoms.icsi.ranges import KITS, OPERATORS, IcsiRanges
from icsilib.phantoms.icsi.render import Frame, Procedure, procedure
from icsilib.phantoms.icsi.timeline import PHASES

__all__ = ["KITS", "OPERATORS", "PHASES", "Frame", "IcsiRanges", "Procedure", "procedure"]
