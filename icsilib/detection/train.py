"""Training of the detector: one flat loop that can be stopped at any moment and goes on where it was.

A run is a folder:

    settings.json      what is trained, checked when the run continues
    last.safetensors   the whole state after the last saved step: network, optimiser, random numbers, log
    best.safetensors   weights that did best on the validation images so far, by the published F1 (AP with AR)
    log.csv            loss and learning rate every few steps, validation where it was done
"""

import json
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import nn

from icsilib.detection.detector import Detections, Detector
from icsilib.detection.evaluate import coco_evaluation, harmonic_mean, scores_of
from icsilib.detection.images import Batch, LabelledImage, TrainingInputs, digest_of, pixels_of, training_batches
from icsilib.detection.losses import l2_regularisation, multibox_loss
from icsilib.detection.mobilenet import WEIGHTS_FILE, find_imagenet_weights, load_imagenet
from icsilib.detection.settings import Settings, as_record
from icsilib.detection.ssd import SSD
from icsilib.detection.weights import BIOPSY_PHANTOM, load_weights, save_weights
from icsilib.errors import IcsiError
from icsilib.files import sha256_of, write_text_atomic
from icsilib.training.checkpoints import (
    NonFiniteLossError,
    TimeUpError,
    differences,
    load_checkpoint,
    restore_rng,
    rng_state,
    save_checkpoint,
    write_rows,
)

LOG_EVERY = 10  # steps
logging.getLogger("lightning_fabric.utilities.rank_zero").setLevel(logging.WARNING)  # it would announce the precision


class TrainingError(IcsiError):
    """A run that cannot start or go on; the message names the folder and the remedy."""


@dataclass(frozen=True)
class Trained:
    """A finished run."""

    weights: Path  # of the best validation
    log: list[dict[str, Any]]
    # "imagenet", "shipped", "scratch", the profile before or the file: what was done, not what was asked for
    initialisation: str


def train(
    training: Sequence[LabelledImage],
    validation: Sequence[LabelledImage],
    settings: Settings,
    out: Path | str,
    seed: int = 0,
    workers: int = 0,
    progress: bool = False,
    accelerator: str = "auto",
    save_every: int = 50,
    start_from: Path | str | None = None,
    until: float = math.inf,
) -> Trained:
    """Train a detector into the folder `out`, or finish the run that was begun there.

    `start_from` is a file of weights in place of the library's, for settings whose initialisation is "shipped".
    A run that continues ends with the same bits, on a CPU, as one that was never stopped. Raises `TrainingError`
    when `out` holds a run of other settings, seed, beginning or images (files and boxes), when no image of a part
    has a sperm or when `start_from` goes with other settings, `WeightsError` when it holds no detector,
    `AnnotationError` for an image that cannot be read, `TimeUpError`, the run saved, when `time.monotonic()` reaches
    `until` in seconds, and `NonFiniteLossError` when the loss is no longer a number.
    """
    out = Path(out)
    _check(out, settings, start_from, {"training": training, "validation": validation})
    if not settings.empty_images:
        training, validation = ([image for image in part if len(image.boxes)] for part in (training, validation))
    start_from = start_from or BIOPSY_PHANTOM
    fabric = Fabric(accelerator=accelerator, devices=1, precision=precision(settings, accelerator))
    torch.manual_seed(seed)
    network, initialisation = initialised(settings, start_from)
    begins = sha256_of(start_from) if settings.initialisation == "shipped" else None
    about = {"settings": as_record(settings), "seed": seed, "start": begins, "images": [i.id for i in training]}
    _claim(out, about | {"data": digest_of(training, validation)})
    optimizer = rmsprop(network, settings)
    model, stepper = fabric.setup(network, optimizer)
    # Restored when the network is on its device, to which the optimiser's moments then go too.
    state = _resume(out, network, optimizer) or {"step": 0, "best": -1.0, "rows": [], "initialisation": initialisation}
    training_mode(network, settings)

    inputs = TrainingInputs(training, settings, seed)
    with _bar(settings, state, progress) as advance:
        for step, batch in training_batches(inputs, state["step"], settings.steps, workers):
            row = {"step": step + 1, "learning_rate": learning_rate(step, settings)}
            row |= _train_step(fabric, model, stepper, batch, settings, row["learning_rate"])
            if not math.isfinite(row["loss"]):
                raise NonFiniteLossError(f"{out}: loss is {row['loss']} at step {step + 1}; {_REMEDY}")
            state["step"] = step + 1
            if step % LOG_EVERY == 0:
                state["rows"].append(row)
            if state["step"] % settings.validate_every == 0 or state["step"] == settings.steps:
                _validate(out, network, validation, settings, state, fabric.device)
            time_up = time.monotonic() > until and state["step"] < settings.steps
            if time_up or state["step"] % save_every == 0 or state["step"] == settings.steps:
                _save(out, network, optimizer, state)
            advance(state, row["loss"])
            if time_up:
                done = f"{state['step']} of {settings.steps} steps are done and saved"
                raise TimeUpError(f"{out}: {done}; run the same command again")
    return Trained(out / "best.safetensors", state["rows"], state["initialisation"])


def train_stages(
    stages: Sequence[Settings],
    training: Sequence[LabelledImage],
    validation: Sequence[LabelledImage],
    out: Path | str,
    seed: int = 0,
    **how: Any,
) -> Trained:
    """Train `stages` one after the other, each from the best weights of the one before; returns the last.

    The last stage's run is `out` itself, an earlier one's the folder of its profile's name in it; `how` goes to
    `train`. What is finished is not repeated.
    """
    *earlier, last = stages
    for settings in earlier:
        done = train(training, validation, settings, Path(out) / settings.profile, seed, **how)
        how = how | {"start_from": done.weights}
    return train(training, validation, last, out, seed, **how)


def best_validation(log: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The row of a run's log whose weights were kept: the highest published F1, of AP with AR."""
    rows = [row for row in log if "validation_ap" in row]
    return max(rows, key=lambda row: harmonic_mean(row["validation_ap"], row["validation_ar"]))


def initialised(settings: Settings, start_from: Path | str = BIOPSY_PHANTOM) -> tuple[SSD, str]:
    """A network at the start of training, and where it starts.

    That is features from "imagenet", all weights of the library ("shipped"), of the profile before or of the file
    `start_from`, or "scratch".
    Where ImageNet is asked for and its weights are not there, it says so on one line and starts from scratch.
    """
    network = SSD(settings.resample, settings.layout)
    if settings.initialisation == "scratch":
        return network, "scratch"
    origin: str = settings.initialisation
    if settings.initialisation == "shipped":
        file = origin if Path(start_from) == BIOPSY_PHANTOM else str(start_from)
        network, origin = load_weights(start_from)[0], settings.after or file
    elif path := find_imagenet_weights():
        load_imagenet(network.features, path)
    else:
        Console(stderr=True).print(
            "No ImageNet weights found: training from scratch. Set ICSILIB_WEIGHTS to the folder that holds "
            f"{WEIGHTS_FILE} to start from them."
        )
        return network, "scratch"
    for weight in network.features[: settings.frozen_stages].parameters():
        weight.requires_grad = False
    return network, origin


def precision(settings: Settings, accelerator: str = "auto") -> Any:
    """Numbers to compute in: `auto` is bf16 on GPUs and on processors that multiply it in hardware."""
    if settings.precision != "auto":
        return settings.precision
    if accelerator != "cpu" and torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    return "bf16-mixed" if torch.cpu.get_capabilities().get("amx_bf16") else "32-true"


def rmsprop(network: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    """Paper B's optimiser over the weights that are trained."""
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    return torch.optim.RMSprop(
        weights, settings.learning_rate, settings.decay, settings.epsilon, momentum=settings.momentum
    )


def learning_rate(step: int, settings: Settings) -> float:
    """Learning rate of step 0, 1, …: rising over `warm_up` steps, then falling to 0 along half a cosine.

    It stays where it is after the rise if the settings' schedule is "constant".
    """
    if step < settings.warm_up:
        return settings.learning_rate * (step + 1) / settings.warm_up
    if settings.schedule == "constant":
        return settings.learning_rate
    done = (step - settings.warm_up) / max(1, settings.steps - settings.warm_up)
    return settings.learning_rate * (1 + math.cos(math.pi * done)) / 2


def training_mode(network: SSD, settings: Settings) -> None:
    """Switch to training, except for the normalisation of stages that are kept as they are."""
    network.train()
    if not next(network.features[: max(1, settings.frozen_stages)].parameters()).requires_grad:
        network.features[: settings.frozen_stages].eval()


def detect_files(detector: Detector, images: Sequence[LabelledImage], batch_size: int = 8) -> dict[int, Detections]:
    """Detections of each labelled image's file, by image id."""
    found = detector.predict_many(map(pixels_of, images), batch_size)
    return dict(zip([image.id for image in images], found, strict=True))


def _train_step(
    fabric: Fabric,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    settings: Settings,
    rate: float,
) -> dict[str, float]:
    """One update; paper B, supplementary equations 1 to 5."""
    for group in optimizer.param_groups:
        group["lr"] = rate
    images, positive, targets = (fabric.to_device(t) for t in (batch.images, batch.positive, batch.targets))
    logits, offsets = model(images.float() / 255)
    sperm = fabric.to_device(batch.sperm) if settings.mining == "per_sperm" else None
    ratio, minimum = settings.negatives_per_positive, settings.minimum_negatives
    parts = multibox_loss(logits, offsets, positive, targets, ratio, minimum, sperm)
    penalty = settings.l2 * l2_regularisation(w for w in model.parameters() if w.requires_grad)
    loss = parts.classification + settings.localisation_weight * parts.localisation + penalty
    optimizer.zero_grad()
    fabric.backward(loss)
    fabric.clip_gradients(model, optimizer, max_norm=settings.largest_gradient, error_if_nonfinite=False)
    if torch.isfinite(loss):  # otherwise the caller stops, and the weights stay as they were
        optimizer.step()
    values = {"loss": loss, "classification": parts.classification, "localisation": parts.localisation, "l2": penalty}
    counts = {"positives": float(parts.positives), "negatives": float(parts.negatives)}
    return {name: float(value.detach()) for name, value in values.items()} | counts


def _validate(
    out: Path,
    network: SSD,
    validation: Sequence[LabelledImage],
    settings: Settings,
    state: dict[str, Any],
    device: torch.device,
) -> None:
    """Measure on the validation images, and keep the weights when they are the best so far."""
    network.eval()
    scores = scores_of(coco_evaluation(validation, detect_files(Detector(network, settings, device), validation)))
    training_mode(network, settings)
    state["rows"].append({"step": state["step"], "validation_ap": scores.ap, "validation_ar": scores.ar})
    if scores.f1 > state["best"]:
        state["best"] = scores.f1
        save_weights(out / "best.safetensors", network, settings)


def _save(out: Path, network: SSD, optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    whole = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "random": rng_state()}
    save_checkpoint(out / "last.safetensors", state | whole)
    write_rows(out / "log.csv", state["rows"])


def _resume(out: Path, network: SSD, optimizer: torch.optim.Optimizer) -> dict[str, Any] | None:
    """Put a saved run's weights and moments in place; its step, best value and log, or None without one."""
    if not (out / "last.safetensors").exists():
        return None
    saved = load_checkpoint(out / "last.safetensors")
    network.load_state_dict(saved.pop("network"))
    optimizer.load_state_dict(saved.pop("optimizer"))
    restore_rng(saved.pop("random"))
    return saved


def _check(
    out: Path, settings: Settings, start_from: Path | str | None, parts: Mapping[str, Sequence[LabelledImage]]
) -> None:
    """Refuse weights that the settings would not begin with, and parts of the data without a sperm."""
    if start_from is not None and settings.initialisation != "shipped":
        raise TrainingError(
            f"{out}: starts from {settings.initialisation}, not from {start_from}; leave start_from out, or take "
            'settings whose initialisation is "shipped"'
        )
    for part, images in parts.items():
        if not any(len(image.boxes) for image in images):
            raise TrainingError(
                f"{out}: none of the {len(images)} {part} images has a sperm, by which weights are learnt and chosen; "
                "split the data otherwise"
            )


def _claim(out: Path, identity: dict[str, Any]) -> None:
    """Refuse a folder that holds another run, and mark a new one."""
    place = out / "settings.json"
    if place.exists():
        earlier = json.loads(place.read_text())
        if different := differences(earlier, identity):
            raise TrainingError(
                f"{out}: holds a run with other {', '.join(different)}; choose another folder or delete this one"
            )
    else:
        write_text_atomic(place, json.dumps(identity, indent=1) + "\n")


@contextmanager
def _bar(settings: Settings, state: dict[str, Any], shown: bool) -> Iterator[Callable[[dict[str, Any], float], None]]:
    """A progress bar; yields what moves it."""
    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("loss {task.fields[loss]:.3f}, best validation F1 {task.fields[best]:.3f}"),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not shown) as bar:
        task = bar.add_task("", total=settings.steps, completed=state["step"], loss=math.nan, best=state["best"])
        yield lambda now, loss: bar.update(task, completed=now["step"], loss=loss, best=now["best"])


_REMEDY = "lower the learning rate or check the boxes; last.safetensors holds the state before"
