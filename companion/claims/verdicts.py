"""Verdicts on measured numbers beside printed ones.

*Reproduced*: the whole 95 % interval lies within the printed value +- its tolerance. *Not reproduced*: it lies entirely
outside. *Inconclusive*: anything else, including a single seed, which has no interval. *Cannot be*: an argument, not a
measurement, rules the number out. Tolerances follow from the claims alone (:func:`companion.claims.tolerance`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal, get_args

from companion.claims.printed import Claim, metrics, tolerance
from paperlib.intervals import t_interval

__all__ = ["WORDS", "Verdict", "ordering", "step", "verdict"]

Word = Literal["reproduced", "not reproduced", "inconclusive", "another protocol", "cannot be", "not run"]
WORDS: tuple[Word, ...] = get_args(Word)
FEWEST_PAIRS = 3  # seeds needed for a verdict on an ordering


@dataclass(frozen=True)
class Verdict:
    """One word, and the reason for it."""

    word: Word
    because: str

    def __str__(self) -> str:
        return self.word


def verdict(claim: Claim, measured: Any, *, another: str = "") -> Verdict:
    """Judge one printed number.

    Args:
        claim: what the paper prints.
        measured: a record's value, one that was not run, or None.
        another: how the protocol differs from the paper's in what determines the number. Differences and orders can
            then still be judged, but the number itself cannot.
    """
    if claim.cannot_be:
        return Verdict("cannot be", claim.cannot_be)
    if not hasattr(measured, "value"):
        return Verdict("not run", getattr(measured, "reason", "not measured here"))
    if another:
        return Verdict("another protocol", another)
    metric, within = metrics()[claim.metric], tolerance(claim)
    if within is None:
        return Verdict("inconclusive", f"no tolerance for {metric.label}: {metric.because}")
    if measured.ci95 is None:
        return Verdict("inconclusive", "one seed, so no interval")
    # Decimal arithmetic, as printed: 10.91 - 10.86 is exactly 0.05, unlike in binary fractions.
    low, high = round(claim.value - within, 9), round(claim.value + within, 9)
    least, most = measured.ci95
    because = f"[{least:.4g}, {most:.4g}] against {claim.value:g} ± {within:g} {claim.unit}"
    return Verdict(_compared(least, most, low, high), because)


def ordering(smaller: Any, larger: Any) -> Verdict:
    """Judge a printed ordering, ``smaller < larger``, by the 95 % t-interval of the difference over paired seeds.

    Args:
        smaller: the record's value that the paper claims to be the smaller one.
        larger: the other one. Values are paired by seed; at least three pairs are needed.
    """
    if not (hasattr(smaller, "value") and hasattr(larger, "value")):
        return Verdict("not run", "not measured here")
    gaps = _gaps(smaller, larger)
    if len(gaps) < FEWEST_PAIRS:
        return Verdict("inconclusive", f"{len(gaps)} paired seeds; {FEWEST_PAIRS} are needed")
    low, high = t_interval(gaps)
    word = "reproduced" if low > 0 else "not reproduced" if high < 0 else "inconclusive"
    return Verdict(word, f"paired difference [{low:.4g}, {high:.4g}] over {len(gaps)} seeds")


def step(start: Any, end: Any) -> tuple[float, ...]:
    """Return ``end - start`` over paired seeds and, with two pairs or more, the ends of its 95 % t-interval."""
    gaps = _gaps(start, end)
    return (fmean(gaps), *(t_interval(gaps) or ())) if gaps else (end.value - start.value,)


def _gaps(start: Any, end: Any) -> list[float]:
    first, second = _by_seed(start), _by_seed(end)
    return [second[seed] - first[seed] for seed in sorted(first.keys() & second.keys())]


def _compared(low: float, high: float, least: float, most: float) -> Word:
    if least <= low and high <= most:
        return "reproduced"
    if high < least or low > most:
        return "not reproduced"
    return "inconclusive"


def _by_seed(value: Any) -> Mapping[int, float]:
    return dict(zip(value.seeds, value.per_seed, strict=True))
