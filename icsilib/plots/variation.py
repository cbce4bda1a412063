"""Figures of annotator variation: labels on a frame, who agrees with whom, what intervals keep of their promise."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from numpy.typing import NDArray

from icsilib.plots.style import BLUE, BOOK_WIDTH, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION
from icsilib.stats.coverage import LABELS

PEOPLE_COLOURS = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY)
KIND_COLOURS = {"inter": BLUE, "intra": ORANGE}


def _draw_labels(
    axis: Axes,
    image: NDArray[np.uint8],
    masks: Mapping[str, NDArray[np.bool_]],
    points: Mapping[str, NDArray[np.float64]],
    people: Sequence[str],
) -> None:
    """Outlines and points of each person, one round, on the frame: masks (A, H, W), points (A, 2) px."""
    height, width = image.shape[:2]
    axis.imshow(image, cmap="gray", extent=(0, width, height, 0))
    for i in range(len(people)):
        colour = PEOPLE_COLOURS[i % len(PEOPLE_COLOURS)]
        for regions in masks.values():
            rows, columns = (np.arange(side) + 0.5 for side in regions.shape[1:])
            axis.contour(columns, rows, regions[i], levels=[0.5], colors=[colour], linewidths=0.9)
        for places in points.values():
            axis.plot(*places[i], "+", color=colour, markersize=9, markeredgewidth=1.4)
    axis.set(xlim=(0, width), ylim=(height, 0), xlabel="x (px)", ylabel="y (px)")


def labelled_frame(
    image: NDArray[np.uint8],
    masks: Mapping[str, NDArray[np.bool_]],
    points: Mapping[str, NDArray[np.float64]],
    people: Sequence[str],
    close_up: float,
) -> plt.Figure:
    """Everybody's labels on the whole frame, and in a square of `close_up` px at the right edge of the first region."""
    figure, axes = plt.subplots(1, 2, figsize=(BOOK_WIDTH, 3.9))
    for axis in axes:
        _draw_labels(axis, image, masks, points, people)
    colours = (PEOPLE_COLOURS[i % len(PEOPLE_COLOURS)] for i in range(len(people)))
    lines = [axes[0].plot([], [], color=colour)[0] for colour in colours]
    rows, columns = next(iter(masks.values()))[0].nonzero()
    x, y, half = columns.max(), rows[columns.argmax()], close_up / 2
    axes[1].set(xlim=(x - half, x + half), ylim=(y + half, y - half))
    axes[0].set_title("the frame")
    axes[1].set_title("close-up of the cell's right edge")
    names = [_plain(person) for person in people]  # given by hand, since axes hide names such as _ada
    figure.legend(lines, names, loc="outside lower center", ncols=len(people))
    return figure


def people_heat_maps(matrices: Mapping[str, pd.DataFrame], units: Mapping[str, str]) -> plt.Figure:
    """One annotator × annotator heat map per structure; the diagonal is a person with themselves."""
    figure, axes = plt.subplots(1, len(matrices), figsize=(2.9 * len(matrices), 3.1), squeeze=False)
    for axis, (structure, matrix) in zip(axes[0], matrices.items(), strict=True):
        _heat_map(axis, matrix, f"{structure} ({units[structure]})", units[structure], _limits(matrix))
    return figure


def round_heat_maps(matrices: Mapping[str, pd.DataFrame], unit: str) -> plt.Figure:
    """One round × round heat map per person, all on one scale."""
    figure, axes = plt.subplots(1, len(matrices), figsize=(1.9 * len(matrices), 2.5), squeeze=False)
    limits = _limits(*matrices.values())
    for axis, (person, matrix) in zip(axes[0], matrices.items(), strict=True):
        short = matrix.rename(index=_short, columns=_short)
        _heat_map(axis, short, str(person), unit, limits, digits_size=5.5)
    return figure


def _plain(name: str) -> str:
    """A name that a user gave, without the formula that matplotlib would make of dollar signs."""
    return str(name).replace("$", r"\$")


def _short(name: str) -> str:
    return str(name).removeprefix("round ")


def _limits(*matrices: pd.DataFrame) -> tuple[float, float]:
    values = np.concatenate([matrix.to_numpy(dtype=float).ravel() for matrix in matrices])
    return float(np.nanmin(values)), float(np.nanmax(values))


def _heat_map(
    axis: Axes, matrix: pd.DataFrame, title: str, unit: str, limits: tuple[float, float], digits_size: float = 7.5
) -> None:
    """Mean agreement of each two people or rounds; darker is better agreement whatever the unit."""
    colours, places = ("viridis_r", ".3f") if unit == "IoU" else ("viridis", ".2f")
    named = matrix.astype(float).rename(index=_plain, columns=_plain)
    sns.heatmap(
        named, ax=axis, annot=len(matrix) <= 6, fmt=places, cmap=colours, vmin=limits[0], vmax=limits[1],
        square=True, cbar=False, annot_kws={"size": digits_size},
    )  # fmt: skip
    axis.set(title=_plain(title), xlabel="", ylabel="")
    axis.tick_params(length=0, labelsize=8)


def distribution_panels(rows: Mapping[str, pd.DataFrame], units: Mapping[str, str]) -> plt.Figure:
    """Box plots per structure of every pair that an annotator is part of (`agreement.by_annotator`), by kind."""
    figure, axes = plt.subplots(1, len(rows), figsize=(2.5 * len(rows) + 0.8, 3.3), squeeze=False)
    for axis, (structure, pairs) in zip(axes[0], rows.items(), strict=True):
        named = pairs.assign(annotator=pairs["annotator"].map(_plain))
        sns.boxplot(
            named, x="annotator", y="value", hue="kind", hue_order=list(KIND_COLOURS), palette=KIND_COLOURS, ax=axis,
            width=0.65, fliersize=1.5, linewidth=0.8,
        )  # fmt: skip
        unit = units[structure]
        axis.set(title=_plain(structure), xlabel="annotator", ylabel=unit if unit == "IoU" else f"distance ({unit})")
        handles, names = axis.get_legend_handles_labels()
        axis.get_legend().remove()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names))
    return figure


def coverage_panels(panels: Mapping[str, pd.DataFrame], promised: float = 0.95) -> plt.Figure:
    """Share of simulated studies whose interval holds the truth (`coverage.coverage`), against the promise."""
    figure, axes = plt.subplots(1, len(panels), figsize=(2.3 * len(panels) + 1.9, 2.7), sharey=True, squeeze=False)
    for axis, (title, found) in zip(axes[0], panels.items(), strict=True):
        shares = found.reindex(list(LABELS))
        position = np.arange(len(shares))[::-1]
        error = np.abs(shares[["low", "high"]].to_numpy().T - shares["coverage"].to_numpy())
        axis.barh(position, shares["coverage"], xerr=error, color=SKY, height=0.62, error_kw={"lw": 1})
        axis.axvline(promised, color=VERMILION, lw=1.2, label=f"promised: {promised:.0%}")
        axis.set_yticks(position, list(LABELS.values()))
        axis.set(xlim=(0, 1), xticks=(0, 0.5, 1), title=title)
    axes[0, 0].legend(loc="lower left", fontsize=7, facecolor="white", frameon=True)
    figure.supxlabel("share of simulated studies whose interval holds the truth", fontsize=9.5)
    return figure


def interval_ladders(ladders: Mapping[str, pd.DataFrame], units: Mapping[str, str]) -> plt.Figure:
    """`crossed.compare_intervals` of each structure: a column of panels each, one row for each quantity."""
    quantities = list(dict.fromkeys(next(iter(ladders.values())).index.get_level_values(0)))
    shape = (len(quantities), len(ladders))
    figure, axes = plt.subplots(*shape, figsize=(2.3 * shape[1] + 1.0, 1.65 * shape[0]), squeeze=False)
    for column, (structure, intervals) in zip(axes.T, ladders.items(), strict=True):
        for axis, quantity in zip(column, quantities, strict=True):
            difference = quantity == quantities[-1]
            _interval_ladder(axis, intervals.loc[quantity], zero=difference)
            axis.set_xlabel(f"{'' if difference else 'mean '}{quantity} ({units[structure]})")
            if axis not in axes[:, 0]:
                axis.set_yticklabels([])
        column[0].set_title(structure)
    return figure


def _interval_ladder(axis: Axes, intervals: pd.DataFrame, zero: bool) -> None:
    """Intervals (columns estimate, low, high) under one another, labelled by the table's index."""
    position = np.arange(len(intervals))[::-1]
    estimate = intervals["estimate"].to_numpy()
    error = np.abs(intervals[["low", "high"]].to_numpy().T - estimate)
    axis.errorbar(estimate, position, xerr=error, fmt="o", color=BLUE, capsize=3, markersize=4)
    axis.set_yticks(position, [str(name) for name in intervals.index])
    axis.set_ylim(-0.6, len(intervals) - 0.4)
    axis.locator_params(axis="x", nbins=4)
    if zero:
        axis.axvline(0, color=GREY, lw=1)
