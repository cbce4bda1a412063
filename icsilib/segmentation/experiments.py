"""Two small experiments: what the losses do to a single heatmap, and how far the network sees."""

from bisect import bisect_left
from collections.abc import Sequence

import torch
from torch import Tensor

from icsilib.segmentation.dsnt import dsnt, spatial_softmax
from icsilib.segmentation.losses import euclidean_loss, js_loss
from icsilib.segmentation.settings import Settings


def fit_heatmap(
    tip: Sequence[float], lambda1: float, lambda2: float, sigma_px: float = 1.0, steps: int = 2000
) -> Tensor:
    """Heatmap (32, 32) that gradient descent finds for one tip when its scores themselves are the parameters.

    There is no network and no image: what comes out is what the losses alone ask for. Starts from random scores; steps
    are long because a softmax over many cells passes little gradient to each.
    """
    scores = torch.randn(1, 32, 32, generator=torch.Generator().manual_seed(0)).requires_grad_()
    target = torch.tensor([list(tip)])
    optimizer = torch.optim.SGD([scores], lr=20.0)
    for _ in range(steps):
        heatmap = spatial_softmax(scores)
        loss = lambda1 * euclidean_loss(dsnt(heatmap), target) + lambda2 * js_loss(heatmap, target, sigma_px)
        optimizer.zero_grad()
        loss.sum().backward()
        optimizer.step()
    return spatial_softmax(scores.detach())[0]


def receptive_field(settings: Settings) -> dict[str, int]:
    """Side of the square of input, in px, on which the middle of the `masks` and of the `heatmap` depends.

    Measured on the network of these settings with one channel a level, which sees as far: from columns that are not
    numbers follows an answer that is not one.
    """
    network = settings.with_(widths=(1,) * len(settings.widths)).build().double().eval()
    scores: list[Tensor] = []
    network.locate.register_forward_hook(lambda _, __, out: scores.append(out))

    @torch.inference_mode()
    def depends(head: str, columns: slice) -> bool:
        image = torch.zeros(1, 1, settings.size, settings.size, dtype=torch.float64)
        image[..., columns] = torch.nan
        masks, heatmap = network(image).y_seg, scores.pop()
        out = masks if head == "masks" else heatmap
        return bool(out[..., out.shape[-1] // 2, out.shape[-1] // 2].isnan().any())

    def side(head: str) -> int:
        columns = range(settings.size)
        first = bisect_left(columns, True, key=lambda c: depends(head, slice(c + 1)))
        last = bisect_left(columns, True, key=lambda c: not depends(head, slice(c + 1, None)))
        return last - first + 1

    return {head: side(head) for head in ("masks", "heatmap")}
