"""Figures that set a model beside people: differences against margins, power, workload."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from icsilib.plots.style import BLUE, GREEN, GREY, SKY, VERMILION
from icsilib.stats.equivalence import Equivalence


def equivalence(ax: Axes, rows: Mapping[str, Equivalence], unit: str, worse: str) -> None:
    """Each difference with its interval over the band of ±margin: green inside, red not. `worse`: "left", "right"."""
    margin = next(iter(rows.values())).margin
    ax.axvspan(-margin, margin, color=SKY, alpha=0.25, linewidth=0)
    ax.axvline(0, color=GREY, linewidth=0.8)
    for place, (name, row) in enumerate(rows.items()):
        colour, mark = (GREEN, "o") if row.equivalent else (VERMILION, "s")
        ax.plot([row.low, row.high], [place, place], color=colour, linewidth=2.2)
        ax.plot(row.difference, place, mark, color=colour, label=name)
    ax.set_yticks(range(len(rows)), list(rows))
    reach = 1.15 * max(margin, *(abs(end) for row in rows.values() for end in (row.low, row.high)))
    ax.set(xlim=(-reach, reach), ylim=(len(rows) - 0.5, -0.5))
    ax.set_xlabel(f"model less people ({unit}); worse to the {worse}")


def power_curves(
    ax: Axes, frames: Sequence[int], curves: Mapping[str, NDArray[np.float64]], design: int, power: float
) -> None:
    """Chance of showing equivalence over the number of frames, a line for each structure; `design` is marked."""
    for (name, curve), colour, line in zip(curves.items(), (BLUE, GREEN, VERMILION), ("-", "--", ":"), strict=False):
        ax.plot(frames, curve, color=colour, linestyle=line, label=name)
    ax.axvline(design, color=GREY, linewidth=0.9)
    ax.axhline(power, color=GREY, linewidth=0.9, linestyle=":")
    ax.set(xscale="log", ylim=(0, 1.02), xlabel="frames", ylabel="chance of showing equivalence")
    ax.set_xticks(list(frames)[::2], [str(n) for n in list(frames)[::2]])
    ax.minorticks_off()
    ax.legend()


def workload_curve(
    ax: Axes, shares: NDArray[np.float64], sensitivity: NDArray[np.float64], points: Mapping[str, tuple[float, float]]
) -> None:
    """Share of images put aside unseen over the share of images with sperm that are still shown."""
    ax.step(sensitivity, shares, where="post", color=BLUE)
    for (name, (x, y)), mark, colour in zip(points.items(), "osD^", (GREEN, VERMILION, GREY, SKY), strict=False):
        ax.plot(x, y, mark, color=colour, label=name)
    ax.set(xlim=(0.5, 1.01), ylim=(0, 1), xlabel="images with sperm still shown (share)")
    ax.set_ylabel("images put aside unseen (share)")
    ax.legend()


def operating_points(
    ax: Axes,
    recalls: NDArray[np.float64],
    curves: Mapping[str, NDArray[np.float64]],
    readers: Mapping[str, Mapping[str, tuple[float, float]]],
) -> None:
    """The model's precision over recall and the readers' points (recall, precision), each by the judge they faced."""
    for (judge, precision), line in zip(curves.items(), ("-", "--"), strict=False):
        ax.plot(recalls, precision, color=BLUE, linestyle=line, label=f"model, {judge}")
    for (judge, points), mark in zip(readers.items(), ("o", "s"), strict=False):
        x, y = zip(*points.values(), strict=True)
        fill = VERMILION if mark == "o" else "none"
        ax.plot(x, y, mark, color=VERMILION, markerfacecolor=fill, linestyle="", label=f"readers, {judge}")
    ax.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="recall at IoU 0.5", ylabel="precision at IoU 0.5")
    ax.legend(loc="lower left", fontsize=8)
