"""The course of an ICSI procedure: where the needle is and how the oolemma answers, frame by frame.

Distances along the needle's axis are in units of the oocyte's radius, measured from the oocyte's centre towards
the needle: +1 is the membrane at rest, 0 the centre. Phases after Nagy et al. 1995 (Hum Reprod 10:3171).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from icsilib.phantoms.drawing import drawn_number, unit
from icsilib.phantoms.icsi.ranges import IcsiRanges, Operator, Range

PHASES = (
    "approach", "contact", "indentation", "breakthrough", "aspiration", "release", "withdrawal", "withdrawn",
)  # fmt: skip


@dataclass(frozen=True)
class Timeline:
    """One value a frame; `tip`, `indentation` and `zona_indentation` in radii, `tremor` (frames, 2) in µm."""

    phase: list[str]
    tip: NDArray[np.float64]
    indentation: NDArray[np.float64]
    zona_indentation: NDArray[np.float64]
    tremor: NDArray[np.float64]
    sperm_inside: NDArray[np.bool_]  # of the needle
    sperm_released: NDArray[np.bool_]
    aspirated: NDArray[np.float64]  # µm of cytoplasm in the needle's lumen
    deepest: float  # position of the tip at release
    shown: NDArray[np.float64]  # contrast that the needle has left: 1, fading to 0 out of the focal plane
    drift: NDArray[np.float64]  # (frames, 2) µm by which the stage has moved
    focus: NDArray[np.float64]  # factor on the defocus
    retreat: NDArray[np.float64]  # of the suction pipette: 0 at the oocyte, 1 out of view

    def __len__(self) -> int:
        return len(self.phase)


def draw_timeline(
    rng: np.random.Generator, operator: Operator, ranges: IcsiRanges, outer: float, start: float, room: float
) -> Timeline:
    """Draw the course of one procedure.

    `outer` is where the zona's outer surface lies and `start` where the needle comes into being, `room` how deep the
    cell is along the needle's axis, all in radii.
    """
    frames = drawn_number(rng, ranges.frames)
    most = min(max(1.3, ranges.breakthrough_depth[1]), room - 0.25)
    depth = np.clip(rng.uniform(*ranges.breakthrough_depth) + operator.depth, 0.3, most)
    by_aspiration = rng.random() < ranges.aspiration_breakage_share
    deepest = np.clip(1 - depth - rng.uniform(*ranges.beyond_breakthrough), max(-0.55, 1.2 - room), 0.6)
    gone = outer + rng.uniform(*ranges.withdrawal)
    lasting = _durations(rng, operator, frames, ranges)
    knots = {  # where the tip is at the end of each phase
        "approach": outer,
        "contact": 1.0,
        "indentation": 1 - depth,
        "breakthrough": deepest,
        "aspiration": deepest + rng.uniform(*ranges.tip_at_aspiration),
        "release": deepest + rng.uniform(*ranges.tip_at_release),
        "withdrawal": gone,
        "withdrawn": gone + rng.uniform(*ranges.further_withdrawal),
    }
    phase = [name for name in PHASES for _ in range(lasting[name])]
    tip = _smooth_path(start, knots, lasting)
    broken = phase.index("breakthrough") + (lasting["breakthrough"] // 2 if by_aspiration else 0)
    return Timeline(
        phase=phase,
        tip=tip,
        indentation=_indentation(tip, broken, phase, rng, ranges),
        zona_indentation=_zona_indentation(tip, outer, broken, rng.uniform(*ranges.zona_dent)),
        tremor=_tremor(rng, frames, operator.tremor),
        sperm_inside=np.array([PHASES.index(name) < PHASES.index("release") for name in phase]),
        sperm_released=np.array([PHASES.index(name) > PHASES.index("release") for name in phase]),
        aspirated=_aspirated(rng, phase, ranges.aspirated_cytoplasm),
        deepest=float(knots["release"]),
        shown=_shown(rng, frames, ranges),
        drift=_drift(rng, frames, ranges),
        focus=1 + rng.uniform(*ranges.focus_drift) * _wandering(rng, frames, ranges),
        retreat=_retreat(rng, frames, ranges),
    )


def without_needle(timeline: Timeline) -> Timeline:
    """The same stretch of time for a cell that no needle comes near."""
    still = np.zeros(len(timeline))
    return replace(
        timeline,
        phase=["withdrawn"] * len(timeline),
        indentation=still,
        zona_indentation=still,
        sperm_released=still.astype(bool),
        shown=still,
    )


def _durations(rng: np.random.Generator, operator: Operator, frames: int, ranges: IcsiRanges) -> dict[str, int]:
    """Frames spent in each phase; they add up to `frames`."""
    weights = {
        "approach": 0.16 * operator.pace,
        "contact": 0.08 * operator.pace,
        "indentation": 0.18 * operator.pace,
        "breakthrough": 0.06,
        "aspiration": 0.10 + 0.5 * operator.pause,
        "release": 0.12 + 0.5 * operator.pause,
        "withdrawal": 0.13 * operator.pace,
        "withdrawn": 0.06,
    }
    drawn = np.array(list(weights.values())) * rng.uniform(*ranges.phase_duration, len(weights))
    edges = np.round(np.cumsum(drawn) / drawn.sum() * frames).astype(int)
    return dict(zip(weights, np.diff(edges, prepend=0).tolist(), strict=True))


def _smooth_path(start: float, knots: dict[str, float], lasting: dict[str, int]) -> NDArray[np.float64]:
    """Tip positions that move from knot to knot, slow at the ends of each phase as a hand does."""
    pieces, before = [], start
    for name, target in knots.items():
        share = (np.arange(lasting[name]) + 1) / max(lasting[name], 1)
        pieces.append(before + (target - before) * (3 * share**2 - 2 * share**3))
        before = target
    return np.concatenate(pieces)


def _indentation(
    tip: NDArray[np.float64], broken: int, phase: list[str], rng: np.random.Generator, ranges: IcsiRanges
) -> NDArray[np.float64]:
    """Depth by which the oolemma gives way ahead of the tip; it relaxes within a third of a second once broken."""
    frames = np.arange(len(tip))
    pushed = np.maximum(1.0 - tip, 0.0)
    rest = pushed[broken - 1] * rng.uniform(*ranges.funnel_left)
    slack = np.exp(-np.maximum(frames - broken, 0) / rng.uniform(*ranges.relaxation))
    relaxing = rest + (pushed[broken - 1] - rest) * slack
    relaxing *= np.exp(-np.maximum(frames - broken - 20, 0) / 45.0)
    pulled = -0.06 * rng.random() * np.array([name == "withdrawal" for name in phase]) * (tip < 1.05)
    return np.where(frames < broken, pushed, relaxing + pulled)


def _zona_indentation(tip: NDArray[np.float64], outer: float, broken: int, depth: float) -> NDArray[np.float64]:
    """The zona yields a little before it is pierced, and comes back with the membrane."""
    pushed = np.clip(outer - tip, 0.0, depth)
    return np.where(np.arange(len(tip)) < broken, pushed, pushed * 0.35)


def _aspirated(rng: np.random.Generator, phase: list[str], length: Range) -> NDArray[np.float64]:
    """Cytoplasm drawn into the lumen (µm): up during aspiration, back out at release."""
    aspiration = np.array([name == "aspiration" for name in phase], dtype=float)
    release = np.array([name == "release" for name in phase], dtype=float)
    share = np.cumsum(aspiration) / max(aspiration.sum(), 1) - np.cumsum(release) / max(release.sum(), 1)
    return rng.uniform(*length) * np.clip(share, 0.0, 1.0)


def _tremor(rng: np.random.Generator, frames: int, sigma: float) -> NDArray[np.float64]:
    """First-order autoregressive jitter (frames, 2) of standard deviation `sigma` µm."""
    jitter = np.zeros((frames, 2))
    for index in range(1, frames):
        jitter[index] = 0.8 * jitter[index - 1] + 0.6 * sigma * rng.normal(size=2)
    return jitter


def _shown(rng: np.random.Generator, frames: int, ranges: IcsiRanges) -> NDArray[np.float64]:
    """The needle's contrast: at times a spell in which it fades out of the focal plane and back."""
    if rng.random() >= ranges.hidden_needle_share:
        return np.ones(frames)
    middle, half = rng.uniform(0, frames), rng.uniform(*ranges.hidden_spell)
    return np.clip((np.abs(np.arange(frames) - middle) - half) / rng.uniform(*ranges.hidden_fading), 0.0, 1.0)


def _wandering(rng: np.random.Generator, frames: int, ranges: IcsiRanges) -> NDArray[np.float64]:
    """A slow course within -1..1: a part of a wave."""
    return np.sin(rng.uniform(0, 2 * np.pi) + np.linspace(0, rng.uniform(*ranges.drift_course), frames))


def _drift(rng: np.random.Generator, frames: int, ranges: IcsiRanges) -> NDArray[np.float64]:
    """Way (frames, 2) in µm of a stage that wanders along one direction."""
    course = _wandering(rng, frames, ranges)[:, None]
    return course * unit(rng.uniform(0, 2 * np.pi)) * rng.uniform(*ranges.stage_drift)


def _retreat(rng: np.random.Generator, frames: int, ranges: IcsiRanges) -> NDArray[np.float64]:
    """How far the suction pipette is drawn back: at times it comes only after the start, or leaves before the end."""
    if rng.random() >= ranges.pipette_leaves_share:
        return np.zeros(frames)
    from_end = np.arange(frames) if rng.random() < 0.5 else np.arange(frames)[::-1]
    away = rng.uniform(ranges.pipette_away_least, ranges.pipette_away_most * frames) - from_end
    return np.clip(away / rng.uniform(*ranges.pipette_pace), 0.0, 1.0)
