"""95 % intervals, each where its quantity lives: in [0, 1], above zero, or on the line; of images, of seeds, of both.

A number of several seeds varies from two sources: each seed's training and noise, and the images behind it. Where every
seed draws images of its own, the spread of K seeds holds both, and Student's t with K - 1 degrees of freedom is the
interval. Where the seeds share their images, as test images are shared, nothing in their spread tells what other images
would have given: that variance is added.

Coverage, of 10,000 draws (``tests/test_intervals.py``): 95 % +- 1 for images alone, for seeds that differ by twice as
much as their images allow or more, and for quantities above zero. Where seeds differ by chance alone it is up to 99 %:
an interval that is never narrower than its images allow cannot be exact for every spread of the seeds. Where two
sources of like size are added it is up to 98 %, and more for shares of shared images, whose own part is bounded only.
"""

import math
from collections.abc import Sequence
from functools import cache
from statistics import fmean

from scipy.special import stdtrit

from paperlib.checks import need_finite, need_positive

__all__ = ["Z", "added", "positive_interval", "share_interval", "t_interval", "t_quantile", "wilson"]

Z = 1.959963984540054  # the normal distribution's 97.5 % quantile

Interval = tuple[float, float]


def t_interval(values: Sequence[float]) -> Interval | None:
    """The interval of the mean; None for a single value, which says nothing about its spread."""
    need_finite(values=values)
    if len(values) < 2:
        return None
    half = t_quantile(len(values) - 1) * math.sqrt(_variance(values) / len(values))
    return fmean(values) - half, fmean(values) + half


def positive_interval(values: Sequence[float]) -> Interval | None:
    """Of quantities that cannot be negative, distances and costs: the t-interval of the logarithms, for the median
    seed, widened to hold the mean.

    Two seeds far apart would have an upper end of many powers of ten: with two it is at most that of the plain
    t-interval. Where a value is 0 or below, as an unbiased estimate may be, or next to nothing beside another, so that
    its logarithm says nothing: the plain one, cut at 0.
    """
    if len(values) < 2:
        return None
    mean, (least, most) = fmean(values), t_interval(values)
    if min(values) <= 1e-6 * max(values):
        return min(max(least, 0.0), mean), most
    low, high = (math.exp(end) for end in t_interval([math.log(value) for value in values]))
    return min(low, mean), max(min(high, most) if len(values) == 2 else high, mean)


def wilson(hits: float, n: float) -> Interval:
    """Of a share of which ``hits`` of ``n`` were seen (Wilson, 1927). It has a width at 0 and at 1 too."""
    if not 0 <= hits <= n or n < 1:
        raise ValueError(f"{hits} hits of {n}: needs 0 <= hits <= n and n >= 1")
    return _score(hits / n, Z**2 / n)


def share_interval(values: Sequence[float], n: int, *, shared: bool = False) -> Interval | None:
    """Of the mean of shares in [0, 1], each of ``n`` images: Wilson's, with the seeds' spread in the place of the
    binomial one, as for shares in clusters (Franco, Little, Louis and Slud, 2019).

    Never narrower than Wilson's of the images: seeds that agree by chance do not make a share better known. Those are
    the K n of all seeds, or with ``shared`` images the same n each time, whose variance is then added. None for a
    single value.
    """
    need_finite(values=values)
    need_positive(n=n)
    if len(values) < 2:
        return None
    share, seeds = min(max(fmean(values), 0.0), 1.0), len(values)
    binomial = share * (1 - share)
    spread = t_quantile(seeds - 1) ** 2 * _variance(values) / seeds / binomial if binomial else 0.0
    return _score(share, spread + Z**2 / n if shared else max(spread, Z**2 / (seeds * n)))


def _variance(values: Sequence[float]) -> float:
    """In two passes of floats: statistics.variance, which is exact, takes fifty times as long."""
    mean = fmean(values)
    return sum((value - mean) ** 2 for value in values) / (len(values) - 1)


def _score(share: float, spread: float) -> Interval:
    """The p for which (p - share)^2 <= spread p (1 - p); exactly 0 and 1 at the ends, where rounding would miss."""
    centre, half = share + spread / 2, math.sqrt(spread * share * (1 - share) + spread**2 / 4)
    low, high = (centre - half) / (1 + spread), (centre + half) / (1 + spread)
    return (0.0 if share == 0 else max(low, 0.0)), (1.0 if share == 1 else min(high, 1.0))


def added(value: float, *intervals: Interval) -> Interval:
    """Of a number with several independent sources of variance, from the interval that each alone would give: the
    distances of their ends add in squares, on either side (Zou and Donner, 2008)."""
    below = math.hypot(*(value - low for low, _ in intervals))
    above = math.hypot(*(high - value for _, high in intervals))
    return value - below, value + above


@cache
def t_quantile(freedom: int) -> float:
    """The t for which ``P(|T| < t) = 95 %``."""
    return float(stdtrit(freedom, 0.975))
