"""Scores of paper A's model as results, under the keys that the claims ledger and the reference run share."""

from pathlib import Path

import numpy as np
import pandas as pd

from icsilib.data.structures import OUTLINES
from icsilib.phantoms.icsi_dataset import bright_needles, tip_contrasts
from icsilib.segmentation.evaluate import Score, Speed, by_contrast, by_group, presence_auc, summarise
from icsilib.study.provenance import Results

TWO_LOOKS = "two_looks."  # before every key of the study's extension; keys without it are the paper's method
_IOU = {f"{each.name}.iou": each.column for each in OUTLINES}
NAMES = _IOU | {"tip": "tip_px", "tip.um": "tip_um"}
UNITS = dict.fromkeys([*_IOU, "iou"], "IoU") | {"tip": "px at 512", "tip.um": "µm"}


def add_scores(results: Results, table: pd.DataFrame, data: str, prefix: str = "") -> None:
    """Add mean, SD, median and number left out of each measure of a frame table, every key after `prefix`.

    Intervals are 95 %, by the jackknife over videos, and left out where too few have the object; `.coverage` says
    how many of such intervals hold the mean in simulated studies of as many videos. `iou` is the
    mean of both classes of each frame that has both.
    """
    both = table.assign(iou_both=table[list(_IOU.values())].mean(axis=1, skipna=False))
    for name, column in {**NAMES, "iou": "iou_both"}.items():
        _add(results, prefix + name, summarise(both, column), UNITS[name], data)
    results.add(f"{prefix}tip.within_10_px", float((table["tip_px"].dropna() <= 10).mean()), n_of="frames", data=data)
    results.add(f"{prefix}tip.presence_auc", presence_auc(table), n=len(table), n_of="frames", data=data)
    for each in OUTLINES:
        false = int(table[f"false_{each.name}"].sum())
        results.add(f"{prefix}{each.name}.false_frames", false, n=len(table), n_of="frames", data=data)


def add_groups(results: Results, table: pd.DataFrame, *groups: str, prefix: str = "") -> None:
    """Add one table for each of the frame table's columns `groups`, such as kit: mean scores by its values."""
    for group in groups:
        results.add_table(f"{prefix}by_{group}", by_group(table, group).reset_index().to_dict("records"))


def with_contrasts(table: pd.DataFrame, folder: Path | str) -> pd.DataFrame:
    """A frame table with the column `tip_contrast`: how far each tip stands out, NaN where there is none.

    `table` is of frames of the rendered set `folder`; its generator renders those with a tip again.
    """
    tips = table.dropna(subset=["tip_px"])
    contrasts = tip_contrasts(folder, zip(tips["video_id"], tips["frame_index"], strict=True))
    return table.assign(tip_contrast=pd.Series(contrasts, index=tips.index))


def add_contrasts(results: Results, table: pd.DataFrame, prefix: str = "") -> None:
    """Add a table of tip errors by how far the tip stands out, of a frame table `with_contrasts`."""
    results.add_table(f"{prefix}by_contrast", by_contrast(table).reset_index().to_dict("records"))


def add_needles(results: Results, table: pd.DataFrame, folder: Path | str, prefix: str = "") -> None:
    """Add a table of tip errors by whether the needle is brighter than the field, which the set `folder` is asked."""
    tips = table.dropna(subset=["tip_px"])
    kinds = np.where(bright_needles(folder, tips["video_id"]), "bright", "dark")
    grouped = tips.groupby(pd.Index(kinds, name="needle"))
    rows = grouped["tip_px"].agg(tips="size", mean="mean", sd="std", median="median")
    results.add_table(
        f"{prefix}by_needle", rows.assign(videos=grouped["video_id"].nunique()).reset_index().to_dict("records")
    )


def _add(results: Results, key: str, score: Score, unit: str, data: str) -> None:
    about = {"unit": unit, "n": score.n, "n_of": "frames", "data": data}
    many = score.interval is not None
    method = f"jackknife over {score.videos} videos, log scale" if many else f"no interval, videos: {score.videos}"
    spread = {"interval": score.interval, "level": 0.95 if many else None}
    results.add(f"{key}.mean", score.mean, method=f"mean over frames; {method}", **spread, **about)
    if many:
        method = "share of studies simulated with these videos' spread whose interval holds the mean"
        results.add(f"{key}.mean.coverage", score.coverage, method=method, data="simulation")
    results.add(f"{key}.sd", score.sd, method="over frames", **about)
    results.add(f"{key}.median", score.median, method="over frames", **about)
    results.add(f"{key}.left_out", score.left_out, n_of="frames", data=data, method="truth lacks the object")


def add_speed(results: Results, speed: Speed, key: str = "inference") -> None:
    """Add milliseconds and operations of one frame."""
    where = f"{speed.device}, {speed.threads} threads, preprocessing left out"
    method = f"median of {speed.frames} single frames after warming up, {where}"
    results.add(f"{key}.ms", speed.milliseconds, unit="ms", n=speed.frames, n_of="frames", method=method)
    results.add(f"{key}.gflop", speed.gflop, unit="GFLOP", method="counted by torch, multiply and add are two")
