"""Which of the papers' orderings hold at equal budget: every pair of printed methods, compared with the same pair here.

A printed number depends on its network, data and protocol, and ours differ. But a table's point is an order, which any
bench can test. It is judged only if data set, forgotten classes, process and kind of model are the table's own;
otherwise the pairs are counted, and the verdict is *another protocol*.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from companion.claims.names import PROCESSES, data_title
from companion.claims.printed import load
from companion.claims.verdicts import Verdict, ordering

__all__ = ["PRINTED", "Pair", "Printed", "asked", "other_protocol", "pairs"]


@dataclass(frozen=True, eq=False)
class Printed:
    """A printed row that orders entrants.

    Args:
        where: a description of the row.
        measure: the measure here that it is compared with, a key of :func:`companion.comparison.bench.measure`.
        claims: entrant -> claim's id.
        sign: 1 if the smaller number is better, -1 if the larger is.
        conditional: whether the printed models are conditional; the bench's are not.
    """

    where: str
    measure: str
    claims: Mapping[str, str]
    sign: int = 1
    conditional: bool = False


@dataclass(frozen=True)
class Pair:
    """Two entrants, the first of which is better in the paper, and their measured values."""

    better: str
    worse: str
    printed: tuple[float, float]
    measured: tuple[float, float]
    holds: bool  # whether our means are in the printed order
    verdict: Verdict  # over paired seeds, or "another protocol"


_ERASEDIFF = {"finetune": "finetune", "neggrad": "neggrad", "blindspot": "blindspot", "selective_amnesia": "sa"}
_ERASEDIFF |= {"salun": "salun", "erasediff": "erasediff_noise"}
# SGU trains its Unseen in full, which is the retrained model here, not the entrant with a budget.
_SGU = {"sgu_orthogonal": "sgu_orthogonal", "sgu_obtuse": "sgu_obtuse", "retrained": "unseen"}

#: The printed rows that share at least two entrants with the bench.
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
        conditional=True,
    ),
    Printed(
        "EraseDiff, Table 1, FID, CIFAR-10, airplane",
        "distance",
        {name: f"erasediff.tab1/fid/{column}" for name, column in _ERASEDIFF.items()},
        conditional=True,
    ),
)


def other_protocol(printed: Printed, value: Any) -> str:
    """Say how a printed row's setting differs from that of ``value``; empty if it does not."""
    claim = load()[next(iter(printed.claims.values()))]
    facts = {"dataset": value.dataset} | value.protocol
    words = [
        data_title(claim.dataset) if claim.dataset != facts["dataset"] else "",
        claim.forget.replace(",", " and ") if _classes(claim.forget) != _classes(facts.get("forget", "")) else "",
        PROCESSES[claim.process] if PROCESSES[claim.process] != PROCESSES.get(facts.get("process")) else "",
        "a conditional model" if printed.conditional else "",
    ]
    return ", ".join(filter(None, words))


def _classes(forget: str) -> set[str]:
    return {word.strip() for word in str(forget).split(",")}


def asked(record: Any) -> dict[Printed, list[Pair]]:
    """Return every printed row with its pairs in a record of the comparison, leaving out rows without a pair."""
    found = {row: pairs(row, {value.method: value for value in record.all(metric=row.measure)}) for row in PRINTED}
    return {row: several for row, several in found.items() if several}


def pairs(printed: Printed, values: Mapping[str, Any]) -> list[Pair]:
    """Return every pair of entrants that is both printed and measured, leaving out printed ties.

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
        other = other_protocol(printed, values[better])
        judged = Verdict("another protocol", other) if other else ordering(values[first], values[second])
        found.append(Pair(better, worse, (numbers[better], numbers[worse]), means, holds, judged))
    return found
