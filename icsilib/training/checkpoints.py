"""Checkpoints of a training run: one safetensors file, written whole or not at all, no pickle.

A state is any nest of dicts, lists, numbers, strings and tensors, such as
`{"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": 120, "rows": [...]}`. Tensors go into
the file's tensors, everything else into its metadata as JSON.
"""

from pathlib import Path
from typing import Any

from torch import Tensor

from icsilib.errors import IcsiError
from icsilib.training.stored import DamagedError, read_tensors, write_tensors

_TENSOR, _ITEMS = "__tensor__", "__items__"


class CheckpointError(IcsiError):
    """A checkpoint that cannot be used; the message names the file and the remedy."""


def save_checkpoint(path: Path | str, state: dict[str, Any]) -> None:
    """Write `state` to `path` (`.safetensors`) atomically, keeping every tensor's dtype and bits."""
    tensors: dict[str, Tensor] = {}
    skeleton = _pack(state, "", tensors)
    write_tensors(path, tensors, {"state": skeleton})


def load_checkpoint(path: Path | str) -> dict[str, Any]:
    """Read what `save_checkpoint` wrote, on the CPU; raises `CheckpointError` for any other file."""
    try:
        tensors, about = read_tensors(path)
        return _unpack(about["state"], tensors)
    except (DamagedError, KeyError) as error:
        raise CheckpointError(f"{path}: not a checkpoint of this study: {error}; delete it and train again") from None


def _pack(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """`value` as JSON, its tensors moved to `tensors` under their place in the nest."""
    if isinstance(value, Tensor):
        # A clone, because safetensors refuses tensors that share memory.
        tensors[name] = value.detach().cpu().contiguous().clone()
        return {_TENSOR: name}
    if isinstance(value, dict):
        # Pairs, because JSON would turn the integer keys of optimisers into strings.
        return {_ITEMS: [[key, _pack(item, f"{name}/{key}", tensors)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return [_pack(item, f"{name}/{number}", tensors) for number, item in enumerate(value)]
    return value


def _unpack(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_unpack(item, tensors) for item in value]
    if isinstance(value, dict):
        if _TENSOR in value:
            return tensors[value[_TENSOR]]
        return {key: _unpack(item, tensors) for key, item in value[_ITEMS]}
    return value
