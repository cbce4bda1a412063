"""Photographs as cameras and other programs write them, and as copying breaks them."""

import errno
import io
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from icsilib.data.annotations import AnnotationError
from icsilib.data.images import read_grey, read_rgb, write_png

NOISE = cv2.resize(np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8), (333, 251))


def jpeg(**options):
    with io.BytesIO() as file:
        Image.fromarray(NOISE).convert(options.pop("mode", "RGB")).save(file, "JPEG", **options)
        return file.getvalue()


JPEGS = {
    "baseline": jpeg(),
    "progressive": jpeg(progressive=True),
    "grey": jpeg(mode="L"),
    "cmyk": jpeg(mode="CMYK"),
    "restart": jpeg(restart_marker_blocks=4),
    "halved": jpeg(subsampling=2, quality=30),
    "film": jpeg() + bytes(99) + jpeg(),
}


@pytest.mark.parametrize("kind", JPEGS)
def test_whole_jpegs_are_read_and_those_with_fill_bytes_too(tmp_path, kind):
    content = JPEGS[kind]
    table = content.index(b"\xff\xdb")
    (tmp_path / "a.jpg").write_bytes(content)
    (tmp_path / "b.jpg").write_bytes(content[:table] + b"\xff\xff" + content[table:])
    np.testing.assert_array_equal(read_rgb(tmp_path / "a.jpg"), cv2.imread(str(tmp_path / "a.jpg"))[..., ::-1])
    np.testing.assert_array_equal(read_rgb(tmp_path / "b.jpg"), read_rgb(tmp_path / "a.jpg"))


@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
@pytest.mark.parametrize("end", [b"", b"\xff\xd9"])
@pytest.mark.parametrize("kind", sorted(set(JPEGS) - {"film"}))
def test_a_part_of_a_jpeg_is_refused_with_and_without_its_end(tmp_path, kind, end, share):
    content = JPEGS[kind]
    start = content.rindex(b"\xff\xda") if kind == "progressive" else content.index(b"\xff\xda")
    (tmp_path / "a.jpg").write_bytes(content[: start + int(share * (len(content) - start))] + end)
    with pytest.raises(AnnotationError, match=r"a\.jpg: ends before its last pixel"):
        read_grey(tmp_path / "a.jpg")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_tiffs_are_turned_upright_as_png_files_are(tmp_path, orientation):
    pixels = np.arange(35, dtype=np.uint8).reshape(5, 7)
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    Image.fromarray(pixels).save(tmp_path / "a.tif", tiffinfo={274: orientation})
    upright = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_GRAYSCALE)
    assert upright.shape == ((5, 7) if orientation < 5 else (7, 5))
    np.testing.assert_array_equal(read_grey(tmp_path / "a.tif"), upright)


@pytest.mark.parametrize(("kind", "scale"), [(np.uint8, 1), (np.uint16, 257), (np.uint16, 16)])
def test_tiffs_in_which_zero_is_white_are_not_inverted(tmp_path, kind, scale):
    levels = np.tile(np.arange(256), (4, 1))
    white_is_zero = (255 * scale + (15 if scale == 16 else 0) - levels * scale).astype(kind)
    cv2.imwrite(str(tmp_path / "a.tif"), white_is_zero)
    content = (tmp_path / "a.tif").read_bytes()
    tag = (262).to_bytes(2, "little") + b"\x03\x00\x01\x00\x00\x00"
    at = content.index(tag) + len(tag)
    (tmp_path / "a.tif").write_bytes(content[:at] + b"\x00\x00" + content[at + 2 :])
    np.testing.assert_allclose(read_grey(tmp_path / "a.tif"), levels, atol=1)


def test_images_too_large_for_memory_are_refused_before_they_take_it(tmp_path):
    header = b"\x00\x00\x00\rIHDR" + (40_000).to_bytes(4, "big") * 2 + b"\x08\x00\x00\x00\x00"
    crc = zlib.crc32(header[4:]).to_bytes(4, "big")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + crc + b"\x00\x00\x00\x63IDAT" + bytes(99))
    with pytest.raises(AnnotationError, match=r"a\.png: has more than 178 million pixels; cut it into parts"):
        read_grey(tmp_path / "a.png")


def test_stacks_are_refused(tmp_path):
    cv2.imwritemulti(str(tmp_path / "a.tif"), [np.zeros((8, 8), np.uint8)] * 3)
    with pytest.raises(AnnotationError, match=r"a\.tif: holds 3 images"):
        read_grey(tmp_path / "a.tif")


@pytest.mark.parametrize("name", ["._a.png", ".partial-xyz.png"])
def test_leftovers_are_no_images(tmp_path, name):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8), np.uint8))
    (tmp_path / "a.png").rename(tmp_path / name)
    with pytest.raises(AnnotationError, match="is a leftover"):
        read_grey(tmp_path / name)


def test_a_full_disk_leaves_the_old_image(tmp_path, monkeypatch):
    write_png(tmp_path / "a.png", np.zeros((8, 8), np.uint8))
    before = (tmp_path / "a.png").read_bytes()

    def full(path: Path, content: bytes) -> int:
        with path.open("wb") as file:
            file.write(content[:10])
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        write_png(tmp_path / "a.png", np.ones((8, 8), np.uint8))
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == before
