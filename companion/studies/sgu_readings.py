"""What the sentences of SGU's pages read from a record: the numbers of one data set and process, by method."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from paperlib.intervals import t_interval

__all__ = ["Readings", "gap", "paired", "readings", "said"]


@dataclass(frozen=True)
class Readings:
    """Numbers of one row of a table, relative to Standard where that is what a sentence says.

    Args:
        ur: percentage of samples that show any of what is forgotten, by method.
        within: its 95 % interval, by method.
        floor: the percentage of real retained images that the classifier takes for what is forgotten.
        times: distance of the other samples from real images, divided by Standard's, by method.
        rise: increase of bits per dimension over Standard's, by (method, side); of "noised nll" where the record has
            it, else of "nll".
        steep: the same by "nll".
        spread: the seeds' UR, by method.
    """

    ur: dict[str, float]
    within: dict[str, tuple[float, float]]
    floor: float
    times: dict[str, float]
    rise: dict[tuple[str, str], float]
    steep: dict[tuple[str, str], float]
    spread: dict[str, list[float]]

    def runs(self, method: str) -> str:
        """Write every seed's UR: "10.0, 6.4, 9.0"."""
        return ", ".join(f"{one:.1f}" for one in self.spread[method])

    def against(self, method: str, other: str) -> tuple[float, float, float]:
        """Return by how many points the UR of ``method`` exceeds that of ``other``, as :func:`paired` does."""
        return paired(self.spread[method], self.spread[other])


def readings(record: Any, dataset: str, process: str = "") -> Readings:
    """Return the numbers of a data set; ``process`` distinguishes rows on the same data."""
    own = {"dataset": dataset} | ({"process": process} if process else {})
    far = {one.method: one for one in record.all(metric="rest-frechet", **own)}
    forgotten = {one.protocol["forget"] for one in record.all(metric="ur", **own)}
    whole = max(forgotten, key=lambda words: words.count(","), default="")
    shown = {one.method: one for one in record.all(metric="ur", forget=whole, **own)}
    return Readings(
        ur={name: one.value for name, one in shown.items()},
        within={name: one.interval or (one.value, one.value) for name, one in shown.items()},
        floor=next((one.protocol["floor"] for one in shown.values() if "floor" in one.protocol), 0.0),
        times={name: one.value / far["standard"].value for name, one in far.items()},
        rise=_rise(record, "noised nll", own) or _rise(record, "nll", own),
        steep=_rise(record, "nll", own),
        spread={name: list(one.per_seed) for name, one in shown.items()},
    )


def _rise(record: Any, metric: str, own: dict[str, str]) -> dict[tuple[str, str], float]:
    bits = {(one.method, one.protocol["test"]): one.value for one in record.all(metric=metric, **own)}
    return {key: value - bits["standard", key[1]] for key, value in bits.items()}


def paired(values: Sequence[float], others: Sequence[float]) -> tuple[float, float, float]:
    """Return by how much ``values`` exceed ``others``, seed by seed, with the 95 % t interval of the mean; without a
    second seed, its ends are infinite. Raises a ValueError if one has more seeds than the other."""
    gaps = [a - b for a, b in zip(values, others, strict=True)]
    low, high = t_interval(gaps) or (-math.inf, math.inf)
    return fmean(gaps), low, high


def said(found: tuple[float, float, float], decimals: int) -> str:
    """Write a value with its interval: "1.5 [0.3, 2.7]"."""
    value, low, high = (f"{one:.{decimals}f}" for one in found)
    return f"{value} [{low}, {high}]"


def gap(row: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]], method: str) -> tuple[float, float, float]:
    """Return how much more the bits of D_f rise over Standard's than those of D_g, with its 95 % interval over the
    images: each image is compared with itself under Standard, and both sides' t intervals are added in squares.

    ``row`` is a part of Table 2's series: method -> {"bits": {side: bits of every test image}}.
    """
    mean, half = {}, {}
    for side in ("D_g", "D_f"):
        before, after = (row[name]["bits"][side] for name in ("standard", method))
        steps = [b - a for a, b in zip(before, after, strict=True)]
        mean[side], (low, high) = fmean(steps), t_interval(steps)
        half[side] = (high - low) / 2
    value, spread = mean["D_f"] - mean["D_g"], math.hypot(*half.values())
    return value, value - spread, value + spread
