"""The table of everything that a record measured of each model: rows and columns by facts."""

from collections.abc import Callable, Mapping
from typing import Any

from companion.claims.names import data_title, method_title
from companion.plots.tables import over_interval, table

__all__ = ["measures_table"]

WHOLE = "rest-frechet"  # the measure that every model has once


def measures_table(
    record: Any, columns: Mapping[str, dict[str, Any]], *, title: str, more: Callable | None = None
) -> Any:
    """A row for each data set, what is forgotten of it, and method; a column for each kind of value, with intervals.

    Args:
        record: with a value of ``WHOLE`` for each model, whose ``forget`` is all that is forgotten together.
        columns: heading -> the facts of its values; ``decimals`` among them is how they are written. A record that has
            no value of a metric, being older than its measure, has no such column. With ``some`` among them not every
            model has a value, as a bound is of a DDPM alone.
        title: the caption.
        more: (record, facts of the model) -> further cells by heading.
    """
    columns = {head: facts for head, facts in columns.items() if record.all(metric=facts["metric"])}
    models = dict.fromkeys((one.dataset, one.protocol["forget"], one.method) for one in record.all(metric=WHOLE))
    lines = {}
    for dataset, forget, method in models:
        model, cells = {"dataset": dataset, "forget": forget, "method": method}, {}
        for head, facts in columns.items():
            facts = dict(facts)
            decimals, some = facts.pop("decimals", 1), facts.pop("some", False)
            if some and not record.all(**model, **facts):
                cells[head] = ""
                continue
            value = record.find(**model, **facts)
            cells[head] = over_interval(value.value, *(value.interval or (value.value,) * 2), decimals)
        row = f"{data_title(dataset)}<br><small>{forget.replace(',', ' and ')}</small>", method_title(method)
        lines[row] = cells | (more(record, model) if more else {})
    return table(lines, title, size=0.72)
