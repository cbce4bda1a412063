"""Figures of paper A's chapters on the model."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyBboxPatch, Rectangle
from matplotlib.ticker import LogLocator, NullFormatter
from numpy.typing import ArrayLike, NDArray

from icsilib.data.structures import OF_INJECTIONS, OUTLINES
from icsilib.plots.style import BLUE, GREEN, GREY, ORANGE, SKY, VERMILION
from icsilib.segmentation.second_look.closeups import closeup_of_cell, closeup_of_tip
from icsilib.segmentation.second_look.looking import places

if TYPE_CHECKING:
    from icsilib.segmentation import Prediction, Segmenter

BACKGROUND_COLOUR = "#2F5FD0"  # Figure 2 of paper A, as are the structures' own
TIP_COLOUR = OF_INJECTIONS[-1].colour


def overlay(image: NDArray[np.uint8], masks: NDArray[np.bool_], strength: float = 0.45) -> NDArray[np.uint8]:
    """A grey image (H, W) tinted in the colours of the paper's Figure 2 by masks (2, H, W), as RGB (H, W, 3)."""
    colours = np.empty((*image.shape, 3))
    colours[:] = to_rgb(BACKGROUND_COLOUR)
    for mask, structure in zip(masks, OUTLINES, strict=True):
        colours[mask] = to_rgb(structure.colour)
    mixed = (1 - strength) * image[..., None] + strength * 255 * colours
    return mixed.round().astype(np.uint8)


def with_dot(pixels: NDArray[np.uint8], tip: ArrayLike | None) -> NDArray[np.uint8]:
    """RGB pixels (H, W, 3) with a yellow dot at `tip`, px, when there is one."""
    if tip is None:
        return pixels
    height, width = pixels.shape[:2]
    rows, columns = np.ogrid[:height, :width]
    x, y = np.asarray(tip, float)
    dotted = pixels.copy()
    dotted[(columns + 0.5 - x) ** 2 + (rows + 0.5 - y) ** 2 <= (0.008 * max(height, width) + 1) ** 2] = 255 * np.array(
        to_rgb(TIP_COLOUR)
    )
    return dotted


def show_frame(
    ax: Axes,
    image: NDArray[np.uint8],
    masks: NDArray[np.bool_] | None = None,
    tip: ArrayLike | None = None,
    truth_masks: NDArray[np.bool_] | None = None,
    truth_tip: ArrayLike | None = None,
    title: str = "",
) -> None:
    """One frame in its own pixels: prediction as in Figure 2, truth as dashed outlines and a ring where given."""
    height, width = image.shape[:2]
    pixels = image if masks is None else overlay(image, masks)
    ax.imshow(pixels, cmap="gray", vmin=0, vmax=255, extent=(0, width, height, 0))
    if truth_masks is not None:
        centres = np.arange(width) + 0.5, np.arange(height) + 0.5
        for mask in truth_masks:
            if mask.any() and not mask.all():
                ax.contour(*centres, mask.astype(float), [0.5], colors="white", linewidths=0.9, linestyles="--")
    if truth_tip is not None and np.isfinite(truth_tip).all():
        ax.plot(*np.asarray(truth_tip), "o", mfc="none", mec="white", ms=8, mew=1.1)
    if tip is not None and np.isfinite(tip).all():
        ax.plot(*np.asarray(tip), "o", color=TIP_COLOUR, mec="black", mew=0.5, ms=5)
    ax.set(xticks=[], yticks=[], xlim=(0, width), ylim=(height, 0))
    ax.set_title(title, fontsize=8)


def show_heatmap(ax: Axes, heatmap: ArrayLike, coordinates: Sequence[float] | None = None, title: str = "") -> None:
    """A heatmap in normalised coordinates, with the place that DSNT reads from it as a cross."""
    ax.imshow(np.asarray(heatmap), cmap="magma", extent=(-1, 1, 1, -1))
    if coordinates is not None:
        ax.plot(*coordinates, "x", color="white", ms=8, mew=1.5)
    ax.set(title=title, xlabel="x (normalised)", ylabel="y (normalised)")


def architecture(ax: Axes, nodes: dict[tuple[int, int], tuple[int, int]], skips: Any, heatmap_level: int) -> None:
    """Figure 1: nodes X^{i,j} as boxes with (channels, side), encoder, upsampling and skips as arrows, and the heads.

    `nodes` maps (i, j) to the channels and side (px) that a forward pass of the live model gave; `skips(i, j)` are
    the nodes of the same level that X^{i,j} is given.
    """
    bottom = max(i for i, _ in nodes)
    for (i, j), (channels, side) in nodes.items():
        x, y = _place(i, j)
        face = "#CFE3F1" if j == 0 else "#FBE3C0"
        ax.add_patch(FancyBboxPatch((x - 0.34, y - 0.26), 0.68, 0.52, boxstyle="round,pad=0.04", fc=face, ec=GREY))
        ax.text(x, y + 0.07, f"$X^{{{i},{j}}}$", ha="center", va="center")
        ax.text(x, y - 0.15, f"{side}²×{channels}", ha="center", va="center", fontsize=7.5)
        if j:
            _arrow(ax, _place(i + 1, j - 1), (x, y), ORANGE)
            for number, skip in enumerate(skips(i, j)):
                bend = 0.0 if skip[1] == j - 1 else -0.18 - 0.05 * (j - number)
                _arrow(ax, _place(*skip), (x, y), GREY, bend)
        elif i:
            _arrow(ax, _place(i - 1, 0), (x, y), BLUE)
    _head(ax, _place(0, bottom), 1.2, "3×3 conv\nsigmoid\n$y_{seg}$")
    _head(ax, _place(heatmap_level, bottom - heatmap_level), 1.5, "1×1 conv, softmax $Z$\nDSNT  $y_{coords}$")
    for name, colour in {"pooling 2×2": BLUE, "bilinear upsampling": ORANGE, "skip, concatenated": GREY}.items():
        ax.plot([], [], color=colour, label=name)
    ax.legend(loc="lower right", fontsize=8)
    ax.set(xlim=(-0.6, _place(0, bottom)[0] + 2.1), ylim=(-bottom - 0.6, 0.75), aspect="equal")
    ax.axis("off")


def receptive_fields(ax: Axes, shares: Mapping[str, float]) -> None:
    """What the middle of each output depends on, in a frame of side 1; `shares` are sides by name."""
    for (name, share), colour in zip(shares.items(), (BLUE, VERMILION), strict=False):
        corner, label = (0.5 - share / 2, 0.5 - share / 2), f"{name}: {share:.0%}"
        ax.add_patch(Rectangle(corner, share, share, facecolor=(colour, 0.15), edgecolor=colour, lw=2, label=label))
    ax.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[], aspect="equal")
    ax.spines[:].set_visible(True)


def _place(i: int, j: int) -> tuple[float, float]:
    return 0.85 * i + 1.7 * j, -float(i)


def _arrow(
    ax: Axes, start: tuple[float, float], end: tuple[float, float], colour: str, bend: float = 0.0, gap: float = 20
) -> None:
    style = {"arrowstyle": "-|>", "color": colour, "shrinkA": 20, "shrinkB": gap, "lw": 1.1}
    ax.annotate("", end, start, arrowprops=style | {"connectionstyle": f"arc3,rad={bend}"})


def _head(ax: Axes, node: tuple[float, float], right: float, text: str) -> None:
    x, y = node[0] + right, node[1]
    box = {"fc": "#DDEFD9", "ec": GREY, "boxstyle": "round"}
    widest = max(len(line.replace("$", "")) for line in text.split("\n"))
    ax.text(x, y, text, ha="center", va="center", fontsize=8.5, bbox=box)
    _arrow(ax, node, (x, y), GREEN, gap=3.2 * widest + 4)


def training_curves(axes: Sequence[Axes], log: pd.DataFrame) -> None:
    """Loss terms, validation IoU, validation tip error and ξ of diffGrad over the epochs of a training log."""
    loss, iou, tip, friction = axes
    for column, label in {"dice_loss": "Dice", "euclidean_loss": "Euclidean", "js_loss": "Jensen–Shannon"}.items():
        loss.plot(log["epoch"], log[column], ".-", label=label)
    loss.set(ylabel="training loss")
    loss.legend(fontsize=8)
    for each in OUTLINES:
        iou.plot(log["epoch"], log[each.column], ".-", label=each.label)
    iou.set(ylabel="IoU, validation", ylim=(log[[each.column for each in OUTLINES]].min().clip(upper=0.5).min(), 1))
    iou.legend(fontsize=8)
    tip.plot(log["epoch"], log["tip_px_at_512"], ".-", color=VERMILION)
    tip.set(ylabel="tip error, px at 512", yscale="log")
    _plain_numbers(tip.yaxis, (1, 1.5, 2, 3, 5, 7))
    friction.plot(log["epoch"], log["friction"], ".-", color=GREEN)
    friction.set(ylabel="mean ξ of diffGrad")
    for ax in axes:
        ax.set_xlabel("epoch")


def _plain_numbers(axis: Axis, steps: Sequence[float]) -> None:
    """Label a logarithmic axis at `steps` of every power of ten, as plain numbers."""
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())  # its labels would lie upon each other


def tip_error_histogram(ax: Axes, errors: ArrayLike, published_mean: float | None = None) -> None:
    """Figure 3: histogram of tip errors in px at 512, on a log count; all from 100 px on are in the last bin."""
    values = np.asarray(errors, float)
    values = values[np.isfinite(values)]
    ax.hist(np.minimum(values, 100), bins=np.arange(0, 101, 2).tolist(), color=BLUE)
    ax.axvline(values.mean(), color=VERMILION, label=f"mean, {values.mean():.1f} px")
    if published_mean is not None:
        ax.axvline(published_mean, color="black", ls="--", label=f"mean published, {published_mean:.1f} px")
    ax.set(xlabel="distance to the true tip (px at 512)", ylabel="frames", yscale="log", xlim=(0, 100))
    ax.legend(fontsize=8)


def tip_error_by_contrast(ax: Axes, table: pd.DataFrame, published_mean: float) -> None:
    """Tip error of each frame over `tip_contrast`, by how much its tip stands out, on logarithmic axes."""
    ax.loglog(table["tip_contrast"], table["tip_px"], ".", ms=5, color=BLUE)
    ax.axhline(published_mean, color="black", ls="--", label=f"mean published, {published_mean:.1f} px")
    ax.set(xlabel="contrast of the tip (SD of the grain about it)", ylabel="tip error (px at 512)")
    _plain_numbers(ax.xaxis, (1, 2, 5))
    ax.legend(fontsize=8)


def grouped_scores(axes: Sequence[Axes], table: pd.DataFrame, group: str) -> None:
    """Scores of frames by kit or operator as box plots: IoU of each outline and tip error."""
    names = sorted(table[group].unique())
    columns = {each.column: f"IoU, {each.label}" for each in OUTLINES} | {"tip_px": "tip error, px at 512"}
    for ax, (column, label) in zip(axes, columns.items(), strict=True):
        values = [table.loc[table[group] == name, column].dropna() for name in names]
        short = [name.removeprefix(f"{group}-") for name in names]
        ax.boxplot(values, tick_labels=short, widths=0.6, flierprops={"ms": 3}, medianprops={"color": VERMILION})
        ax.set(ylabel=label, xlabel=group)
    axes[-1].set_yscale("log")


def second_look(axes: Sequence[Axes], image: NDArray[np.uint8], first: "Prediction", second: "Segmenter") -> None:
    """What a model of close-ups is shown after a `first` look: the frame with both windows, then cell and tip."""
    settings = second.settings.preprocess
    shown = {
        "the cell": (closeup_of_cell(image, first.masks[0], settings), VERMILION),
        "the tip's surroundings": (closeup_of_tip(image, places(first)[0], settings), SKY),
    }
    show_frame(axes[0], image, first.masks, first.tip, title="first look")
    for ax, (title, ((square, window), colour)) in zip(axes[1:], shown.items(), strict=True):
        axes[0].add_patch(Rectangle(tuple(window.corner), *window.place.source, fill=False, ec=colour, lw=1.5))
        show_frame(ax, square, title=title)
        ax.title.set_color(colour)


def tip_heatmap(ax: Axes, image: NDArray[np.uint8], seen: "Prediction", title: str = "") -> None:
    """A photograph with the heatmap behind a prediction's tip laid over it, its root so that faint parts show."""
    strength = np.sqrt(seen.look.heatmap / seen.look.heatmap.max())
    (left, top), (right, bottom) = seen.look.place.to_source(np.array([[0, 0], [seen.look.place.size] * 2]))
    show_frame(ax, image, tip=seen.tip, title=title)
    limits = ax.axis()
    ax.imshow(strength, cmap="magma", vmin=0, vmax=1, alpha=0.85 * strength, extent=(left, right, bottom, top))
    ax.axis(limits)
