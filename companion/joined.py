"""Join a run on some of a page's data sets, or of some of its measures or methods, with the page's record, which keeps
the rest and its provenance.

A data set with another process counts as another one. The provenance of what an earlier run measured is the record's
series ``earlier``, by data set, with its process where the new run has the same data set; or by the measures or methods
that were added to it.
"""

from companion import claims
from companion.claims.names import PROCESSES
from companion.records import NotRun, Record, RecordError, Value, plain

__all__ = ["joined"]

FREE = ("dataset", "seeds", "measures", "methods")  # in which a part of a page may differ from its record
CLASSES = ("forget",)  # also free where the rest of the record stays: a run of some measures or methods


def joined(now: Record, before: Record) -> Record:
    """Return a record with the values of ``now`` and, for the data sets that ``now`` lacks, those of ``before``; if
    ``now`` has some ``measures`` alone, or other ``methods`` than ``before``, all that ``now`` did not measure.

    A series whose parts are named after rows is joined part by part. What was not run is that of ``now`` for its own
    data sets. Raises a :class:`~companion.records.RecordError` if the two differ in profile or in another parameter.
    """
    known, part = before.series.get("earlier", {}), now.parameters.get("measures")
    if now.parameters.get("methods", "") != before.parameters.get("methods", ""):
        part = part or now.parameters["methods"]
    free = FREE + CLASSES if part else FREE
    names = [name for name in now.parameters | before.parameters if name not in free]
    differs = [name for name in names if now.parameters.get(name) != before.parameters.get(name)]
    if differs or now.profile != before.profile:
        raise RecordError(f"the record to join differs in {', '.join(differs) or 'its profile'}")
    if part:
        found = {one.claim for one in now.values if isinstance(one, Value)}
        kept = [one for one in before.values if one.claim not in found]
        of = now.parameters.get("dataset")
        added = f"before {part}" + (f" of {of}" if of else "")
        times = sum(name.partition(", ")[0] == added for name in known)  # other methods, by the same measures
        earlier = known | {f"{added}, {times + 1}" if times else added: plain(before.provenance)}
    else:
        own = {_subject(one) for one in now.values if isinstance(one, Value)}
        measured = {name for name, _ in own}
        others = dict.fromkeys(_subject(one) for one in before.values if isinstance(one, Value))
        others = [one for one in others if one not in own]
        kept = [one for one in before.values if _subject(one) in others or _subject(one)[0] not in measured]
        # Of a run to which measures or methods were added, its own: the earliest.
        runs = [plain(before.provenance), *(one for name, one in known.items() if name.startswith("before "))]
        first, earlier = min(runs, key=lambda one: one["date"]), {}
        for name, process in others:
            own_name = f"{name}, {process}" if name in measured else name
            earlier[own_name] = known.get(own_name, known.get(name, first))
    have = {one.claim for one in kept}
    values = kept + [one for one in now.values if one.claim not in have]
    told = {
        "parameters": now.parameters
        | {name: before.parameters.get(name, "") for name in free if name in now.parameters},
        "values": values,
        "series": before.series
        | {name: _parts(before.series.get(name), one) for name, one in now.series.items()}
        | {"earlier": earlier},
        "images": [*dict.fromkeys([*before.images, *now.images])],
    }
    return Record.checked(**{name: getattr(now, name) for name in ("page", "profile", "provenance")} | told)


def _subject(one: Value | NotRun) -> tuple[str, str]:
    """Return data set and process; a page's own cell that was not run has neither."""
    claim = claims.load().get(one.claim)
    found = (one.dataset, one.protocol.get("process", "")) if isinstance(one, Value) else ("", "")
    name, process = (claim.dataset, claim.process) if isinstance(one, NotRun) and claim else found
    return name, PROCESSES.get(process, process)


def _parts(before: object, now: object) -> object:
    return before | now if isinstance(before, dict) and isinstance(now, dict) else now
