"""Rehearsals: a ``paper`` run with every amount divided by one number.

``PAPERLIB_REHEARSAL=100000`` in the environment divides updates, batches, images, samples, sampler steps and widths of
profile ``paper``. None falls below its value in ``smoke``, which is known to be enough for every step. A solver's
tolerance grows instead. Everything else is the paper's: data sets, networks, processes, methods, measures. Results are
kept apart from real runs and cannot be recorded.
"""

import os
from collections.abc import Mapping, Sequence
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from companion.budgets import Constant

__all__ = ["VARIABLE", "budget", "factor", "fewer", "scaled", "width"]

VARIABLE = "PAPERLIB_REHEARSAL"
NARROWEST = 8  # channels: two groups of GroupNorm, and twice the heads of any network here


def factor() -> int:
    """Return what the amounts are divided by; 1 outside of rehearsals."""
    text = os.environ.get(VARIABLE) or "1"
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{VARIABLE}={text!r} is not a positive number")
    return int(text)


def scaled(paper: Mapping[str, Any], smoke: Mapping[str, Any]) -> dict[str, Any]:
    """Return a page's amounts at ``paper``, divided; those of ``smoke`` are the minimum."""
    return {name: _divided(value, smoke.get(name)) for name, value in paper.items()}


def fewer(amount: int, least: int = 1) -> int:
    """Return one amount, divided."""
    return _divided(amount, least)


def _divided(value: Any, least: Any) -> Any:
    by = factor()
    if by == 1 or isinstance(value, bool | str):
        return value
    if isinstance(value, Mapping):
        return scaled(value, least if isinstance(least, Mapping) else {})
    if isinstance(value, Sequence):
        if not (value and _whole(value[0])):
            return value
        floors = [*least] if isinstance(least, Sequence) else [1]
        floors = chain(floors, repeat(floors[-1]))  # the last one serves all that follow
        return type(value)(sorted({_divided(*pair) for pair in zip(value, floors)}))
    if _whole(value):
        return min(value, max(least if _whole(least) else 1, value // by))
    if isinstance(value, float) and isinstance(least, float) and value < least:  # a tolerance
        return min(least, value * by)
    return value


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def budget(paper: "Constant") -> "Constant":
    """Return a base model's training budget, divided: at least two updates of four images."""
    least = {"steps": 2, "batch_size": 4, "warmup": 0}
    changes = scaled({name: getattr(paper, name) for name in least}, least)
    return paper.model_copy(update=changes if factor() > 1 else {})


def width(changes: Mapping[str, Any], channels: int = 128) -> dict[str, Any]:
    """Return the changes to a paper's network, including, in a rehearsal, fewer channels."""
    narrow = max(NARROWEST, channels // factor() // 4 * 4)
    return dict(changes) | ({"channels": narrow} if factor() > 1 else {})
