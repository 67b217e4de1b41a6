"""The table of everything that a record measured for each model, with rows and columns chosen by facts."""

from collections.abc import Callable, Mapping
from typing import Any

from companion.claims.names import data_title, method_title
from companion.plots.tables import of, over_interval, table
from paperlib.metrics.rule import verdict

__all__ = ["measures_table", "ruled"]

WHOLE = "rest-frechet"  # every model has this measure once


def measures_table(
    record: Any, columns: Mapping[str, dict[str, Any]], *, title: str, more: Callable | None = None
) -> Any:
    """Return a table with one row for each data set, forgotten classes and method; one column for each kind of value,
    with intervals.

    Args:
        record: has a value of ``WHOLE`` for each model, whose ``forget`` is everything that is forgotten together.
        columns: heading -> the facts of its values. ``decimals`` sets how they are written; ``some`` means that not
            every model has a value, as only a DDPM has a bound. A record older than a measure has no column for it.
        title: the caption.
        more: (record, facts of the model) -> further cells by heading.
    """
    columns = {head: facts for head, facts in columns.items() if record.all(metric=facts["metric"])}
    whole = record.all(metric=WHOLE)
    several = {
        one.dataset: len({other.protocol.get("process") for other in record.all(dataset=one.dataset)}) > 1
        for one in whole
    }
    models = dict.fromkeys(
        (one.dataset, one.protocol["forget"], one.protocol.get("process"), one.method) for one in whole
    )
    # A method that joined the record later stands with the others of its data set and process.
    groups = list(dict.fromkeys(model[:3] for model in models))
    lines = {}
    for dataset, forget, process, method in sorted(models, key=lambda model: groups.index(model[:3])):
        model, cells = {"dataset": dataset, "forget": forget, "method": method}, {}
        model |= {"process": process} if several[dataset] else {}
        for head, facts in columns.items():
            facts = dict(facts)
            decimals, some = facts.pop("decimals", 1), facts.pop("some", False)
            if some and not record.all(**model, **facts):
                cells[head] = ""
                continue
            value = record.find(**model, **facts)
            cells[head] = over_interval(value.value, *(value.interval or (value.value,) * 2), decimals)
        face = process.upper() if several[dataset] else ""
        row = of(data_title(dataset), forget, face), method_title(method)
        lines[row] = cells | (more(record, model) if more else {})
    return table(lines, title, size=0.72)


def ruled(record: Any, model: dict[str, Any]) -> dict[str, str]:
    """The floor of a model's UR, and what the book's rule says about it, as cells of :func:`measures_table`."""
    before = model | {"method": "standard"}
    now, start = (
        {
            "ur": record.find(metric="ur", **one).value,
            "distance": record.find(metric="rest-frechet", **one).value,
        }
        for one in (model, before)
    )
    said = "" if model == before else verdict(now["ur"], now["distance"], start)
    floor = record.find(metric="ur", **model).protocol["floor"]
    return {"floor, %": f"{floor:.1f}", "rule": said}
