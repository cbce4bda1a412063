"""Decoding and writing videos: exact frames, rotation, broken and truncated files, the real ones of the mirror."""

import os
import wave
from pathlib import Path

import cv2
import numpy as np
import pytest

from icsilib.data.video import TruncatedVideoError, VideoError, read_frames, video_info, write_mp4

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


def test_header(video):
    info = video_info(video)
    assert (info.width, info.height, info.fps, info.frames, info.rotation, info.codec) == (64, 64, 15, 60, 0, "h264")


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
    info = video_info(tmp_path / "turned.mp4")
    assert (info.width, info.height, info.rotation) == (32, 64, -90)


def test_a_truncated_video_gives_its_frames_and_counts_them(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (30, 64, 64), dtype=np.uint8)
    write_mp4(noise, tmp_path / "whole.mp4")
    content = (tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(content[: len(content) * 2 // 3])
    frames = []
    with pytest.raises(TruncatedVideoError, match=r"cut\.mp4: only \d+ of 30 frames can be decoded") as caught:
        frames.extend(read_frames(tmp_path / "cut.mp4"))
    assert 10 <= len(frames) == caught.value.decoded < 30


@pytest.mark.parametrize("content", [b"", b"not a video", b"\x00\x00\x00\x20ftypisom" + b"\x00" * 400])
def test_a_file_that_is_no_video_is_named(tmp_path, content):
    (tmp_path / "broken.mp4").write_bytes(content)
    with pytest.raises(VideoError, match=r"broken\.mp4: .*again"):
        list(read_frames(tmp_path / "broken.mp4"))
    with pytest.raises(VideoError, match=r"broken\.mp4"):
        video_info(tmp_path / "broken.mp4")


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
