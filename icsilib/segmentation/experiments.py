"""Small experiments: what the losses do to a single heatmap, how far the network sees, and the ablation."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from icsilib.segmentation.dsnt import dsnt, spatial_softmax
from icsilib.segmentation.evaluate import frame_table, summarise
from icsilib.segmentation.frames import Frames
from icsilib.segmentation.losses import euclidean_loss, js_loss
from icsilib.segmentation.segmenter import load
from icsilib.segmentation.settings import Settings
from icsilib.segmentation.train import train


def fit_heatmap(
    tip: Sequence[float], lambda1: float, lambda2: float, sigma_px: float = 1.0, cells: int = 32, steps: int = 2000
) -> Tensor:
    """Heatmap (cells, cells) that gradient descent finds for one tip when its scores themselves are the parameters.

    There is no network and no image: what comes out is what the losses alone ask for. Starts from random scores; steps
    are long because a softmax over many cells passes little gradient to each.
    """
    scores = torch.randn(1, cells, cells, generator=torch.Generator().manual_seed(0)).requires_grad_()
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


@dataclass(frozen=True)
class Variant:
    """One choice of an ablation: what it is called, and the settings that it changes."""

    factor: str  # "σ"
    level: str  # "4 cells"
    changes: dict[str, Any]

    @property
    def name(self) -> str:
        """A name for a folder, in plain letters."""
        text = f"{self.factor}-{self.level}".rstrip("-").replace(" ", "_")
        return text.replace("λ", "lambda").replace("σ", "sigma")


ABLATION = Settings(
    "ablation",
    size=48,
    widths=(8, 16, 32, 64),
    heatmap_level=1,
    learning_rate=4e-3,
    warm_up=50,
    batch_size=16,
    epochs=6,
    averaging=0.98,
)

# Each varies one thing against `ABLATION`, which is run once, as the base.
VARIANTS = (
    Variant("base", "", {}),
    Variant("λ1", "0", {"lambda1": 0.0}),
    Variant("λ1", "10", {"lambda1": 10.0}),
    Variant("λ2", "0", {"lambda2": 0.0}),
    Variant("λ2", "10", {"lambda2": 10.0}),
    Variant("σ", "0.5 cells", {"sigma_px": 0.5}),
    Variant("σ", "2 cells", {"sigma_px": 2.0}),
    Variant("reading", "bilinear", {"reading": "bilinear"}),
    Variant("reading", "up-convolution", {"reading": "up-convolution"}),
    Variant("skips", "plain", {"nested": False}),
    Variant("CLAHE", "off", {"clip_limit": None}),
)


def run_ablation(
    base: Settings, parts: dict[float | None, dict[str, Frames]], out: Path, seeds: Sequence[int]
) -> Iterator[dict[str, Any]]:
    """Train and test every variant with every seed; yields one row a run, and what is done already at once.

    `parts` holds train, validation and test frames for each CLAHE limit, since that changes the frames themselves.
    """
    for seed in seeds:
        for variant in VARIANTS:
            settings = base.with_(**variant.changes)
            frames = parts[settings.clip_limit]
            run = out / f"{variant.name}-{seed}"
            weights = train(settings, frames["train"], frames["validation"], run, seed, "cpu", progress=False)
            table = frame_table(load(weights).model, frames["test"])
            scores = {column: summarise(table, column).mean for column in ("iou_oolemma", "iou_pipette", "tip_px")}
            yield {"factor": variant.factor, "level": variant.level, "seed": seed, **scores}
