"""95 % confidence intervals over images, seeds or both, for quantities in [0, 1], above zero, or on the real line.

A number measured with several seeds varies for two reasons: each seed's training and noise, and the images behind it.
If every seed generates its own images, the spread of K seeds contains both, and the interval uses Student's t with
K - 1 degrees of freedom. If the seeds share their images, such as test images, their spread does not show what other
images would have given, and that variance is added.

Coverage in 10,000 simulations (``tests/test_intervals.py``) is 95 % +- 1 for images alone, for seeds that differ by at
least twice what their images explain, and for quantities above zero. If seeds differ by chance alone it is up to 99 %:
an interval that is never narrower than its images allow cannot be exact for every spread of the seeds. If two sources
of similar size are added it is up to 98 %, and more for shares of shared images, whose own part is only bounded.
"""

import math
from collections.abc import Sequence
from functools import cache
from statistics import fmean

from scipy.special import stdtrit

from paperlib.checks import need_finite, need_positive

__all__ = ["Z", "added", "positive_interval", "share_interval", "t_interval", "t_quantile", "wilson"]

Z = 1.959963984540054  # the normal distribution's 97.5 % quantile
NEGLIGIBLE = 1e-6 * (1 + 1e-9)  # beside the largest value; a little above, so that a millionth counts in every unit

Interval = tuple[float, float]


def t_interval(values: Sequence[float]) -> Interval | None:
    """Return Student's t interval of the mean; None for a single value, which says nothing about its spread."""
    need_finite(values=values)
    if len(values) < 2:
        return None
    half = t_quantile(len(values) - 1) * math.sqrt(_variance(values) / len(values))
    return fmean(values) - half, fmean(values) + half


def positive_interval(values: Sequence[float]) -> Interval | None:
    """Return the interval for quantities that cannot be negative, such as distances and costs: the t interval of the
    logarithms, which is for the median seed, widened to contain the mean.

    Two seeds far apart would give an upper end many powers of ten higher, so with two seeds it is at most that of the
    plain t interval. If a value is 0 or below, as an unbiased estimate may be, or negligible beside another, so that
    its logarithm is not informative, the plain interval cut at 0 is returned. None for a single value.
    """
    if len(values) < 2:
        return None
    mean, (least, most) = fmean(values), t_interval(values)
    if min(values) <= NEGLIGIBLE * max(values):
        return min(max(least, 0.0), mean), most
    low, high = (math.exp(end) for end in t_interval([math.log(value) for value in values]))
    return min(low, mean), max(min(high, most) if len(values) == 2 else high, mean)


def wilson(hits: float, n: float) -> Interval:
    """Return Wilson's (1927) interval of a share for ``hits`` of ``n``. It has a positive width even at 0 and at 1."""
    if not 0 <= hits <= n or n < 1:
        raise ValueError(f"{hits} hits of {n}: needs 0 <= hits <= n and n >= 1")
    return _score(hits / n, Z**2 / n)


def share_interval(values: Sequence[float], n: int, *, shared: bool = False) -> Interval | None:
    """Return the interval for the mean of shares in [0, 1], each of ``n`` images: Wilson's, with the seeds' spread in
    place of the binomial one, as for shares in clusters (Franco, Little, Louis and Slud, 2019).

    It is never narrower than Wilson's interval for the images: seeds that agree by chance do not make a share better
    known. The images are the K n of all K seeds, or, if ``shared``, the same n each time, whose variance is then added.
    None for a single value.
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
    """Return the sample variance, in two passes of floats: the exact statistics.variance takes fifty times as long."""
    mean = fmean(values)
    return sum((value - mean) ** 2 for value in values) / (len(values) - 1)


def _score(share: float, spread: float) -> Interval:
    """Return the interval of p with (p - share)^2 <= spread p (1 - p); exactly 0 and 1 at the ends despite rounding."""
    centre, half = share + spread / 2, math.sqrt(spread * share * (1 - share) + spread**2 / 4)
    low, high = (centre - half) / (1 + spread), (centre + half) / (1 + spread)
    return (0.0 if share == 0 else max(low, 0.0)), (1.0 if share == 1 else min(high, 1.0))


def added(value: float, *intervals: Interval) -> Interval:
    """Return the interval of ``value`` under several independent sources of variance, from the interval that each alone
    would give: on either side the squared distances of the ends from ``value`` add up (Zou and Donner, 2008)."""
    below = math.hypot(*(value - low for low, _ in intervals))
    above = math.hypot(*(high - value for _, high in intervals))
    return value - below, value + above


@cache
def t_quantile(freedom: int) -> float:
    """Return the t for which ``P(|T| < t) = 95 %``, with ``freedom`` degrees of freedom."""
    return float(stdtrit(freedom, 0.975))
