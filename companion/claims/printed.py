"""The papers' printed numbers: one claim for each cell of a table.

A claim's id is ``<paper>.<table>/<row>/<column>``, split at the first and the last slash. The YAML files beside this
module contain the values as printed; what a cell is about (data set, process, forgotten class, method, metric) is
parsed from the names of its row and column.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pydantic
import yaml

__all__ = ["KEYS", "Claim", "Metric", "join", "load", "matches", "metrics", "rivals", "split", "tolerance"]

FOLDER = Path(__file__).parent
PAPERS = ("sgu", "vdu", "erasediff")
# What a cell is about: a value belongs to the cell only if all of these agree.
KEYS = ("dataset", "process", "forget", "method", "metric", "unit", "test", "gamma")


class Metric(pydantic.BaseModel, frozen=True, extra="forbid"):
    """How a metric is printed and judged."""

    label: str
    unit: str
    better: Literal["up", "down", "none"]
    decimals: int
    tolerance: float | None  # the largest half-width of what counts as the same; None: no verdict
    because: str  # the tolerance's reason
    compared: Literal["number", "differences"] = (
        "number"  # what another network's result can be compared in: the number, or only steps and orders
    )
    forgetting: bool = False  # judged together with its cost


class Claim(pydantic.BaseModel, frozen=True, extra="forbid"):
    """One printed number and what it is about."""

    id: str
    title: str  # of its table
    source: str  # where it is in the paper
    value: float
    metric: str
    unit: str
    better: Literal["up", "down", "none"]
    dataset: str
    process: str  # vesde, vpsde, ddpm, or sd14: Stable Diffusion v1.4
    forget: str = ""  # the forgotten class, or several separated by commas; empty: nothing was forgotten
    method: str
    test: str = ""  # D_g or D_f, if the number is about data from one of them: the tables' column "Test"
    gamma: str = ""  # VDU's sweep
    decimals: int = 2  # as printed
    cannot_be: str = ""  # why no measurement can give the number
    unprinted: str = ""  # a setting that determines the number but is not printed in the paper

    @property
    def row(self) -> str:
        """The row's name, which may contain slashes."""
        return split(self.id)[1]

    @property
    def column(self) -> str:
        """The column's name."""
        return split(self.id)[2]


@cache
def metrics() -> dict[str, Metric]:
    """Return every metric by its name."""
    return {name: Metric(**facts) for name, facts in _read("metrics").items()}


@cache
def load() -> dict[str, Claim]:
    """Return every printed number of the three papers by its id, in the order of the papers' tables."""
    claims = {}
    for paper in PAPERS:
        for table, facts in _read(paper).items():
            for row, values in facts["rows"].items():
                for column, value in zip(facts["columns"], values, strict=True):
                    if value is not None:  # None: the paper prints nothing there
                        claim = _claim(f"{paper}.{table}", facts, row, column, value)
                        claims[claim.id] = claim
    return claims


def rivals(claim: Claim) -> list[Claim]:
    """Return the cells of the same table that print the same quantity for another method or another gamma."""
    keys = [key for key in KEYS if key not in ("method", "gamma")]
    same = [one for one in load().values() if split(one.id)[0] == split(claim.id)[0] and one.id != claim.id]
    return [one for one in same if all(getattr(one, key) == getattr(claim, key) for key in keys)]


def tolerance(claim: Claim) -> float | None:
    """Return the half-width of what counts as the printed number, or None if there is no verdict. It is the metric's,
    but at most half the distance to the nearest different number among its rivals, so that no value reproduces two
    cells that differ in the paper, and at least half a unit of the last printed digit."""
    widest = metrics()[claim.metric].tolerance
    gaps = [abs(one.value - claim.value) for one in rivals(claim) if one.value != claim.value]
    return widest and round(max(min([widest, *(gap / 2 for gap in gaps)]), 0.5 * 10**-claim.decimals), 9)


def join(facts: Mapping[str, Any], tables: Sequence[str] = ()) -> str:
    """Return the id of the printed cell that a value with these facts belongs to; empty if none agrees in all ``KEYS``.

    Only cells of ``tables``, such as ``"sgu.tab2_ur"``, count: several papers' tables may print the same quantity.
    """
    found = [claim.id for claim in load().values() if split(claim.id)[0] in tables and not matches(claim, facts)]
    if len(found) > 1:
        raise ValueError(f"{', '.join(found)} are about the same thing: tables={list(tables)!r} does not decide")
    return found[0] if found else ""


def matches(claim: Claim, facts: Mapping[str, Any]) -> str:
    """Describe the first of a claim's ``KEYS`` in which a value's facts differ; empty if all agree."""
    for key in KEYS:
        ours, printed = (_normal(key, value) for value in (facts.get(key, ""), getattr(claim, key)))
        if ours != printed and (printed or key == "forget"):  # what a cell does not specify may be anything
            return f"{key} {printed!r}, this value about {ours!r}"
    return ""


def _normal(key: str, value: Any) -> str:
    """Normalise a fact for comparison: classes in any order, a process by either name, gamma as a number."""
    if key == "forget":
        return ",".join(sorted(part.strip() for part in str(value).split(",")))
    if key == "process":
        return {"ve": "vesde", "vp": "vpsde"}.get(str(value), str(value))
    if key == "gamma" and value != "":
        return f"{float(value):g}"
    return str(value)


def split(claim: str) -> tuple[str, str, str]:
    """Split an id at its first and its last slash: table, row, column."""
    table, _, rest = claim.partition("/")
    row, _, column = rest.rpartition("/")
    if not (table and row and column):
        raise ValueError(f"claim={claim!r} is not of the form table/row/column")
    return table, row, column


def _claim(table: str, facts: dict[str, Any], row: str, column: str, value: float) -> Claim:
    known = _named(facts["row_is"], row) | _named(facts["column_is"], column) | facts.get("all", {})
    for word in [*known.values()]:
        known |= facts.get("word", {}).get(word, {})
    metric = metrics()[known["metric"]]
    known.setdefault("unit", metric.unit)
    known.setdefault("better", metric.better)
    known.setdefault("decimals", metric.decimals)
    known["cannot_be"] = facts.get("cannot_be", {}).get(f"{row}/{column}", "")
    known["forget"] = known.get("forget", "").replace("+", ",")
    return Claim(id=f"{table}/{row}/{column}", title=facts["title"], source=facts["source"], value=value, **known)


def _named(pattern: str, name: str) -> dict[str, str]:
    """Parse ``mnist/vesde/3`` by ``dataset/process/forget``, ``sa_pul`` by ``method_metric``."""
    mark = "_" if "_" in pattern else "/"
    keys = pattern.split(mark)
    return dict(zip(keys, name.rsplit(mark, len(keys) - 1), strict=True))


def _read(name: str) -> dict[str, Any]:
    return yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
