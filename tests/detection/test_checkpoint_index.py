"""The reader of checkpoint indices, on a table built by hand and on the authors' own file."""

from contextlib import suppress
from pathlib import Path

import pytest

from icsilib.data.manifest import load_manifest, mirror_root
from icsilib.detection.checkpoint_index import (
    FOOTER,
    MAGIC,
    CheckpointIndexError,
    Tensor,
    boxes_per_cell,
    map_sizes,
    read_index,
    trainable_parameters,
)

ENTRY = "wu2019-checkpoint-index"


def a_block(*entries: tuple[int, bytes, bytes]) -> bytes:
    """A block of (shared length, rest of the key, value) with one restart point, its type and a checksum of zeros."""
    body = b"".join(bytes([shared, len(rest), len(value)]) + rest + value for shared, rest, value in entries)
    return body + bytes(4) + (1).to_bytes(4, "little") + bytes(5)


def a_table(block: bytes) -> bytes:
    """A file of one block, the index of blocks and the footer."""
    index = a_block((0, b"z", bytes([0, len(block) - 5])))
    footer = bytes([0, 0, len(block), len(index) - 5]).ljust(FOOTER - 8, b"\0") + MAGIC.to_bytes(8, "little")
    return block + index + footer


# float32, shape (3, 200), offset 5, 300 bytes, a checksum: 200 and 300 take two bytes each.
VALUE = bytes([8, 1, 18, 9, 18, 2, 8, 3, 18, 3, 8, 200, 1, 32, 5, 40, 172, 2, 53, 0, 0, 0, 0])


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.ckpt.index"
    path.write_bytes(a_table(a_block((0, b"", b"\x08\x01"), (0, b"conv/weights", VALUE), (5, b"moving_mean", VALUE))))
    return path


def test_a_table_built_by_hand_is_read(table: Path) -> None:
    tensor = Tensor(shape=(3, 200), offset=5, size=300)
    tensors = read_index(table)
    assert tensors == {"conv/weights": tensor, "conv/moving_mean": tensor}
    assert trainable_parameters(tensors) == 600


def test_every_truncation_and_other_files_are_refused(table: Path) -> None:
    whole = table.read_bytes()
    for length in range(len(whole)):
        table.write_bytes(whole[:length])
        with pytest.raises(CheckpointIndexError, match=r"tiny\.ckpt\.index.*give the file"):
            read_index(table)
    with pytest.raises(CheckpointIndexError, match="nowhere"):
        read_index("nowhere")


def test_a_flipped_byte_never_escapes_as_another_error(table: Path) -> None:
    whole = table.read_bytes()
    for place in range(len(whole)):
        table.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        with suppress(CheckpointIndexError):
            assert len(read_index(table)) <= 3


def test_a_compressed_block_is_named(tmp_path: Path) -> None:
    block = bytearray(a_block((0, b"a", VALUE)))
    block[-5] = 1
    (tmp_path / "x").write_bytes(a_table(bytes(block)))
    with pytest.raises(CheckpointIndexError, match="block at 0 is compressed"):
        read_index(tmp_path / "x")


def test_boxes_follow_from_the_outputs_of_the_predictors() -> None:
    def predictor(number: int, outputs: int) -> tuple[str, Tensor]:
        return f"BoxPredictor_{number}/BoxEncodingPredictor/biases", Tensor((outputs,), 0, 4 * outputs)

    assert boxes_per_cell(dict([predictor(0, 12), predictor(1, 24)])) == (3, 6)
    with pytest.raises(CheckpointIndexError, match=r"\[13\]"):
        boxes_per_cell(dict([predictor(0, 13)]))
    with pytest.raises(CheckpointIndexError, match=r"\[\]"):
        boxes_per_cell({})


def test_feature_maps_halve_and_round_up() -> None:
    assert map_sizes(640, 6) == (40, 20, 10, 5, 3, 2)
    assert map_sizes(300, 6) == (19, 10, 5, 3, 2, 1)


def test_the_authors_checkpoint_has_8028_boxes() -> None:
    base_url = str(load_manifest().entry(ENTRY).base_url)
    file = (mirror_root() or Path("none")) / base_url.removeprefix("https://") / "model.ckpt.index"
    if not file.exists():
        pytest.skip("needs the authors' index: set ICSILIB_MIRROR to a folder laid out as host/path")
    tensors = read_index(file)
    per_cell = boxes_per_cell(tensors)
    assert per_cell == (3, 6, 6, 6, 6, 6)
    assert sum(n * size**2 for n, size in zip(per_cell, map_sizes(640, 6), strict=True)) == 8028
    assert trainable_parameters(tensors) == 4_611_014
    assert len(tensors) == 325
