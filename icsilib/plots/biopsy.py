"""Figures of paper B's chapters on the images and on their readers."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from icsilib.detection.consensus import ALL, OTHERS, ConsensusBoxes
from icsilib.phantoms.biopsy import BiopsyImage
from icsilib.plots.detection import draw_boxes, show_image
from icsilib.plots.style import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION

Boxes = NDArray[np.floating]
Pixels = NDArray[np.uint8]
READER_COLOURS = (BLUE, GREEN, PURPLE, ORANGE, SKY)


def labelled_image(ax: Axes, pixels: Pixels, boxes: Boxes, title: str = "") -> None:
    """An image with its boxes (N, 4), as in paper B's Figure 1."""
    show_image(ax, pixels, title)
    draw_boxes(ax, boxes, BLUE, linewidth=1.6)


def close_up(ax: Axes, image: BiopsyImage, place: int, margin_um: float = 12.0) -> None:
    """One sperm of an image and its surroundings, titled with its phenotype."""
    x, y, width, height = image.boxes[place]
    side = max(width, height) / 2 + margin_um / image.um_per_px
    across, down = image.pixels.shape[1], image.pixels.shape[0]
    middle = np.clip([x + width / 2, y + height / 2], side, [across - side, down - side])
    show_image(ax, image.pixels, image.phenotypes[place].replace("_", " "))
    draw_boxes(ax, image.boxes[[place]], BLUE)
    ax.set(xlim=(middle[0] - side, middle[0] + side), ylim=(middle[1] + side, middle[1] - side))
    ax.set(xticks=[], yticks=[], xlabel=f"{2 * side * image.um_per_px:.0f} µm", ylabel="")


def contrast_by_phenotype(ax: Axes, table: pd.DataFrame) -> None:
    """Each sperm's `contrast`, one row of dots for each `phenotype`, with the median."""
    order = table.groupby("phenotype")["contrast"].median().sort_values().index
    for row, phenotype in enumerate(order):
        values = table.loc[table["phenotype"] == phenotype, "contrast"].to_numpy()
        shift = 0.3 * (np.arange(len(values)) % 7 - 3) / 3
        ax.plot(values, row + shift, ".", color=BLUE, alpha=0.5, markersize=4)
        ax.plot([np.median(values)] * 2, [row - 0.4, row + 0.4], color=VERMILION, linewidth=2)
    ax.axvline(1, color=GREY, linestyle=":")
    ax.set(yticks=range(len(order)), yticklabels=[f"{name.replace('_', ' ')}" for name in order], xscale="log")
    ax.set(xlabel="detail inside the box / detail around it (red: median)")


def intersection_over_union(axes: Sequence[Axes], pairs: Sequence[tuple[Boxes, Boxes]], ious: Sequence[float]) -> None:
    """Pairs of boxes (4,) with their intersection, as in paper B's Figure 2, titled with their IoU."""
    for ax, (one, other), iou in zip(axes, pairs, ious, strict=True):
        draw_boxes(ax, np.array([one]), BLUE, linewidth=2)
        draw_boxes(ax, np.array([other]), VERMILION, linewidth=2)
        low = np.maximum(one[:2], other[:2])
        side = np.minimum(one[:2] + one[2:], other[:2] + other[2:]) - low
        if (side > 0).all():
            ax.add_patch(Rectangle(tuple(low), *side, color=SKY, alpha=0.6, linewidth=0))
        ax.set_title(f"IoU {iou:.2f}")
        _frame(ax, np.array(pairs).reshape(-1, 4))


def consensus_picture(
    ax: Axes,
    drawn: Mapping[str, Boxes],
    agreed: ConsensusBoxes,
    pixels: Pixels | None = None,
    around: Boxes | None = None,
    title: str = "",
) -> None:
    """Readers' boxes, a colour each, and the consensus in dashed red, as in paper B's Figure 3.

    `around` (4,) is the part of the image that is shown, xywh in px; without `pixels` the boxes stand alone.
    """
    if pixels is not None:
        show_image(ax, pixels)
    for colour, (reader, boxes) in zip(READER_COLOURS, drawn.items(), strict=False):
        draw_boxes(ax, boxes, colour, reader, linewidth=1.3)
    draw_boxes(ax, agreed.boxes, VERMILION, "consensus", linewidth=2.4, linestyle="--")
    ax.set(title=title, xticks=[], yticks=[], xlabel="", ylabel="", aspect="equal")
    if around is not None:
        x, y, width, height = around
        ax.set(xlim=(x, x + width), ylim=(y + height, y))
    elif pixels is None:
        _frame(ax, np.concatenate(list(drawn.values())))


def _frame(ax: Axes, boxes: Boxes, margin: float = 6.0) -> None:
    """Show just the boxes (N, 4), without axes: they are anywhere and of any size."""
    low, high = boxes[:, :2].min(axis=0) - margin, (boxes[:, :2] + boxes[:, 2:]).max(axis=0) + margin
    ax.set(xlim=(low[0], high[0]), ylim=(high[1], low[1]), aspect="equal")
    ax.axis("off")


def reader_scores(ax: Axes, table: pd.DataFrame, figure: str, label: str, published: float | None = None) -> None:
    """Each reader's `figure` against the consensus of all and of the others; a dashed line marks the published mean."""
    for against, colour, marker in ((ALL, BLUE, "o"), (OTHERS, ORANGE, "s")):
        part = table[table["against"] == against]
        ax.plot(part["reader"], part[figure], marker, color=colour, markersize=8, label=against)
    if published is not None:
        ax.axhline(published, color=GREY, linestyle="--", label="published")
    ax.set(ylim=(0, 1.02), xlabel="simulated reader", ylabel=label)
    ax.margins(x=0.2)
