"""A model's answers averaged over mirror images of a frame: more accurate, at four times the work. Not in the paper."""

from typing import cast

import torch
from torch import Tensor, nn

from icsilib.segmentation.dsnt import dsnt
from icsilib.segmentation.nested_unet import NestedUNet, Output

FLIPS: tuple[tuple[int, ...], ...] = ((), (-1,), (-2,), (-2, -1))  # axes along which a frame is mirrored


class FlipAveraged(nn.Module):
    """`model` asked about a frame and its three mirror images; masks and heatmaps are averaged.

    The training mirrors its frames at random, so that each answer alone is as good as the other.
    """

    def __init__(self, model: NestedUNet) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> Output:
        """Masks, heatmap and tip of a batch (B, 1, S, S), as `NestedUNet.forward`."""
        outputs = [cast(Output, self.model(image.flip(axes))) for axes in FLIPS]
        y_seg, heatmap = (
            torch.stack([getattr(one, name).flip(axes) for one, axes in zip(outputs, FLIPS, strict=True)]).mean(dim=0)
            for name in ("y_seg", "heatmap")
        )
        return Output(y_seg, heatmap, dsnt(heatmap))
