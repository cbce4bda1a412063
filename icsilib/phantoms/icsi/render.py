"""From geometry and optics to frames: a whole procedure, any frame of it, with exact truth."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from icsilib.data.annotations import clip_to_box
from icsilib.phantoms.drawing import Picture
from icsilib.phantoms.icsi.debris import Clump, add_particles, draw_clump
from icsilib.phantoms.icsi.needle import needle_layer, sperm, tip_contrast
from icsilib.phantoms.icsi.oocyte import Texture, add_oocyte, draw_texture
from icsilib.phantoms.icsi.optics import Look, camera, draw_look, empty_field, shading
from icsilib.phantoms.icsi.ranges import KITS, OPERATORS, IcsiRanges
from icsilib.phantoms.icsi.scene import Points, Scene, draw_scene
from icsilib.phantoms.icsi.screen import Screen, draw_box, draw_captions
from icsilib.phantoms.icsi.shapes import simplified
from icsilib.phantoms.icsi.surroundings import add_cumulus, add_neighbours, add_pipette, add_well
from icsilib.phantoms.icsi.timeline import Timeline, draw_timeline, without_needle


@dataclass(frozen=True)
class Frame:
    """One rendered frame and its truth, in continuous image coordinates (px)."""

    index: int
    image: NDArray[np.uint8]  # (S, S) grey levels as the camera gives them
    oolemma: Points  # (N, 2), inside the frame
    pipette: Points | None  # (M, 2), inside the frame; None when the pipette is outside it
    tip: Points | None  # (2,); None exactly when the tip cannot be seen
    tip_contrast: float  # by which the tip stands out, in standard deviations of the grain about it; 0 out of sight
    tip_axis: Points  # (2,) unit vector, direction of the needle's travel
    phase: str


@dataclass(frozen=True)
class Procedure:
    """One rendered ICSI procedure; frames are made when asked for, each independent of the others."""

    seed: int
    video: int
    kit: str
    operator: str
    scene: Scene
    look: Look
    timeline: Timeline
    ranges: IcsiRanges
    noise: bool
    fps: int = 15

    @property
    def video_id(self) -> str:
        """Name of the video in files."""
        return f"icsi-{self.video:04d}"

    @property
    def size(self) -> int:
        """Side of a frame in px."""
        return self.scene.size

    @property
    def um_per_px(self) -> float:
        """Scale of the frames."""
        return self.scene.um_per_px

    @property
    def n_frames(self) -> int:
        """Number of frames of the trimmed video."""
        return len(self.timeline)

    def frames(self, every: int = 1) -> Iterator[Frame]:
        """Every `every`-th frame from the first."""
        return (self.frame(index) for index in range(0, self.n_frames, every))

    def frame(self, index: int) -> Frame:
        """Render frame `index` (0-based) with its truth."""
        if not 0 <= index < self.n_frames:
            raise IndexError(f"{self.video_id} has frames 0 to {self.n_frames - 1}, not {index}")
        scene, time, box = self.scene_at(index), self.timeline, self.screen.box
        tip = self._tip_at(index)
        oolemma = scene.oolemma(time.indentation[index])
        outline = clip_to_box(oolemma, box)
        if outline is None:
            raise ValueError(f"{self.video_id}: the oocyte lies outside the frame; narrow IcsiRanges.off_centre")
        image = self._without_needle(scene, index)
        needle = needle_layer(scene, self.look, time, index, tip, oolemma) if time.shown[index] > 0 else None
        if needle is not None:
            image += needle
        add_particles(image, self._rng(7), index, self.um_per_px, self.look, self.ranges)
        if self._clump is not None:
            self._clump.cover(image, index, self.look, 1.2 / self.um_per_px)
        image *= self._shading
        contrast, grain = (0.0, 0.0) if needle is None else self._tip_contrast(image, needle, tip, index)
        stands_out = contrast > max(self.ranges.tip_contrast, self.ranges.tip_contrast_to_texture * grain)
        levels = camera(image, self.look, self._rng(2, index) if self.noise else None, time.focus[index])
        self.screen.draw_on(levels)
        return Frame(
            index=index,
            image=levels,
            oolemma=simplified(outline),
            pipette=clip_to_box(self._pipette_at(scene, index), box),
            tip=tip if stands_out else None,
            tip_contrast=contrast / grain if grain else 0.0,
            tip_axis=scene.u,
            phase=time.phase[index],
        )

    def _without_needle(self, scene: Scene, index: int) -> Picture:
        """Surroundings, oocyte and what the needle has left in it."""
        time, look = self.timeline, self.look
        image = self._view(self._scenery_at(index), index)
        texture = self._texture.seen(lambda layer: self._view(layer, index))
        add_oocyte(image, scene, look, texture, time.indentation[index], time.zona_indentation[index])
        if time.sperm_released[index]:
            left = scene.tip_at(time.deepest) + 6 * scene.u / scene.um_per_px
            image += self.ranges.released_sperm * look.sperm_level * sperm(scene, left, tail=12)
        return image

    def scene_at(self, index: int) -> Scene:
        """The scene where the drifting stage has it in frame `index`."""
        return self.scene.moved(self._drift[index])

    def _tip_at(self, index: int) -> Points:
        """Where the needle's tip is in frame `index`, seen or not."""
        scene, time = self.scene_at(index), self.timeline
        return scene.tip_at(time.tip[index]) + time.tremor[index] / scene.um_per_px * (time.tip[index] < 0.9)

    @cached_property
    def _drift(self) -> NDArray[np.int64]:
        """Whole px (frames, 2) by which the stage has moved."""
        return np.round(self.timeline.drift / self.um_per_px).astype(int)

    @cached_property
    def _wide(self) -> Scene:
        """The scene on a canvas with a margin as wide as the drift."""
        margin = self._margin
        return self.scene.moved(np.array([margin, margin], dtype=float), self.size + 2 * margin)

    @property
    def _margin(self) -> int:
        return int(np.abs(self._drift).max())

    def _view(self, wide: Picture, index: int) -> Picture:
        """The part of a wide canvas that frame `index` shows, as a copy."""
        left, top = self._margin - self._drift[index]
        return wide[top : top + self.size, left : left + self.size].copy()

    def _tip_contrast(self, image: Picture, needle: Picture, tip: Points, index: int) -> tuple[float, float]:
        """Contrast of the tip and grain about it, grey levels; 0 unless in view with some needle and not covered."""
        back = tip - self.scene.u * self.ranges.needle_in_view / self.um_per_px
        if not (self.screen.shows(tip) and self.screen.shows(back)) or self.screen.captioned(tip):
            return 0.0, 0.0
        if self._clump is not None and self._clump.hides(tip, index):
            return 0.0, 0.0
        reach = max(3.0, self.ranges.needle_in_view / self.um_per_px)
        blur = self.look.defocus * self.timeline.focus[index]
        return tip_contrast(image, needle, self._shading, tip, reach, self.look, blur)

    @cached_property
    def screen(self) -> Screen:
        """Black bars and captions about the picture."""
        captions = draw_captions(self._rng(4), self.video, self.size, self.ranges)
        return Screen(draw_box(self._rng(9), self.size, self.ranges), captions, 0.45 * self.size / 512)

    def _rng(self, *stream: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, self.video, *stream])

    @cached_property
    def _shading(self) -> Picture:
        return shading(self._rng(3), self.size, self.ranges)

    @cached_property
    def _surroundings(self) -> Picture:
        """Field, well, other cells and cumulus on the wide canvas: what lies behind the suction pipette."""
        rng, scene, look, ranges = self._rng(5), self._wide, self.look, self.ranges
        kit = next(kit for kit in KITS if kit.name == self.kit)
        image = empty_field(rng, scene.size, kit, ranges)
        if rng.random() < ranges.well_share:
            add_well(image, rng, scene, ranges)
        if rng.random() < ranges.neighbour_share:
            add_neighbours(image, rng, scene, look, ranges)
        if rng.random() < ranges.cumulus_share:
            add_cumulus(image, rng, scene, look, ranges)
        return image

    @cached_property
    def _scenery(self) -> Picture:
        """The surroundings with the suction pipette in its place."""
        return self._with_pipette(0.0)

    def _with_pipette(self, away: float) -> Picture:
        image = self._surroundings.copy()
        add_pipette(image, self._rng(8), self._wide, self.look, self.ranges, away)
        return image

    def _away(self, index: int) -> float:
        """How far the suction pipette is drawn back, in px."""
        return float(self.timeline.retreat[index]) * 1.2 * self.size

    def _scenery_at(self, index: int) -> Picture:
        retreat = self.timeline.retreat[index]
        if self.scene.pipette is None or retreat >= 1:
            return self._surroundings
        return self._scenery if retreat == 0 else self._with_pipette(self._away(index))

    def _pipette_at(self, scene: Scene, index: int) -> Points | None:
        if scene.pipette is None or self.timeline.retreat[index] >= 1:
            return None
        return scene.pipette - scene.pipette_direction * self._away(index)

    @cached_property
    def _texture(self) -> Texture:
        return draw_texture(self._rng(6), self._wide, self.look, self.ranges)

    @cached_property
    def _clump(self) -> Clump | None:
        """Debris that hides the needle's tip for a while, in a few procedures."""
        rng, shown = self._rng(10), np.flatnonzero(self.timeline.shown > 0)
        if rng.random() >= self.ranges.clump_share or not len(shown):
            return None
        index = int(rng.choice(shown))
        return draw_clump(rng, self._tip_at(index), index, self.um_per_px, self.ranges)


def procedure(
    seed: int, video: int, size: int = 512, ranges: IcsiRanges | None = None, noise: bool = True
) -> Procedure:
    """The procedure number `video` of the phantom with this `seed`, rendered at `size` × `size` px.

    With `noise=False` frames are free of blur, sensor noise and compression, so that truth can be measured in them.
    """
    if size < 32:
        raise ValueError(f"size is {size}; a frame needs at least 32 px a side")
    ranges = ranges or IcsiRanges()
    rng = np.random.default_rng([seed, video, 1])
    if rng.random() < ranges.hard_share:
        ranges = ranges.with_scenes(ranges.hard)
    elif ranges.close_share and rng.random() < ranges.close_share:  # without a draw where there are none
        ranges = ranges.with_scenes(ranges.close)
    cleaving = rng.random() < ranges.cleaving_share
    alone = rng.random() < (ranges.no_tools_cleaving_share if cleaving else ranges.no_tools_share)
    ranges = replace(ranges, cleaving_share=float(cleaving), no_pipette_share=max(alone, ranges.no_pipette_share))
    kit, operator = KITS[int(rng.integers(3))], OPERATORS[int(rng.integers(4))]
    scene = draw_scene(rng, size, kit, operator, ranges)
    look = draw_look(rng, kit, ranges, size)
    outer = float(np.max((scene.zona - scene.centre) @ -scene.u)) / scene.radius
    start = outer + rng.uniform(*ranges.needle_start)
    timeline = draw_timeline(rng, operator, ranges, outer, start, scene.room if ranges.elongation[1] else 2.0)
    if alone:
        timeline = without_needle(timeline)
    return Procedure(seed, video, kit.name, operator.name, scene, look, timeline, ranges, noise)
