"""A trained model as a file and ready for use: `load()` gives one that takes any photograph.

The file is safetensors: the network's tensors, in half precision when shipped, with the settings as JSON in its
metadata. Nothing is unpickled.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from icsilib.data.preprocess import Geometry, preprocess
from icsilib.segmentation.frames import Points, network_input
from icsilib.segmentation.nested_unet import NestedUNet, Output
from icsilib.segmentation.regions import whole_regions
from icsilib.segmentation.second_look.closeups import closeup_of_cell, closeup_of_tip, places_of_tip
from icsilib.segmentation.second_look.flips import FlipAveraged
from icsilib.segmentation.second_look.joining import Look, joined, with_cell
from icsilib.segmentation.settings import Settings, as_record, from_record
from icsilib.training.stored import DamagedError, WeightsError, existing_file, read_tensors, write_tensors

REFERENCE = Path(__file__).parent / "weights" / "reference.safetensors"
SECOND_LOOK = REFERENCE.with_name("closeup.safetensors")


@dataclass(frozen=True)
class Prediction:
    """What the model sees in one photograph, in that photograph's own pixels."""

    masks: NDArray[np.bool_]  # (2, height, width): oolemma with its lobes, the suction pipette's largest region
    tip: NDArray[np.float64]  # (2,) continuous image coordinates in px, x then y
    confidence: float  # heatmap mass near the tip, 0 to 1, the mean of two looks; low where no single place stands out
    probabilities: NDArray[np.float32]  # (2, height, width): y_seg, of which `masks` are where it exceeds a half
    look: Look  # the heatmap behind the tip, over the square in which the photograph lies

    @property
    def places(self) -> Points:
        """(K, 2) px: peaks of the heatmap, the highest first, or the tip where it has none."""
        peaks = self.look.place.size * places_of_tip(self.look.heatmap)
        return self.look.place.to_source(peaks) if len(peaks) else self.tip[None]


@dataclass(frozen=True)
class Segmenter:
    """A trained model with all that it needs to take a photograph of any size."""

    network: Callable[[Tensor], Output]  # the torch module, or a faster program of it (icsilib.segmentation.export)
    settings: Settings
    training: dict[str, Any]  # what the weights' file says of how they came about
    second: "Segmenter | None" = None  # model of close-ups that then looks again

    @property
    def model(self) -> NestedUNet:
        """The torch module; raises `TypeError` where the network is an exported program."""
        if not isinstance(self.network, NestedUNet):
            raise TypeError("this model's network is an exported program; load the weights again for the torch module")
        return self.network

    def with_flips(self) -> "Segmenter":
        """The same model, its answers averaged over mirror images: slower, and more accurate."""
        second = None if self.second is None else self.second.with_flips()
        return replace(self, network=FlipAveraged(self.model).eval(), second=second)

    def with_second_look(self, path: Path | str = SECOND_LOOK) -> "Segmenter":
        """The same model, which looks at cell and tip again (`second_look.closeups`), by weights `path`."""
        second = load(path)
        if not second.settings.closeups:
            raise WeightsError(f"{path}: was trained on whole frames; train a second look with --profile closeup")
        return replace(self, second=second)

    def with_one_look(self) -> "Segmenter":
        """The same model without its second look, which is all that the paper describes."""
        return replace(self, second=None)

    def predict(self, image: NDArray[np.uint8]) -> Prediction:
        """Segment a photograph, grey (H, W) or RGB (H, W, 3), 8 bits."""
        return self.predict_all([image])[0]

    @torch.inference_mode()
    def predict_all(self, images: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        """Segment several photographs, whose sizes may differ, in one batch; a second look is at each by itself."""
        views = [preprocess(image, self.settings.preprocess) for image in images]
        output = self.network(_batch([square for square, _ in views]))
        seen = [self._in_photograph(output, n, place) for n, (_, place) in enumerate(views)]
        if self.second is None:
            return seen
        return [self.second.look_again(image, first) for image, first in zip(images, seen, strict=True)]

    @torch.inference_mode()
    def look_again(self, image: NDArray[np.uint8], first: Prediction) -> Prediction:
        """What this model, one of close-ups, makes of a photograph in which another has seen `first`.

        It looks at `first.places` and at the cell. The tip is DSNT's of the heatmaps of all looks, joined; the
        confidence in it is the mean of the first look's and of the surest close-up's. The oolemma is what either look
        is sure of, if the photograph is fine enough (`joining.with_cell`). The suction pipette, which reaches out of
        all close-ups, stays that of the first look.
        """
        settings = self.settings.preprocess
        close = [closeup_of_tip(image, place, settings) for place in first.places]
        squares, windows = zip(*close, closeup_of_cell(image, first.masks[0], settings), strict=True)
        output = self.network(_batch(squares))
        closer = [Look(z, window) for z, window in zip(output.heatmap.numpy(), windows, strict=True)]
        look, surest = joined(first.look, closer), max(each.confidence for each in closer)
        probabilities = with_cell(first.probabilities, _to_source(output.y_seg[-1], windows[-1].place)[0], windows[-1])
        return _prediction(probabilities, (first.confidence + surest) / 2, look)

    def _in_photograph(self, output: Output, n: int, place: Geometry) -> Prediction:
        """The answer about the `n`-th square, where a whole photograph lies at `place`."""
        look = Look(output.heatmap[n].numpy(), place)
        return _prediction(_to_source(output.y_seg[n], place), look.confidence, look)


def _batch(squares: Sequence[NDArray[np.uint8]]) -> Tensor:
    return network_input(torch.from_numpy(np.stack(squares))[:, None])


def _prediction(probabilities: NDArray[np.float32], confidence: float, look: Look) -> Prediction:
    return Prediction(whole_regions(probabilities > 0.5), look.tip, confidence, probabilities, look)


def _to_source(y_seg: Tensor, place: Geometry) -> NDArray[np.float32]:
    """Probabilities (2, S, S) of the square, on the pixels of the photograph that it was made from."""
    (width, height), (left, top) = place.source, place.offset
    content = y_seg[:, max(top, 0) : max(top, 0) + place.content[1], max(left, 0) : max(left, 0) + place.content[0]]
    found = F.interpolate(content[None], size=(height, width), mode="bilinear", align_corners=False)[0]
    return found.clamp(0, 1).numpy()  # rounding leads beyond


def load(path: Path | str = REFERENCE) -> Segmenter:
    """The reference model of this study, or the model of another file of weights, ready for use on the CPU.

    The reference model looks twice (`Segmenter.with_second_look`), others once. Raises `WeightsError` where there is no
    file, or another.
    """
    path = existing_file(path)
    try:
        tensors, about = read_tensors(path)
        settings = from_record(about["settings"])
        model = settings.build()
        model.load_state_dict({name: tensor.to(model.state_dict()[name].dtype) for name, tensor in tensors.items()})
    except (DamagedError, KeyError, TypeError, RuntimeError) as error:
        raise WeightsError(f"{path}: not weights of this study's segmentation model ({error})") from None
    if settings.channels_last:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    segmenter = Segmenter(model.eval(), settings, about["training"])
    return segmenter.with_second_look() if path.resolve() == REFERENCE.resolve() else segmenter


def save_weights(model: nn.Module, settings: Settings, path: Path | str, half: bool = False, **training: Any) -> None:
    """Write a model's tensors with its settings; `half` rounds them to 16 bits. The write is atomic."""
    kept = {
        name: tensor.half() if half and tensor.is_floating_point() else tensor
        for name, tensor in model.state_dict().items()
    }
    write_tensors(path, kept, {"settings": as_record(settings), "training": training})
