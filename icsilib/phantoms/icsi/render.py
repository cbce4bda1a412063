"""From geometry and optics to frames: a whole procedure, any frame of it, with exact truth."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from icsilib.phantoms.drawing import Picture, filled, noise_field, relief_of, stroked
from icsilib.phantoms.icsi.optics import Look, camera, draw_look, empty_field, shading
from icsilib.phantoms.icsi.ranges import KITS, OPERATORS, IcsiRanges
from icsilib.phantoms.icsi.scene import Points, Scene, clip_to_frame, draw_scene
from icsilib.phantoms.icsi.timeline import Timeline, draw_timeline


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
        scene, time = self.scene, self.timeline
        tip = scene.tip_at(time.tip[index]) + time.tremor[index] / scene.um_per_px * (time.tip[index] < 0.9)
        oolemma = scene.oolemma(time.indentation[index])
        inside = bool(np.all(tip > 1) and np.all(tip < scene.size - 1))
        visible = inside and not time.hidden[index] and not self._captioned(tip)
        image = self._scenery.copy()
        self._add_oocyte(image, oolemma, scene.zona_at(time.zona_indentation[index]), time.indentation[index])
        if time.sperm_released[index]:
            left = scene.tip_at(time.deepest) + 6 * scene.u / scene.um_per_px
            image += 0.35 * self.look.sperm_level * self._sperm(left)
        if not time.hidden[index]:
            self._add_needle(image, tip, oolemma, bool(time.sperm_inside[index]), float(time.aspirated[index]))
        self._add_debris(image, index)
        image *= self._shading
        outline = clip_to_frame(oolemma, scene.size)
        if outline is None:
            raise ValueError(f"{self.video_id}: the oocyte lies outside the frame; narrow IcsiRanges.off_centre")
        return Frame(
            index=index,
            image=self._developed(image, index),
            oolemma=_simplified(outline),
            pipette=clip_to_frame(scene.pipette, scene.size),
            tip=tip if visible else None,
            tip_axis=scene.u,
            phase=time.phase[index],
        )

    def _developed(self, image: Picture, index: int) -> NDArray[np.uint8]:
        levels = camera(image, self.look, self._rng(2, index) if self.noise else None)
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
    def _scenery(self) -> Picture:
        """Field, cumulus and suction pipette: what the oocyte is drawn over."""
        rng, scene = self._rng(5), self.scene
        kit = next(kit for kit in KITS if kit.name == self.kit)
        image = empty_field(rng, scene.size, kit, self.ranges)
        if rng.random() < self.ranges.cumulus_share:
            self._add_cumulus(image, rng)
        if scene.pipette is not None:
            self._add_pipette(image, scene.pipette, rng)
        return image

    def _add_pipette(self, image: Picture, outline: Points, rng: np.random.Generator) -> None:
        """The suction pipette: walls with their edges, the bore, and the light that a glass cylinder bends."""
        scene, look = self.scene, self.look
        outer, bore = filled(outline, scene.shape), filled(scene.bore, scene.shape)
        width = rng.uniform(1.2, 4.5) / scene.um_per_px
        edges = stroked([outline], scene.shape, width, closed=True)
        inner = stroked(np.split(scene.bore, 2), scene.shape, 0.6 * width)
        halo = stroked([outline], scene.shape, 2.2 * width, closed=True) - edges
        layer = look.wall_level * (outer - bore) + look.bore_level * bore + 0.25 * rng.random() * halo * outer
        layer += look.edge_level * np.maximum(edges, rng.uniform(0.3, 1.0) * inner)
        across = np.array([-scene.pipette_direction[1], scene.pipette_direction[0]])
        bent = rng.uniform(0.0, 0.3) * float(across @ look.direction)
        layer += (
            bent
            * outer
            * np.clip(2 * _along(outline.mean(axis=0), across, scene.size) / np.ptp(outline @ across), -1, 1)
        )
        cover = rng.uniform(0.5, 1.0) * outer
        image += cover * (image.mean() - image) + layer
        cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.6), dst=image)

    def _add_cumulus(self, image: Picture, rng: np.random.Generator) -> None:
        """A dark ragged clump of cumulus cells at the rim."""
        scene = self.scene
        size_um = rng.uniform(*self.ranges.cumulus_size)
        angle = rng.uniform(0, 2 * np.pi)
        reach = scene.radius + 1.6 * scene.zona_thickness + 0.4 * size_um / scene.um_per_px
        place = scene.centre + reach * np.array([np.cos(angle), np.sin(angle)])
        clump = np.zeros_like(image)
        for _ in range(int(rng.integers(6, 22))):
            spot = place + rng.normal(0, 0.45 * size_um / scene.um_per_px, 2)
            turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
            radius = rng.uniform(3, 7) / scene.um_per_px * (1 + 0.2 * rng.normal(size=24))
            cell = filled(spot + radius[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1), scene.shape)
            clump = np.maximum(clump, cell * rng.uniform(0.4, 1.0))
        height = cv2.GaussianBlur(clump, (0, 0), 2.0 / scene.um_per_px)
        image -= rng.uniform(0.0, 0.35) * height
        grain = height * (1 + 0.4 * noise_field(rng, scene.shape, 1.5 / scene.um_per_px))
        image += 2.5 / scene.um_per_px * rng.uniform(0.3, 1.3) * relief_of(grain, self.look.direction)

    @cached_property
    def _grain(self) -> tuple[Picture, Picture, Picture, Picture]:
        """Heights of the cytoplasm's granules, of its inclusions and of the zona's grain; the cytoplasm's speckle."""
        rng, scene, ranges = self._rng(6), self.scene, self.ranges
        fine = noise_field(rng, scene.shape, rng.uniform(*ranges.granule_size) / scene.um_per_px)
        coarse = noise_field(rng, scene.shape, 5.0 / scene.um_per_px)
        cytoplasm = look_scale(scene) * self.look.granularity * (0.35 * fine + 0.25 * coarse)
        if rng.random() < ranges.cluster_share:
            centre = scene.centre + rng.normal(0, 0.2, 2) * scene.radius
            cluster = _bump(centre, rng.uniform(0.25, 0.5) * scene.radius, scene.size)
            cytoplasm += look_scale(scene) * cluster * (0.5 * coarse - 0.6)
        inclusions = np.zeros_like(fine)
        for share, radius, sign in (
            (ranges.vacuole_share, rng.uniform(3, 9), -1.0),
            (ranges.refractile_body_share, rng.uniform(1.5, 4), 1.5),
        ):
            if rng.random() < share:
                place = scene.centre + rng.uniform(-0.5, 0.5, 2) * scene.radius
                inclusions += sign * radius / scene.um_per_px * _bump(place, radius / scene.um_per_px, scene.size)
        inclusions -= self._borders(rng)
        zona = 0.5 * look_scale(scene) * noise_field(rng, scene.shape, rng.uniform(0.8, 2.5) / scene.um_per_px)
        speckle = noise_field(rng, scene.shape, rng.uniform(0.4, 1.2) / scene.um_per_px)
        return cytoplasm, inclusions, zona, speckle

    def _borders(self, rng: np.random.Generator) -> Picture:
        """Depth of the borders between the cells of a dividing one."""
        turn = np.linspace(0, 2 * np.pi, 60, endpoint=False)
        circle = np.stack([np.cos(turn), np.sin(turn)], axis=1)
        rings = [lobe[:2] + lobe[2] * circle for lobe in self.scene.lobes]
        width = rng.uniform(1.0, 3.0) / self.um_per_px
        drawn: Picture = np.zeros(self.scene.shape, np.float32)
        for ring in rings:  # from far to near: a nearer cell hides most of what lies behind it
            drawn *= 1 - 0.8 * filled(ring, self.scene.shape)
            drawn = np.maximum(drawn, stroked([ring], self.scene.shape, width, closed=True))
        drawn = cv2.GaussianBlur(drawn, (0, 0), 0.5 * width)
        return (drawn * rng.uniform(2, 7) / self.um_per_px).astype(np.float32)

    def _add_oocyte(self, image: Picture, oolemma: Points, zona: Points, indentation: float) -> None:
        scene, look = self.scene, self.look
        granules, inclusions, zona_grain, speckle = self._grain
        granules, inclusions, speckle = (scene.carried(layer, indentation) for layer in (granules, inclusions, speckle))
        cell, shell = filled(oolemma, scene.shape), filled(zona, scene.shape)
        inward, into_zona = _depth_inside(oolemma, scene), _depth_inside(zona, scene)
        height = _cap(inward, look.rim * scene.radius) * 0.5 * look.rim * scene.radius
        height += _softened(_cap(inward, 0.8 * scene.radius), 0.03 * scene.radius) * 0.22 * scene.radius
        height += (granules + inclusions) * _cap(inward, 0.15 * scene.radius)
        band = np.clip(0.5 + (scene.zona_thickness - into_zona) * scene.um_per_px / 1.5, 0, 1)
        ring = shell * (1 - cell) * band
        rise = 1 - look.zona_inner_edge * (1 - band) * (1 - cell)
        height += _cap(into_zona, 0.9 * scene.zona_thickness) * 0.35 * scene.zona_thickness * rise
        height += zona_grain * ring
        height += self._polar_body * (1 - cell)
        slope = relief_of(cv2.GaussianBlur(height, (0, 0), 0.5 + 0.4 / scene.um_per_px), look.direction)
        image += 0.45 * np.tanh(look.relief * slope).astype(np.float32)
        image += look.cytoplasm_level * cell + look.zona_level * ring * _cap(into_zona, 0.5 * scene.zona_thickness)
        line = np.exp(-(((inward - 0.5) / (0.7 / scene.um_per_px)) ** 2)) * cell
        image += look.speckle * speckle * cell - look.membrane_line * line
        if look.membrane_halo:
            outward = cv2.distanceTransform((cell < 0.5).astype(np.uint8), cv2.DIST_L2, 3)
            image += look.membrane_halo * np.exp(-((outward / (0.9 / scene.um_per_px)) ** 2)) * (1 - cell)

    @cached_property
    def _polar_body(self) -> Picture:
        x, y, radius = self.scene.polar_body
        return 0.8 * radius * _bump(np.array([x, y]), radius, self.size)

    def _add_needle(self, image: Picture, tip: Points, oolemma: Points, sperm_inside: bool, aspirated: float) -> None:
        scene, look = self.scene, self.look
        wall = 1.1 / scene.um_per_px
        # The strokes end round, half their width and a soft pixel's half beyond their last point: there is the tip.
        straight, bevelled = scene.needle(tip - 0.5 * (max(round(wall), 1) + 1) * scene.u)
        shaft = filled(np.concatenate([straight, bevelled[::-1]]), scene.shape)
        edges = stroked([straight, bevelled], scene.shape, wall)
        layer = look.needle_edge * edges + look.needle_lumen * shaft * (1 - edges)
        if aspirated > 0:  # cytoplasm drawn into the lumen
            drawn = _along(tip, -scene.u, scene.size) < aspirated / scene.um_per_px
            layer += (look.cytoplasm_level - look.needle_lumen) * shaft * (1 - edges) * drawn
        if sperm_inside:
            layer += look.sperm_level * self._sperm(tip - scene.u * 14 / scene.um_per_px)
        strength = 1 - (1 - look.needle_inside) * filled(oolemma, scene.shape)
        behind = _along(tip, -scene.u, scene.size) / scene.size
        strength *= 1 - look.needle_fade * np.clip(behind * 1.5, 0, 1)
        image += cv2.GaussianBlur(layer * strength, (0, 0), look.needle_defocus / 2 / scene.um_per_px * 0.3 + 0.3)

    def _sperm(self, place: Points) -> Picture:
        """A spermatozoon along the needle's axis with its head of 4.5 µm at `place`, the tail behind it."""
        scene = self.scene
        middle = place + scene.normal * scene.bevel_side * scene.needle_diameter / 2
        head = np.stack([middle - scene.u * 2.2 / scene.um_per_px, middle + scene.u * 2.2 / scene.um_per_px])
        tail = np.stack([middle, middle - scene.u * 40 / scene.um_per_px])
        thick = stroked([head], scene.shape, 2.4 / scene.um_per_px)
        return np.maximum(thick, stroked([tail], scene.shape, 0.7 / scene.um_per_px))

    def _add_debris(self, image: Picture, index: int) -> None:
        """Particles that drift through the medium."""
        rng = self._rng(7)
        for _ in range(int(rng.integers(int(self.ranges.debris[0]), int(self.ranges.debris[1]) + 1))):
            place = rng.uniform(0, self.size, 2) + rng.normal(0, 0.15, 2) * index * self.size / 512
            radius = rng.uniform(0.8, 4.0) / self.um_per_px
            _add_spot(image, place, radius, rng.uniform(-0.3, 0.25), self.look.direction)


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
    kit, operator = KITS[int(rng.integers(3))], OPERATORS[int(rng.integers(4))]
    scene = draw_scene(rng, size, kit, operator, ranges)
    look = draw_look(rng, kit, ranges)
    outer = float(np.max((scene.zona - scene.centre) @ -scene.u)) / scene.radius
    start = outer + rng.uniform(0.15, 1.1)
    timeline = draw_timeline(rng, operator, ranges, outer, start, scene.radius * scene.um_per_px)
    return Procedure(seed, video, kit.name, operator.name, scene, look, timeline, ranges, noise)


def look_scale(scene: Scene) -> float:
    """Height of a granule in px: about half a micrometre."""
    return 0.5 / scene.um_per_px


def _along(origin: Points, direction: Points, size: int) -> Picture:
    """Distance (S, S) in px of every pixel's centre from `origin`, measured along a unit vector."""
    places = np.arange(size, dtype=np.float32) + np.float32(0.5)
    x, y = (places - np.float32(origin[0])) * direction[0], (places - np.float32(origin[1])) * direction[1]
    return (x[None, :] + y[:, None]).astype(np.float32)


def _depth_inside(outline: Points, scene: Scene) -> Picture:
    """Distance (S, S) in px of every pixel from a polygon's outside, the part beyond the frame's border considered."""
    margin = int(1.2 * scene.zona_thickness) + 2
    inside = filled(outline + margin, (scene.size + 2 * margin, scene.size + 2 * margin)) > 0.5
    depth = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 3)
    return np.asarray(depth[margin:-margin, margin:-margin])


def _softened(picture: Picture, sigma: float) -> Picture:
    """The picture blurred by `sigma` px, at a quarter of the resolution."""
    small = cv2.resize(picture, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), max(sigma / 4, 0.3))
    return np.asarray(cv2.resize(small, picture.shape[::-1], interpolation=cv2.INTER_LINEAR))


def _cap(distance: Picture, width: float) -> Picture:
    """Height of a rounded edge: 0 outside, a quarter circle over `width` px, 1 further in."""
    return cv2.sqrt(1 - (1 - np.minimum(distance * np.float32(1 / width), 1)) ** 2)


def _bump(place: Points, radius: float, size: int) -> Picture:
    """A hemisphere of height 1 on 0."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) + 0.5
    share = ((x - place[0]) ** 2 + (y - place[1]) ** 2) / radius**2
    return np.sqrt(np.maximum(1 - share, 0)).astype(np.float32)


def _add_spot(image: Picture, place: Points, radius: float, level: float, direction: NDArray[np.float64]) -> None:
    """Add a small round particle with relief to the part of the image that it covers."""
    low = np.maximum(np.floor(place - 3 * radius).astype(int), 0)
    high = np.minimum(np.ceil(place + 3 * radius).astype(int), image.shape[0])
    if np.any(high <= low):
        return
    y, x = np.mgrid[low[1] : high[1], low[0] : high[0]].astype(np.float32) + 0.5
    u, v = (x - place[0]) / radius, (y - place[1]) / radius
    round_ = np.exp(-(u**2 + v**2))
    image[low[1] : high[1], low[0] : high[0]] += round_ * (level - 0.4 * (u * direction[0] + v * direction[1]))


def _simplified(points: Points, tolerance: float = 0.2) -> Points:
    """The polygon with vertices dropped that lie within `tolerance` px of the rest."""
    return cv2.approxPolyDP(points.astype(np.float32), tolerance, True)[:, 0].astype(float)
