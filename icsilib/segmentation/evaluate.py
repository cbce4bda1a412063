"""Scores of a model against the truth of paper A, §3.2: IoU of both classes, and the needle tip's error.

Everything is measured per frame on the square of 512 px on which the paper's figures are understood, whatever the
size of the model's input: probabilities are brought to 512 px by bilinear interpolation, truth is rasterised there.
Frames whose truth lacks an object are left out of that object's score, and counted.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from icsilib.data.annotations import polygons_to_mask
from icsilib.data.images import read_grey
from icsilib.data.preprocess import Geometry, Preprocess, geometry
from icsilib.data.structures import OF_INJECTIONS
from icsilib.segmentation.dsnt import tip_confidence, to_pixels
from icsilib.segmentation.frames import CLASSES, SCORED_SIZE, Frames, network_input
from icsilib.segmentation.segmenter import Segmenter, network_output
from icsilib.segmentation.settings import Settings
from icsilib.stats.agreement import iou
from icsilib.stats.coverage import group_coverage
from icsilib.stats.resampling import jackknife_interval
from icsilib.training.devices import device_name, device_of, wait_for


def masks_at(y_seg: Tensor, size: int = SCORED_SIZE) -> NDArray[np.bool_]:
    """Probabilities (B, 2, S, S) → masks (B, 2, size, size) where they exceed one half after interpolation."""
    if y_seg.shape[-1] != size:
        y_seg = F.interpolate(y_seg, size=(size, size), mode="bilinear", align_corners=False)
    return (y_seg > 0.5).numpy()


def frame_table(
    model: nn.Module | Segmenter,
    frames: Frames,
    size: int = SCORED_SIZE,
    batch: int = 8,
) -> pd.DataFrame:
    """One row per frame: whose it is, IoU of each class, tip error in px at `size` and in µm, confidence in the tip.

    A score is NaN where the truth lacks the object; `false_<class>` then says whether the model saw one. A `Segmenter`
    is shown the frames' files, whole, as a user shows it photographs; a bare network the preprocessed squares,
    which may be close-ups.
    """
    parts = [range(first, min(first + batch, len(frames))) for first in range(0, len(frames), batch)]
    if isinstance(model, Segmenter):
        answers = (answer for part in parts for answer in _about_files(model, frames, part, size))
    else:
        answers = (answer for part in parts for answer in _about_squares(model, frames, part, size))
    return pd.DataFrame([_row(frames, n, answer) for n, answer in enumerate(answers)])


def perfect_table(truth: Frames, labels: Frames, size: int = SCORED_SIZE) -> pd.DataFrame:
    """The `frame_table` of a model that answers with `truth`, judged by people's `labels` of the same frames.

    No model can be expected to score better against these labels.
    """
    if [record.file_name for record in truth.records] != [record.file_name for record in labels.records]:
        raise ValueError("truth and labels are of other frames; load the same part of one split")
    said = ((_truth(truth, n, size), _truth(labels, n, size)) for n in range(len(truth)))
    answers = (_Answer(right.masks, right.tip, 1.0, label) for right, label in said)
    return pd.DataFrame([_row(labels, n, answer) for n, answer in enumerate(answers)])


class _Truth(NamedTuple):
    """Truth of one frame on the square on which it is scored."""

    masks: NDArray[np.bool_]  # (2, size, size)
    tip: NDArray[np.float64]  # (2,) px, NaN where absent
    factor: float  # px of that square per px of the frames' own


class _Answer(NamedTuple):
    """What a model says of one frame, on the square on which it is scored, and the truth there."""

    masks: NDArray[np.bool_]  # (2, size, size)
    tip: NDArray[Any]  # (2,) px
    confidence: float
    truth: _Truth


def _about_squares(network: nn.Module, frames: Frames, part: range, size: int) -> Iterator[_Answer]:
    network.eval()
    output = network_output(network, frames.images[part.start : part.stop], device_of(network))
    masks, confidence = masks_at(output.y_seg, size), tip_confidence(output.heatmap, output.y_coords)
    for n, mask, tip, sure in zip(part, masks, to_pixels(output.y_coords, size).numpy(), confidence, strict=True):
        yield _Answer(mask, tip, float(sure), _truth(frames, n, size))


def _about_files(model: Segmenter, frames: Frames, part: range, size: int) -> Iterator[_Answer]:
    photographs = [read_grey(frames.root / frames.records[n].file_name) for n in part]
    for n, seen in zip(part, model.predict_all(photographs), strict=True):
        place = geometry(seen.masks.shape[:0:-1], Preprocess(size))
        masks = on_square(seen.probabilities, place) > 0.5
        yield _Answer(masks, place.to_square(seen.tip), seen.confidence, _truth_on_letterbox(frames, n, place))


def on_square(probabilities: NDArray[np.float32], place: Geometry) -> NDArray[np.float32]:
    """Probabilities (C, H, W) of a photograph on the square where it lies at `place`, zero on the square's bars."""
    width, height = place.content
    content = F.interpolate(
        torch.from_numpy(probabilities)[None], (height, width), mode="bilinear", align_corners=False
    )
    square = np.zeros((len(probabilities), place.size, place.size), np.float32)
    left, top = place.offset
    square[:, top : top + height, left : left + width] = content[0]
    return square


def _truth(frames: Frames, n: int, size: int) -> _Truth:
    """On the frames' own square, scaled up as a whole: content and bars lie as the network saw them."""
    factor = size / frames.size
    return _Truth(frames.truth_at(n, size), frames.tips[n] * factor, factor)


def _truth_on_letterbox(frames: Frames, n: int, place: Geometry) -> _Truth:
    """On the letterbox at `place`.

    That is not the frames' own scaled up: on each, content and bars are rounded to whole pixels of its size.
    """
    own = geometry(place.source, Preprocess(frames.size))
    factor = np.divide(place.content, own.content)
    shift = place.offset - own.offset * factor
    rings = [[ring * factor + shift for ring in outlines] for outlines in frames.outlines[n]]
    masks = np.stack([polygons_to_mask(outlines, place.size, place.size) for outlines in rings])
    return _Truth(masks, frames.tips[n] * factor + shift, float(factor.mean()))


def _row(frames: Frames, n: int, answer: _Answer) -> dict[str, Any]:
    record = frames.records[n]
    fields = ("file_name", "video_id", "frame_index", "kit", "operator")
    identity = {"n": n} | {name: getattr(record, name) for name in fields}
    scores = _mask_scores(answer.masks, answer.truth.masks) | _tip_scores(frames, n, answer.tip, answer.truth)
    return identity | scores | {"tip_confidence": answer.confidence}


def _mask_scores(predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, mask, true in zip(CLASSES, predicted, truth, strict=True):
        row[f"iou_{name}"] = iou(mask, true) if true.any() else np.nan
        row[f"false_{name}"] = bool(mask.any() and not true.any())
    return row


def _tip_scores(frames: Frames, n: int, tip: NDArray[Any], truth: _Truth) -> dict[str, Any]:
    error = float(np.hypot(*(tip - truth.tip)))  # NaN where there is no tip
    return {
        "tip_px": error,
        "tip_um": error / truth.factor * float(frames.um_per_px[n]),
        "tip_present": bool(np.isfinite(truth.tip).all()),
        "tip_x": float(tip[0]),
        "tip_y": float(tip[1]),
    }


@dataclass(frozen=True)
class Score:
    """Summary of one column of a frame table."""

    mean: float
    sd: float  # over frames
    median: float
    n: int  # frames scored
    left_out: int  # frames whose truth lacks the object
    videos: int
    interval: tuple[float, float] | None  # 95 %, of the mean, by the jackknife over videos; None for too few
    coverage: float  # of that interval in studies simulated with these videos' spread; NaN without one


def summarise(table: pd.DataFrame, column: str) -> Score:
    """Mean, SD and 95 % interval of `column`. Frames of a video are near-copies, so the interval leaves out videos.

    It is formed for the logarithm of the error, 1 − IoU or the distance (`jackknife_interval`). Where no frame is
    scored the statistics are NaN.
    """
    scored = table.dropna(subset=[column])
    values = scored[column]
    loss = column.startswith("iou")
    by_video = (1 - values if loss else values).groupby(scored["video_id"]).agg(["sum", "count"])
    ends = _interval(by_video)
    coverage = group_coverage(by_video["sum"].to_numpy(), by_video["count"].to_numpy()) if ends else float("nan")
    return Score(
        mean=float(values.mean()),
        sd=float(values.std()),
        median=float(values.median()),
        n=len(values),
        left_out=len(table) - len(values),
        videos=len(by_video),
        interval=(1 - ends[1], 1 - ends[0]) if ends and loss else ends,
        coverage=coverage,
    )


def _interval(by_video: pd.DataFrame) -> tuple[float, float] | None:
    total, frames = by_video.sum()
    without = (total - by_video["sum"]) / (frames - by_video["count"]) if len(by_video) > 1 else []
    return jackknife_interval(total / max(frames, 1), without, "log")


def by_group(table: pd.DataFrame, group: str) -> pd.DataFrame:
    """Mean scores of each video, kit or operator, with the number of frames, and of those with a tip."""
    grouped = table.groupby(group)
    means = grouped[[each.column for each in OF_INJECTIONS]].mean()
    return means.assign(frames=grouped.size(), tips=grouped["tip_px"].count()).rename_axis(group)


def by_contrast(table: pd.DataFrame, edges: Sequence[float] = (0.8, 1.0, 1.5, 2.0, 3.0)) -> pd.DataFrame:
    """Tip errors (px) of frames whose tip stands out by so much, `tip_contrast`; a row from each of the `edges` up."""
    tips = table.dropna(subset=["tip_px"])
    bounds = [f"{low} to {high}" for low, high in pairwise(edges)] + [f"{edges[-1]} and more"]
    groups = tips.groupby(pd.cut(tips["tip_contrast"], [*edges, np.inf], labels=bounds, right=False), observed=False)
    rows = groups["tip_px"].agg(tips="size", mean="mean", median="median")
    return rows.assign(within_10_px=groups["tip_px"].agg(lambda errors: (errors <= 10).mean()))


def by_confidence(table: pd.DataFrame, groups: int = 5, within_px: float = 10) -> pd.DataFrame:
    """Calibration of the tip's confidence: share of tips within a distance, by equal groups of rising confidence."""
    tips = table.dropna(subset=["tip_px"])
    grouped = tips.groupby(pd.qcut(tips["tip_confidence"].rank(method="first"), groups, labels=False))
    rows = grouped.agg(tips=("tip_px", "size"), confidence=("tip_confidence", "mean"), median_px=("tip_px", "median"))
    return rows.assign(within=grouped["tip_px"].agg(lambda errors: (errors <= within_px).mean())).rename_axis("group")


def worst(table: pd.DataFrame, column: str, count: int = 6) -> pd.DataFrame:
    """The `count` frames with the lowest IoU, or the largest tip error, at most one of each video."""
    ordered = table.dropna(subset=[column]).sort_values(column, ascending=column.startswith("iou"))
    return ordered.drop_duplicates("video_id").head(count)


def presence_auc(table: pd.DataFrame) -> float:
    """Probability that a frame with a tip has more confidence than one without (area under the ROC curve)."""
    present, absent = (table.loc[table["tip_present"] == is_, "tip_confidence"].to_numpy() for is_ in (True, False))
    if not len(present) or not len(absent):
        return float("nan")
    difference = present[:, None] - absent[None, :]
    return float((difference > 0).mean() + 0.5 * (difference == 0).mean())


@dataclass(frozen=True)
class Speed:
    """Time and arithmetic of one frame."""

    milliseconds: float  # median, batch 1, preprocessing not included
    frames: int  # timed, after warming up
    gflop: float  # floating-point operations of a forward pass, in 10⁹; a multiplication and an addition are two
    threads: int
    device: str  # "cpu", or the GPU's model


def speed(segmenter: Segmenter, frames: int = 20) -> Speed:
    """Time single frames, after three to warm up."""
    device = segmenter.device
    image = network_input(torch.zeros(1, 1, segmenter.settings.size, segmenter.settings.size, device=device))
    times = []
    for _ in range(frames + 3):
        began = time.perf_counter()
        with torch.inference_mode():
            segmenter.network(image)
            wait_for(device)
        times.append(time.perf_counter() - began)
    milliseconds = float(np.median(times[3:]) * 1e3)
    gflop = flops(segmenter.settings) / 1e9
    return Speed(milliseconds, frames, gflop, torch.get_num_threads(), device_name(device))


def flops(settings: Settings) -> int:
    """Floating-point operations of a forward pass of one frame, counted on the meta device: nothing is computed."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        settings.build().eval()(torch.empty(1, 1, settings.size, settings.size))
    return counter.get_total_flops()
