"""Photographs as grey levels of 8 bits, whatever a camera's software wrote."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from icsilib.data.annotations import AnnotationError


def read_grey(path: Path | str) -> NDArray[np.uint8]:
    """An image file as grey (H, W) of 8 bits, turned upright as its EXIF record says.

    Cameras of 10 to 16 bits are brought to 8 by the bits that the brightest pixel uses: a plain division by 256 would
    leave a 12-bit photograph with 16 grey levels. Raises `AnnotationError` naming the file where it is no image.
    """
    if Path(path).is_dir():
        raise AnnotationError(f"{path}: is a folder; name the files in it, {path}/*")
    grey = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_GRAYSCALE
    image = cv2.imread(str(path), grey) if Path(path).is_file() else None
    if image is None:
        raise AnnotationError(f"{path}: no readable image; check its path, or convert it to PNG (a video to MP4)")
    if not np.issubdtype(image.dtype, np.unsignedinteger):
        raise AnnotationError(f"{path}: pixels are {image.dtype}, not whole numbers; save it with 8 or 16 bits")
    shift = max(int(image.max()).bit_length() - 8, 0)
    return np.right_shift(image, shift).astype(np.uint8)
