"""The 95 % interval of a mean over a few seeds, by Student's t distribution."""

import math
from collections.abc import Sequence
from functools import cache
from statistics import fmean, stdev

__all__ = ["over_seeds", "t_interval", "t_quantile"]


def t_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the 95 % interval of the mean, or None for a single value, which says nothing about its spread."""
    if len(values) < 2:
        return None
    half = t_quantile(len(values) - 1) * stdev(values) / math.sqrt(len(values))
    return fmean(values) - half, fmean(values) + half


def over_seeds(values: Sequence[float], of_one: tuple[float, float]) -> tuple[float, float, float]:
    """Return the mean and the ends of its 95 % interval: over seeds, or ``of_one``, of a single one over images."""
    return fmean(values), *(t_interval(values) or of_one)


@cache
def t_quantile(freedom: int, inside: float = 0.95) -> float:
    """Return the t for which ``P(|T| < t) = inside``, by bisection."""
    low, high = 0.0, 1e6
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if _inside(middle, freedom) < inside else (low, middle)
    return high


def _inside(t: float, freedom: int) -> float:
    """P(|T| < t): Abramowitz and Stegun, 26.7.3 and 26.7.4."""
    angle = math.atan(t / math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    first = freedom % 2 + 2
    term = total = cosine if freedom % 2 else 1.0
    for k in range(first, freedom - 1, 2):
        term *= cosine**2 * (k - 1) / k
        total += term
    if freedom % 2:
        return 2 / math.pi * (angle + sine * total * (freedom > 1))
    return sine * total
