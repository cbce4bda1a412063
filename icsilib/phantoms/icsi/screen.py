"""What a recorder adds to the picture: black bars and burnt-in captions."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from icsilib.phantoms.drawing import Points
from icsilib.phantoms.icsi.ranges import IcsiRanges

Box = tuple[float, float, float, float]  # left, top, right, bottom, px


@dataclass(frozen=True)
class Caption:
    """A burnt-in text."""

    text: str
    place: tuple[int, int]  # of its base line's left end, px
    ink: int  # grey level; black stands in a white box


@dataclass(frozen=True)
class Screen:
    """Bars and captions of one procedure."""

    box: Box  # the picture between the bars
    captions: tuple[Caption, ...]
    font: float

    def shows(self, point: Points, border: float = 1.0) -> bool:
        """Whether a point lies in the picture, more than `border` px from its edges."""
        left, top, right, bottom = self.box
        x, y = point
        return left + border < x < right - border and top + border < y < bottom - border

    def captioned(self, point: Points) -> bool:
        """Whether a burnt-in text, with its box, lies over a point."""
        for caption in self.captions:
            left, top, right, bottom = self._box_of(caption)
            if left <= point[0] <= right + 1 and top <= point[1] <= bottom + 1:
                return True
        return False

    def draw_on(self, levels: NDArray[np.uint8]) -> None:
        """Draw bars and captions on grey levels (S, S)."""
        left, top, right, bottom = (int(side) for side in self.box)
        levels[:top], levels[bottom:], levels[:, :left], levels[:, right:] = 0, 0, 0, 0
        for caption in self.captions:
            if caption.ink == 0:
                x0, y0, x1, y1 = self._box_of(caption)
                cv2.rectangle(levels, (x0, y0), (x1, y1), 255, -1)
            cv2.putText(levels, caption.text, caption.place, 0, self.font, caption.ink, 1, cv2.LINE_AA)

    def _box_of(self, caption: Caption) -> tuple[int, int, int, int]:
        (width, height), _ = cv2.getTextSize(caption.text, 0, self.font, 1)
        left, base = caption.place
        return left - 2, base - height - 3, left + width + 2, base + 4


def draw_box(rng: np.random.Generator, side: int, ranges: IcsiRanges) -> Box:
    """The picture between black bars above and below, or left and right; mostly the whole frame."""
    if rng.random() >= ranges.letterbox_share:
        return 0.0, 0.0, float(side), float(side)
    bar = float(round(rng.uniform(*ranges.letterbox) * side))
    level = rng.random() < ranges.level_bars_share
    return (0.0, bar, float(side), side - bar) if level else (bar, 0.0, side - bar, float(side))


def draw_captions(rng: np.random.Generator, video: int, side: int, ranges: IcsiRanges) -> tuple[Caption, ...]:
    """One to three of date, well and age, or none, as an incubator burns them in."""
    if rng.random() >= ranges.caption_share:
        return ()
    date = f"{rng.integers(2012, 2021)}-{rng.integers(1, 13):02d}-{rng.integers(1, 29):02d}"
    texts = [(date, (0.02, 0.05)), (f"Well {video % 12}", (0.02, 0.97)), (f"{video % 48}.2 h", (0.86, 0.97))]
    ink = int(rng.choice([0, 255]))
    chosen = [texts[k] for k in rng.permutation(3)[: int(rng.integers(1, 4))]]
    return tuple(Caption(text, (int(x * side), int(y * side)), ink) for text, (x, y) in chosen)
