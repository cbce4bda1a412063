"""Tensors in a file, with facts about them and a digest: weights and checkpoints of both papers.

The file is safetensors; nothing is unpickled. Everything but the tensors is one JSON text in the metadata, since
safetensors writes several entries in an order that differs from run to run: the same content gives the same bytes.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from icsilib.errors import IcsiError
from icsilib.files import atomic_path

_KEY = "icsilib"


class WeightsError(IcsiError):
    """A file of weights that cannot be used; the message names it and the remedy."""


class DamagedError(IcsiError):
    """A file whose content is not what was written; the message says in what way."""


def write_tensors(path: Path | str, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write tensors with `about`, which JSON must be able to hold, and the digest of both. The write is atomic."""
    kept = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()
    }
    text = json.dumps(dict(about), allow_nan=False)
    with atomic_path(path) as partial:  # written by Python, whose errors of a full disk name it
        partial.write_bytes(save(kept, {_KEY: json.dumps({"sha256": _digest(kept, text), "about": text})}))


def read_tensors(path: Path | str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `write_tensors` wrote, on the CPU.

    Raises `DamagedError` for a file of another kind, for one in which a byte differs from what was written, and for
    tensors that hold a value that is not finite; `OSError` where the file cannot be read.
    """
    try:
        with safe_open(path, framework="pt") as file:
            stored = json.loads((file.metadata() or {})[_KEY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        text, wanted = stored["about"], stored["sha256"]
        about = json.loads(text)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise DamagedError(f"no file of this study ({error!r})") from None
    if _digest(tensors, text) != wanted:
        raise DamagedError("its content is not what was written, by its digest")
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise DamagedError(f"{name} holds a value that is not finite")
    return tensors, about


def existing_file(path: Path | str) -> Path:
    """The path of a file of weights; raises `WeightsError` if there is none."""
    path = Path(path)
    if path.is_dir():
        raise WeightsError(f"{path}: is a folder; name the file in it, such as {path / 'weights.safetensors'}")
    if not path.is_file():
        raise WeightsError(
            f"{path}: no such file; train one with `icsi segment train` or `icsi detect train`, or check the path"
        )
    return path


def _digest(tensors: Mapping[str, Tensor], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
