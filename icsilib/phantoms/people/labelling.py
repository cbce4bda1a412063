"""The repeated study of paper A's §3.1 by simulated people: everyone labels every frame in every round."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from icsilib.data.annotations import Polygon, polygon_area, polygons_to_mask
from icsilib.phantoms.icsi import Frame, IcsiRanges, procedure
from icsilib.phantoms.people.annotators import (
    COEFFICIENTS,
    Annotator,
    Hand,
    Population,
    bump,
    fitted_population,
    normal_scores,
    place,
    trace,
)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Study:
    """Labels of A people in R rounds on F frames."""

    annotators: tuple[str, ...]
    outlines: dict[str, list[list[list[Polygon | None]]]]  # structure → [a][r][f], px
    tips: Array  # (A, R, F, 2) px, NaN where no tip is visible
    frame: tuple[int, int]  # height and width, px

    def masks(self, structure: str) -> NDArray[np.bool_]:
        """Masks (A, R, F, H, W) of one structure, empty where it is not in view."""
        shape = self.tips.shape[:3]
        masks = np.zeros((*shape, *self.frame), bool)
        for a, r, f in np.ndindex(shape):
            if (outline := self.outlines[structure][a][r][f]) is not None:
                masks[a, r, f] = polygons_to_mask([outline], *self.frame)
        return masks


def study_frames(seed: int, frames: int = 14, size: int = 512) -> list[Frame]:
    """Random frames of as many rendered videos, each with oolemma, pipette (1 % of the frame or more) and tip in view.

    The paper's fourteen were a random choice too; what its people did with frames without a needle it does not say.
    The hard scenes and dividing cells that the renderer has for variety are left out: these are frames of injections.
    """
    ranges = IcsiRanges(hard_share=0.0, cleaving_share=0.0)
    rng = np.random.default_rng([seed, frames, 14])
    chosen: list[Frame] = []
    for video in rng.permutation(10 * frames):
        rendered = procedure(seed, int(video), size, ranges)
        for index in rng.permutation(rendered.n_frames)[:5]:
            frame = rendered.frame(int(index))
            shown = frame.pipette is not None and polygon_area(frame.pipette) >= 0.01 * size**2
            if shown and frame.tip is not None:
                chosen.append(frame)
                break
        if len(chosen) == frames:
            break
    return chosen


def random_frames(seed: int, frames: int, size: int = 512) -> list[Frame]:
    """A random frame of each of as many rendered videos, hard scenes and dividing cells among them."""
    rng = np.random.default_rng([seed, frames, 15])
    videos = (procedure(seed, number, size) for number in range(frames))
    return [video.frame(int(rng.integers(video.n_frames))) for video in videos]


def label_study(
    truths: Sequence[Frame],
    team: Sequence[Annotator],
    rounds: int = 5,
    seed: int = 0,
    frame: tuple[int, int] = (512, 512),
    population: Population | None = None,
    matched: bool = False,
) -> Study:
    """Every person of `team` labels every frame in every round, all chances drawn independently.

    With `matched`, for figures that are to look like the paper's table whatever the seed, the chances are
    *moment-matched*: normal errors are rescaled to their expected mean squares between people, between rounds and
    besides, slips and readings are dealt out in their expected number, and frames' difficulties are normal
    quantiles. Two seeds then differ less than two studies of people would: no uncertainty can be read from them.
    """
    population = population or fitted_population()
    chances = _MATCHED if matched else _INDEPENDENT
    rng = np.random.default_rng([seed, len(team), rounds, len(truths)])
    shape = (len(team), rounds, len(truths))
    outlines = {
        name: _draw_outlines(
            rng, [getattr(t, name) for t in truths], [p.hands[name] for p in team], rounds, level, frame, chances
        )
        for name, level in population.difficulty.items()
        if name != "tip"
    }
    tips = np.full((*shape, 2), np.nan)
    difficulty = chances.difficulty(rng, len(truths), population.difficulty["tip"])
    errors = chances.normals(rng, len(team), rounds, difficulty, 2)
    slips = chances.signs(rng, shape, team[0].tip.slip_rate)
    for a, r, f in np.ndindex(shape):
        truth = truths[f]
        if truth.tip is not None:
            tips[a, r, f] = place(team[a].tip, truth.tip, truth.tip_axis, errors[a, r, f], float(slips[a, r, f]))
    return Study(tuple(person.name for person in team), outlines, tips, frame)


def _draw_outlines(
    rng: np.random.Generator,
    truths: list[Polygon | None],
    hands: list[Hand],
    rounds: int,
    difficulty_spread: float,
    frame: tuple[int, int],
    chances: "_Chances",
) -> list[list[list[Polygon | None]]]:
    """Outlines [a][r][f] of one structure."""
    shape = (len(hands), rounds, len(truths))
    difficulty = chances.difficulty(rng, len(truths), difficulty_spread)
    errors = chances.normals(rng, len(hands), rounds, difficulty, COEFFICIENTS)
    readings = chances.signs(rng, (shape[0], shape[2]), hands[0].reading_rate)
    places = rng.random((shape[0], shape[2]))
    slips = chances.signs(rng, shape, hands[0].slip_rate)

    def draw(a: int, r: int, f: int) -> Polygon | None:
        truth, hand = truths[f], hands[a]
        if truth is None:
            return None
        bumps = [np.array([places[a, f], hand.reading * readings[a, f]])] if readings[a, f] else []
        bumps += [bump(rng, hand.slip)] if slips[a, r, f] else []
        return trace(hand, truth, errors[a, r, f], bumps, frame)

    return [[[draw(a, r, f) for f in range(shape[2])] for r in range(rounds)] for a in range(shape[0])]


def balanced_normals(rng: np.random.Generator, annotators: int, rounds: int, weights: Array, k: int) -> Array:
    """Normals (A, R, F, k) with SD `weights` (F,) whose sums of squares are exactly as expected.

    Each person's mean is 0. Within each frame the numbers are split into mean, people, rounds and remainder, and
    each part is rescaled over all frames (moment matching, as in quadratic resampling: Barraquand 1995).
    """
    z = rng.normal(size=(annotators, rounds, len(weights), k)) * weights[:, None]
    if rounds * len(weights) > 1:
        z = z - z.mean(axis=(1, 2), keepdims=True)
    mean = z.mean(axis=(0, 1), keepdims=True)
    people = z.mean(axis=1, keepdims=True) - mean
    turns = z.mean(axis=0, keepdims=True) - mean
    rest = z - mean - people - turns
    parts = ((mean, 1), (people, annotators - 1), (turns, rounds - 1), (rest, (annotators - 1) * (rounds - 1)))
    total = np.zeros_like(z)
    for part, df in parts:
        if df:
            full = np.broadcast_to(part, z.shape)
            total += full * np.sqrt(df * np.sum(weights**2) / np.sum(full**2, axis=(0, 1, 2)))
    return total


def _independent_normals(rng: np.random.Generator, annotators: int, rounds: int, weights: Array, k: int) -> Array:
    """Independent normals (A, R, F, k) with SD `weights` (F,)."""
    return rng.normal(size=(annotators, rounds, len(weights), k)) * weights[:, None]


def independent_signs(rng: np.random.Generator, shape: tuple[int, ...], rate: float) -> Array:
    """±1 with probability `rate` each time, otherwise 0."""
    return rng.choice([-1.0, 0.0, 1.0], shape, p=[rate / 2, 1 - rate, rate / 2])


def independent_difficulty(rng: np.random.Generator, frames: int, spread: float) -> Array:
    """Difficulty of each frame: log-normal with expected mean square 1."""
    return np.exp(spread * rng.normal(size=frames) - spread**2)


def _dealt_signs(rng: np.random.Generator, shape: tuple[int, ...], rate: float) -> Array:
    """Zeros (…, F) but for the expected number of ±1, spread evenly over frames and otherwise at random places."""
    *labels, frames = shape
    each, count = int(np.prod(labels)), round(rate * int(np.prod(shape)))
    dealt = np.zeros((each, frames))
    within = rng.permuted(np.tile(np.arange(each)[:, None], (1, frames)), axis=0)
    order, signs = rng.permutation(frames), rng.permutation(np.resize([1.0, -1.0], count))
    for i in range(count):
        frame = order[i % frames]
        dealt[within[i // frames, frame], frame] = signs[i]
    return dealt.reshape(shape)


def _matched_difficulty(rng: np.random.Generator, frames: int, spread: float) -> Array:
    """Difficulty of each frame, about 1: log-normal quantiles with mean square 1, in random order."""
    level = np.exp(spread * rng.permutation(normal_scores(frames)))
    return level / np.sqrt(np.mean(level**2))


class _Chances(NamedTuple):
    """What a study draws: label errors, signs of slips and readings, difficulties of frames."""

    normals: Callable[[np.random.Generator, int, int, Array, int], Array]
    signs: Callable[[np.random.Generator, tuple[int, ...], float], Array]
    difficulty: Callable[[np.random.Generator, int, float], Array]


_INDEPENDENT = _Chances(_independent_normals, independent_signs, independent_difficulty)
_MATCHED = _Chances(balanced_normals, _dealt_signs, _matched_difficulty)
