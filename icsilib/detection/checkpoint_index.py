"""The index of a TensorFlow checkpoint, read without TensorFlow: names, shapes and places of tensors, no values.

The file is a LevelDB table: blocks of sorted keys, each key sharing a prefix with the one before; after every block
a byte for its compression and a checksum; at the end a footer of 48 bytes that says where the index of blocks lies.
A value is a protocol buffer `BundleEntryProto`: field 1 the type, 2 the shape, 4 the offset and 5 the size in bytes.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

FOOTER, MAGIC = 48, 0xDB4775248B80FB57
LARGEST = 64 * 2**20  # bytes; an index of names is a few kilobytes
CODE_SIZE = 4  # numbers of a box encoding: cy, cx, h, w


class CheckpointIndexError(ValueError):
    """A file that is no readable checkpoint index; the message names the file, the place and the remedy."""


@dataclass(frozen=True)
class Tensor:
    """What the index says of one tensor."""

    shape: tuple[int, ...]
    offset: int  # bytes, in the data file
    size: int  # bytes


def read_index(path: Path | str) -> dict[str, Tensor]:
    """Tensors of a checkpoint by name, in the file's order; raises `CheckpointIndexError` for any other file."""
    path = Path(path)
    try:
        if not FOOTER < path.stat().st_size <= LARGEST:
            raise ValueError(f"has {path.stat().st_size} bytes")
        return _table(path.read_bytes())
    except (OSError, ValueError, IndexError) as error:
        raise CheckpointIndexError(
            f"{path}: not the index of a TensorFlow checkpoint ({error}); give the file that ends in .ckpt.index"
        ) from None


def boxes_per_cell(tensors: Mapping[str, Tensor]) -> tuple[int, ...]:
    """Default boxes per cell on each feature map, from the outputs of the box predictors of an SSD.

    A predictor has four outputs for a box. Raises `CheckpointIndexError` if there are none, or if they do not divide.
    """
    found: list[int] = []
    while (name := f"BoxPredictor_{len(found)}/BoxEncodingPredictor/biases") in tensors:
        found.append(math.prod(tensors[name].shape))
    if not found or any(outputs % CODE_SIZE for outputs in found):
        raise CheckpointIndexError(f"box predictors with {found} outputs: not those of an SSD; give its checkpoint")
    return tuple(outputs // CODE_SIZE for outputs in found)


def map_sizes(input_size: int, maps: int) -> tuple[int, ...]:
    """Cells along each side of `maps` feature maps, each half of the one before, rounded up ("SAME" padding)."""
    sizes = [math.ceil(input_size / 16)]  # the first map's stride
    while len(sizes) < maps:
        sizes.append(math.ceil(sizes[-1] / 2))
    return tuple(sizes)


def trainable_parameters(tensors: Mapping[str, Tensor]) -> int:
    """Number of trained parameters: all but the step counter and the moving averages of batch normalisation."""
    return sum(math.prod(t.shape) for name, t in tensors.items() if "/moving_" not in name and name != "global_step")


def _table(data: bytes) -> dict[str, Tensor]:
    if int.from_bytes(data[-8:], "little") != MAGIC:
        raise ValueError("the footer lacks the table's magic number")
    place, footer = 0, data[-FOOTER:]
    for _ in range(3):  # offset and size of the meta index, then the offset of the index of blocks
        number, place = _varint(footer, place)
    start, (size, _) = number, _varint(footer, place)
    tensors = {}
    for _, handle in _entries(data, start, size):
        first, place = _varint(handle, 0)
        for key, value in _entries(data, first, _varint(handle, place)[0]):
            if key:  # the empty key is the header of the bundle
                tensors[key.decode()] = _tensor(value)
    return tensors


def _entries(data: bytes, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of the block of `size` bytes at `start`."""
    if start + size >= len(data) - FOOTER + 1 or size < 8:
        raise ValueError(f"a block of {size} bytes at {start} does not fit into the file")
    if data[start + size]:
        raise ValueError(f"the block at {start} is compressed")
    block = data[start : start + size]
    end = size - 4 - 4 * int.from_bytes(block[-4:], "little")  # the restart points follow
    place, key = 0, b""
    while place < end:
        shared, place = _varint(block, place)
        own, place = _varint(block, place)
        length, place = _varint(block, place)
        if shared > len(key) or place + own + length > end:
            raise ValueError(f"an entry of the block at {start} does not fit into it")
        key = key[:shared] + block[place : place + own]
        yield key, block[place + own : place + own + length]
        place += own + length


def _tensor(value: bytes) -> Tensor:
    fields = dict(_fields(value))
    shape = [dict(_fields(_bytes(v))) for number, v in _fields(_bytes(fields.get(2, b""))) if number == 2]
    return Tensor(tuple(_int(d.get(1, 0)) for d in shape), _int(fields.get(4, 0)), _int(fields.get(5, 0)))


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Numbers and values of a protocol buffer's fields: varints, strings and 32-bit numbers (as bytes)."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        number, wire = tag >> 3, tag & 7
        value: int | bytes
        if wire == 0:
            value, place = _varint(message, place)
        elif wire in (2, 5):
            length, place = _varint(message, place) if wire == 2 else (4, place)
            value, place = message[place : place + length], place + length
        else:
            raise ValueError(f"a field of wire type {wire}")
        if place > len(message):
            raise ValueError("a field ends beyond its message")
        yield number, value


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """The number at `place`, seven bits in a byte with the least first, and the place after it."""
    number = shift = 0
    while True:
        byte = data[place]
        number |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return number, place
        if shift > 63:
            raise ValueError("a number has more than 64 bits")


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number where a message belongs")
    return value


def _int(value: int | bytes) -> int:
    if isinstance(value, bytes):
        raise ValueError("a message where a number belongs")
    return value
