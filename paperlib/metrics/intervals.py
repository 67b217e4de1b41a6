"""95 % intervals of a share (Wilson, 1927), a ratio of two shares (Donner and Zou, 2012) and a mean (bootstrap)."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from paperlib.checks import need_finite, need_positive
from paperlib.intervals import Interval, wilson

__all__ = ["Measured", "bootstrap_mean", "share", "share_ratio", "wilson"]


@dataclass(frozen=True)
class Measured:
    """A value with its 95 % interval, from ``n`` images."""

    value: float
    interval: Interval
    n: int


def share(seen: Tensor) -> Measured:
    """Return the share of true entries in ``seen`` [n], with Wilson's interval."""
    hits, n = int(seen.sum()), len(seen)
    interval = wilson(hits, n)
    return Measured(hits / n, interval, n)


def share_ratio(hits: int, n: int, base_hits: int, base_n: int) -> Interval:
    """Return the interval of (hits / n) / (base_hits / base_n) for independent samples.

    It is Donner and Zou's (2012) construction from the two shares' own intervals, here Wilson's. Unlike the usual
    interval on the logarithm it exists at 0 hits.
    """
    if base_hits < 1:
        raise ValueError("a ratio to nothing: base_hits=0")
    (l1, u1), (l2, u2) = wilson(hits, n), wilson(base_hits, base_n)
    p1, p2 = hits / n, base_hits / base_n
    low = (p1 * p2 - math.sqrt((p1 * p2) ** 2 - l1 * u2 * (2 * p1 - l1) * (2 * p2 - u2))) / (u2 * (2 * p2 - u2))
    high = (p1 * p2 + math.sqrt((p1 * p2) ** 2 - u1 * l2 * (2 * p1 - u1) * (2 * p2 - l2))) / (l2 * (2 * p2 - l2))
    return low, high


def bootstrap_mean(values: Tensor, generator: torch.Generator, resamples: int = 2000) -> Measured:
    """Return the mean of ``values`` [n], with the percentile interval of resampled means."""
    if values.ndim != 1 or not len(values):
        raise ValueError(f"values must be [n] with n >= 1, not {list(values.shape)}")
    need_finite(values=values)
    need_positive(resamples=resamples)
    values, n = values.double().cpu(), len(values)
    rows = (torch.randint(n, (n,), generator=generator, device=generator.device).cpu() for _ in range(resamples))
    means = torch.stack([values[drawn].mean() for drawn in rows])
    low, high = means.quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return Measured(values.mean().item(), (low, high), n)
