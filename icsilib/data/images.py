"""Photographs as grey levels or colours of 8 bits, whatever a camera's software wrote."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from icsilib.data.annotations import AnnotationError
from icsilib.files import atomic_path


def read_grey(path: Path | str) -> NDArray[np.uint8]:
    """An image file as grey (H, W) of 8 bits, turned upright as its EXIF record says.

    Cameras of 10 to 16 bits are brought to 8 by the bits that the brightest pixel uses: a plain division by 256 would
    leave a 12-bit photograph with 16 grey levels. Raises `AnnotationError` naming the file where it is no image, is
    several, or ends before its last pixel.
    """
    return _read(path, cv2.IMREAD_GRAYSCALE)


def read_rgb(path: Path | str) -> NDArray[np.uint8]:
    """An image file as RGB (H, W, 3) of 8 bits; otherwise as `read_grey`."""
    return np.asarray(cv2.cvtColor(_read(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), dtype=np.uint8)


def write_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write an image, grey (H, W) or BGR (H, W, 3), atomically."""
    with atomic_path(path) as partial:
        cv2.imwrite(str(partial), pixels)


def _read(path: Path | str, channels: int) -> NDArray[np.uint8]:
    if Path(path).is_dir():
        raise AnnotationError(f"{path}: is a folder; name the files in it, {path}/*")
    if not Path(path).is_file():
        raise AnnotationError(f"{path}: no such file; check its path")
    _check_whole(path)
    image = cv2.imread(str(path), cv2.IMREAD_ANYDEPTH | channels)
    if image is None:
        raise AnnotationError(f"{path}: no image that OpenCV can read; convert it to PNG (a video to MP4)")
    if (pages := cv2.imcount(str(path))) > 1:  # of which OpenCV reads the first alone
        raise AnnotationError(f"{path}: holds {pages} images; save each as a file of its own")
    if not np.issubdtype(image.dtype, np.unsignedinteger):
        raise AnnotationError(f"{path}: pixels are {image.dtype}, not whole numbers; save it with 8 or 16 bits")
    shift = max(int(image.max()).bit_length() - 8, 0)
    return np.right_shift(image, shift).astype(np.uint8)


def _check_whole(path: Path | str) -> None:
    """Raise `AnnotationError` for a JPEG file that ends before its picture does.

    OpenCV reads such a file, fills the rest with grey and says so on standard error alone. What stands before the
    picture (with a thumbnail, it may be) is passed over; within its compressed pixels the bytes of a marker do not
    occur, so it is whole when the marker of the end (EOI) follows. Telephones put a film after that.
    """
    with Path(path).open("rb") as file:
        if file.read(2) != b"\xff\xd8":
            return  # no other kind of file is read twice
        data = file.read()
    at = 0
    while data[at : at + 1] == b"\xff" and data[at + 1 : at + 2] != b"\xda":  # segments, to the start of the scan (SOS)
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    if b"\xff\xd9" not in data[at:]:
        raise AnnotationError(f"{path}: ends before its last pixel; copy it again from where it came from")
