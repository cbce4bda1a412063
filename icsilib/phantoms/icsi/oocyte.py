"""The oocyte as the microscope shows it: a height map whose slope becomes brightness, and its own bright and dark.

Heights are in px. Textures are drawn once a procedure, on the wide canvas, and carried along with the membrane.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from icsilib.phantoms.drawing import Picture, noise_field, relief_of, stroked, unit
from icsilib.phantoms.icsi.optics import Look
from icsilib.phantoms.icsi.ranges import IcsiRanges
from icsilib.phantoms.icsi.scene import Scene
from icsilib.phantoms.icsi.shapes import bump, cap, circle, depth_inside, filled, softened


@dataclass(frozen=True)
class Texture:
    """What a procedure's oocyte is made of, each (H, W)."""

    granules: Picture  # height
    inclusions: Picture  # height of vacuoles, pronuclei, cells of a dividing one
    zona: Picture  # height
    speckle: Picture  # brightness of fine grain, unit variance
    polar_body: Picture  # height

    def seen(self, view: Callable[[Picture], Picture]) -> "Texture":
        """The part of each layer that a frame shows."""
        return Texture(*(view(getattr(self, name)) for name in self.__dataclass_fields__))


def draw_texture(rng: np.random.Generator, scene: Scene, look: Look, ranges: IcsiRanges) -> Texture:
    """Draw the texture of one oocyte."""
    step = 0.5 / scene.um_per_px  # a granule is about half a micrometre high
    fine = noise_field(rng, scene.shape, rng.uniform(*ranges.granule_size) / scene.um_per_px)
    coarse = noise_field(rng, scene.shape, 5.0 / scene.um_per_px)
    granules = step * look.granularity * (0.35 * fine + 0.25 * coarse)
    if rng.random() < ranges.cluster_share:
        centre = scene.centre + rng.normal(0, 0.2, 2) * scene.radius
        cluster = bump(centre, rng.uniform(*ranges.cluster_radius) * scene.radius, scene.size)
        granules += step * cluster * (0.5 * coarse - 0.6)
    inclusions = _inclusions(rng, scene, ranges) + _cells(rng, scene, look, ranges)
    zona = 0.5 * step * noise_field(rng, scene.shape, rng.uniform(*ranges.zona_grain_size) / scene.um_per_px)
    speckle = noise_field(rng, scene.shape, rng.uniform(*ranges.speckle_size) / scene.um_per_px)
    x, y, radius = scene.polar_body
    polar_body = look.polar_body_height * radius * bump(np.array([x, y]), radius, scene.size)
    inclusions += _fragments(rng, scene, ranges)
    return Texture(granules, inclusions, zona, speckle, polar_body)


def _inclusions(rng: np.random.Generator, scene: Scene, ranges: IcsiRanges) -> Picture:
    """Heights of a vacuole, a refractile body and two pronuclei, as the procedure has them."""
    height: Picture = np.zeros(scene.shape, np.float32)
    vacuole, refractile = rng.uniform(*ranges.vacuole_radius), rng.uniform(*ranges.refractile_body_radius)
    for share, radius, sign in ((ranges.vacuole_share, vacuole, -1.0), (ranges.refractile_body_share, refractile, 1.5)):
        if rng.random() < share:
            place = scene.centre + rng.uniform(*ranges.inclusion_place, 2) * scene.radius
            height += sign * radius / scene.um_per_px * bump(place, radius / scene.um_per_px, scene.size)
    if rng.random() < ranges.pronuclei_share:
        place, turn = scene.centre + rng.uniform(*ranges.pronuclei_place, 2) * scene.radius, rng.uniform(0, np.pi)
        for side in (-1, 1):
            radius = rng.uniform(*ranges.pronucleus_diameter) / 2 / scene.um_per_px
            beside = place + side * radius * unit(turn)
            height -= rng.uniform(*ranges.pronucleus_depth) * radius * bump(beside, radius, scene.size)
    return height


def _cells(rng: np.random.Generator, scene: Scene, look: Look, ranges: IcsiRanges) -> Picture:
    """Heights of the cells of a dividing one, each rounded at its own border, and the borders themselves."""
    width, hidden = rng.uniform(*ranges.lobe_border_width) / scene.um_per_px, rng.uniform(*ranges.lobe_hides)
    lines: Picture = np.zeros(scene.shape, np.float32)
    height: Picture = np.zeros(scene.shape, np.float32)
    rise = rng.uniform(*ranges.lobe_height) * look.rim_width * scene.radius
    for lobe in scene.lobes:  # from far to near: a nearer cell hides most of what lies behind it
        ring = lobe[:2] + circle(lobe[2])
        lines *= 1 - hidden * filled(ring, scene.shape)
        lines = np.maximum(lines, stroked([ring], scene.shape, width, closed=True))
        height += rise * cap(depth_inside(ring, scene.size, 2), 1.5 * look.rim_width * scene.radius)
    lines = cv2.GaussianBlur(lines, (0, 0), 0.5 * width)
    return (height - lines * rng.uniform(*ranges.lobe_border_depth) / scene.um_per_px).astype(np.float32)


def _fragments(rng: np.random.Generator, scene: Scene, ranges: IcsiRanges) -> Picture:
    """Heights of the pieces into which one cell of some dividing ones has fallen."""
    height: Picture = np.zeros(scene.shape, np.float32)
    if rng.random() >= ranges.fragmented_share or not len(scene.lobes):
        return height
    lobe = scene.lobes[rng.integers(len(scene.lobes))]
    fewest, most = map(int, ranges.fragments)
    for _ in range(rng.integers(fewest, most)):
        radius = rng.uniform(*ranges.fragment_radius) * lobe[2]
        away, turn = (lobe[2] - radius) * np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi)
        place = lobe[:2] + away * unit(turn)
        height = np.maximum(height, rng.uniform(*ranges.fragment_height) * radius * bump(place, radius, scene.size))
    return height


def add_oocyte(image: Picture, scene: Scene, look: Look, texture: Texture, pushed: float, zona_pushed: float) -> None:
    """Draw the oocyte with oolemma and zona indented by `pushed` and `zona_pushed` radii."""
    oolemma, zona = scene.oolemma(pushed), scene.zona_at(zona_pushed)
    cell, shell = filled(oolemma, scene.shape), filled(zona, scene.shape)
    margin = int(1.2 * scene.zona_thickness) + 2
    inward, into_zona = depth_inside(oolemma, scene.size, margin), depth_inside(zona, scene.size, margin)
    band = np.clip(0.5 + (scene.zona_thickness - into_zona) * scene.um_per_px / 1.5, 0, 1)
    ring = shell * (1 - cell) * band
    fading = np.minimum(into_zona / np.float32(scene.zona_thickness), 1)  # from the outside in
    body = 1 - look.zona_fade * (1 - fading)
    height = _cell_height(scene, look, texture, inward, pushed)
    rise = 1 - look.zona_inner_edge * (1 - band) * (1 - cell)
    rise *= (1 - look.zona_fade) * cap(into_zona, 0.9 * scene.zona_thickness) + look.zona_fade * fading
    height += rise * np.float32(0.35 * look.zona_relief * scene.zona_thickness)
    height += texture.zona * ring * body
    height += texture.polar_body * (1 - cell)
    blurred = cv2.GaussianBlur(height, (0, 0), look.height_blur * (0.5 + 0.4 / scene.um_per_px))
    image += look.relief_contrast * np.tanh(look.relief * relief_of(blurred, look.direction)).astype(np.float32)
    zona_level = look.zona_level * cap(into_zona, 0.5 * scene.zona_thickness) + look.zona_speckle * texture.speckle
    image += look.cytoplasm_level * cell + ring * body * zona_level
    line = np.exp(-(((inward - 0.5) / (0.7 / scene.um_per_px)) ** 2)) * cell
    image += look.speckle * scene.carried(texture.speckle, pushed) * cell - look.membrane_line * line
    if look.membrane_halo:  # a bright line just outside the dark one
        outward = cv2.distanceTransform((cell < 0.5).astype(np.uint8), cv2.DIST_L2, 3)
        image += look.membrane_halo * np.exp(-((outward / (0.9 / scene.um_per_px)) ** 2)) * (1 - cell)


def _cell_height(scene: Scene, look: Look, texture: Texture, inward: Picture, pushed: float) -> Picture:
    """Rounded rim, dome and granules of the cytoplasm."""
    height = cap(inward, look.rim_width * scene.radius) * 0.5 * look.rim_width * scene.radius
    height += softened(cap(inward, 0.8 * scene.radius), 0.03 * scene.radius) * look.dome * scene.radius
    carried = scene.carried(texture.granules, pushed) + scene.carried(texture.inclusions, pushed)
    height += carried * cap(inward, 0.15 * scene.radius)
    return height
