"""Training of the detector: one flat loop that can be stopped at any moment and goes on where it was.

The run is a folder (`icsilib.training.runs`). Its weights are those that did best on the validation images so far, by
the published F1 (AP with AR); its log has loss and learning rate every few steps, and validation where it was done.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from rich.console import Console
from torch import nn

from icsilib.detection.detector import Detections, Detector
from icsilib.detection.evaluate import coco_evaluation, harmonic_mean, scores_of
from icsilib.detection.images import Batch, LabelledImage, TrainingInputs, digest_of, pixels_of, training_batches
from icsilib.detection.losses import l2_regularisation, multibox_loss
from icsilib.detection.mobilenet import WEIGHTS_FILE, find_imagenet_weights, load_imagenet
from icsilib.detection.settings import Settings
from icsilib.detection.ssd import SSD
from icsilib.detection.weights import BIOPSY_PHANTOM
from icsilib.errors import IcsiError
from icsilib.files import sha256_of
from icsilib.training.checkpoints import CheckpointError
from icsilib.training.runs import RunFolder, fabric_on, learning_rate, progress_bar
from icsilib.training.settings import stage_folders
from icsilib.training.weights import read_weights, save_weights

LOG_EVERY = 10  # steps


class TrainingError(IcsiError):
    """A run that cannot start; the message names the folder and the remedy."""


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
    device: str = "auto",
    save_every: int = 50,
    start_from: Path | str | None = None,
    until: float = math.inf,
) -> Trained:
    """Train a detector into the folder `out`, or finish the run that was begun there.

    `start_from` is a file of weights in place of the library's, for settings whose initialisation is "shipped".
    A run that continues ends with the same bits, on a CPU, as one that was never stopped. Raises `CheckpointError`
    when `out` holds a run of other settings, seed, beginning or images (files and boxes), or one without its best
    weights; `TrainingError` when no image of a part has a sperm or when `start_from` goes with other settings;
    `WeightsError` when it holds no detector; `AnnotationError` for an image that cannot be read; `TimeUpError`, the
    run saved, when `time.monotonic()` reaches `until` in seconds; `NonFiniteLossError` when the loss is no number.
    """
    _check(Path(out), settings, start_from, {"training": training, "validation": validation})
    if not settings.empty_images:
        training, validation = ([image for image in part if len(image.boxes)] for part in (training, validation))
    start_from = start_from or BIOPSY_PHANTOM
    fabric = fabric_on(device, settings.precision)
    torch.manual_seed(seed)
    network, initialisation = initialised(settings, start_from)
    begins = sha256_of(start_from) if settings.initialisation == "shipped" else None
    about = {"settings": settings.as_record(), "seed": seed, "start": begins, "images": [i.id for i in training]}
    about["data"] = digest_of(training, validation)
    folder = RunFolder(Path(out), about)
    optimizer = rmsprop(network, settings)
    model, stepper = fabric.setup(network, optimizer)
    # Restored when the network is on its device, to which the optimiser's moments then go too.
    beginning: dict[str, Any] = {"step": 0, "best": -1.0, "rows": [], "initialisation": initialisation}
    state = _resume(folder, network, optimizer) or beginning
    training_mode(network, settings)

    inputs = TrainingInputs(training, settings, seed)
    with progress_bar(progress, state["step"], settings.steps) as bar:
        for step, batch in training_batches(inputs, state["step"], settings.steps, workers):
            cosine = settings.schedule == "cosine"
            rate = learning_rate(step, settings.steps, settings.learning_rate, settings.warm_up, cosine)
            row = {"step": step + 1, "learning_rate": rate}
            row |= _train_step(fabric, model, stepper, batch, settings, rate)
            if not math.isfinite(row["loss"]):
                raise folder.not_finite(step + 1)
            state["step"] = step + 1
            if step % LOG_EVERY == 0:
                state["rows"].append(row)
            if state["step"] % settings.validate_every == 0 or state["step"] == settings.steps:
                _validate(folder, network, validation, settings, state, fabric.device)
            time_up = time.monotonic() > until and state["step"] < settings.steps
            if time_up or state["step"] % save_every == 0 or state["step"] == settings.steps:
                weights = {"network": network.state_dict(), "optimizer": optimizer.state_dict()}
                folder.save(state | weights, state["rows"])
            bar(state["step"], f"loss {row['loss']:.3f}, best validation F1 {state['best']:.3f}")
            if time_up:
                raise folder.time_up(state["step"], settings.steps)
    return Trained(folder.weights, state["rows"], state["initialisation"])


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
    for settings, run in stage_folders(stages, out):
        done = train(training, validation, settings, run, seed, **how)
        how = how | {"start_from": done.weights}
    return done


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
    network = settings.build()
    if settings.initialisation == "scratch":
        return network, "scratch"
    origin: str = settings.initialisation
    if settings.initialisation == "shipped":
        file = origin if Path(start_from) == BIOPSY_PHANTOM else str(start_from)
        network, origin = cast(SSD, read_weights(start_from, Settings)[0]), settings.after or file
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


def rmsprop(network: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    """Paper B's optimiser over the weights that are trained."""
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    return torch.optim.RMSprop(
        weights, settings.learning_rate, settings.decay, settings.epsilon, momentum=settings.momentum
    )


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
    folder: RunFolder,
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
        save_weights(network, settings, folder.weights, half=True)


def _resume(folder: RunFolder, network: SSD, optimizer: torch.optim.Optimizer) -> dict[str, Any] | None:
    """Put a saved run's weights and moments in place; its step, best value and log, or None in a new folder."""
    saved = folder.saved()
    if saved is None:
        return None
    if saved["best"] >= 0 and not folder.weights.exists():
        raise CheckpointError(
            f"{folder.weights}: is missing, though the run has validated; put it back, or delete {folder.checkpoint} "
            "and train again"
        )
    network.load_state_dict(saved.pop("network"))
    optimizer.load_state_dict(saved.pop("optimizer"))
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
