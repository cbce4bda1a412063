"""How long a detector takes for a folder of images, from the files to the boxes."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from icsilib.data.images import read_rgb
from icsilib.detection.detector import Detector
from icsilib.detection.windows import Pixels

AHEAD = 4  # images decoded while the network is busy


@dataclass(frozen=True)
class Throughput:
    """Time for a number of images, all steps included: decoding, windows, network, non-maximum suppression."""

    images: int
    windows: int  # inputs that the network saw
    found: int  # boxes
    seconds: float

    @property
    def images_per_second(self) -> float:
        """Images a second, end to end."""
        return self.images / self.seconds


def measure_throughput(detector: Detector, files: Sequence[Path], batch_size: int) -> Throughput:
    """Run `detector` over image files, `batch_size` windows at a time, and take the time; a first image warms up."""
    detector.predict(read_rgb(files[0]), batch_size)
    begun = time.perf_counter()
    seen = found = 0

    def counted() -> Iterator[Pixels]:
        nonlocal seen
        for pixels in read_ahead(files):
            seen += detector.count_windows(pixels)
            yield pixels

    for one in detector.predict_many(counted(), batch_size):
        found += len(one.scores)
    return Throughput(len(files), seen, found, time.perf_counter() - begun)


def read_ahead(files: Sequence[Path]) -> Iterator[Pixels]:
    """The images of `files` in order, a few decoded in advance by another thread."""
    with ThreadPoolExecutor(1) as pool:
        waiting = [pool.submit(read_rgb, file) for file in files[:AHEAD]]
        for number in range(len(files)):
            pixels = waiting.pop(0).result()
            if number + AHEAD < len(files):
                waiting.append(pool.submit(read_rgb, files[number + AHEAD]))
            yield pixels
