"""Which of the papers' orderings hold at equal budget: every pair of printed methods, and the same pair here.

A printed number depends on its network, data and protocol, and ours have others. What a table is printed for is an
order, and that can be asked of any bench.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from companion.claims.printed import load
from companion.claims.verdicts import Verdict, ordering

__all__ = ["PRINTED", "Pair", "Printed", "pairs"]


@dataclass(frozen=True)
class Printed:
    """A printed row that orders entrants.

    Args:
        where: in words.
        measure: what it is held against here, a key of :func:`companion.comparison.bench.measure`.
        claims: entrant -> claim's id.
        sign: 1 where the smaller number is better, -1 where the larger is.
    """

    where: str
    measure: str
    claims: Mapping[str, str]
    sign: int = 1


@dataclass(frozen=True)
class Pair:
    """Two entrants of which the paper prints the first as better, and what was measured of them."""

    better: str
    worse: str
    printed: tuple[float, float]
    measured: tuple[float, float]
    holds: bool  # our means are in the printed order
    verdict: Verdict  # over paired seeds


_ERASEDIFF = {"finetune": "finetune", "neggrad": "neggrad", "blindspot": "blindspot", "selective_amnesia": "sa"}
_ERASEDIFF |= {"salun": "salun", "erasediff": "erasediff_noise"}
# SGU trains its Unseen in full: that is the retrained model here, and not the entrant with a budget.
_SGU = {"sgu_orthogonal": "sgu_orthogonal", "sgu_obtuse": "sgu_obtuse", "retrained": "unseen"}

#: The rows that have two entrants or more in common with the bench.
PRINTED = (
    Printed(
        "SGU, Table 2, UR, MNIST, 3 and 7",
        "UR",
        {name: f"sgu.tab2_ur/mnist/vesde/3+7/{column}" for name, column in _SGU.items()},
    ),
    Printed(
        "VDU, Table 1, PUL, MNIST, 1",
        "PUL",
        {"vdu": "vdu.tab1/mnist/1/vdu_pul", "selective_amnesia": "vdu.tab1/mnist/1/sa_pul"},
        sign=-1,
    ),
    Printed(
        "VDU, Table 1, u-FID, MNIST, 1",
        "distance of all",
        {"vdu": "vdu.tab1/mnist/1/vdu_ufid", "selective_amnesia": "vdu.tab1/mnist/1/sa_ufid"},
    ),
    Printed(
        "EraseDiff, Table 1, P(c_f | x_f), CIFAR-10, airplane",
        "UR",
        {name: f"erasediff.tab1/p_forget/{column}" for name, column in _ERASEDIFF.items()},
    ),
    Printed(
        "EraseDiff, Table 1, FID, CIFAR-10, airplane",
        "distance",
        {name: f"erasediff.tab1/fid/{column}" for name, column in _ERASEDIFF.items()},
    ),
)


def pairs(printed: Printed, values: Mapping[str, Any]) -> list[Pair]:
    """Every pair of entrants that is printed and measured; printed ties are left out.

    Args:
        values: entrant -> the record's value of ``printed.measure``.
    """
    claims, found = load(), []
    there = [name for name in printed.claims if name in values]
    for one, other in combinations(there, 2):
        numbers = {name: claims[printed.claims[name]].value for name in (one, other)}
        if numbers[one] == numbers[other]:
            continue
        better, worse = sorted((one, other), key=lambda name: printed.sign * numbers[name])
        first, second = (better, worse) if printed.sign > 0 else (worse, better)
        means = values[better].value, values[worse].value
        holds = printed.sign * means[0] < printed.sign * means[1]
        judged = ordering(values[first], values[second])
        found.append(Pair(better, worse, (numbers[better], numbers[worse]), means, holds, judged))
    return found
