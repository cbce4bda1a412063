"""A network as an OpenVINO program: the fast path on a CPU, checked against torch in the tests."""

import warnings
from collections.abc import Callable
from copy import deepcopy
from typing import Literal

import openvino
import torch
from torch import Tensor, nn

from icsilib.training.devices import device_of

Precision = Literal["f32", "bf16"]  # bf16 is faster where the processor multiplies it, and rounds scores


def precisions() -> list[Precision]:
    """What OpenVINO can compute in on this machine's processor, the exact one first."""
    return ["f32", "bf16"] if "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES") else ["f32"]


def compiled(network: nn.Module, shape: tuple[int, int, int], precision: Precision) -> Callable[[Tensor], list[Tensor]]:
    """The outputs of `network` for inputs (B, *shape) of any B, computed by OpenVINO."""
    if device_of(network).type != "cpu":
        network = deepcopy(network).cpu()
    example = torch.zeros(1, *shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces the end of the tracing that OpenVINO converts from
        model = openvino.convert_model(network, example_input=example, input=[[-1, *shape]])
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision}
    program = openvino.compile_model(model, "CPU", settings)
    return lambda images: [torch.from_numpy(value) for value in program(images.contiguous().numpy()).values()]
