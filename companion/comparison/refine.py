"""More candidates for an entrant, around the best of its grid: a compass search on logarithmic axes.

The best candidate so far has two neighbours on each axis, the rate and the method's own dial. The first one that was
not tried comes next; after all of them the step is halved. A better candidate becomes the centre at once. So every
method has the same number of tries, which go where its own scores point, and neighbours are a factor of three apart or
closer. Kolda, Lewis and Torczon, "Optimization by direct search", SIAM Review 45 (2003), analyse the scheme.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

from companion.comparison.entrants import Entrant, Settings

__all__ = ["in_turn", "neighbours", "next_settings"]

STEP = math.log(3)  # the first step, on both axes
SAME = 0.02  # coordinates nearer than this are one setting, rounded
EDGE = -1e3  # stands for the logarithm at an interval's lower end, far from all others


def in_turn(entrant: Entrant, tried: Sequence[Any], more: int) -> Iterator[Settings]:
    """Yield the settings of an entrant's grid, then ``more`` around the best of ``tried``, to which the caller adds
    each candidate before it asks for the next; those that were there from the start count and are not yielded."""
    grid, known = entrant.candidates(), [one.settings for one in tried]
    yield from (one for one in grid if one not in known)
    while len(tried) < len(grid) + more:
        yield next_settings(tried, entrant)


def next_settings(tried: Sequence[Any], entrant: Entrant) -> Settings:
    """Return the settings to try next, given the candidates so far with their ``settings`` and ``score``."""
    best = min(tried, key=lambda one: math.inf if one.score is None else one.score).settings
    known = [_coordinates(one.settings, entrant) for one in tried]
    around = (one for k in itertools.count() for one in neighbours(best, entrant, STEP / 2**k))
    return next(one for one in around if all(math.dist(_coordinates(one, entrant), other) > SAME for other in known))


def neighbours(settings: Settings, entrant: Entrant, step: float) -> Iterator[Settings]:
    """Yield the neighbours of some settings: the dial a step up and down, then the rate."""
    if entrant.dial and entrant.within[0] < settings[entrant.dial]:  # at its lower end a dial has no logarithm
        for sign in (1, -1):
            yield settings | {entrant.dial: _moved(settings[entrant.dial], sign * step, *entrant.within)}
    for sign in (1, -1):
        yield settings | {"lr": _moved(settings["lr"], sign * step, 0.0, math.inf)}


def _moved(value: float, step: float, low: float, high: float) -> float:
    """Return a value of an open interval, moved by ``step`` on its logarithmic axis; to four digits from its ends."""
    odds = math.exp(_coordinate(value, low, high) + step)
    if high == math.inf:
        return low + float(f"{odds:.4g}")
    return float(f"{low + (high - low) * odds / (1 + odds):.6g}")


def _coordinate(value: float, low: float, high: float) -> float:
    """Return log(value - low), or log((value - low) / (high - value)) if the interval ends."""
    if value <= low:
        return EDGE
    return math.log(value - low) - (0.0 if high == math.inf else math.log(high - value))


def _coordinates(settings: Settings, entrant: Entrant) -> tuple[float, ...]:
    rate = math.log(settings["lr"])
    return (_coordinate(settings[entrant.dial], *entrant.within), rate) if entrant.dial else (rate,)
