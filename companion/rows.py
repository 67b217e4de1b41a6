"""Measured rows: what a measure yields, and how the rows of several seeds become the values of a record.

A row is one number for one seed with its facts: data set, process, method and every setting of the model, metric,
forgotten classes, test side and protocol of the measure. Facts come from what actually ran. Rows that agree in all
facts but the seed become one value of the record; its id follows from the facts (:func:`companion.claims.join`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from companion import claims
from companion.records import RecordError, Value, measured, plain
from companion.units import SHARES

__all__ = ["Row", "gather", "row"]

#: The facts that name one of our rows, in this order; the last two become the row and the column.
NAMING = ("dataset", "process", "forget", "test", "gamma", "variant", "method", "metric")


@dataclass(frozen=True)
class Row:
    """One number for one seed.

    Args:
        value: the number, in the metric's unit.
        metric: a name in ``claims/metrics.yaml``.
        n: the number of samples, images or points behind it.
        seed: the seed of what varies between runs.
        interval: the 95 % interval over the ``n``; None if there is none.
        unit: the unit, if not the metric's usual one.
        facts: everything else, by name.
    """

    value: float
    metric: str
    n: int
    seed: int = 0
    interval: tuple[float, float] | None = None
    unit: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


def row(value: float, *, metric: str, n: int, seed: int = 0, interval=None, unit: str = "", **facts: Any) -> Row:
    """Return a row, with its facts as keywords; a record's value needs ``dataset`` and ``method``."""
    ends = None if interval is None else tuple(map(float, interval))
    return Row(float(value), metric, n, seed, ends, unit, plain(facts))


def gather(rows: Iterable[Row], page: str, tables: Sequence[str] = (), by: Sequence[str] = ()) -> list[Value]:
    """Return the record's values, one for all rows that agree in every fact but the seed, in the order of first rows.

    Args:
        rows: the rows of all seeds.
        page: the page whose record it is.
        tables: the papers' tables that the page reproduces, such as ``"sgu.tab2_ur"``. A value with all the facts of a
            printed cell gets that cell's id.
        by: facts that distinguish our own rows where ``companion.rows.NAMING`` does not.
    """
    groups: dict[str, list[Row]] = {}
    for one in rows:
        groups.setdefault(repr((one.metric, one.unit, sorted(one.facts.items(), key=str))), []).append(one)
    values, taken = [], {}
    for several in groups.values():
        first = several[0]
        unit, ns = first.unit or claims.metrics()[first.metric].unit, [one.n for one in several]
        if len(set(ns)) > 1 and unit in SHARES:
            raise RecordError(f"{_said(first)}: its seeds rest on different numbers of samples")
        facts = {name: value for name, value in first.facts.items() if name not in ("dataset", "method")}
        intervals = [list(one.interval) for one in several if one.interval]
        known = {"metric": first.metric} | facts | ({"ci95_images": intervals} if intervals else {})
        known |= {"n_per_seed": ns} if len(set(ns)) > 1 else {}  # the number of samples that do not show D_f varies
        own = {"dataset": first.facts.get("dataset", ""), "method": first.facts.get("method", "")}
        ident = claims.join({**known, **own, "unit": unit}, tables) or _own(page, {**known, **own}, by)
        if ident in taken:
            raise RecordError(f"{ident} is the id of two rows, {taken[ident]} and {_said(first)}: name a fact in `by`")
        taken[ident] = _said(first)
        seeds, per_seed = [one.seed for one in several], [one.value for one in several]
        values.append(measured(ident, per_seed, seeds=seeds, unit=unit, n=min(ns), **own, protocol=known))
    return values


def _own(page: str, facts: dict[str, Any], by: Sequence[str]) -> str:
    names = [*NAMING[:-2], *(name for name in by if name not in NAMING), *NAMING[-2:]]
    words = [str(facts[name]).replace("/", " ").replace(",", "+") for name in names if facts.get(name, "") != ""]
    if len(words) < 2:
        words = ["all", *words]
    return f"ours.{page}/" + "/".join(word.replace(" ", "_") for word in words)


def _said(one: Row) -> str:
    return f"{one.metric} of {one.facts.get('method', 'nothing')} on {one.facts.get('dataset', 'no data')}"
