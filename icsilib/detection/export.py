"""The detector with its network compiled by OpenVINO: the fast path on a CPU, checked against torch in the tests."""

import torch
from torch import Tensor

from icsilib.detection.detector import Detector
from icsilib.training.compiled import Precision, compiled


def fastest(detector: Detector) -> Detector:
    """The detector through OpenVINO if it is on the CPU, else as it is."""
    return with_openvino(detector) if detector.device.type == "cpu" else detector


def with_openvino(detector: Detector, precision: Precision = "f32") -> Detector:
    """The same detector, its network run by OpenVINO on the CPU."""
    if not isinstance(detector.network, torch.nn.Module):
        raise ValueError("the detector's network is not a torch module; export the one that was trained")
    size = detector.settings.input_size
    program = compiled(detector.network, (3, size, size), precision)

    def run(images: Tensor) -> tuple[Tensor, Tensor]:
        logits, offsets = program(images)
        return logits, offsets

    return Detector(run, detector.settings, "cpu")
