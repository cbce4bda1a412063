"""Trained weights as safetensors: the network's tensors, and its settings in the file's metadata.

Tensors of more than one axis are kept as float16, which halves the file; normalisation stays in float32.
"""

from pathlib import Path
from typing import Any

import torch

from icsilib.detection.detector import Detector
from icsilib.detection.settings import Settings, as_record, from_record
from icsilib.detection.ssd import SSD
from icsilib.training.stored import DamagedError, WeightsError, existing_file, read_tensors, write_tensors

SHIPPED = Path(__file__).parent / "weights"
BIOPSY_PHANTOM = SHIPPED / "biopsy_phantom.safetensors"  # of the reference run


def save_weights(path: Path | str, network: SSD, settings: Settings, **about: Any) -> None:
    """Write the network's weights and settings, with further facts `about` them. The write is atomic."""
    kept = {
        name: tensor.to(torch.float16 if tensor.ndim > 1 else tensor.dtype)
        for name, tensor in network.state_dict().items()
    }
    write_tensors(path, kept, {"settings": as_record(settings), "about": about})


def load_weights(path: Path | str) -> tuple[SSD, Settings, dict[str, Any]]:
    """Network in evaluation mode, its settings and what is said about it; raises `WeightsError` naming the file."""
    try:
        stored, metadata = read_tensors(existing_file(path))
        settings = from_record(metadata["settings"])
        network = SSD(settings.resample, settings.layout)
        network.load_state_dict({name: t.float() if t.is_floating_point() else t for name, t in stored.items()})
    except (DamagedError, OSError, KeyError, TypeError, RuntimeError) as error:
        raise WeightsError(f"{path}: not weights of this study's detector ({error}); train it again") from None
    return network.eval(), settings, metadata["about"]


def weights_file(name: Path | str) -> Path:
    """The file of `name`: that of a shipped detector, or else the path itself."""
    shipped = SHIPPED / f"{name}.safetensors"
    return shipped if shipped.exists() else Path(name)


def load(name: Path | str = "biopsy_phantom", device: torch.device | str = "cpu") -> Detector:
    """A detector ready for images of any size: a file of weights, or by name one that lies in `SHIPPED`.

    Raises `WeightsError` where there is neither.

    >>> boxes, scores = load().predict(image)  # doctest: +SKIP
    """
    network, settings, _ = load_weights(weights_file(name))
    return Detector(network.to(device), settings, device)
