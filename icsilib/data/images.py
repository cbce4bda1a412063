"""Photographs as grey levels or colours of 8 bits, whatever a camera's software wrote."""

import io
import re
import struct
import warnings
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from icsilib.data.annotations import AnnotationError
from icsilib.files import atomic_path

warnings.filterwarnings("ignore", category=PIL.Image.DecompressionBombWarning)  # its error, at twice that, is heeded
cv2.utils.logging.setLogLevel(
    cv2.utils.logging.LOG_LEVEL_SILENT
)  # what OpenCV cannot read is said in this library's words

_MARKER = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])")  # of a JPEG file's segment, after any number of fill bytes
_FILLERS = [b"".join(byte * 256 + bytes([0xFF, 0xD0 + k]) for k in range(8)) for byte in (b"\x00", b"\x55")]
_PHOTOMETRIC = 262  # tag of TIFF


def read_grey(path: Path | str) -> NDArray[np.uint8]:
    """An image file as grey (H, W) of 8 bits, turned upright as its EXIF record says.

    Cameras of 10 to 16 bits are brought to 8 by the bits that the brightest pixel uses: a plain division by 256 would
    leave a 12-bit photograph with 16 grey levels. Raises `AnnotationError` naming the file where it is no image, is
    several, is too large, or ends before its last pixel.
    """
    return _read(Path(path), cv2.IMREAD_GRAYSCALE)


def read_rgb(path: Path | str) -> NDArray[np.uint8]:
    """An image file as RGB (H, W, 3) of 8 bits; otherwise as `read_grey`."""
    return np.asarray(cv2.cvtColor(_read(Path(path), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), dtype=np.uint8)


def write_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write an image, grey (H, W) or BGR (H, W, 3), atomically. Raises `OSError` where the disk does not take it."""
    _, content = cv2.imencode(".png", pixels)
    with atomic_path(path) as partial:
        partial.write_bytes(content.tobytes())


def _read(path: Path, channels: int) -> NDArray[np.uint8]:
    if path.is_dir():
        raise AnnotationError(f"{path}: is a folder; name the files in it, {path}/*")
    if not path.is_file():
        raise AnnotationError(f"{path}: no such file; check its path")
    if path.name.startswith(("._", ".partial-")):
        raise AnnotationError(f"{path}: is a leftover of another program, not an image; remove it")
    data = path.read_bytes()
    _check_size(path, data)
    _check_whole(path, data)
    return _decode(path, data, channels)


def _decode(path: Path, data: bytes, channels: int) -> NDArray[np.uint8]:
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_ANYDEPTH | channels) if data else None
        pages = cv2.imcount(str(path)) if image is not None else 0
    except (cv2.error, MemoryError):
        image = None
    if image is None:
        raise AnnotationError(f"{path}: no image that OpenCV can read; convert it to PNG (a video to MP4)")
    if pages > 1:  # of which OpenCV reads the first alone
        raise AnnotationError(f"{path}: holds {pages} images; save each as a file of its own")
    if not np.issubdtype(image.dtype, np.unsignedinteger):
        raise AnnotationError(f"{path}: pixels are {image.dtype}, not whole numbers; save it with 8 or 16 bits")
    shift = max(int(image.max()).bit_length() - 8, 0)
    levels = np.right_shift(image, shift).astype(np.uint8)
    inverted = image.dtype == np.uint16 and _tiff_tags(data).get(_PHOTOMETRIC) == 0
    return 255 - levels if inverted else levels  # OpenCV heeds that white is zero in images of 8 bits alone


def _check_size(path: Path, data: bytes) -> None:
    """Raise `AnnotationError` for an image of more pixels than Pillow deems safe, before it takes the memory."""
    try:
        with PIL.Image.open(io.BytesIO(data)):
            pass
    except PIL.Image.DecompressionBombError:
        most = 2 * (PIL.Image.MAX_IMAGE_PIXELS or 0) // 10**6
        raise AnnotationError(f"{path}: has more than {most} million pixels; cut it into parts") from None
    except Exception:  # any that Pillow cannot read: OpenCV says what it is
        return


def _check_whole(path: Path, data: bytes) -> None:
    """Raise `AnnotationError` for a JPEG file that ends, or whose compressed pixels end, before its picture does.

    Readers fill the rest with grey. Bytes put after the compressed pixels are passed over where these are whole and
    become pixels where they are not, so that two files with different ones tell. Telephones put a film after the end.
    """
    if not data.startswith(b"\xff\xd8"):
        return
    end = _end_of_jpeg(data)
    if end is None or len({_jpeg_pixels(data[:end] + filler + b"\xff\xd9") for filler in _FILLERS}) > 1:
        raise AnnotationError(f"{path}: ends before its last pixel; copy it again from where it came from")


def _end_of_jpeg(data: bytes) -> int | None:
    """Where the marker of the end (EOI) of the first picture in a JPEG file is; None if there is none."""
    at = 2
    while found := _MARKER.search(data, at):
        if found[1] == b"\xd9":
            return found.start()
        at = found.end() + int.from_bytes(data[found.end() : found.end() + 2], "big")
    return None


def _jpeg_pixels(data: bytes) -> bytes:
    """Pixels of a JPEG file, in some size; empty if Pillow cannot read it."""
    try:
        with PIL.Image.open(io.BytesIO(data)) as image:
            if "progressive" not in image.info:
                image.draft("L", (1, 1))  # an eighth of the size, faster
            return image.tobytes()
    except (OSError, ValueError, SyntaxError):
        return b""


def _tiff_tags(data: bytes) -> dict[int, int]:
    """Value of each tag of 16 bits in a TIFF file's first directory; empty for other files."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        return {}
    try:
        (start,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, start)
        entries = [struct.unpack_from(f"{order}HHIH", data, start + 2 + 12 * k) for k in range(count)]
    except struct.error:
        return {}
    short = 3
    return {tag: value for tag, kind, _, value in entries if kind == short}
