"""The 95 % interval of a mean over a few seeds, where the quantity lives: on the line, above zero, or in [0, 1]."""

import math
from collections.abc import Sequence
from functools import cache
from statistics import fmean, stdev

__all__ = ["over_seeds", "positive_interval", "share_interval", "t_interval", "t_quantile"]


def t_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the 95 % interval of the mean, or None for a single value, which says nothing about its spread."""
    if len(values) < 2:
        return None
    half = t_quantile(len(values) - 1) * stdev(values) / math.sqrt(len(values))
    return fmean(values) - half, fmean(values) + half


def over_seeds(values: Sequence[float], of_one: tuple[float, float]) -> tuple[float, float, float]:
    """Return the mean and the ends of its 95 % interval: over seeds, or ``of_one``, of a single one over images."""
    return fmean(values), *(t_interval(values) or of_one)


def positive_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The same of quantities that cannot be negative, distances and costs: a t-interval of the logarithms, widened to
    hold the mean. Where a value is 0 or below, as an unbiased estimate may be, or next to nothing beside another, so
    that its logarithm says nothing: the plain one, cut at 0."""
    if len(values) < 2:
        return None
    if min(values) <= 1e-6 * max(values):
        low, high = t_interval(values)
        return min(max(low, 0.0), fmean(values)), high
    low, high = (math.exp(end) for end in t_interval([math.log(value) for value in values]))
    return min(low, fmean(values)), max(high, fmean(values))


def share_interval(values: Sequence[float], n: int) -> tuple[float, float] | None:
    """The same of shares in [0, 1], each of ``n`` images: a t-interval of the logits, and never narrower than Wilson's
    of all images together: seeds that agree by chance do not make a share known better than its images do."""
    if len(values) < 2:
        return None
    hits = [value * n for value in values]
    logits = [math.log((hit + 0.5) / (n - hit + 0.5)) for hit in hits]
    low, high = (1 / (1 + math.exp(-end)) for end in t_interval(logits))
    pooled = _wilson(sum(hits), n * len(values))
    mean = fmean(values)
    return min(low, pooled[0], mean), max(high, pooled[1], mean)


def _wilson(hits: float, n: int) -> tuple[float, float]:
    z = 1.959963984540054
    centre, half = hits + z**2 / 2, z * math.sqrt(max(hits * (n - hits) / n, 0.0) + z**2 / 4)
    return max((centre - half) / (n + z**2), 0.0), min((centre + half) / (n + z**2), 1.0)


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
