"""Figures of the claims ledger."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from icsilib.plots.style import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION, YELLOW

COLOURS = {
    "agrees": GREEN, "by design": SKY, "fitted": YELLOW, "extension": BLUE, "differs": VERMILION,
    "inconsistent": PURPLE, "open": ORANGE, "not testable": GREY,
}  # fmt: skip


def plot_verdicts(counts: pd.DataFrame, axes: Axes) -> None:
    """Stacked bars of distinct claims: a row of `counts` a bar, a column (verdict) a colour, counts written in."""
    left = np.zeros(len(counts))
    for word in (word for word in COLOURS if word in counts):
        widths = counts[word].to_numpy()
        bars = axes.barh(range(len(counts)), widths, left=left, color=COLOURS[word], edgecolor="white", label=word)
        axes.bar_label(bars, [str(width) if width else "" for width in widths], label_type="center", fontsize=8.5)
        left += widths
    axes.set_yticks(range(len(counts)), counts.index)
    axes.invert_yaxis()
    axes.set_xlabel("distinct claims")
    axes.legend(ncols=4, loc="lower center", bbox_to_anchor=(0.45, 1.0), columnspacing=1.2)


def plot_p_values(sizes: Sequence[int], p_values: Mapping[str, Sequence[float]], axes: Axes) -> None:
    """Two-sided p-value of each structure (key) against the n assumed for the people's values."""
    for (name, values), marker in zip(p_values.items(), "os^", strict=True):
        axes.plot(sizes, values, marker=marker, label=name)
    axes.axhline(0.05, color=GREY, linestyle="--", label="p = .05")
    axes.set(xscale="log", xlabel="n assumed for the people's values", ylabel="two-sided p", ylim=(0, 1.02))
    axes.set_xticks(list(sizes), [str(size) for size in sizes])
    axes.minorticks_off()
    axes.legend()
