"""Weights of both papers' networks: a safetensors file with the settings that build the network again."""

from pathlib import Path
from typing import Any, TypeVar

from torch import nn

from icsilib.training.settings import BaseSettings
from icsilib.training.stored import DamagedError, WeightsError, existing_file, read_tensors, write_tensors

S = TypeVar("S", bound=BaseSettings)


def save_weights(
    network: nn.Module, settings: BaseSettings, path: Path | str, half: bool = False, **training: Any
) -> None:
    """Write a network's tensors with its settings and facts about its `training`. The write is atomic.

    `half` rounds tensors of more than one axis to 16 bits, which halves the file; normalisation stays in 32.
    """
    kept = {
        name: tensor.half() if half and tensor.ndim > 1 else tensor for name, tensor in network.state_dict().items()
    }
    write_tensors(path, kept, {"settings": settings.as_record(), "training": training})


def read_weights(path: Path | str, kind: type[S]) -> tuple[nn.Module, S, dict[str, Any]]:
    """Network in evaluation mode, its settings, and what the file says of its training.

    Raises `WeightsError`, which names the file, where there is none or one of another model.
    """
    path = existing_file(path)
    try:
        tensors, about = read_tensors(path)
        settings = kind.from_record(about["settings"])
        network = settings.build()
        network.load_state_dict(tensors)
        training = about["training"] if "training" in about else about["about"]  # so called in earlier files
    except (DamagedError, OSError, KeyError, TypeError, RuntimeError) as error:
        model = kind.__module__.split(".")[-2]
        raise WeightsError(f"{path}: not weights of this study's {model} model ({error}); train it again") from None
    return network.eval(), settings, training
