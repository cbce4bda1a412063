"""Colours and sizes that every figure of the book shares."""

import matplotlib as mpl
from cycler import cycler

# Okabe & Ito's palette, distinguishable with every common colour-vision deficiency.
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, YELLOW, GREY = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#7F7F7F",
)  # fmt: skip
BOOK_WIDTH = 7.2  # inches; the width of the book's text column, so that labels keep their size on the page


def use_book_style() -> None:
    """Set matplotlib's defaults for the book: legible at column width, light frame, no chart junk."""
    mpl.rcParams.update(
        {
            "figure.figsize": (BOOK_WIDTH, 3.2),
            "figure.dpi": 110,
            "figure.constrained_layout.use": True,
            "font.size": 9.5,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": 10.5,
            "axes.prop_cycle": cycler(color=[BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, GREY]),
            "legend.frameon": False,
            "image.cmap": "gray",
        }
    )
