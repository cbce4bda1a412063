"""What a training loop stands on: the run's folder, chance, learning rate, precision, progress.

    out/checkpoint.safetensors   where the run stands; found there, it is continued
    out/log.csv                  losses and validation
    out/weights.safetensors      the weights that the run is judged by, with their settings

Whatever depends on chance in a run (the order of the samples, their augmentation) is drawn from `generator(seed, ...)`
with the place in the run as further numbers, so that a run that continues sees what an uninterrupted one would have
seen. On a CPU the same seed therefore gives the same weights, bit by bit, however often the run was stopped.
"""

import csv
import io
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from icsilib.errors import IcsiError
from icsilib.files import write_text_atomic
from icsilib.training.checkpoints import CheckpointError, load_checkpoint, save_checkpoint

WEIGHTS = "weights.safetensors"
logging.getLogger("lightning_fabric.utilities.rank_zero").setLevel(logging.WARNING)  # it would announce the precision


class NonFiniteLossError(IcsiError):
    """Training met a loss that is infinite or not a number; the message says where and what to try."""


class TimeUpError(IcsiError):
    """Training reached its time limit and was saved; the message says how far it came."""


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run. `about` is what tells the run from others: settings, seed, data, first weights."""

    path: Path
    about: Mapping[str, Any]

    @property
    def checkpoint(self) -> Path:
        """File of the state after the last saved step."""
        return self.path / "checkpoint.safetensors"

    @property
    def log(self) -> Path:
        """File of the log, CSV."""
        return self.path / "log.csv"

    @property
    def weights(self) -> Path:
        """File of the weights."""
        return self.path / WEIGHTS

    def saved(self) -> dict[str, Any] | None:
        """State of the last save, None in a new folder; raises `CheckpointError` for another run's."""
        if not self.checkpoint.exists():
            return None
        state = load_checkpoint(self.checkpoint)
        self.check(self.checkpoint, state)
        return state

    def check(self, file: Path, found: Mapping[str, Any]) -> None:
        """Raise `CheckpointError` where `found`, which `file` says of its run, differs from this run."""
        if other := differences(found, self.about):
            raise CheckpointError(f"{file}: is of a run with other {', '.join(other)}; choose another folder")

    def save(self, state: Mapping[str, Any], log: Sequence[dict[str, Any]]) -> None:
        """Write the checkpoint and the log."""
        save_checkpoint(self.checkpoint, {**self.about, **state})
        write_rows(self.log, log)

    def time_up(self, done: int, total: int) -> TimeUpError:
        """The error of a run that is saved and out of time."""
        return TimeUpError(f"{self.path}: {done} of {total} steps are done and saved; run the same command again")

    def not_finite(self, step: int) -> NonFiniteLossError:
        """The error of a step whose loss is no number."""
        last = f"the last good checkpoint is {self.checkpoint}" if self.checkpoint.exists() else "nothing is saved yet"
        remedy = "look at the data of that step, or train with a smaller learning_rate or precision='32-true'"
        return NonFiniteLossError(f"{self.path}: step {step}: the loss is not finite; {last}; {remedy} elsewhere")


def differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Keys whose value in `found` differs from `wanted`; keys that `found` lacks are not compared."""
    return [name for name, value in wanted.items() if found.get(name, value) != value]


def generator(*numbers: int) -> np.random.Generator:
    """Random numbers of one place in a run, e.g. `generator(seed, epoch, sample)`."""
    return np.random.default_rng(numbers)


def epoch_order(seed: int, epoch: int, length: int) -> list[int]:
    """The order in which epoch `epoch` visits `length` samples."""
    return generator(seed, epoch).permutation(length).tolist()


def learning_rate(step: int, total: int, peak: float, warm_up: int, cosine: bool) -> float:
    """Learning rate of step 0, 1, …: rising over `warm_up` steps to `peak`, then constant or falling along a cosine.

    The cosine reaches 0 at step `total`.
    """
    if step < warm_up:
        return peak * (step + 1) / warm_up
    if not cosine:
        return peak
    done = (step - warm_up) / max(1, total - warm_up)
    return peak * (1 + math.cos(math.pi * done)) / 2


def fabric_on(device: str, precision: str, devices: int = 1) -> Fabric:
    """Lightning Fabric on "auto", "cpu", "cuda" or "mps"."""
    return Fabric(accelerator=device, devices=devices, precision=_precision(precision, device))


def _precision(asked: str, device: str) -> Any:
    """Numbers to compute in: `auto` is bf16 on GPUs and on processors that multiply it in hardware."""
    if asked != "auto":
        return asked
    if device != "cpu" and torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    return "bf16-mixed" if torch.cpu.get_capabilities().get("amx_bf16") else "32-true"


@contextmanager
def progress_bar(shown: bool, done: int, total: int) -> Iterator[Callable[[int, str], None]]:
    """A progress bar over the run's steps; yields what moves it to a step and describes it."""
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not shown) as bar:
        task = bar.add_task("begins", total=total, completed=done)
        yield lambda step, text: bar.update(task, completed=step, description=text)


def write_rows(path: Path | str, rows: Sequence[dict[str, Any]]) -> None:
    """Write a training log, one mapping a row, as CSV. The write is atomic; columns are those of all rows."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text_atomic(path, text.getvalue())
