"""Geometry of a rendered procedure in pixels: oocyte, zona, suction pipette and needle, and how they deform.

All coordinates are continuous image coordinates (`icsilib.data.annotations`). `u` is the direction in which the
needle travels, `across` the distance from its axis. The truth is taken from this geometry, never from pixels.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from icsilib.phantoms.drawing import unit
from icsilib.phantoms.icsi.ranges import IcsiRanges, Kit, Operator, Range

Points = NDArray[np.float64]  # (N, 2), px


@dataclass(frozen=True)
class View:
    """How a procedure lies in the frame; lengths in px."""

    size: int
    um_per_px: float
    radius: float  # of the oolemma
    centre: Points  # (2,)
    roll: float  # degrees
    u: Points  # (2,) direction of the needle's travel
    pipette_direction: Points  # (2,) from its base to the oocyte
    offset: float  # of the needle's axis from the centre


@dataclass(frozen=True)
class Scene(View):
    """What does not change during a procedure; lengths in px."""

    outline: Points  # (N, 2) the oolemma at rest
    zona: Points  # (N, 2) the zona's outer surface at rest, already drawn into the pipette
    zona_thickness: float
    polar_body: Points  # (3,): x, y, radius
    lobes: Points  # (K, 3): x, y, radius of the cells that a dividing one shows; K = 0 for an oocyte
    entry: float  # where the axis meets the oolemma at rest, from the centre along -u
    funnel: float  # width of the funnel, in radii
    kidney: float  # broad share of the indentation
    pipette: Points | None  # (N, 2) outer outline; None for a cell that lies free
    bore: Points  # (2K, 2): one wall, then the other
    needle_diameter: float
    needle_taper: float
    needle_bevel: float  # radians
    needle_spike: float
    bevel_side: float  # +1 or -1

    @property
    def room(self) -> float:
        """How deep the cell at rest is along the needle's axis, in radii."""
        return (self.entry + _entry(self.outline, self.centre, -self.u, -self.offset)) / self.radius

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of a frame in px."""
        return self.size, self.size

    def moved(self, shift: Points, size: int | None = None) -> "Scene":
        """The scene shifted by (2,) px, in a frame of another `size` when given."""
        names = ("centre", "outline", "zona", "pipette", "bore")
        places = {name: getattr(self, name) + shift for name in names if getattr(self, name) is not None}
        round_things = {name: getattr(self, name) + np.array([*shift, 0.0]) for name in ("polar_body", "lobes")}
        return replace(self, size=size or self.size, **places, **round_things)

    def oolemma(self, indentation: float) -> Points:
        """The oolemma (N, 2) when its apex has been pushed `indentation` radii along the needle's axis."""
        return self._pushed(self.outline, indentation * self.radius, self.funnel, self.kidney)

    def carried(self, texture: NDArray[np.float32], indentation: float) -> NDArray[np.float32]:
        """A texture (S, S) of the cytoplasm, pushed along with the oolemma; it crowds ahead of the needle."""
        if abs(indentation) < 0.01:
            return texture
        step = max(1, self.size // 64)
        places = np.arange(0, self.size + step, step, dtype=float)
        grid = np.stack(np.meshgrid(places, places), axis=-1).reshape(-1, 2)
        source = 2 * grid - self._pushed(grid, indentation * self.radius, self.funnel, self.kidney)
        coarse = (source - 0.5).reshape(len(places), len(places), 2).astype(np.float32)
        inner = (np.arange(self.size, dtype=np.float32) + 0.5) / step
        at = np.broadcast_to(inner, (self.size, self.size))
        maps = cv2.remap(coarse, at, np.ascontiguousarray(at.T), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        x, y = np.ascontiguousarray(np.moveaxis(np.asarray(maps), 2, 0))
        return np.asarray(cv2.remap(texture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT))

    def zona_at(self, indentation: float) -> Points:
        """The zona's outer surface (N, 2), indented by `indentation` radii."""
        return self._pushed(self.zona, indentation * self.radius, 0.22, 0.5)

    def tip_at(self, position: float) -> Points:
        """The needle tip (2,) for a position in radii on its axis (+1: the oolemma at rest)."""
        along = self.entry + (position - 1.0) * self.radius
        return self.centre - self.u * along + self.normal * self.offset

    @property
    def normal(self) -> Points:
        """Unit vector (2,) across the needle's axis."""
        return np.array([-self.u[1], self.u[0]])

    def _pushed(self, points: Points, depth: float, funnel: float, kidney: float) -> Points:
        """Points on the needle's side moved along `u`: a narrow funnel and a broad kidney-like dent.

        The weight is 1 on the axis, so the apex lies exactly `depth` further in.
        """
        relative = points - self.centre
        across = (relative @ self.normal - self.offset) / self.radius
        facing = np.clip((-(relative @ self.u) / self.radius + 0.1) / 0.6, 0.0, 1.0)
        narrow = np.exp(-((np.abs(across) / funnel) ** 1.3))
        broad = np.exp(-((across / 0.6) ** 2))
        weight = ((1 - kidney) * narrow + kidney * broad) * facing**2 * (3 - 2 * facing)
        return points + self.u * (depth * weight)[:, None]

    def needle(self, tip: Points) -> tuple[Points, Points]:
        """The two edges (M, 2) of the needle, both from the tip to far outside the frame."""
        width, length = self.needle_diameter, 2.5 * self.size
        slope, spike = np.tan(self.needle_bevel), self.needle_spike
        rise = min(0.12 * width, 0.5 * slope * spike)  # the spike is finer than the bevel
        shoulder = (width - rise) / slope
        spread = self.needle_taper * length
        straight = np.array([[0.0, 0.0], [length, -spread]])
        bevelled = np.array([[0.0, 0.0], [spike, rise], [spike + shoulder, width], [length, width + spread]])
        axes = np.stack([-self.u, self.normal * self.bevel_side])
        return tip + straight @ axes, tip + bevelled @ axes


def draw_scene(rng: np.random.Generator, size: int, kit: Kit, operator: Operator, ranges: IcsiRanges) -> Scene:
    """Draw the geometry of one procedure."""
    view = _draw_view(rng, size, kit, operator, ranges)
    um_per_px, u = view.um_per_px, view.u
    gap, thickness = (rng.uniform(*r) / um_per_px for r in (ranges.perivitelline_gap, ranges.zona_thickness))
    angles = _angles(np.arctan2(-u[1], -u[0]))
    outline, polar_body, lobes = _draw_cell(rng, view, gap, angles, ranges)
    eccentric = rng.uniform(*ranges.zona_eccentricity, 2) * gap
    outer = (view.radius + gap + thickness) * (1 + 0.4 * _wobble(rng, angles, ranges.wobble))
    zona = view.centre + eccentric + outer[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    if ranges.elongation[1]:
        flat = rng.uniform(*ranges.elongation)
        outline, zona = (_flattened(points, view, flat) for points in (outline, zona))
        polar_body[:2] = _flattened(polar_body[None, :2], view, flat)[0]
    zona, pipette, bore = _draw_pipette(rng, view, zona, thickness, ranges)
    return Scene(
        **vars(view),
        outline=outline,
        zona=zona,
        zona_thickness=thickness,
        polar_body=polar_body,
        lobes=lobes * view.radius + [*view.centre, 0.0],
        entry=_entry(outline, view.centre, u, view.offset),
        funnel=rng.uniform(*ranges.funnel_width),
        kidney=rng.uniform(*ranges.kidney),
        pipette=pipette,
        bore=bore,
        needle_diameter=rng.uniform(*ranges.needle_diameter) / um_per_px,
        needle_taper=rng.uniform(*ranges.needle_taper),
        needle_bevel=np.radians(rng.uniform(*ranges.needle_bevel)),
        needle_spike=rng.uniform(*ranges.needle_spike) / um_per_px,
        bevel_side=float(rng.choice([-1.0, 1.0])),
    )


def _draw_view(rng: np.random.Generator, size: int, kit: Kit, operator: Operator, ranges: IcsiRanges) -> View:
    """Scale, place and directions of the oocyte and both tools."""
    low, high = ranges.um_per_px_512
    um_per_px = (low + (high - low) * rng.uniform(*kit.scale)) * 512 / size
    radius = rng.uniform(*ranges.cytoplasm_diameter) / 2 / um_per_px
    mirrored = rng.random() < ranges.mirrored_share
    roll = rng.uniform(*ranges.roll)
    u = _direction(180 + rng.uniform(*ranges.needle_angle) + operator.angle + roll, mirrored)
    pipette_direction = _direction(rng.uniform(*ranges.pipette_angle) + roll, mirrored)
    shift = rng.uniform(*ranges.off_centre, 2) * size
    centre = np.array([size / 2, size / 2]) + shift + pipette_direction * 0.06 * size
    return View(
        size, um_per_px, radius, centre, roll, u, pipette_direction, rng.uniform(*ranges.needle_offset) * radius
    )


def _draw_cell(
    rng: np.random.Generator, view: View, gap: float, angles: NDArray[np.float64], ranges: IcsiRanges
) -> tuple[Points, Points, Points]:
    """The oolemma at rest (N, 2), dented by the polar body; the polar body (3,); cells of a dividing one (K, 3)."""
    body_radius = rng.uniform(*ranges.polar_body_diameter) / 2 / view.um_per_px
    body_angle = rng.choice([-1, 1]) * np.pi / 2 + np.radians(view.roll) + rng.uniform(*ranges.polar_body_angle)
    dent = 2 * body_radius * rng.uniform(*ranges.polar_body_dent)
    lobes = _lobes(rng, ranges) if rng.random() < ranges.cleaving_share else np.zeros((0, 3))
    rest = view.radius * (1 + _wobble(rng, angles, ranges.wobble)) * (_union(lobes, angles) if len(lobes) else 1.0)
    rest -= dent * np.exp(-((_turn(angles - body_angle) * view.radius / (1.1 * body_radius)) ** 2))
    outline = view.centre + rest[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    away = view.radius + gap - 0.75 * body_radius
    body = view.centre + away * unit(body_angle)
    return outline, np.array([*body, body_radius]), lobes


def _draw_pipette(
    rng: np.random.Generator, view: View, zona: Points, thickness: float, ranges: IcsiRanges
) -> tuple[Points, Points | None, Points]:
    """The zona drawn into the suction pipette, the pipette's outline (None for a cell that lies free), its bore."""
    direction = view.pipette_direction
    inner_half = rng.uniform(*ranges.pipette_inner_diameter) / 2 / view.um_per_px
    outer_half = max(rng.uniform(*ranges.pipette_outer_diameter) / 2 / view.um_per_px, 1.4 * inner_half)
    face = float(np.max((zona - view.centre) @ -direction)) - 0.1 * thickness
    held = rng.random() >= ranges.no_pipette_share
    depth = held * rng.uniform(*ranges.zona_drawn_in) / view.um_per_px
    drawn_in = _drawn_in(zona, view.centre, direction, inner_half, depth)
    rounding, flare = rng.uniform(*ranges.pipette_rounding), rng.uniform(*ranges.pipette_flare)
    mouth = view.centre - direction * face
    pipette, bore = _pipette(mouth, direction, outer_half, inner_half, rounding, flare, view.size)
    return drawn_in, pipette if held else None, bore


def _flattened(points: Points, view: View, share: float) -> Points:
    """Points (N, 2) moved as by a press along the needle's axis: nearer by `share` along it, farther across."""
    along = (points - view.centre) @ view.u
    across = points - view.centre - along[:, None] * view.u
    return view.centre + (1 - share) * along[:, None] * view.u + (1 + share / 3) * across


def _lobes(rng: np.random.Generator, ranges: IcsiRanges) -> Points:
    """Two to six overlapping cells (K, 3) about the centre: x, y, radius in units of the whole's radius."""
    count = int(rng.integers(2, 7))
    turn = rng.uniform(0, 2 * np.pi) + np.linspace(0, 2 * np.pi, count, endpoint=False) + rng.normal(0, 0.2, count)
    radius = rng.uniform(*ranges.lobe_radius, count)
    return np.stack([(1 - radius) * np.cos(turn), (1 - radius) * np.sin(turn), radius], axis=1)


def _union(lobes: Points, angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Radius of the union of discs that all hold the origin, at each angle."""
    x, y, radius = lobes.T[:, :, None]
    along = x * np.cos(angles) + y * np.sin(angles)
    across = x * np.sin(angles) - y * np.cos(angles)
    return np.max(along + np.sqrt(np.maximum(radius**2 - across**2, 0.0)), axis=0)


def _direction(degrees: float, mirrored: bool) -> Points:
    """Unit vector at an angle, reflected left to right when the laboratory works from the other side."""
    x, y = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([-x if mirrored else x, y])


def _angles(entry: float) -> NDArray[np.float64]:
    """Angles all round, denser about the needle's entry, where the outline bends most."""
    even = np.linspace(-np.pi, np.pi, 240, endpoint=False)
    dense = np.linspace(-0.5, 0.5, 121)
    return np.unique(np.round(_turn(np.concatenate([even, entry + dense])), 6))


def _turn(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angles brought to (-π, π]."""
    return (angle + np.pi) % (2 * np.pi) - np.pi


def _wobble(rng: np.random.Generator, angles: NDArray[np.float64], limits: Range) -> NDArray[np.float64]:
    """Low harmonics 2 to 7 of an outline, falling off with their order."""
    size = rng.uniform(*limits)
    parts = [size * rng.normal() * 2 / order * np.cos(order * angles + rng.uniform(0, 6.3)) for order in range(2, 8)]
    return np.sum(parts, axis=0)


def _entry(outline: Points, centre: Points, u: Points, offset: float) -> float:
    """Distance from the centre, along -u, at which the needle's axis meets the outline."""
    relative = outline - centre
    along, across = -(relative @ u), relative @ np.array([-u[1], u[0]]) - offset
    facing = np.flatnonzero(along > 0)
    order = facing[np.argsort(across[facing])]
    return float(np.interp(0.0, across[order], along[order]))


def _drawn_in(zona: Points, centre: Points, direction: Points, half: float, depth: float) -> Points:
    """The zona bulging by `depth` into the bore of the suction pipette."""
    relative = zona - centre
    across = relative @ np.array([-direction[1], direction[0]])
    weight = np.exp(-((np.abs(across) / (0.8 * half)) ** 4)) * (relative @ direction < 0)
    return zona - direction * (depth * weight)[:, None]


def _pipette(
    tip: Points, direction: Points, outer: float, inner: float, rounding: float, flare: float, size: int
) -> tuple[Points, Points]:
    """Outer outline with a fire-polished tip, and the bore, both from far outside the frame to the tip."""
    length, radius = 2.5 * size, min(rounding * outer, outer - inner)
    turn = np.linspace(0, np.pi / 2, 12)
    corner = np.stack([-radius + radius * np.sin(turn), outer - radius + radius * np.cos(turn)], axis=1)
    half = np.concatenate([[[-length, outer]], corner])
    outline = np.concatenate([half, half[::-1] * [1, -1]])
    deep = min(flare * inner, 0.82 * outer)
    into = np.array([length, *np.linspace(2.5, 0.0, 16) * outer])
    wall = np.stack([-into, deep - (deep - inner) * np.exp(-((into / (0.7 * outer)) ** 2))], axis=1)
    bore = np.concatenate([wall, wall[::-1] * [1, -1]])
    axes = np.stack([direction, [-direction[1], direction[0]]])
    return tip + outline @ axes, tip + bore @ axes
