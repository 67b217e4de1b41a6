"""The table of everything that a record measured of each model: rows and columns by facts."""

from collections.abc import Callable, Mapping
from typing import Any

from companion.claims.names import data_title, method_title
from companion.plots.tables import over_interval, table

__all__ = ["measures_table"]


def measures_table(
    record: Any, columns: Mapping[str, dict[str, Any]], *, title: str, more: Callable | None = None
) -> Any:
    """A row for each data set and method of the record, a column for each kind of value, with 95 % intervals.

    Args:
        record: values with ``dataset``, ``method`` and facts.
        columns: heading -> the facts of its values; ``decimals`` among them is how they are written.
        title: the caption.
        more: (record, dataset, method) -> further cells by heading.
    """
    models = dict.fromkeys((value.dataset, value.method) for value in record.all())
    lines = {}
    for dataset, method in models:
        cells = {}
        for head, facts in columns.items():
            facts = dict(facts)
            decimals = facts.pop("decimals", 1)
            # the last one: of what is forgotten together
            for value in record.all(dataset=dataset, method=method, **facts)[-1:]:
                cells[head] = over_interval(value.value, *(value.interval or (value.value,) * 2), decimals)
        lines[data_title(dataset), method_title(method)] = cells | (more(record, dataset, method) if more else {})
    return table(lines, title, size=0.72)
