"""Paper B: sperm in images of testicular biopsies, by SSD on MobileNetV2. `load(file)` gives a trained detector."""

from icsilib.detection.detector import Detections, Detector
from icsilib.detection.weights import load

__all__ = ["Detections", "Detector", "load"]
