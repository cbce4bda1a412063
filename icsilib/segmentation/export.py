"""Fast paths: the same network as an OpenVINO program or an ONNX file, checked against torch in the tests."""

import warnings
from dataclasses import replace
from pathlib import Path

import openvino
import torch
from torch import Tensor

from icsilib.files import atomic_path
from icsilib.segmentation.dsnt import dsnt
from icsilib.segmentation.nested_unet import NestedUNet, Output
from icsilib.segmentation.segmenter import Segmenter


def with_openvino(segmenter: Segmenter, precision: str = "f32") -> Segmenter:
    """The same model, its network run by OpenVINO on the CPU; `precision` is `f32`, or `bf16` where that is faster."""
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

    second = None if segmenter.second is None else with_openvino(segmenter.second, precision)
    return replace(segmenter, network=run, second=second)


def write_onnx(segmenter: Segmenter, path: Path | str) -> Path:
    """Write the network as ONNX for inputs (B, 1, S, S) of any B, scaled like `network_input`'s, atomically.

    It is that of one look; write `segmenter.second` to a file of its own for the other.
    """
    model: NestedUNet = segmenter.model
    example = torch.zeros(1, 1, segmenter.settings.size, segmenter.settings.size)
    names = list(Output._fields)
    with atomic_path(path) as partial, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        batch = {name: {0: "batch"} for name in ("image", *names)}
        torch.onnx.export(
            model,
            (example,),
            str(partial),
            input_names=["image"],
            output_names=names,
            dynamic_axes=batch,
            dynamo=False,  # the newer exporter's files do not run in browsers (onnxruntime-web)
        )
    return Path(path)
