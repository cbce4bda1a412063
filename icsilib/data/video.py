"""Videos, real or rendered: decode every n-th frame, write MP4. PyAV (FFmpeg) does the work.

Frames are counted as they are decoded, never sought, so that frame 0, n, 2n, … are exactly those frames
whatever the codec, key frames or time stamps. Paper A takes every third frame of videos at 15 frames/s (§2.1).
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from itertools import chain
from pathlib import Path, PurePath

import av
import av.filter
import av.logging
import numpy as np
from av import VideoFrame
from av.container import InputContainer
from numpy.typing import NDArray

from icsilib.errors import IcsiError
from icsilib.files import atomic_path

FrameImage = NDArray[np.uint8]  # grey (height, width) or RGB (height, width, 3)

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".3gp", ".3g2", ".avi", ".mkv", ".webm", ".wmv", ".asf", ".flv", ".ogv"}
    | {".mpg", ".mpeg", ".m2v", ".vob", ".ts", ".mts", ".m2ts", ".dv", ".mxf"}
)
_STATES_DURATION = {"mov", "matroska", "avi", "asf", "flv"}  # formats whose header holds the length as recorded


class VideoError(IcsiError):
    """A video that cannot be decoded or written; the message names file and remedy."""


class DamagedVideoError(VideoError):
    """A video that broke off or is damaged; all frames that can be decoded have been given out."""

    def __init__(self, path: Path, decoded: int, cause: str) -> None:
        self.decoded = decoded
        super().__init__(
            f"{path}: is damaged or cut short ({cause}); {decoded} frames could be decoded, some of them perhaps "
            "wrong: copy or export the video again"
        )


def is_video(path: Path) -> bool:
    """Whether a file's suffix is that of a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def read_frames(
    path: Path | str,
    every: int = 1,
    grey: bool = True,
    deinterlace: bool = False,
    note: Callable[[str], None] = lambda text: None,
) -> Iterator[tuple[int, FrameImage]]:
    """Yield (frame index, image) for frames 0, `every`, 2·`every`, … of a video, upright and with square pixels.

    Images are grey (H, W) or, with `grey=False`, RGB (H, W, 3), 8 bits. Videos of 16 bits are brought to 8 by the
    bits that the brightest pixel of the whole video uses. `note` is told once of pixels that are not square and of
    interlaced fields. A damaged video gives what can be decoded and then raises `DamagedVideoError`: catch it to keep
    the frames knowingly.
    """
    path, index = Path(path), -1
    if every < 1:
        raise ValueError(f"every={every}: needs a whole number of frames, 1 or more")
    with _open(path) as container:
        source = _Decoder(container)
        decoded = source.frames()
        for index, frame in enumerate(_without_comb(container, decoded) if deinterlace else decoded):
            if index == 0:
                rotation, shape = source.rotation, _square(container, frame)
                shift = _spare_bits(path) if _bits(frame) == 16 else None
                _tell(note, path, frame, shape, deinterlace)
            if index % every == 0:
                image = _pixels(frame, grey, shape, shift)
                yield index, np.ascontiguousarray(np.rot90(image, rotation // 90))
        if cause := source.fault():
            raise DamagedVideoError(path, index + 1, cause)


def stated_timing(path: Path | str) -> tuple[Fraction, int | None]:
    """Mean frames/s and number of frames that a video's header states: 25 where it states no rate, None no number."""
    with _open(Path(path)) as container:
        stream = container.streams.video[0]
        return Fraction(stream.average_rate or 25), stream.frames or None


def frame_name(video: PurePath, index: int) -> str:
    """What a video's frame is called as a file; tools leave out folders, so that the name alone must tell the video."""
    return f"{video.stem}_{index:06d}.png"


def write_mp4(frames: Iterable[FrameImage], path: Path | str, fps: int | Fraction = 15, crf: int = 18) -> int:
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
            frame = VideoFrame.from_ndarray(image, format="gray" if image.ndim == 2 else "rgb24")
            container.mux(stream.encode(frame))
            written += 1
        if written == 0:
            raise VideoError(f"{path}: no frames to write; give at least one")
        container.mux(stream.encode())
    return written


class _Decoder:
    """Decodes a video's packets one by one and goes on after those that are damaged."""

    def __init__(self, container: InputContainer) -> None:
        self.container, self.stream = container, container.streams.video[0]
        self.stream.codec_context.thread_count = 1  # other threads' complaints would not be heard
        self.rotation, self.faults = 0, list[str]()
        self.decoded, self.start, self.end, self.gap = 0, np.inf, 0.0, 0.0  # s, of the packets

    def frames(self) -> Iterator[VideoFrame]:
        """Every frame that can be decoded, in the order of display."""
        packets, last = self.container.demux(self.stream), None
        while True:
            packet, found = None, list[VideoFrame]()
            with self._listening():
                packet = next(packets, None)
            if packet is None:
                break
            if packet.is_corrupt:
                self.faults.append("a packet is incomplete")
            if packet.pts is not None and packet.dts is not None:
                begins, unit = packet.dts if last is None else last, float(packet.time_base)
                self.start = min(self.start, packet.pts * unit)
                self.end = max(self.end, (packet.pts + (packet.duration or 0)) * unit)
                self.gap, last = max(self.gap, (packet.dts - begins) * unit), packet.dts
            with self._listening():
                found = packet.decode()
            for frame in found:
                self.rotation = frame.rotation
                self.decoded += 1
                yield frame

    def fault(self) -> str | None:
        """What is wrong with the video, after its last frame; None if it was decoded whole."""
        if self.faults:
            return self.faults[0] + (f", and {len(self.faults) - 1} more" if len(self.faults) > 1 else "")
        if not self.decoded:
            return "no frame in it"
        names, declared = self.container.format.name.split(","), self._declared()
        lasted, tolerance = self.end - self.start, max(2.5 / float(self.stream.average_rate or 25), self.gap)
        if _STATES_DURATION & set(names) and lasted + tolerance < declared:
            return f"it lasts {lasted:.2f} s, its header says {declared:.2f} s"
        if "mpegts" in names and self.container.size % 188 and self.container.size % 192:
            return "it ends within a packet"
        return None

    def _declared(self) -> float:
        """Length in s that the header states for the video alone; 0 if it does not."""
        if self.stream.duration is not None and self.stream.time_base is not None:
            return float(self.stream.duration * self.stream.time_base)
        return (self.container.duration or 0) / av.time_base if len(self.container.streams) == 1 else 0.0

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Keep what FFmpeg raises or logs as an error of the container or of the video's codec."""
        about = {*self.container.format.name.split(","), self.container.format.name, self.stream.codec_context.name}
        try:
            with _logs() as logs:
                yield
        except av.FFmpegError as error:
            self.faults.append(str(error.strerror))
        self.faults += [text.strip() for level, name, text in logs if level <= av.logging.ERROR and name in about]


@contextmanager
def _logs() -> Iterator[list[tuple[int, str, str]]]:
    """FFmpeg's messages as (level, who, text) in place of standard error."""
    before = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as logs:
            yield logs
    finally:
        av.logging.set_level(before)


def _without_comb(container: InputContainer, frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    """One progressive frame per interlaced one, by FFmpeg's `bwdif`."""
    graph = av.filter.Graph()
    graph.link_nodes(
        graph.add_buffer(template=container.streams.video[0]),
        graph.add("bwdif", "mode=send_frame:deint=all"),
        graph.add("buffersink"),
    ).configure()
    for frame in chain(frames, [None]):  # None: no more come, and those held back are given out
        graph.vpush(frame)
        with suppress(av.BlockingIOError, av.EOFError):
            while True:
                yield graph.vpull()


def _square(container: InputContainer, frame: VideoFrame) -> tuple[int, int]:
    """Width and height in px of a frame whose pixels have become square; the height stays."""
    ratio = container.streams.video[0].sample_aspect_ratio or 1
    return max(1, round(frame.width * ratio)), frame.height


def _tell(
    note: Callable[[str], None], path: Path, frame: VideoFrame, shape: tuple[int, int], deinterlace: bool
) -> None:
    if shape != (frame.width, frame.height):
        ratio = f"{frame.width} × {frame.height} px that are not square, scaled to {shape[0]} × {shape[1]}"
        note(f"{path}: has {ratio}")
    if frame.interlaced_frame and not deinterlace:
        note(f"{path}: is interlaced, so that what moves has a comb; --deinterlace takes it away")


def _bits(frame: VideoFrame) -> int:
    return max(component.bits for component in frame.format.components)


def _spare_bits(path: Path) -> int:
    """Bits by which a video of 16 bits is shifted so that its brightest pixel, of all frames, fits into 8."""
    with _open(path) as container:
        frames = _Decoder(container).frames()
        brightest = max((int(frame.to_ndarray(format="rgb48le").max()) for frame in frames), default=0)
    return max(brightest.bit_length() - 8, 0)


def _pixels(frame: VideoFrame, grey: bool, shape: tuple[int, int], shift: int | None) -> FrameImage:
    width, height = shape
    if shift is None:
        shallow = frame.to_ndarray(format="gray" if grey else "rgb24", width=width, height=height)
        return np.asarray(shallow, dtype=np.uint8)
    deep = frame.to_ndarray(format="gray16le" if grey else "rgb48le", width=width, height=height)
    return np.minimum(np.right_shift(deep, shift), 255).astype(np.uint8)


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
    if container.format.name.endswith("_pipe") or container.format.name == "image2":
        container.close()
        raise VideoError(f"{path}: is an image or a stack of images, not a video; export it as MP4 or AVI")
    if not container.streams.video:
        container.close()
        raise VideoError(f"{path}: holds no video stream; export the video again as MP4")
    return container
