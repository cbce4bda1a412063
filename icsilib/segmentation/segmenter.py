"""A trained network as a file, and ready for use on any photograph: the paper's method, which looks once.

The file is safetensors: the network's tensors, in half precision when shipped, with the settings as JSON in its
metadata. Nothing is unpickled.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from icsilib.data.preprocess import Geometry, preprocess
from icsilib.segmentation.dsnt import dsnt, tip_confidence, to_pixels
from icsilib.segmentation.frames import Place, Points, network_input
from icsilib.segmentation.nested_unet import NestedUNet, Output
from icsilib.segmentation.regions import whole_regions
from icsilib.segmentation.settings import Settings, as_record, from_record
from icsilib.training.stored import DamagedError, WeightsError, existing_file, read_tensors, write_tensors

REFERENCE = Path(__file__).parent / "weights" / "reference.safetensors"


@dataclass(frozen=True)
class Look:
    """What one look says of the tip, and where it looked."""

    heatmap: NDArray[np.float32]  # (n, n), of sum 1, over a square
    place: Place  # of the square in the photograph

    @property
    def tip(self) -> Points:
        """DSNT's tip (2,) of the heatmap, in px of the photograph."""
        return self.place.to_source(to_pixels(dsnt(torch.from_numpy(self.heatmap)[None])[0], self.place.size).numpy())

    @cached_property
    def confidence(self) -> float:
        """Share of the heatmap near the tip."""
        heatmap = torch.from_numpy(self.heatmap)[None]
        return float(tip_confidence(heatmap, dsnt(heatmap)))


@dataclass(frozen=True)
class Prediction:
    """What the model sees in one photograph, in that photograph's own pixels."""

    masks: NDArray[np.bool_]  # (2, height, width): oolemma with its lobes, the suction pipette's largest region
    tip: NDArray[np.float64]  # (2,) continuous image coordinates in px, x then y
    confidence: float  # heatmap mass near the tip, 0 to 1; low where no single place stands out
    probabilities: NDArray[np.float32]  # (2, height, width): y_seg, of which `masks` are where it exceeds a half
    look: Look  # the heatmap behind the tip, over the square in which the photograph lies


@dataclass(frozen=True)
class Segmenter:
    """A trained model with all that it needs to take a photograph of any size."""

    network: Callable[[Tensor], Output]  # the torch module, or a faster program of it (icsilib.segmentation.export)
    settings: Settings
    training: dict[str, Any]  # what the weights' file says of how they came about

    @property
    def model(self) -> NestedUNet:
        """The torch module; raises `TypeError` where the network is an exported program."""
        if not isinstance(self.network, NestedUNet):
            raise TypeError("this model's network is an exported program; load the weights again for the torch module")
        return self.network

    def each_network(self, change: "Callable[[Segmenter], Segmenter]") -> "Segmenter":
        """The same model after `change`, which takes and returns a model of one network."""
        return change(self)

    def predict(self, image: NDArray[np.uint8]) -> Prediction:
        """Segment a photograph, grey (H, W) or RGB (H, W, 3), 8 bits."""
        return self.predict_all([image])[0]

    @torch.inference_mode()
    def predict_all(self, images: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        """Segment several photographs, whose sizes may differ, in one batch."""
        views = [preprocess(image, self.settings.preprocess) for image in images]
        output = self.network(batch([square for square, _ in views]))
        return [self._in_photograph(output, n, place) for n, (_, place) in enumerate(views)]

    def _in_photograph(self, output: Output, n: int, place: Geometry) -> Prediction:
        """The answer about the `n`-th square, where a whole photograph lies at `place`."""
        look = Look(output.heatmap[n].numpy(), place)
        return answer(to_source(output.y_seg[n], place), look.confidence, look)


def batch(squares: Sequence[NDArray[np.uint8]]) -> Tensor:
    """Preprocessed squares (S, S) as the network's input (B, 1, S, S)."""
    return network_input(torch.from_numpy(np.stack(squares))[:, None])


def answer(probabilities: NDArray[np.float32], confidence: float, look: Look) -> Prediction:
    """The prediction that follows from `probabilities` (2, H, W) and from the heatmap of `look`."""
    return Prediction(whole_regions(probabilities > 0.5), look.tip, confidence, probabilities, look)


def to_source(y_seg: Tensor, place: Geometry) -> NDArray[np.float32]:
    """Probabilities (2, S, S) of the square, on the pixels of the photograph that it was made from."""
    (width, height), (left, top) = place.source, place.offset
    content = y_seg[:, max(top, 0) : max(top, 0) + place.content[1], max(left, 0) : max(left, 0) + place.content[0]]
    found = F.interpolate(content[None], size=(height, width), mode="bilinear", align_corners=False)[0]
    return found.clamp(0, 1).numpy()  # rounding leads beyond


def read_model(path: Path | str = REFERENCE) -> Segmenter:
    """The model of one network in a file of weights, ready for use on the CPU.

    Raises `WeightsError` if the file does not exist or holds something else.
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
    return Segmenter(model.eval(), settings, about["training"])


def save_weights(model: nn.Module, settings: Settings, path: Path | str, half: bool = False, **training: Any) -> None:
    """Write a model's tensors with its settings; `half` rounds them to 16 bits. The write is atomic."""
    kept = {
        name: tensor.half() if half and tensor.is_floating_point() else tensor
        for name, tensor in model.state_dict().items()
    }
    write_tensors(path, kept, {"settings": as_record(settings), "training": training})
