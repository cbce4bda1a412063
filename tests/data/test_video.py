"""Decoding and writing videos: exact frames, rotation, broken and truncated files, the real ones of the mirror."""

import os
import resource
import wave
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from icsilib.data.video import DamagedVideoError, VideoError, read_frames, write_mp4

ROOT = Path(__file__).resolve().parents[2]
MIRROR = Path(os.environ.get("ICSILIB_MIRROR", ROOT.parent / "shared" / "mirror"))
SVIA = (
    MIRROR / "raw.githubusercontent.com/Demozsj/Detection-Sperm/48584b024fa5bfcc41d1612a8b42a152633d4bb9"
    "/MIaMIA-SpermVideo data set"
)
SVIA_FRAMES = {"S_0001": 45, "S_0002": 19, "S_0003": 38, "S_0004": 82, "S_0005": 36}  # 220 in all, by its README


def counting_frames(count=60, size=64):
    """Frame i is grey level 4 i, so that a decoded frame tells which one it is."""
    return [np.full((size, size), 4 * index, np.uint8) for index in range(count)]


@pytest.fixture
def video(tmp_path):
    write_mp4(counting_frames(), tmp_path / "counting.mp4")
    return tmp_path / "counting.mp4"


@pytest.mark.parametrize("every", [1, 3, 7])
def test_every_nth_frame_is_exactly_that_frame(video, every):
    found = list(read_frames(video, every))
    assert [index for index, _ in found] == list(range(0, 60, every))
    assert [round(float(image.mean()) / 4) for _, image in found] == list(range(0, 60, every))


def test_grey_levels_survive_writing(tmp_path):
    ramp = np.tile(np.linspace(0, 255, 128).astype(np.uint8), (128, 1))
    write_mp4([ramp], tmp_path / "ramp.mp4", crf=0)
    [(_, image)] = read_frames(tmp_path / "ramp.mp4")
    assert np.abs(image.astype(int) - ramp).max() <= 2  # H.264's limited range holds 220 levels


def test_colour(tmp_path):
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 200
    write_mp4([red], tmp_path / "red.mp4")
    [(_, image)] = read_frames(tmp_path / "red.mp4", grey=False)
    np.testing.assert_allclose(image.mean(axis=(0, 1)), [200, 0, 0], atol=4)


def test_the_same_frames_give_the_same_file(video, tmp_path):
    write_mp4(counting_frames(), tmp_path / "again.mp4")
    assert (tmp_path / "again.mp4").read_bytes() == video.read_bytes()


def test_a_phone_video_is_turned_upright(tmp_path):
    image = np.zeros((32, 64), np.uint8)
    image[:16, :32] = 200  # upper left, which a quarter turn clockwise brings to the upper right
    write_mp4([image], tmp_path / "flat.mp4")
    content = (tmp_path / "flat.mp4").read_bytes()
    flat = bytes.fromhex("00010000 00000000 00000000 00000000 00010000 00000000 00000000 00000000 40000000")
    turned = bytes.fromhex("00000000 00010000 00000000 FFFF0000 00000000 00000000 00000000 00000000 40000000")
    track = content.index(b"tkhd")
    (tmp_path / "turned.mp4").write_bytes(content[:track] + content[track:].replace(flat, turned, 1))
    [(_, upright)] = read_frames(tmp_path / "turned.mp4")
    assert upright.shape == (64, 32)
    assert upright[:32, 16:].mean() == pytest.approx(200, abs=3)


def encode(path, frames, codec="libx264", pix_fmt="yuv420p", gaps=(), **options):
    """A video of grey frames at 25 frames/s without those whose number is in `gaps`; the rest keep their times."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.height, stream.width = frames[0].shape
        stream.pix_fmt = pix_fmt
        for number, pixels in enumerate(frames):
            if number not in gaps:
                frame = av.VideoFrame.from_ndarray(pixels, format="gray16le" if pixels.dtype == np.uint16 else "gray")
                frame.pts, frame.time_base = number, Fraction(1, 25)
                container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def rolling_noise(count=30):
    noise = np.random.default_rng(0).integers(0, 255, (96, 128), dtype=np.uint8)
    return [np.roll(noise, 3 * number, axis=1) for number in range(count)]


CODECS = {"mkv": "libx264", "webm": "libvpx", "mpg": "mpeg2video", "ts": "libx264", "avi": "mpeg4", "mp4": "libx264"}


@pytest.mark.parametrize("suffix", [*CODECS, "mov", "3gp", "m2ts", "flv"])
def test_whole_videos_of_all_kinds_are_read_without_a_word(tmp_path, suffix):
    path = encode(tmp_path / f"v.{suffix}", rolling_noise(), CODECS.get(suffix, "libx264"))
    assert len(list(read_frames(path, note=pytest.fail))) == 30


@pytest.mark.parametrize("share", [0.6, 0.8, 0.9])
@pytest.mark.parametrize("suffix", [*sorted(set(CODECS) - {"mp4"}), "faststart.mp4"])
def test_a_video_that_breaks_off_gives_its_frames_and_says_so(tmp_path, suffix, share):
    if suffix == "faststart.mp4":
        write_mp4(rolling_noise(), path := tmp_path / "v.mp4")
    else:
        path = encode(tmp_path / f"v.{suffix}", rolling_noise(), CODECS[suffix])
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    frames = []
    with pytest.raises(DamagedVideoError, match=rf"v\.{path.suffix[1:]}: is damaged or cut short .*again") as caught:
        frames.extend(read_frames(path))
    assert len(frames) == caught.value.decoded <= 30
    assert "\n" not in str(caught.value)


def test_a_damaged_video_is_read_on_to_its_end(tmp_path):
    write_mp4(rolling_noise(), tmp_path / "v.mp4", crf=30)
    content = bytearray((tmp_path / "v.mp4").read_bytes())
    content[-900:-700] = bytes(range(200))  # within the last frames but one, each of about 100 bytes
    (tmp_path / "v.mp4").write_bytes(content)
    frames = []
    with pytest.raises(DamagedVideoError, match="damaged"):
        frames.extend(read_frames(tmp_path / "v.mp4"))
    assert 27 <= len(frames) <= 30


def test_frames_that_a_capture_program_dropped_are_no_damage(tmp_path):
    for suffix, codec in (("avi", "mpeg4"), ("mp4", "libx264"), ("mkv", "libx264")):
        path = encode(tmp_path / f"v.{suffix}", rolling_noise(), codec, gaps=(7, 8, 20))
        assert len(list(read_frames(path))) == 27


def test_frames_that_an_edit_list_hides_are_no_damage(tmp_path):
    """As phones and lossless cuts write it: the first five frames are in the file and not in the film."""
    encode(tmp_path / "v.mp4", rolling_noise(20), bf="0", g="30")
    content = bytearray((tmp_path / "v.mp4").read_bytes())
    edits = content.index(b"elst") + 12  # after version, flags and count: duration in ms, start in the track's unit
    track = content.index(b"mdhd") + 16
    unit = int.from_bytes(content[track - 4 + 4 : track + 4], "big")
    content[edits : edits + 8] = (600).to_bytes(4, "big") + (unit // 5).to_bytes(4, "big")
    (tmp_path / "v.mp4").write_bytes(content)
    with av.open(str(tmp_path / "v.mp4")) as container:
        assert container.streams.video[0].frames == 20
    assert len(list(read_frames(tmp_path / "v.mp4"))) == 15


def test_pixels_become_square(tmp_path):
    """A circle in pixels 16 wide and 11 high is stored narrow, and comes back as wide as high."""
    narrow = cv2.ellipse(np.zeros((96, 128), np.uint8), (64, 48), (22, 32), 0, 0, 360, 200, -1)
    notes = []
    encode(tmp_path / "v.mp4", [narrow] * 3, aspect="16:11", **{"x264-params": "sar=16/11"})
    (_, image), *_ = read_frames(tmp_path / "v.mp4", note=notes.append)
    assert image.shape == (96, 186)  # 128 · 16 / 11
    rows, columns = np.nonzero(image > 100)
    assert np.ptp(columns) == pytest.approx(np.ptp(rows), abs=1)
    assert "128 × 96 px that are not square, scaled to 186 × 96" in notes[0]


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_deep_videos_keep_their_grey_levels(tmp_path, bits):
    levels = np.tile(np.arange(256, dtype=np.uint16), (16, 1))
    frames = [levels << (bits - 9), levels << (bits - 8)]  # the second is the brightest, and both keep their relation
    path = encode(tmp_path / "v.mkv", frames, "ffv1", "gray16le")
    first, second = (image for _, image in read_frames(path))
    np.testing.assert_array_equal(second, levels)
    np.testing.assert_array_equal(first, levels // 2)


def test_interlaced_fields_are_noted_and_taken_apart(tmp_path):
    bars = [np.roll(np.repeat(np.uint8([40, 200]), 32)[None].repeat(64, axis=0), 4 * k, axis=1) for k in range(16)]
    fields = [bars[2 * k].copy() for k in range(8)]
    for k, frame in enumerate(fields):
        frame[1::2] = bars[2 * k + 1][1::2]
    encode(tmp_path / "v.mp4", fields, flags="+ildct+ilme", crf="1", **{"x264-params": "tff=1"})
    notes = []
    combed = [image for _, image in read_frames(tmp_path / "v.mp4", note=notes.append)]
    smooth = [image for _, image in read_frames(tmp_path / "v.mp4", deinterlace=True, note=pytest.fail)]
    assert "is interlaced" in notes[0]
    assert len(combed) == len(smooth) == 8
    comb = [np.abs(np.diff(np.float64(images), axis=1)).mean() for images in (combed, smooth)]
    assert comb[1] < comb[0] / 4


def test_images_are_no_videos(tmp_path):
    cv2.imwritemulti(str(tmp_path / "a.tif"), [np.zeros((8, 8), np.uint8)] * 2)
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8), np.uint8))
    for name in ("a.tif", "a.png"):
        with pytest.raises(VideoError, match="is an image or a stack of images, not a video; export it as MP4"):
            next(read_frames(tmp_path / name))


@pytest.mark.parametrize("content", [b"", b"not a video", b"\x00\x00\x00\x20ftypisom" + b"\x00" * 400])
def test_a_file_that_is_no_video_is_named(tmp_path, content):
    (tmp_path / "broken.mp4").write_bytes(content)
    with pytest.raises(VideoError, match=r"broken\.mp4: .*again"):
        list(read_frames(tmp_path / "broken.mp4"))


def test_sound_alone_is_no_video(tmp_path):
    with wave.open(str(tmp_path / "sound.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(1600))
    with pytest.raises(VideoError, match="no video stream"):
        list(read_frames(tmp_path / "sound.wav"))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(VideoError, match=r"gone\.mp4: no such file"):
        next(read_frames(tmp_path / "gone.mp4"))


def test_bad_steps_and_sizes_are_refused(video, tmp_path):
    with pytest.raises(ValueError, match="every=0"):
        next(read_frames(video, every=0))
    with pytest.raises(VideoError, match="even, equal sizes"):
        write_mp4([np.zeros((33, 32), np.uint8)], tmp_path / "odd.mp4")
    with pytest.raises(VideoError, match="no frames"):
        write_mp4([], tmp_path / "none.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["counting.mp4"]  # nothing half-written is left


@pytest.mark.skipif(not SVIA.exists(), reason=f"needs the SVIA sample in {MIRROR}; set ICSILIB_MIRROR")
@pytest.mark.parametrize("name", SVIA_FRAMES)
def test_real_sperm_videos(name):
    frames = list(read_frames(SVIA / "original videos" / f"{name}.mp4"))
    assert len(frames) == SVIA_FRAMES[name]
    stored = cv2.imread(str(SVIA / "Frames from original videos" / name / f"{name}_0004.png"), cv2.IMREAD_GRAYSCALE)
    difference = [np.abs(image.astype(int) - stored).mean() for _, image in frames]
    assert int(np.argmin(difference)) == 3  # the sample's own PNGs are numbered from 1


def test_a_full_disk_leaves_no_video(tmp_path):
    """The limit on a file's size ends the write where a full disk would."""
    noise = np.random.default_rng(0).integers(0, 255, (60, 64, 64), dtype=np.uint8)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_mp4(noise, tmp_path / "v.mp4")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []
