"""Figures of paper B's chapters on the detector."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from scipy.stats import binomtest

from icsilib.plots.style import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION

Boxes = NDArray[np.floating]
MAP_COLOURS = (BLUE, SKY, GREEN, ORANGE, VERMILION, PURPLE)


def show_image(ax: Axes, image: NDArray[np.uint8], title: str = "") -> None:
    """An image in its own continuous coordinates: the first pixel's centre lies at (0.5, 0.5)."""
    height, width = image.shape[:2]
    ax.imshow(image, cmap="gray", extent=(0, width, height, 0), vmin=0, vmax=255)
    ax.set(title=title, xlabel="x (px)", ylabel="y (px)", xlim=(0, width), ylim=(height, 0))


def draw_boxes(
    ax: Axes, boxes: Boxes, colour: str, label: str = "", scores: NDArray[np.floating] | None = None, **line: Any
) -> None:
    """Outlines of boxes (N, 4), xywh in the axes' units, with their scores where given; `label` for the legend."""
    style = {"linewidth": 1.2} | line
    for number, (x, y, width, height) in enumerate(boxes):
        name = label if number == 0 else ""
        ax.add_patch(Rectangle((x, y), width, height, fill=False, edgecolor=colour, label=name, **style))
        if scores is not None:
            ax.text(x, y - 2, f"{scores[number]:.2f}", color=colour, fontsize=7, va="bottom")


def default_boxes_of_a_cell(
    ax: Axes, boxes: Boxes, sizes: Sequence[int], per_cell: Sequence[int], cell: tuple[float, float]
) -> None:
    """The default boxes (8732, 4), cxcywh, of the cell of every map that holds the point `cell` (fractions)."""
    start = 0
    for size, number, colour in zip(sizes, per_cell, MAP_COLOURS, strict=True):
        column, row = (min(int(place * size), size - 1) for place in cell)
        first = start + (row * size + column) * number
        mine = boxes[first : first + number]
        draw_boxes(ax, np.c_[mine[:, :2] - mine[:, 2:] / 2, mine[:, 2:]], colour, f"{size}×{size} cells", linewidth=1)
        start += size * size * number
    ax.plot(*cell, "+", color="black")
    ax.set(xlim=(-0.05, 1.05), ylim=(1.05, -0.05), aspect="equal", xlabel="x / side of input", ylabel="y / side")
    ax.add_patch(Rectangle((0, 0), 1, 1, fill=False, color=GREY, linestyle=":"))


def size_coverage(ax: Axes, sides: Mapping[str, NDArray[np.floating]], scales: Sequence[float]) -> None:
    """Distribution of √(w·h) of the sperm, as fractions of the input's side, over the scales of the default boxes."""
    bins = np.geomspace(0.01, 1, 45)
    for (label, values), colour in zip(sides.items(), (BLUE, ORANGE, GREEN), strict=False):
        ax.hist(values, list(bins), histtype="step", color=colour, label=label, linewidth=1.4)
    for number, scale in enumerate(scales[:-1]):
        ax.axvline(scale, color=GREY, linestyle="--", linewidth=0.8, label="" if number else "scales of the maps")
    ax.set(xscale="log", xlabel="side of a sperm's box / side of the input", ylabel="sperm")
    ax.legend()


def mining(ax: Axes, losses: NDArray[np.floating], positive: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> None:
    """Classification loss of one image's background boxes, largest first, with those that mining takes."""
    background = np.flatnonzero(~positive)
    order = background[np.argsort(-losses[background], kind="stable")]
    rank = np.arange(1, len(order) + 1)
    taken = chosen[order]
    ax.plot(rank, losses[order], color=GREY, label=f"{len(order)} background boxes")
    ax.fill_between(
        rank[taken], losses[order][taken], color=VERMILION, alpha=0.5, label=f"{taken.sum()} hard negatives"
    )
    ax.set(xscale="log", xlabel="rank among background boxes", ylabel="classification loss (nats)")
    ax.legend()


def training_curves(axes: Sequence[Axes], runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Loss without regularisation, and validation AP, of one or more training logs against steps."""
    for (label, log), colour in zip(runs.items(), (BLUE, ORANGE, GREEN, VERMILION), strict=False):
        losses = [(row["step"], row["classification"] + row["localisation"]) for row in log if _there(row, "loss")]
        scores = [(row["step"], row["validation_ap"]) for row in log if _there(row, "validation_ap")]
        axes[0].plot(*np.array(losses).T, color=colour, label=label)
        axes[1].plot(*np.array(scores).T, "o-", color=colour, label=label, markersize=4)
    axes[0].set(xlabel="step", ylabel="classification + localisation", yscale="log")
    axes[1].set(xlabel="step", ylabel="validation AP at IoU 0.5", ylim=(0, 1.02))
    axes[1].legend()


def precision_recall(
    ax: Axes, recalls: NDArray[np.floating], curves: Mapping[str, NDArray[np.floating]], points: Mapping[str, tuple]
) -> None:
    """Precision at the 101 recall points of each curve, and single points (recall, precision) beside them."""
    for (label, precision), colour in zip(curves.items(), (BLUE, SKY, GREEN), strict=False):
        ax.step(recalls, precision, where="post", color=colour, label=label)
    for (label, (recall, precision)), marker in zip(points.items(), "osD^v", strict=False):
        ax.plot(recall, precision, marker, markersize=6, markerfacecolor="none", color=VERMILION, label=label)
    ax.set(xlabel="recall at IoU 0.5", ylabel="precision at IoU 0.5", xlim=(0, 1.02), ylim=(0, 1.05))
    ax.legend(loc="lower left", fontsize=8)


def shares(ax: Axes, rows: Mapping[str, tuple[int, int]], xlabel: str) -> None:
    """Horizontal bars of hits among all, with counts and 95 % Wilson intervals; `rows` name → (hits, all)."""
    names = list(rows)
    hits, every = np.array([rows[name] for name in names]).T
    share, spread = (
        hits / every,
        np.transpose([binomtest(*rows[name]).proportion_ci(method="wilson") for name in names]),
    )
    place = np.arange(len(names))[::-1]
    ax.barh(place, share, color=SKY, height=0.65)
    ax.errorbar(share, place, xerr=np.abs(spread - share), fmt="none", color="black", linewidth=1, capsize=2)
    ax.set_yticks(place, [f"{name} ({h}/{n})" for name, h, n in zip(names, hits, every, strict=True)])
    ax.set(xlabel=xlabel, xlim=(0, 1.02))


def durations(ax: Axes, seconds: Mapping[str, float]) -> None:
    """Horizontal bars of times on a logarithmic axis, with the time written at the end of each."""
    place = np.arange(len(seconds))[::-1]
    ax.barh(place, list(seconds.values()), color=BLUE, height=0.6)
    for y, value in zip(place, seconds.values(), strict=True):
        ax.text(value * 1.15, y, _readable(value), va="center", fontsize=8.5)
    ax.set_yticks(place, list(seconds))
    ax.set(xscale="log", xlabel="seconds for 702 images", xlim=(1, max(seconds.values()) * 12))


def windows_of_image(ax: Axes, windows: Sequence[Any]) -> None:
    """Outlines of windows, in four colours by turns."""
    for number, window in enumerate(windows):
        colour = (BLUE, SKY, GREEN, PURPLE)[number % 4]
        inset = 2 * (number % 3)  # so that shared borders stay visible
        corner = (window.x + inset, window.y + inset)
        size = (window.width - 2 * inset, window.height - 2 * inset)
        ax.add_patch(Rectangle(corner, *size, fill=False, edgecolor=colour, linewidth=1.4))


def _readable(seconds: float) -> str:
    for unit, length, smaller in (("h", 3600, 3 * 3600), ("min", 60, 180)):
        if seconds >= smaller:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s"


def _there(row: Mapping[str, Any], name: str) -> bool:
    return row.get(name) not in (None, "")
