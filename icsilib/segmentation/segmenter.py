"""A trained network, ready for use on any photograph: the paper's method, which looks once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

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
from icsilib.segmentation.settings import Settings
from icsilib.training.devices import Device, device_of, resolve_device
from icsilib.training.stored import WeightsError as WeightsError
from icsilib.training.weights import read_weights

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
    def device(self) -> torch.device:
        """Where the network runs; an exported program runs on the CPU."""
        return device_of(self.network) if isinstance(self.network, nn.Module) else torch.device("cpu")

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
        output = self.output([square for square, _ in views])
        return [self._in_photograph(output, n, place) for n, (_, place) in enumerate(views)]

    def output(self, squares: Sequence[NDArray[np.uint8]]) -> Output:
        """The network's output for preprocessed squares (S, S), on the CPU in 32 bits."""
        return network_output(self.network, np.stack(squares), self.device)

    def _in_photograph(self, output: Output, n: int, place: Geometry) -> Prediction:
        """The answer about the `n`-th square, where a whole photograph lies at `place`."""
        look = Look(output.heatmap[n].numpy(), place)
        return answer(to_source(output.y_seg[n], place), look.confidence, look)


@torch.inference_mode()
def network_output(network: Callable[[Tensor], Output], images: NDArray[np.uint8], device: torch.device) -> Output:
    """The network's output for preprocessed images (N, S, S), on the CPU in 32 bits."""
    output = network(network_input(torch.from_numpy(images)[:, None].to(device)))
    return Output(*(value.float().cpu() for value in output))


def answer(probabilities: NDArray[np.float32], confidence: float, look: Look) -> Prediction:
    """The prediction that follows from `probabilities` (2, H, W) and from the heatmap of `look`."""
    return Prediction(whole_regions(probabilities > 0.5), look.tip, confidence, probabilities, look)


def to_source(y_seg: Tensor, place: Geometry) -> NDArray[np.float32]:
    """Probabilities (2, S, S) of the square, on the pixels of the photograph that it was made from."""
    (width, height), (left, top) = place.source, place.offset
    content = y_seg[:, max(top, 0) : max(top, 0) + place.content[1], max(left, 0) : max(left, 0) + place.content[0]]
    found = F.interpolate(content[None], size=(height, width), mode="bilinear", align_corners=False)[0]
    return found.clamp(0, 1).numpy()  # rounding leads beyond


def read_model(path: Path | str = REFERENCE, device: Device = "auto") -> Segmenter:
    """The model of one network in a file of weights, ready for use on `device`.

    Raises `WeightsError` if the file does not exist or holds something else, `DeviceError` for a device that is not
    here.
    """
    network, settings, training = read_weights(path, Settings)
    network.to(resolve_device(device))
    if settings.channels_last:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Segmenter(cast(NestedUNet, network), settings, training)
