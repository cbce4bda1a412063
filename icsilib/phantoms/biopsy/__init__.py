"""Rendered micro-TESE images: sperm among the cells and debris of a testicular biopsy, with exact boxes."""

from icsilib.phantoms.biopsy.ranges import PHENOTYPES, SIZES, BiopsyRanges
from icsilib.phantoms.biopsy.render import PATIENTS, BiopsyImage, biopsy_image

__all__ = ["PATIENTS", "PHENOTYPES", "SIZES", "BiopsyImage", "BiopsyRanges", "biopsy_image"]
