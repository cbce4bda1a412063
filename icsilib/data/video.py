"""Videos, real or rendered: decode every n-th frame, write MP4. PyAV (FFmpeg) does the work.

Frames are counted as they are decoded, never sought, so that frame 0, n, 2n, … are exactly those frames
whatever the codec, key frames or time stamps. Paper A takes every third frame of videos at 15 frames/s (§2.1).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from icsilib.errors import IcsiError
from icsilib.files import atomic_path

FrameImage = NDArray[np.uint8]  # grey (height, width) or RGB (height, width, 3)


class VideoError(IcsiError):
    """A video that cannot be decoded or written; the message names file and remedy."""


class TruncatedVideoError(VideoError):
    """A video that broke off; all frames before the break have been given out."""

    def __init__(self, path: Path, decoded: int, declared: int) -> None:
        self.path, self.decoded, self.declared = path, decoded, declared
        of = f"of {declared} " if declared else ""
        super().__init__(f"{path}: only {decoded} {of}frames can be decoded; copy the video again or trim it there")


@dataclass(frozen=True)
class VideoInfo:
    """What a video's header says of it; size is as displayed, after rotation."""

    width: int  # px
    height: int  # px
    fps: float  # frames/s, mean
    frames: int  # 0 where the header does not say
    rotation: int  # degrees counter-clockwise that a player turns the stored frames by
    codec: str


def video_info(path: Path | str) -> VideoInfo:
    """Size, rate, length and codec of a video; raises `VideoError` when it cannot be opened."""
    path = Path(path)
    with _open(path) as container:
        stream = container.streams.video[0]
        try:
            first = next(container.decode(stream))
        except (StopIteration, av.FFmpegError):
            raise TruncatedVideoError(path, 0, stream.frames) from None
        width, height = (first.height, first.width) if first.rotation % 180 else (first.width, first.height)
        rate = float(stream.average_rate or 0)
        return VideoInfo(width, height, rate, stream.frames, first.rotation, stream.codec_context.name)


def read_frames(path: Path | str, every: int = 1, grey: bool = True) -> Iterator[tuple[int, FrameImage]]:
    """Yield (frame index, image) for frames 0, `every`, 2·`every`, … of a video, turned upright.

    Images are grey (H, W) or, with `grey=False`, RGB (H, W, 3), 8 bits. A video that breaks off gives the frames
    before the break and then raises `TruncatedVideoError`, which counts them: catch it to keep them knowingly.
    """
    path = Path(path)
    if every < 1:
        raise ValueError(f"every={every}: needs a whole number of frames, 1 or more")
    decoded = 0
    with _open(path) as container:
        declared = container.streams.video[0].frames
        try:
            for frame in container.decode(video=0):
                if decoded % every == 0:
                    image = frame.to_ndarray(format="gray" if grey else "rgb24")
                    yield decoded, np.ascontiguousarray(np.rot90(image, frame.rotation // 90))
                decoded += 1
        except av.FFmpegError:
            raise TruncatedVideoError(path, decoded, declared) from None
    if decoded == 0 or decoded < declared:
        raise TruncatedVideoError(path, decoded, declared)


def frame_name(video: Path, index: int) -> str:
    """What a video's frame is called as a file; tools leave out folders, so that the name alone must tell the video."""
    return f"{video.stem}_{index:06d}.png"


def write_mp4(frames: Iterable[FrameImage], path: Path | str, fps: int = 15, crf: int = 18) -> int:
    """Write grey or RGB frames of 8 bits and even, equal size as H.264; returns how many. The write is atomic.

    `crf` is x264's constant rate factor: 0 keeps everything, 18 loses little to the eye, 51 is the worst.
    One thread encodes, without B-frames, so that the same frames give the same file: with B-frames, x264's output
    was seen to differ now and then.
    """
    written = 0
    with atomic_path(path) as partial, av.open(str(partial), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(fps), options={"crf": str(crf), "bf": "0"})
        stream.pix_fmt, stream.codec_context.thread_count = "yuv420p", 1
        for image in frames:
            if written == 0:
                stream.height, stream.width = image.shape[:2]
            if image.shape[:2] != (stream.height, stream.width) or stream.height % 2 or stream.width % 2:
                raise VideoError(f"{path}: frame {written} of shape {image.shape}: H.264 needs even, equal sizes")
            frame = av.VideoFrame.from_ndarray(image, format="gray" if image.ndim == 2 else "rgb24")
            container.mux(stream.encode(frame))
            written += 1
        if written == 0:
            raise VideoError(f"{path}: no frames to write; give at least one")
        container.mux(stream.encode())
    return written


def _open(path: Path) -> InputContainer:
    if not path.is_file():
        raise VideoError(f"{path}: no such file; check the path")
    try:
        container = av.open(str(path))
    except av.FFmpegError as error:
        raise VideoError(
            f"{path}: cannot be opened as a video ({error.strerror}); "
            "it may be cut short or not a video at all: copy or export it again as MP4"
        ) from None
    if not container.streams.video:
        container.close()
        raise VideoError(f"{path}: holds no video stream; export the video again as MP4")
    return container
