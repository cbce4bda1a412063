"""The fast path on a CPU: the same network compiled by OpenVINO, checked against torch in the tests."""

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from icsilib.segmentation.dsnt import dsnt
from icsilib.segmentation.nested_unet import Output
from icsilib.segmentation.segmenter import Segmenter
from icsilib.training.compiled import compiled


def with_openvino(segmenter: Segmenter) -> Segmenter:
    """The same model, its networks run by OpenVINO on the CPU in 32 bits."""
    return segmenter.each_network(lambda one: replace(one, network=_program(one)))


def _program(segmenter: Segmenter) -> Callable[[Tensor], Output]:
    side = segmenter.settings.size
    program = compiled(segmenter.model, (1, side, side), "f32")

    def run(images: Tensor) -> Output:
        y_seg, heatmap, _ = program(images)
        return Output(y_seg, heatmap, dsnt(heatmap))  # OpenVINO's own y is wrong where it is given several frames

    return run
