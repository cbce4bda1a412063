"""The ICSI phantom on disk, in the shape of paper A's data (§2.1): videos, every third frame, polygons and tip.

    frames/<video>/<frame>.png   grey, as the camera gives them; preprocessing comes later (icsilib.data.preprocess)
    videos/<video>.mp4           all frames at 15 frames/s, when asked for

plus what `icsilib.phantoms.dataset` writes of every phantom data set.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Unpack

import cv2
import numpy as np
from numpy.typing import NDArray

from icsilib.data.annotations import (
    Annotation,
    Dataset,
    Image,
    polygon_annotation,
    tip_annotation,
)
from icsilib.data.splits import Split, make_split
from icsilib.data.structures import ICSI_CATEGORIES, OUTLINES
from icsilib.data.video import write_mp4
from icsilib.phantoms.dataset import (
    DatasetError,
    Folder,
    PhantomSet,
    Records,
    Rendering,
    read_description,
    write_phantom_set,
)
from icsilib.phantoms.icsi import Frame, IcsiRanges, Procedure, procedure

PUBLISHED_SPLIT = {"train": 130, "validation": 3, "test": 23}  # videos, paper A §2.1
SOURCES = (  # the generator: every module of icsilib.phantoms that renders an ICSI frame
    "drawing.py",
    *(f"icsi/{name}.py" for name in ("ranges", "timeline", "scene", "shapes", "optics", "surroundings")),
    *(f"icsi/{name}.py" for name in ("oocyte", "needle", "debris", "screen", "render")),
)


@dataclass(frozen=True)
class IcsiData:
    """Size of a data set of rendered ICSI videos."""

    videos: int = 156
    size: int = 512  # px, side of a frame
    every: int = 3  # every how many frames one is kept
    hard: float = 0.0  # share of the videos that are `HardScenes`: photographs of other kinds than paper A's
    bright: float = IcsiRanges.bright_needle_share  # share of the videos whose needle is brighter than the field
    close: float = 0.0  # share of the videos, beside the hard ones, that are `CloseScenes`

    def ranges(self) -> IcsiRanges:
        """What varies between the videos."""
        return IcsiRanges(hard_share=self.hard, bright_needle_share=self.bright, close_share=self.close)

    def parameters(self) -> dict[str, Any]:
        """What decides the content; later choices at their default are left out, as sets of before them have it."""
        usual = {"bright": IcsiRanges.bright_needle_share, "close": 0.0}
        return {name: value for name, value in asdict(self).items() if usual.get(name) != value}


ICSI_PROFILES = {
    "quick": IcsiData(videos=24, size=256),
    "standard": IcsiData(size=256),
    "paper": IcsiData(),
}
# What the model trains on: frames of one video are near-copies, so on a small budget many videos of a few frames each
# teach more than few videos in full. `paper` is the published sampling. `standard` trains the model that
# the study ships, which is to meet photographs of other laboratories; hence its hard scenes.
ICSI_TRAINING = {
    "quick": IcsiData(videos=200, size=256, every=60),
    "standard": IcsiData(videos=6000, size=256, every=50, hard=0.36),
    "paper": IcsiData(),
}


def write_icsi_dataset(
    out: Path | str,
    videos: int = 156,
    seed: int = 0,
    size: int = 512,
    every: int = 3,
    mp4: bool = False,
    hard: float = 0.0,
    bright: float = IcsiRanges.bright_needle_share,
    close: float = 0.0,
    **how: Unpack[Rendering],
) -> Path:
    """Render `videos` procedures into the folder `out` and return it; continues, or returns at once when complete.

    `size` is in px; every `every`-th frame is kept; `mp4` adds whole videos; `hard`, `bright` and `close` are
    shares of the videos as in `IcsiData`. Raises `DatasetError`.
    """
    return write_phantom_set(icsi_set(IcsiData(videos, size, every, hard, bright, close), seed, mp4), out, **how)


def icsi_set(data: IcsiData, seed: int, mp4: bool = False) -> PhantomSet:
    """The plan of a data set of rendered ICSI videos."""
    if data.videos < 3:
        raise DatasetError(f"videos={data.videos}: needs 3 or more, one each to train, validate and test on")
    if data.size < 32 or data.size % 2 or data.every < 1:
        raise DatasetError(f"size={data.size}, every={data.every}: needs an even size from 32 px and every ≥ 1")
    for name, share in (("hard", data.hard), ("bright", data.bright), ("close", data.close)):
        if not 0 <= share <= 1:
            raise DatasetError(f"{name}={share}: is a share of the videos, from 0 to 1")
    return PhantomSet(
        name="icsi",
        items=[f"icsi-{number:04d}" for number in range(data.videos)],
        render=partial(render_video, data=data, seed=seed, mp4=mp4),
        parameters=data.parameters() | {"seed": seed, "mp4": mp4},
        sources=SOURCES,
        categories=ICSI_CATEGORIES,
        split=partial(split_videos, seed=seed),
        datasheet=Path(__file__).with_name("icsi_datasheet.md").read_text(encoding="utf-8"),
        count_by=("kit", "operator", "phase"),
    )


def render_video(number: int, folder: Folder, data: IcsiData, seed: int, mp4: bool) -> Records:
    """Render one video into `folder`: every `data.every`-th frame as PNG, all of them as MP4 when asked."""
    video = _procedure(number, data, seed)
    images: list[Image] = []
    annotations: list[Annotation] = []

    def keep(frames: Iterator[Frame]) -> Iterator[NDArray[np.uint8]]:
        for frame in frames:
            if frame.index % data.every == 0:
                images.append(_image(frame, video, len(images) + 1))
                annotations.extend(_annotations(frame, len(images), len(annotations) + 1))
                folder.add_png(images[-1].file_name, frame.image)
            yield frame.image

    if mp4:
        name = f"videos/{video.video_id}.mp4"
        write_mp4(keep(video.frames()), folder.root / name, video.fps)
        folder.add(name)
    else:
        for _ in keep(video.frames(data.every)):
            pass
    return images, annotations


def tip_contrasts(folder: Path | str, frames: Iterable[tuple[str, int]]) -> NDArray[np.float64]:
    """By how much the needle's tip stands out in `frames` (video, index) of the rendered set `folder`: (N,).

    In standard deviations of the grain about the tip, 0 where it is out of sight. The set's files do not hold this; the
    frames are rendered again.
    """
    rendered = _procedures(folder)
    return np.array([rendered(video).frame(index).tip_contrast for video, index in frames])


def bright_needles(folder: Path | str, videos: Iterable[str]) -> NDArray[np.bool_]:
    """Whether the needle's edges are brighter than the field in `videos` of the rendered set `folder`: (N,).

    Nothing is rendered; a video without a needle has one all the same, which never comes.
    """
    rendered = _procedures(folder)
    return np.array([rendered(video).look.needle_edge_level > 0 for video in videos], bool)


def _procedures(folder: Path | str) -> Callable[[str], Procedure]:
    """The procedures of a rendered set by the names of their videos, each drawn once."""
    asked = dict(read_description(folder)["parameters"])
    seed, _ = asked.pop("seed"), asked.pop("mp4")
    data = IcsiData(**asked)
    return cache(lambda video: _procedure(int(video.removeprefix("icsi-")), data, seed))


def _procedure(number: int, data: IcsiData, seed: int) -> Procedure:
    return procedure(seed, number, data.size, data.ranges())


def _image(frame: Frame, video: Procedure, id: int) -> Image:
    return Image(
        id=id,
        file_name=f"frames/{video.video_id}/{frame.index:05d}.png",
        width=video.size,
        height=video.size,
        video_id=video.video_id,
        frame_index=frame.index,
        kit=video.kit,
        operator=video.operator,
        um_per_px=round(video.um_per_px, 6),
        **{"phase": frame.phase},
    )


def _annotations(frame: Frame, image_id: int, first_id: int) -> list[Annotation]:
    """The frame's truth: outlines and needle tip, where they are in view."""
    found: list[Annotation] = []
    for structure in OUTLINES:
        if (outline := getattr(frame, structure.name)) is not None:
            id, category = first_id + len(found), structure.category
            found.append(polygon_annotation(id, image_id, category, [outline], annotator="truth"))
    if frame.tip is not None:
        axis = np.round(frame.tip_axis, 4).tolist()  # unit vector along the needle, towards its tip
        found.append(tip_annotation(first_id + len(found), image_id, frame.tip, annotator="truth", tip_axis=axis))
    return found


def split_videos(dataset: Dataset, seed: int) -> Split:
    """Paper A's 130/3/23 by video; in proportion, at least one each, for another number of videos.

    Each part receives about its share of every kit and operator.
    """
    stratum = {str(image.video_id): f"{image.kit} {image.operator}" for image in dataset.images}
    published = sum(PUBLISHED_SPLIT.values())
    sizes = {part: max(1, round(len(stratum) * PUBLISHED_SPLIT[part] / published)) for part in ("validation", "test")}
    sizes["train"] = len(stratum) - sum(sizes.values())
    return make_split(list(stratum), sizes, seed, by="video_id", stratify=stratum)


@dataclass(frozen=True)
class Benchmark:
    """How fast frames are rendered with their truth, on one core."""

    frames: int
    seconds: float  # by the clock on the wall
    core_seconds: float  # that the process had a core for; less than `seconds` on a busy machine
    size: int  # px

    @property
    def fps(self) -> float:
        """Frames per second of a core's time."""
        return self.frames / self.core_seconds


def benchmark(size: int = 512, videos: int = 3, frames: int = 40, seed: int = 0) -> Benchmark:
    """Time `frames` frames spread over each of `videos` procedures, their set-up included, in one thread."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    rendered, start, core_start = 0, time.perf_counter(), time.process_time()
    for number in range(videos):
        video = procedure(seed, number, size)
        rendered += sum(1 for _ in video.frames(max(1, math.floor(video.n_frames / frames))))
    seconds, core_seconds = time.perf_counter() - start, time.process_time() - core_start
    cv2.setNumThreads(threads)
    return Benchmark(rendered, seconds, core_seconds, size)
