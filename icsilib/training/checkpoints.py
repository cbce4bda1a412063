"""Checkpoints of a training run: one safetensors file, written whole or not at all, no pickle.

A state is any nest of dicts, lists, numbers, strings and tensors, such as
`{"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": 120, "rows": [...]}`. Tensors go into
the file's tensors, everything else into its metadata as JSON. Whatever depends on chance in a run (the order of the
samples, their augmentation) is drawn from `generator(seed, ...)` with the place in the run as further numbers, so a
run that continues from a checkpoint sees what an uninterrupted run would have seen.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from icsilib.errors import IcsiError
from icsilib.files import write_text_atomic
from icsilib.training.stored import DamagedError, read_tensors, write_tensors

_TENSOR, _ITEMS = "__tensor__", "__items__"


class CheckpointError(IcsiError):
    """A checkpoint that cannot be used; the message names the file and the remedy."""


class NonFiniteLossError(IcsiError):
    """Training met a loss that is infinite or not a number; the message says where and what to try."""


class TimeUpError(IcsiError):
    """Training reached its time limit and was saved; the message says how far it came."""


def differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Names of what a folder says of its run otherwise than is `wanted`; what it does not say is not compared."""
    return [name for name, value in wanted.items() if found.get(name, value) != value]


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


def generator(*numbers: int) -> np.random.Generator:
    """Random numbers of one place in a run, e.g. `generator(seed, epoch, sample)`."""
    return np.random.default_rng(numbers)


def epoch_order(seed: int, epoch: int, length: int) -> list[int]:
    """The order in which epoch `epoch` visits `length` samples."""
    return generator(seed, epoch).permutation(length).tolist()


def rng_state() -> dict[str, Any]:
    """State of torch's generators (CPU and, where there are any, GPUs), for layers that draw, such as dropout."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def restore_rng(state: dict[str, Any]) -> None:
    """Put back what `rng_state` took."""
    torch.set_rng_state(state["cpu"])
    if torch.cuda.is_available() and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])


def write_rows(path: Path | str, rows: Sequence[dict[str, Any]]) -> None:
    """Write a training log, one mapping a row, as CSV. The write is atomic; columns are those of all rows."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text_atomic(path, text.getvalue())


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
