"""The detectors that the study ships, and others by the file of their weights."""

from pathlib import Path

from icsilib.detection.detector import Detector
from icsilib.detection.settings import Settings
from icsilib.training.devices import Device
from icsilib.training.weights import read_weights

SHIPPED = Path(__file__).parent / "weights"
BIOPSY_PHANTOM = SHIPPED / "biopsy_phantom.safetensors"  # of the reference run


def weights_file(name: Path | str) -> Path:
    """The file of `name`: that of a shipped detector, or else the path itself."""
    shipped = SHIPPED / f"{name}.safetensors"
    return shipped if shipped.exists() else Path(name)


def load(name: Path | str = "biopsy_phantom", device: Device = "auto") -> Detector:
    """A detector ready for images of any size: a file of weights, or by name one that lies in `SHIPPED`.

    Raises `WeightsError` where there is neither, and `DeviceError` for a device that is not here.

    >>> boxes, scores = load().predict(image)  # doctest: +SKIP
    """
    network, settings, _ = read_weights(weights_file(name), Settings)
    return Detector(network, settings, device)
