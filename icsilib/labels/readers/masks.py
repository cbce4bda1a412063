"""Painted masks as annotation tools pack them: CVAT's run lengths in a box, Label Studio's brush strokes.

Both say how large the mask is before they say what is in it, and both are checked before anything is filled.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from icsilib.labels.readers.records import Unusable
from icsilib.labels.readers.values import number, sequence

Mask = NDArray[np.bool_]  # (H, W)
MOST_PIXELS = 100_000_000  # of one mask; more is a fault of the file
_CHANNELS = 4  # Label Studio packs red, green, blue and alpha of a canvas; alpha is the mask


def from_cvat(rle: str, width: int, height: int) -> Mask:
    """The mask (`height`, `width`) of run lengths "3, 2, 7": row by row, background first."""
    runs = [number(each, "rle") for each in rle.split(",")]
    if any(run < 0 or run != int(run) for run in runs) or sum(runs) != width * height or sum(runs) > MOST_PIXELS:
        raise Unusable("run lengths do not fill their box")
    painted = np.arange(len(runs)) % 2 == 1
    return np.repeat(painted, np.array(runs, dtype=np.int64)).reshape(height, width)


def from_label_studio(rle: Any, width: int, height: int) -> Mask:
    """The mask (`height`, `width`) of a list of bytes in the format of thi.ng's rle-pack.

    That is, in bits: 32 for the count of words, 5 for a word's size less one, 4 times 4 for the sizes, less one, of a
    run's length. Then runs until the words are full: one bit that says whether the run repeats one word, two that
    choose the size of its length, the length less one, and its word or words.
    """
    values = [number(each, "rle") for each in sequence(rle, "rle")]
    if any(not 0 <= value <= 255 or value != int(value) for value in values):
        raise Unusable("brush mask is not a list of bytes")
    bits = _Bits(np.array(values, dtype=np.uint8))
    count, word = bits.read(32), bits.read(5) + 1
    lengths = [bits.read(4) + 1 for _ in range(4)]
    if count != width * height * _CHANNELS or count > MOST_PIXELS * _CHANNELS:
        raise Unusable("brush mask is of another size than its image")
    filled: NDArray[np.uint8] = np.zeros(count, np.uint8)
    at = 0
    while at < count:
        repeats = bits.read(1)
        end = at + bits.read(lengths[bits.read(2)]) + 1
        if end > count:
            raise Unusable("brush mask does not fill its image")
        filled[at:end] = bits.read(word) > 0 if repeats else [bits.read(word) > 0 for _ in range(at, end)]
        at = end
    return filled.reshape(height, width, _CHANNELS)[..., -1] > 0


class _Bits:
    """Bits of bytes, read from the first on."""

    def __init__(self, packed: NDArray[np.uint8]) -> None:
        self.digits = (np.unpackbits(packed) + ord("0")).tobytes().decode("ascii")
        self.at = 0

    def read(self, size: int) -> int:
        """The next `size` bits as a number, the highest first."""
        found = self.digits[self.at : self.at + size]
        if len(found) < size:
            raise Unusable("brush mask ends too early")
        self.at += size
        return int(found, 2)
