"""Micro-TESE images from a seed, with exact boxes: a stand-in for paper B's private data."""

from icsilib.phantoms.biopsy.scene import PATIENTS, BiopsyImage, Patient, biopsy_image, patient

__all__ = ["PATIENTS", "BiopsyImage", "Patient", "biopsy_image", "patient"]
