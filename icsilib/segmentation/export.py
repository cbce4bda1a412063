"""The fast path on a CPU: the same network compiled by OpenVINO, checked against torch in the tests."""

import warnings
from collections.abc import Callable
from dataclasses import replace

import openvino
import torch
from torch import Tensor

from icsilib.segmentation.dsnt import dsnt
from icsilib.segmentation.nested_unet import Output
from icsilib.segmentation.segmenter import Segmenter


def with_openvino(segmenter: Segmenter, precision: str = "f32") -> Segmenter:
    """The same model, its networks run by OpenVINO on the CPU; `precision` is `f32`, or `bf16` where that is faster."""
    return segmenter.each_network(lambda one: replace(one, network=_program(one, precision)))


def _program(segmenter: Segmenter, precision: str) -> Callable[[Tensor], Output]:
    side = segmenter.settings.size
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces the end of the tracing that OpenVINO converts from
        example = torch.zeros(1, 1, side, side)
        model = openvino.convert_model(segmenter.model, example_input=example, input=[("image", [-1, 1, side, side])])
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision}
    program = openvino.compile_model(model, "CPU", settings)

    def run(images: Tensor) -> Output:
        y_seg, heatmap, _ = (torch.from_numpy(value) for value in program(images.contiguous().numpy()).values())
        return Output(y_seg, heatmap, dsnt(heatmap))  # OpenVINO's own y is wrong where it is given several frames

    return run
