"""A model that looks twice at a photograph: at the whole of it, then at close-ups of cell and tip. Not in the paper."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from icsilib.segmentation.frames import Points
from icsilib.segmentation.second_look.closeups import closeup_of_cell, closeup_of_tip, places_of_tip
from icsilib.segmentation.second_look.flips import FlipAveraged
from icsilib.segmentation.second_look.joining import joined, with_cell
from icsilib.segmentation.segmenter import (
    REFERENCE,
    Look,
    Prediction,
    Segmenter,
    WeightsError,
    answer,
    read_model,
    to_source,
)
from icsilib.training.devices import Device

SECOND_LOOK = REFERENCE.with_name("closeup.safetensors")


@dataclass(frozen=True)
class TwoLooks(Segmenter):
    """A model of whole photographs whose answers a second model, of close-ups, improves."""

    second: Segmenter

    @property
    def first(self) -> Segmenter:
        """The model of whole photographs alone, which is the paper's method."""
        return Segmenter(self.network, self.settings, self.training)

    def each_network(self, change: Callable[[Segmenter], Segmenter]) -> "TwoLooks":
        """The same model after `change` of both its looks."""
        return two_looks(change(self.first), change(self.second))

    def predict_all(self, images: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        """Segment several photographs, whose sizes may differ; the second look is at each by itself."""
        return [self.look_again(image, seen) for image, seen in zip(images, super().predict_all(images), strict=True)]

    @torch.inference_mode()
    def look_again(self, image: NDArray[np.uint8], seen: Prediction) -> Prediction:
        """The second look's answer about a photograph in which the first look has `seen` cell and tip.

        It looks at the `places` of the tip and at the cell. The tip is DSNT's of the heatmaps of all looks, joined; the
        confidence in it is the mean of the first look's and of the surest close-up's. The oolemma is what either look
        is sure of, if the photograph is fine enough (`joining.with_cell`). The suction pipette, which reaches out of
        all close-ups, stays that of the first look.
        """
        settings = self.second.settings.preprocess
        close = [closeup_of_tip(image, place, settings) for place in places(seen)]
        squares, windows = zip(*close, closeup_of_cell(image, seen.masks[0], settings), strict=True)
        output = self.second.output(squares)
        closer = [Look(z, window) for z, window in zip(output.heatmap.numpy(), windows, strict=True)]
        look, surest = joined(seen.look, closer), max(each.confidence for each in closer)
        probabilities = with_cell(seen.probabilities, to_source(output.y_seg[-1], windows[-1].place)[0], windows[-1])
        return answer(probabilities, (seen.confidence + surest) / 2, look)


def two_looks(first: Segmenter, second: Segmenter) -> TwoLooks:
    """The model `first` of whole photographs with the model `second` of close-ups."""
    return TwoLooks(first.network, first.settings, first.training, second)


def load(path: Path | str = REFERENCE, looks: int | None = None, device: Device = "auto") -> Segmenter:
    """The reference model of this study, or the model in another file of weights, ready for use on `device`.

    The reference model looks twice, every other model once. `looks=1` loads the paper's method, which looks once;
    `looks=2` adds the study's second look to any model. Raises `WeightsError` if the file does not exist or holds
    something else, `DeviceError` for a device that is not here.

    >>> load(looks=1).predict(np.zeros((90, 120), np.uint8)).masks.shape
    (2, 90, 120)
    """
    if looks not in (None, 1, 2):
        raise ValueError(f"looks={looks}: a model looks once or twice")
    first = read_model(path, device)
    shipped = Path(path).resolve() == REFERENCE.resolve()
    return with_second_look(first) if looks == 2 or (looks is None and shipped) else first


def with_second_look(first: Segmenter, path: Path | str = SECOND_LOOK) -> TwoLooks:
    """A model of whole photographs with the second look whose weights are at `path`.

    Raises `WeightsError` if the file does not exist or its network was trained on whole frames.
    """
    second = read_model(path, first.device)
    if not second.settings.closeups:
        raise WeightsError(f"{path}: was trained on whole frames; train a second look with --profile closeup")
    return two_looks(first, second)


def with_flips(model: Segmenter) -> Segmenter:
    """The same model, its answers averaged over mirror images: slower, and more accurate."""
    return model.each_network(lambda one: replace(one, network=FlipAveraged(one.model).eval()))


def places(seen: Prediction) -> Points:
    """Peaks (K, 2) px of a prediction's heatmap, the highest first; its tip where it has none."""
    peaks = seen.look.place.size * places_of_tip(seen.look.heatmap)
    return seen.look.place.to_source(peaks) if len(peaks) else seen.tip[None]
