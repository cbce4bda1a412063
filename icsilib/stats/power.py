"""What a study of a given size can show: smallest detectable difference, power, and power for equivalence."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import integrate, optimize, stats


class Precision(NamedTuple):
    """Expected standard error of a mean or difference, in its unit, and degrees of freedom."""

    error: float
    df: float


def paired_precision(sd: float, n: int) -> Precision:
    """Precision of the mean of n independent differences with standard deviation `sd`."""
    return Precision(sd / float(np.sqrt(n)), float(n - 1))


def difference_power(difference: float, precision: Precision, alpha: float = 0.05) -> float:
    """Probability that a two-sided t-test at α finds a true `difference` (noncentral t)."""
    critical, shift = stats.t.ppf(1 - alpha / 2, precision.df), difference / precision.error
    return float(stats.nct.sf(critical, precision.df, shift) + stats.nct.cdf(-critical, precision.df, shift))


def detectable_difference(precision: Precision, power: float = 0.8, alpha: float = 0.05) -> float:
    """The smallest true difference that a two-sided test at α finds with probability `power`."""
    if not alpha < power < 1:
        raise ValueError(f"power must lie between α = {alpha} and 1, got {power}")
    return _solve(lambda difference: difference_power(difference, precision, alpha) - power, precision.error)


def equivalence_power(margin: float, precision: Precision, difference: float = 0.0, alpha: float = 0.05) -> float:
    """Probability that TOST at α declares equivalence within ±margin when the true difference is `difference`.

    Exact for a normal estimate with an independent χ² standard error: integrated over that error.
    """
    critical = stats.t.ppf(1 - alpha, precision.df)
    upper, lower = (margin - difference) / precision.error, (-margin - difference) / precision.error
    widest = margin / precision.error / critical  # a larger standard error leaves no room for equivalence
    scale = 1 / np.sqrt(precision.df)

    def density(ratio: float) -> float:
        room = stats.norm.cdf(upper - critical * ratio) - stats.norm.cdf(lower + critical * ratio)
        return float(max(room, 0.0) * stats.chi.pdf(ratio, precision.df, scale=scale))

    low, high = max(0.0, 1 - 12 * scale), min(widest, 1 + 12 * scale)  # beyond these the density is nothing
    return float(integrate.quad(density, low, high, limit=200)[0]) if high > low else 0.0


def smallest_margin(precision: Precision, power: float = 0.8, alpha: float = 0.05) -> float:
    """The smallest margin within which a study can show equivalence with probability `power`, if there is none."""
    return _solve(lambda margin: equivalence_power(margin, precision, 0.0, alpha) - power, precision.error)


def frames_needed(sd: float, margin: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """The number of independent differences with SD `sd` for which `smallest_margin` is no wider than `margin`."""
    most = 1e6

    def gap(n: float) -> float:
        return equivalence_power(margin, Precision(sd / float(np.sqrt(n)), n - 1), 0.0, alpha) - power

    if gap(most) < 0:
        raise ValueError(f"a margin of {margin:g} is out of reach at an SD of {sd:g}; state a wider one")
    return 2 if gap(2) >= 0 else int(np.ceil(optimize.brentq(gap, 2, most, xtol=0.01)))


def _solve(gap: Callable[[float], float], start: float) -> float:
    """Where the rising function `gap` is 0, searched from `start` upwards."""
    high = start
    while gap(high) < 0:
        high *= 1.5
    return float(optimize.brentq(gap, 0, high))
