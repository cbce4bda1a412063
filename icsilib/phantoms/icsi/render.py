"""From geometry and optics to frames: a whole procedure, any frame of it, with exact truth."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from icsilib.phantoms.drawing import Picture, noise_field, relief_of, stroked
from icsilib.phantoms.icsi.optics import Look, camera, draw_look, empty_field, graded, shading
from icsilib.phantoms.icsi.ranges import KITS, OPERATORS, IcsiRanges
from icsilib.phantoms.icsi.scene import Points, Scene, clip_to_box, draw_scene
from icsilib.phantoms.icsi.shapes import add_spot, along, bump, cap, circle, depth_inside, filled, simplified, softened
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
        scene, time = self.scene_at(index), self.timeline
        tip = scene.tip_at(time.tip[index]) + time.tremor[index] / scene.um_per_px * (time.tip[index] < 0.9)
        oolemma = scene.oolemma(time.indentation[index])
        image = self._view(self._scenery_at(index), index)
        self._add_oocyte(image, scene, index)
        if time.sperm_released[index]:
            left = scene.tip_at(time.deepest) + 6 * scene.u / scene.um_per_px
            image += self.ranges.released_sperm * self.look.sperm_level * self._sperm(left, tail=12)
        needle = self._needle(scene, index, tip, oolemma) if time.shown[index] > 0 else None
        if needle is not None:
            image += needle
        self._add_debris(image, index)
        image *= self._shading
        outline = clip_to_box(oolemma, self._box)
        if outline is None:
            raise ValueError(f"{self.video_id}: the oocyte lies outside the frame; narrow IcsiRanges.off_centre")
        return Frame(
            index=index,
            image=self._developed(image, index),
            oolemma=simplified(outline),
            pipette=clip_to_box(self._pipette_at(scene, index), self._box),
            tip=tip if needle is not None and self._tip_visible(image, needle, tip, index) else None,
            tip_axis=scene.u,
            phase=time.phase[index],
        )

    def scene_at(self, index: int) -> Scene:
        """The scene where the drifting stage has it in frame `index`."""
        return self.scene.moved(self._drift[index])

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

    @cached_property
    def _box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the picture between its black bars, in px."""
        rng, side = self._rng(9), self.size
        if rng.random() >= self.ranges.letterbox_share:
            return 0.0, 0.0, float(side), float(side)
        bar = round(rng.uniform(*self.ranges.letterbox) * side)
        level = rng.random() < 0.7
        return (
            (0.0, float(bar), float(side), float(side - bar)) if level else (float(bar), 0.0, float(side - bar), side)
        )

    def _tip_visible(self, image: Picture, needle: Picture, tip: Points, index: int) -> bool:
        """Whether a person could place the tip: in the picture with some needle behind it, and with contrast.

        `image` holds the `needle` under the shading; the contrast is what the needle changes about its tip.
        """
        ranges, look = self.ranges, self.look
        left, top, right, bottom = self._box
        back = tip - self.scene.u * ranges.needle_in_view / self.um_per_px
        if not all(left + 1 < x < right - 1 and top + 1 < y < bottom - 1 for x, y in (tip, back)):
            return False
        if self._captioned(tip):
            return False
        reach = max(3.0, 8 / self.um_per_px)
        low, high = np.floor(tip - reach).astype(int).clip(0), np.ceil(tip + reach).astype(int)
        window = np.s_[low[1] : high[1], low[0] : high[0]]
        change = cv2.GaussianBlur(needle[window], (0, 0), look.defocus * self.timeline.focus[index])
        change *= self._shading[window]
        if not np.any(change):
            return False
        middle = float(image.mean())
        without = graded(image[window] - needle[window] * self._shading[window], look, middle)
        seen = np.abs(graded(image[window] - needle[window] * self._shading[window] + change, look, middle) - without)
        contrast = seen[np.abs(change) > 0.3 * np.abs(change).max()].mean()
        texture = np.hypot(without.std(), 255 * look.noise)
        return bool(contrast > max(ranges.tip_contrast, ranges.tip_contrast_to_texture * texture))

    def _developed(self, image: Picture, index: int) -> NDArray[np.uint8]:
        levels = camera(image, self.look, self._rng(2, index) if self.noise else None, self.timeline.focus[index])
        left, top, right, bottom = (int(side) for side in self._box)
        levels[:top], levels[bottom:], levels[:, :left], levels[:, right:] = 0, 0, 0, 0
        for text, place, ink in self._captions:
            if ink == 0:  # black on a white box
                (width, height), _ = cv2.getTextSize(text, 0, self._font, 1)
                cv2.rectangle(
                    levels, (place[0] - 2, place[1] - height - 3), (place[0] + width + 2, place[1] + 4), 255, -1
                )
            cv2.putText(levels, text, place, 0, self._font, ink, 1, cv2.LINE_AA)
        return levels

    def _captioned(self, tip: Points) -> bool:
        """Whether a burnt-in text, with its box, lies over the tip."""
        for text, (left, base), _ in self._captions:
            (width, height), _ = cv2.getTextSize(text, 0, self._font, 1)
            if left - 2 <= tip[0] <= left + width + 3 and base - height - 3 <= tip[1] <= base + 5:
                return True
        return False

    @property
    def _font(self) -> float:
        return 0.45 * self.size / 512

    def _rng(self, *stream: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, self.video, *stream])

    @cached_property
    def _shading(self) -> Picture:
        return shading(self._rng(3), self.size, self.ranges)

    @cached_property
    def _captions(self) -> list[tuple[str, tuple[int, int], int]]:
        """Burnt-in texts: what, where, and its grey level."""
        rng, side = self._rng(4), self.size
        if rng.random() >= self.ranges.caption_share:
            return []
        date = f"{rng.integers(2012, 2021)}-{rng.integers(1, 13):02d}-{rng.integers(1, 29):02d}"
        texts = [
            (date, (0.02, 0.05)),
            (f"Well {self.video % 12}", (0.02, 0.97)),
            (f"{self.video % 48}.2 h", (0.86, 0.97)),
        ]
        ink = int(rng.choice([0, 255]))
        chosen = rng.permutation(3)[: int(rng.integers(1, 4))]
        return [(texts[i][0], (int(texts[i][1][0] * side), int(texts[i][1][1] * side)), ink) for i in chosen]

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
    def _grain(self) -> tuple[Picture, Picture, Picture, Picture]:
        """On the wide canvas: heights of granules, inclusions and the zona's grain; speckle of fine brightness."""
        rng, scene, ranges = self._rng(6), self._wide, self.ranges
        step = 0.5 / scene.um_per_px  # a granule is about half a micrometre high
        fine = noise_field(rng, scene.shape, rng.uniform(*ranges.granule_size) / scene.um_per_px)
        coarse = noise_field(rng, scene.shape, 5.0 / scene.um_per_px)
        cytoplasm = step * self.look.granularity * (0.35 * fine + 0.25 * coarse)
        if rng.random() < ranges.cluster_share:
            centre = scene.centre + rng.normal(0, 0.2, 2) * scene.radius
            cluster = bump(centre, rng.uniform(0.25, 0.5) * scene.radius, scene.size)
            cytoplasm += step * cluster * (0.5 * coarse - 0.6)
        inclusions = self._inclusions(rng) + self._cells(rng)
        zona = 0.5 * step * noise_field(rng, scene.shape, rng.uniform(0.8, 2.5) / scene.um_per_px)
        speckle = noise_field(rng, scene.shape, rng.uniform(*ranges.speckle_size) / scene.um_per_px)
        return cytoplasm, inclusions, zona, speckle

    def _inclusions(self, rng: np.random.Generator) -> Picture:
        """Heights of a vacuole, a refractile body and two pronuclei, as the procedure has them."""
        scene, ranges = self._wide, self.ranges
        height: Picture = np.zeros(scene.shape, np.float32)
        for share, radius, sign in (
            (ranges.vacuole_share, rng.uniform(3, 9), -1.0),
            (ranges.refractile_body_share, rng.uniform(1.5, 4), 1.5),
        ):
            if rng.random() < share:
                place = scene.centre + rng.uniform(-0.5, 0.5, 2) * scene.radius
                height += sign * radius / scene.um_per_px * bump(place, radius / scene.um_per_px, scene.size)
        if rng.random() < ranges.pronuclei_share:
            place, turn = scene.centre + rng.uniform(-0.3, 0.3, 2) * scene.radius, rng.uniform(0, np.pi)
            for side in (-1, 1):
                radius = rng.uniform(*ranges.pronucleus_diameter) / 2 / scene.um_per_px
                beside = place + side * radius * np.array([np.cos(turn), np.sin(turn)])
                height -= rng.uniform(0.1, 0.5) * radius * bump(beside, radius, scene.size)
        return height

    def _cells(self, rng: np.random.Generator) -> Picture:
        """Heights of the cells of a dividing one, each rounded at its own border, and the borders themselves."""
        scene = self._wide
        rings = [lobe[:2] + circle(lobe[2]) for lobe in scene.lobes]
        width, hidden = rng.uniform(0.7, 2.5) / scene.um_per_px, rng.uniform(0.2, 0.9)
        lines: Picture = np.zeros(scene.shape, np.float32)
        height: Picture = np.zeros(scene.shape, np.float32)
        rise = rng.uniform(0.4, 1.0) * self.look.rim * scene.radius
        for ring in rings:  # from far to near: a nearer cell hides most of what lies behind it
            inside = filled(ring, scene.shape)
            lines *= 1 - hidden * inside
            lines = np.maximum(lines, stroked([ring], scene.shape, width, closed=True))
            height += rise * cap(depth_inside(ring, scene.size, 2), 1.5 * self.look.rim * scene.radius)
        lines = cv2.GaussianBlur(lines, (0, 0), 0.5 * width)
        return (height - lines * rng.uniform(1, 5) / scene.um_per_px).astype(np.float32)

    def _add_oocyte(self, image: Picture, scene: Scene, index: int) -> None:
        look, time = self.look, self.timeline
        oolemma, zona = scene.oolemma(time.indentation[index]), scene.zona_at(time.zona_indentation[index])
        granules, inclusions, zona_grain, still = (self._view(layer, index) for layer in self._grain)
        granules, inclusions, speckle = (
            scene.carried(layer, time.indentation[index]) for layer in (granules, inclusions, still)
        )
        cell, shell = filled(oolemma, scene.shape), filled(zona, scene.shape)
        margin = int(1.2 * scene.zona_thickness) + 2
        inward, into_zona = depth_inside(oolemma, scene.size, margin), depth_inside(zona, scene.size, margin)
        height = cap(inward, look.rim * scene.radius) * 0.5 * look.rim * scene.radius
        height += softened(cap(inward, 0.8 * scene.radius), 0.03 * scene.radius) * look.dome * scene.radius
        height += (granules + inclusions) * cap(inward, 0.15 * scene.radius)
        band = np.clip(0.5 + (scene.zona_thickness - into_zona) * scene.um_per_px / 1.5, 0, 1)
        ring = shell * (1 - cell) * band
        fading = np.minimum(into_zona / np.float32(scene.zona_thickness), 1)  # from the outside in
        body = 1 - look.zona_fade * (1 - fading)
        rise = 1 - look.zona_inner_edge * (1 - band) * (1 - cell)
        rise *= (1 - look.zona_fade) * cap(into_zona, 0.9 * scene.zona_thickness) + look.zona_fade * fading
        height += rise * np.float32(0.35 * look.zona_relief * scene.zona_thickness)
        height += zona_grain * ring * body
        height += self._view(self._polar_body, index) * (1 - cell)
        slope = relief_of(
            cv2.GaussianBlur(height, (0, 0), look.height_blur * (0.5 + 0.4 / scene.um_per_px)), look.direction
        )
        image += look.relief_contrast * np.tanh(look.relief * slope).astype(np.float32)
        image += look.cytoplasm_level * cell + ring * body * (
            look.zona_level * cap(into_zona, 0.5 * scene.zona_thickness) + look.zona_speckle * still
        )
        line = np.exp(-(((inward - 0.5) / (0.7 / scene.um_per_px)) ** 2)) * cell
        image += look.speckle * speckle * cell - look.membrane_line * line
        if look.membrane_halo:
            outward = cv2.distanceTransform((cell < 0.5).astype(np.uint8), cv2.DIST_L2, 3)
            image += look.membrane_halo * np.exp(-((outward / (0.9 / scene.um_per_px)) ** 2)) * (1 - cell)

    @cached_property
    def _polar_body(self) -> Picture:
        x, y, radius = self._wide.polar_body
        return self.look.polar_body * radius * bump(np.array([x, y]), radius, self._wide.size)

    def _needle(self, scene: Scene, index: int, tip: Points, oolemma: Points) -> Picture:
        """What the needle adds to the image: walls, lumen, drawn-in cytoplasm, sperm."""
        look, shown, aspirated = self.look, self.timeline.shown[index], float(self.timeline.aspirated[index])
        wall = 1.1 / scene.um_per_px
        # The strokes end round, half their width and a soft pixel's half beyond their last point: there is the tip.
        straight, bevelled = scene.needle(tip - 0.5 * (max(round(wall), 1) + 1) * scene.u)
        shaft = filled(np.concatenate([straight, bevelled[::-1]]), scene.shape)
        edges = stroked([straight, bevelled], scene.shape, wall)
        behind = along(tip, -scene.u, scene.size)
        layer = look.needle_edge * edges + look.needle_lumen * shaft * (1 - edges)
        if aspirated > 0:  # cytoplasm drawn into the lumen
            drawn = behind < aspirated / scene.um_per_px
            layer += (look.cytoplasm_level - look.needle_lumen) * shaft * (1 - edges) * drawn
        if self.timeline.sperm_inside[index]:
            layer += look.sperm_level * self._sperm(tip - scene.u * 14 / scene.um_per_px)
        strength = shown * (1 - (1 - look.needle_inside) * filled(oolemma, scene.shape))
        strength *= 1 - look.needle_fade * np.clip(behind / scene.size * 1.5, 0, 1)
        blur = look.needle_defocus * 0.15 / scene.um_per_px + 0.3 + 1.5 * (1 - shown) / scene.um_per_px
        return np.asarray(cv2.GaussianBlur((layer * strength).astype(np.float32), (0, 0), blur))

    def _sperm(self, place: Points, tail: float = 40) -> Picture:
        """A spermatozoon along the needle's axis, its head of 4.5 µm at `place`, `tail` µm of its tail behind it."""
        scene = self.scene
        middle = place + scene.normal * scene.bevel_side * scene.needle_diameter / 2
        head = np.stack([middle - scene.u * 2.2 / scene.um_per_px, middle + scene.u * 2.2 / scene.um_per_px])
        end = np.stack([middle, middle - scene.u * tail / scene.um_per_px])
        thick = stroked([head], scene.shape, 2.4 / scene.um_per_px)
        return np.maximum(thick, stroked([end], scene.shape, 0.7 / scene.um_per_px))

    def _add_debris(self, image: Picture, index: int) -> None:
        """Particles that drift through the medium."""
        rng = self._rng(7)
        for _ in range(int(rng.integers(int(self.ranges.debris[0]), int(self.ranges.debris[1]) + 1))):
            place = rng.uniform(0, self.size, 2) + rng.normal(0, 0.15, 2) * index * self.size / 512
            radius = rng.uniform(0.8, 4.0) / self.um_per_px
            add_spot(image, place, radius, rng.uniform(-0.3, 0.25), self.look.direction)


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
        ranges = ranges.hardened()
    cleaving = rng.random() < ranges.cleaving_share
    alone = rng.random() < (ranges.no_tools_cleaving_share if cleaving else ranges.no_tools_share)
    ranges = replace(ranges, cleaving_share=float(cleaving), no_pipette_share=max(alone, ranges.no_pipette_share))
    kit, operator = KITS[int(rng.integers(3))], OPERATORS[int(rng.integers(4))]
    scene = draw_scene(rng, size, kit, operator, ranges)
    look = draw_look(rng, kit, ranges, size)
    outer = float(np.max((scene.zona - scene.centre) @ -scene.u)) / scene.radius
    start = outer + rng.uniform(*ranges.needle_start)
    timeline = draw_timeline(rng, operator, ranges, outer, start)
    if alone:
        timeline = without_needle(timeline)
    return Procedure(seed, video, kit.name, operator.name, scene, look, timeline, ranges, noise)
