"""What lies around the oocyte and stays: well or drop, other cells, cumulus, suction pipette.

Everything here is drawn once a procedure, on a canvas a little wider than the frame, over which the stage drifts.
"""

import cv2
import numpy as np

from icsilib.phantoms.drawing import Picture, Points, drawn_number, noise_field, relief_of, stroked, unit
from icsilib.phantoms.icsi.optics import Look
from icsilib.phantoms.icsi.ranges import IcsiRanges, Range
from icsilib.phantoms.icsi.scene import Scene
from icsilib.phantoms.icsi.shapes import along, bump, circle, filled


def add_well(image: Picture, rng: np.random.Generator, scene: Scene, ranges: IcsiRanges) -> None:
    """A culture well or drop around the cell: its wall a bright or dark rim, other light outside, rings beyond it."""
    centre, half, roundness = _well_shape(rng, scene, ranges)
    turn = rng.uniform(0, np.pi)
    u = unit(turn)
    x, y = along(centre, u, scene.size) / half, along(centre, np.array([-u[1], u[0]]), scene.size) / half
    outward = ((np.abs(x) ** roundness + np.abs(y) ** roundness) ** (1 / roundness) - 1) * half
    light = rng.uniform(0, 2 * np.pi)
    lit = 0.5 + 0.5 * np.clip((x * np.cos(light) + y * np.sin(light)), -1, 1)  # 1 on the lit side
    lit = 1 - rng.uniform(*ranges.well_dimming) * lit
    width = rng.uniform(*ranges.well_rim_width) * scene.size
    soft = rng.uniform(*ranges.well_edge) * scene.size
    beyond = _step(outward - width, soft * rng.uniform(*ranges.well_outer_edge))
    outside = rng.uniform(*ranges.well_outside_level) + 0.5 * rng.uniform(*ranges.well_gradient) * (lit - 0.5)
    waves = np.sin(outward / (0.02 * scene.size) * rng.uniform(*ranges.well_streaks))
    streaks = 0.06 * waves * np.exp(-outward / scene.size * 6)
    image += beyond * (outside + streaks * (outward > 0) - image)
    rim = _step(outward, soft) * (1 - beyond)
    image += rng.uniform(*ranges.well_rim_level) * lit * rim
    for _ in range(drawn_number(rng, ranges.well_rings)):
        at, thin = rng.uniform(*ranges.well_ring_place) * width, rng.uniform(*ranges.well_ring_width) * width
        image += rng.uniform(*ranges.well_ring_level) * lit * np.exp(-(((outward - at) / thin) ** 2))


def _well_shape(rng: np.random.Generator, scene: Scene, ranges: IcsiRanges) -> tuple[Points, float, float]:
    """Centre, half width (px) and roundness (2 a disc, more a rounded square) of a well that holds the whole cell."""
    reach = scene.radius * 1.06
    angle = rng.uniform(0, 2 * np.pi)
    aside = unit(angle)
    if rng.random() < ranges.drop_share:  # a wide drop, of which the frame shows the edge
        half = rng.uniform(*ranges.drop_radius) * scene.size
        return scene.centre + aside * (half - reach * rng.uniform(*ranges.drop_edge_reach)), half, 2.0
    half = max(rng.uniform(*ranges.well_radius) * scene.size, 1.15 * reach)
    shift = (half - reach) * np.sqrt(rng.random())
    return scene.centre + aside * shift, half, float(rng.choice([2.0, 2.0, 2.0, 4.0, 8.0]))


def _step(distance: Picture, soft: float) -> Picture:
    """0 where a distance is negative, 1 where it is positive, over about `soft` px."""
    return (1 / (1 + np.exp(-np.clip(distance / max(soft, 0.3) * 2, -30, 30)))).astype(np.float32)


def add_neighbours(image: Picture, rng: np.random.Generator, scene: Scene, look: Look, ranges: IcsiRanges) -> None:
    """Other cells, out of focus and at a distance: clutter, no part of the truth."""
    for _ in range(drawn_number(rng, ranges.neighbours)):
        angle, radius = rng.uniform(0, 2 * np.pi), scene.radius * rng.uniform(*ranges.neighbour_size)
        reach = scene.radius + 2.2 * scene.zona_thickness + radius * rng.uniform(*ranges.neighbour_reach)
        place = scene.centre + reach * unit(angle)
        disc = filled(place + circle(radius), scene.shape)
        height = 0.3 * radius * bump(place, radius, scene.size)
        layer = 0.45 * np.tanh(look.relief * relief_of(height, look.direction)) + look.cytoplasm_level * disc
        blur = rng.uniform(*ranges.neighbour_blur) / scene.um_per_px
        image += cv2.GaussianBlur(layer.astype(np.float32), (0, 0), blur)


def add_cumulus(image: Picture, rng: np.random.Generator, scene: Scene, look: Look, ranges: IcsiRanges) -> None:
    """Ragged clumps of cumulus cells at the rim, dark or as bright and dark relief."""
    for _ in range(drawn_number(rng, ranges.cumulus_clumps)):
        size = rng.uniform(*ranges.cumulus_size) / scene.um_per_px
        angle = rng.uniform(0, 2 * np.pi)
        reach = scene.radius + rng.uniform(*ranges.cumulus_reach) * scene.zona_thickness + 0.4 * size
        place = scene.centre + reach * unit(angle)
        clump = np.zeros_like(image)
        for _ in range(drawn_number(rng, ranges.cumulus_cells)):
            spot = place + rng.normal(0, 0.35 * size, 2)
            ragged = circle(rng.uniform(*ranges.cumulus_cell_radius) / scene.um_per_px, 24) * (
                1 + 0.2 * rng.normal(size=(24, 1))
            )
            clump = np.maximum(clump, filled(spot + ragged, scene.shape) * rng.uniform(*ranges.cumulus_cell_level))
        height = cv2.GaussianBlur(clump, (0, 0), rng.uniform(*ranges.cumulus_blur) / scene.um_per_px)
        image -= rng.uniform(*ranges.cumulus_darkness) * height
        grain = height * (1 + 0.4 * noise_field(rng, scene.shape, 1.5 / scene.um_per_px))
        strength = 2.5 / scene.um_per_px * rng.uniform(*ranges.cumulus_relief)
        image += np.tanh(strength * relief_of(grain, look.direction)).astype(np.float32)


def add_pipette(
    image: Picture, rng: np.random.Generator, scene: Scene, look: Look, ranges: IcsiRanges, away: float = 0.0
) -> None:
    """The suction pipette, `away` px back from the oocyte: walls, edges, bore, and the light that glass bends."""

    def draw(limits: Range) -> float:
        return float(rng.uniform(*limits))

    assert scene.pipette is not None
    outline, channel = (line - scene.pipette_direction * away for line in (scene.pipette, scene.bore))
    outer, bore = filled(outline, scene.shape), filled(channel, scene.shape)
    width = draw(ranges.pipette_edge_width) / scene.um_per_px
    edges = stroked([outline], scene.shape, width, closed=True)
    inner = stroked(np.split(channel, 2), scene.shape, 0.6 * width)
    halo = stroked([outline], scene.shape, 2.2 * width, closed=True) - edges
    layer = look.pipette_wall_level * (outer - bore) + look.pipette_bore_level * bore
    layer = layer + draw(ranges.pipette_halo) * halo * outer
    layer += look.pipette_edge_level * np.maximum(edges, draw(ranges.pipette_inner_edge) * inner)
    across = np.array([-scene.pipette_direction[1], scene.pipette_direction[0]])
    bent = draw(ranges.pipette_bent_light) * float(across @ look.direction)
    sideways = 2 * along(outline.mean(axis=0), across, scene.size) / np.ptp(outline @ across)
    layer += bent * outer * np.clip(sideways, -1, 1)
    image += draw(ranges.pipette_cover) * outer * (image.mean() - image) + layer
    cv2.GaussianBlur(image, (0, 0), draw(ranges.pipette_defocus), dst=image)
