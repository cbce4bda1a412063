"""The same network compiled by OpenVINO: the fast path on a CPU, checked against torch in the tests."""

import warnings
from typing import Literal

import openvino
import torch
from torch import Tensor

from icsilib.detection.detector import Detector, Network

Precision = Literal["f32", "bf16"]  # bf16 is faster where the processor multiplies it, and rounds scores


def precisions() -> list[Precision]:
    """What OpenVINO can compute in on this machine's processor, the exact one first."""
    return ["f32", "bf16"] if "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES") else ["f32"]


def compiled(network: torch.nn.Module, input_size: int, precision: Precision = "f32") -> Network:
    """`network`'s forward pass in OpenVINO for inputs (B, 3, S, S) of any batch size B."""
    example = torch.zeros(1, 3, input_size, input_size)
    shape = ("images", [-1, 3, input_size, input_size])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces the end of the tracing that OpenVINO converts from
        model = openvino.convert_model(network, example_input=example, input=[shape])
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision}
    program = openvino.compile_model(model, "CPU", settings)

    def run(images: Tensor) -> tuple[Tensor, Tensor]:
        logits, offsets = program(images.contiguous().numpy()).values()
        return torch.from_numpy(logits), torch.from_numpy(offsets)

    return run


def with_openvino(detector: Detector, precision: Precision = "f32") -> Detector:
    """The same detector, its network run by OpenVINO."""
    if not isinstance(detector.network, torch.nn.Module):
        raise ValueError("the detector's network is not a torch module; export the one that was trained")
    return Detector(compiled(detector.network, detector.settings.input_size, precision), detector.settings)
