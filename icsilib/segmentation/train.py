"""Training of paper A's model, §2.3, as one visible loop on Lightning Fabric: CPU, one GPU or several.

The run is a folder (`icsilib.training.runs`), whose log has one row an epoch: losses, ξ, share of time waiting for
data, validation. Nothing of it depends on when it was interrupted: the order of the frames and their augmentation are
functions of seed, epoch and frame, and everything else is in the checkpoint.
"""

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader

from icsilib.data.structures import OUTLINES
from icsilib.files import sha256_of
from icsilib.segmentation.evaluate import frame_table
from icsilib.segmentation.frames import Frames, TrainingFrames, network_input
from icsilib.segmentation.losses import Target, total_loss
from icsilib.segmentation.nested_unet import NestedUNet
from icsilib.segmentation.optim import DiffGrad
from icsilib.segmentation.second_look.closeups import training_closeups
from icsilib.segmentation.second_look.widening import widened
from icsilib.segmentation.segmenter import REFERENCE, read_model
from icsilib.segmentation.settings import Settings
from icsilib.training.runs import RunFolder, epoch_order, fabric_on, learning_rate, progress_bar
from icsilib.training.settings import SHIPPED, stage_folders
from icsilib.training.stored import existing_file
from icsilib.training.weights import read_weights, save_weights

_COLUMNS = ("loss", "dice_loss", "euclidean_loss", "js_loss", "friction", "tips")
_VALIDATED = (*(each.column for each in OUTLINES), "tip_px_at_512")


@dataclass
class Run:
    """A training run: what changes from step to step, and what it needs to go on."""

    settings: Settings
    seed: int
    folder: RunFolder
    fabric: Fabric
    network: NestedUNet
    wrapped: nn.Module  # the network as Fabric (and, when asked, the compiler) runs it
    optimizer: DiffGrad
    update: Callable[[], Any]  # the optimiser's step as Fabric runs it
    average: AveragedModel | None
    step: int = 0
    log: list[dict[str, Any]] = field(default_factory=list)
    sums: dict[str, float] = field(default_factory=dict)  # over the steps of the epoch so far

    def state(self) -> dict[str, Any]:
        """Everything that a checkpoint holds."""
        return {
            "model": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "step": self.step,
            "log": self.log,
            "sums": self.sums,
        }

    def finished(self) -> nn.Module:
        """The model that the run is judged by: the average of weights where one is kept."""
        return self.network if self.average is None else self.average.module


def train(
    settings: Settings,
    training: Frames,
    validation: Frames,
    out: Path | str,
    seed: int = 0,
    device: str = "auto",
    devices: int = 1,
    progress: bool = True,
    checkpoint_seconds: float = 60.0,
    start_from: Path | str | None = None,
    data: str | None = None,
    until: float = math.inf,
) -> Path:
    """Train, or continue what `out` holds, and return the file of the finished weights.

    `start_from` is a file of weights to begin with instead of random ones; the network must have its shapes or those
    of a wider one (`widened`), and may see another input size. `data` is a digest of the frames' annotations, which the
    checkpoint keeps. Raises `TimeUpError`, the run saved, when `time.monotonic()` reaches `until` in seconds;
    `NonFiniteLossError` where the loss is not finite; `CheckpointError` where `out` holds a run, finished or not, of
    other settings, seed, beginning, number of devices or frames; and `ValueError` for weights of another network.
    """
    about = _about(settings, seed, devices, start_from, data) | {"frames": _digest(training, validation)}
    folder = RunFolder(Path(out), about)
    if _is_finished(folder):
        return folder.weights
    run = _start(settings, folder, device, start_from)
    steps_per_epoch = math.ceil(len(training) / (settings.batch_size * run.fabric.world_size))
    total = settings.epochs * steps_per_epoch
    loader = iter(_loader(run, training, steps_per_epoch, total))
    saved = time.monotonic()
    with progress_bar(progress and run.fabric.is_global_zero, run.step, total) as bar:
        while run.step < total:
            _one_step(run, loader, total)
            if run.step % steps_per_epoch == 0:
                run.log.append(_epoch_row(run, steps_per_epoch, validation))
                run.sums = {}
            if time.monotonic() - saved > checkpoint_seconds or run.step % steps_per_epoch == 0:
                _save(run)
                saved = time.monotonic()
            bar(run.step, _progress(run.log))
            if time.monotonic() > until and run.step < total:
                _save(run)
                raise folder.time_up(run.step, total)
    if run.fabric.is_global_zero:
        finished = run.finished().cpu()
        if settings.kept_of_start:
            interpolate(finished, begun(settings, seed, start_from).state_dict(), settings.kept_of_start)
        save_weights(finished, settings, folder.weights)
    run.fabric.barrier()
    return folder.weights


def train_stages(
    stages: Sequence[Settings],
    frames: Callable[..., Frames],
    out: Path | str,
    seed: int = 0,
    start_from: Path | str | None = None,
    **how: Any,
) -> Path:
    """Train `stages` one after the other, each from the weights of the one before; returns the last one's weights.

    `frames(preprocess, part)` gives a part of the split as a stage preprocesses it, with `views=` for a stage on
    close-ups: `load_frames` with the data filled in. The last stage's run is `out` itself, an earlier one's the folder
    of its profile's name in it; the first begins with `start_from`, or with the shipped weights where its settings say
    so; `how` goes to `train`, which says what it raises. Finished stages are not repeated, nor their frames loaded, so
    that `data`, where given, alone tells them from those of other frames.
    """
    if start_from is None and stages[0].after == SHIPPED:
        start_from = REFERENCE
    for settings, run in stage_folders(stages, out):
        folder = RunFolder(run, _about(settings, seed, how.get("devices", 1), start_from, how.get("data")))
        if not _is_finished(folder):
            views = {"views": training_closeups} if settings.closeups else {}
            training, validation = (frames(settings.preprocess, part, **views) for part in ("train", "validation"))
            train(settings, training, validation, run, seed, start_from=start_from, **how)
        start_from = folder.weights
    return folder.weights


def read_log(stages: Sequence[Settings], out: Path | str) -> pd.DataFrame:
    """The log of all stages that `train_stages` wrote under `out`: one row an epoch, with the column `stage`."""
    logs = [
        pd.read_csv(RunFolder(run, {}).log).assign(stage=settings.profile)
        for settings, run in stage_folders(stages, out)
    ]
    return pd.concat(logs, ignore_index=True)


def _about(
    settings: Settings, seed: int, devices: int, start_from: Path | str | None, data: str | None
) -> dict[str, Any]:
    """What tells a run from others beside its frames; `start` is the SHA-256 of the weights that it began with."""
    start = None if start_from is None else sha256_of(existing_file(start_from))
    known = {} if data is None else {"data": data}
    return {"settings": settings.as_record(), "seed": seed, "start": start, "devices": devices, **known}


def _digest(*parts: Frames) -> str:
    """SHA-256 of all that training sees of the frames."""
    digest = hashlib.sha256()
    for part in parts:
        for values in (part.images, part.masks, part.tips):
            digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def _is_finished(folder: RunFolder) -> bool:
    """Whether the folder holds the run's finished weights; raises `CheckpointError` where it holds another run."""
    folder.saved()
    if not folder.weights.exists():
        return False
    folder.check(folder.weights, {"settings": read_weights(folder.weights, Settings)[1].as_record()})
    return True


def _start(settings: Settings, folder: RunFolder, device: str, start_from: Path | str | None) -> Run:
    """A new run, or the one that the folder holds."""
    seed = folder.about["seed"]
    fabric = fabric_on(device, settings.precision, folder.about["devices"])
    fabric.launch()
    network = begun(settings, seed, start_from)
    if settings.channels_last:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = DiffGrad(network.parameters(), settings.learning_rate)
    average = None
    if settings.averaging:
        mean = partial(moving_average, decay=settings.averaging)
        average = AveragedModel(network, fabric.device, multi_avg_fn=mean, use_buffers=True)
    runs: Any = torch.compile(network) if settings.compile else network
    wrapped, stepper = fabric.setup(runs, optimizer)
    run = Run(settings, seed, folder, fabric, network, wrapped, optimizer, stepper.step, average)
    if (state := folder.saved()) is not None:
        _restore(run, state)
    return run


def begun(settings: Settings, seed: int, start_from: Path | str | None) -> NestedUNet:
    """The network that a run begins with: random weights, or those of `start_from`, widened where it is narrower."""
    torch.manual_seed(seed)
    network = settings.build()
    if start_from is not None:
        network.load_state_dict(widened(read_model(start_from, "cpu").model.state_dict(), network))
    return network


def interpolate(network: nn.Module, start: dict[str, Tensor], share: float) -> None:
    """Move `network` in place towards the weights `start`, by `share` of the way.

    WiSE-FT of Wortsman et al. (2022, arXiv:2109.01903): of a network that was trained further, the middle between
    begin and end serves images unlike the training's better, and those like it hardly worse.
    """
    for name, value in network.state_dict().items():
        if value.is_floating_point():  # not the counters of batch normalisation
            value.lerp_(start[name], share)


def _restore(run: Run, state: dict[str, Any]) -> None:
    run.network.load_state_dict(state["model"])
    run.optimizer.load_state_dict(state["optimizer"])
    if run.average is not None:
        run.average.load_state_dict(state["average"])
    run.step, run.log, run.sums = state["step"], state["log"], state["sums"]


def _loader(run: Run, frames: Frames, steps_per_epoch: int, total: int) -> DataLoader[tuple[Tensor, Target]]:
    """Batches from the run's next step to its last, of this process's share of the frames."""
    return DataLoader(
        TrainingFrames(frames, run.settings.augmentation, run.seed),
        batch_sampler=list(_batches(run, len(frames), steps_per_epoch, total)),
        num_workers=run.settings.workers,
        pin_memory=run.fabric.device.type == "cuda",
        persistent_workers=run.settings.workers > 0,
    )


def _batches(run: Run, length: int, steps_per_epoch: int, total: int) -> Iterator[list[tuple[int, int]]]:
    rank, world, size = run.fabric.global_rank, run.fabric.world_size, run.settings.batch_size
    for step in range(run.step, total):
        epoch, place = divmod(step, steps_per_epoch)
        order = epoch_order(run.seed, epoch, length)
        # The last batch is filled up from the epoch's beginning, so that every batch has the same size.
        first = (place * world + rank) * size
        yield [(epoch, order[n % length]) for n in range(first, first + size)]


def _one_step(run: Run, loader: Iterator[tuple[Tensor, Target]], total: int) -> None:
    began = time.perf_counter()
    images, target = run.fabric.to_device(next(loader))
    waited = time.perf_counter() - began
    cosine = run.settings.decay == "cosine"
    for group in run.optimizer.param_groups:
        group["lr"] = learning_rate(run.step, total, run.settings.learning_rate, run.settings.warm_up, cosine)
    run.wrapped.train()
    output = run.wrapped(as_format(network_input(images), run.settings))
    losses = total_loss(
        output,
        target._replace(masks=target.masks.float() / 255),
        run.settings.lambda1,
        run.settings.lambda2,
        run.settings.sigma_px,
        run.settings.lambda_absent,
    )
    if not torch.isfinite(losses.total):
        raise run.folder.not_finite(run.step)
    run.optimizer.zero_grad()
    run.fabric.backward(losses.total)
    run.update()
    if run.average is not None:
        run.average.update_parameters(run.network)
    run.step += 1
    terms = [losses.total, losses.seg, losses.euclidean, losses.js, run.optimizer.friction, losses.tips]
    for name, value in zip(
        _COLUMNS, torch.stack([term.detach().float().cpu() for term in terms]).tolist(), strict=True
    ):
        run.sums[name] = run.sums.get(name, 0.0) + value
    run.sums["waited"] = run.sums.get("waited", 0.0) + waited
    run.sums["seconds"] = run.sums.get("seconds", 0.0) + time.perf_counter() - began


def moving_average(averages: list[Tensor], values: list[Tensor], updates: Tensor | int, decay: float) -> None:
    """Move `averages` towards `values` in place, exponentially; the first steps count little, so none lingers."""
    if not averages[0].is_floating_point():  # counters of batch normalisation
        torch._foreach_copy_(averages, values)
        return
    n = int(updates)
    torch._foreach_lerp_(averages, values, 1 - min(decay, (1 + n) / (10 + n)))


def as_format(images: Tensor, settings: Settings) -> Tensor:
    """Images in the settings' memory format."""
    return images.contiguous(memory_format=torch.channels_last) if settings.channels_last else images


def _epoch_row(run: Run, steps: int, validation: Frames) -> dict[str, Any]:
    """One row of the log: means over the epoch's steps, and the validation frames as the network sees them."""
    row: dict[str, Any] = {"epoch": len(run.log) + 1, "step": run.step}
    row |= {name: round(run.sums[name] / steps, 6) for name in _COLUMNS}
    row["waiting_for_data"] = round(run.sums["waited"] / run.sums["seconds"], 4)
    row["seconds"] = round(run.sums["seconds"], 2)
    table = frame_table(run.finished(), validation, validation.size)
    table["tip_px_at_512"] = table["tip_px"] * (512 / validation.size)
    means = table[list(_VALIDATED)].mean()
    # None where no validation frame has the object: the checkpoint is JSON, which has no NaN.
    return row | {name: None if np.isnan(mean) else mean for name, mean in means.items()}


def _progress(log: list[dict[str, Any]]) -> str:
    """Loss and validation of the log's last row; a dash where no validation frame has the object."""
    if not log:
        return "first epoch"
    *ious, tip = ("–" if log[-1][name] is None else f"{log[-1][name]:.3g}" for name in _VALIDATED)
    return f"loss {log[-1]['loss']:.3f} · IoU {' '.join(ious)} · tip {tip} px"


def _save(run: Run) -> None:
    if run.fabric.is_global_zero:
        run.folder.save(run.state(), run.log)
