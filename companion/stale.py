"""Which numbers of a record were measured on an earlier model than today's.

A run's provenance names the checkpoints that it used, with the beginning of each one's sha256. A number is stale if a
checkpoint of its data set has another sha256 today, or is gone. Records whose provenance names no checkpoints, made
before it did, are judged by dates: a number is stale if the card of a base model that it names has a later one. What a
card says beside the weights, and when, does not matter: its date is that of the weights.
"""

from collections.abc import Iterator
from typing import Any

from companion import bases, checkpoints
from companion.bases import BASES
from companion.claims.names import PROCESSES, data_title
from companion.records import Provenance, Record, Value

__all__ = ["changed", "data_sets", "note"]

ALSO = {"captioned": "shapes"}  # data sets whose images another set's classifier judges


def changed(record: Record, value: Value) -> list[str]:
    """Return the names of the checkpoints that were others when the value was measured; none if it is up to date."""
    found = {}
    for source in _sources(record, value):
        found |= dict.fromkeys(_others(source, value) if source.checkpoints else _later(source, value))
    here = record.profile != "paper"  # the models of the papers' size are not in every checkout
    return [name for name in found if here or _card(name)]


def data_sets(record: Record) -> list[str]:
    """Return the data sets with a value that was measured on an earlier model."""
    return list(dict.fromkeys(value.dataset for value in record.all() if changed(record, value)))


def note(record: Record) -> str:
    """Return the sentence that a page says about its record; empty if that is up to date."""
    if not (names := " and ".join(map(data_title, data_sets(record)))):
        return ""
    return f"The numbers of {names} were measured on an earlier model than today's, and will be measured again."


def _sources(record: Record, value: Value) -> Iterator[Provenance]:
    """Yield the provenance of every run that may have measured the value: all but those of other data sets alone."""
    process = value.protocol.get("process", "")
    own = (value.dataset, f"{value.dataset}, {PROCESSES.get(process, process)}")
    yield record.provenance
    for name, source in record.series.get("earlier", {}).items():
        if name in own or name.startswith("before "):
            yield Provenance(**source)


def _others(source: Provenance, value: Value) -> Iterator[str]:
    for name, sha256 in source.checkpoints.items():
        if _data_set(name) in (value.dataset, ALSO.get(value.dataset)):
            if (card := _card(name)) is None or not card["sha256"].startswith(sha256):
                yield name


def _later(source: Provenance, value: Value) -> Iterator[str]:
    usual = f"{value.dataset}-{value.protocol.get('process')}"
    named = [value.protocol[key] for key in ("base", "checkpoint") if key in value.protocol]
    for name in named or [usual] * (usual in BASES):
        if (card := _card(name)) is None or card.get("date", "") > source.date:  # both ISO 8601, in UTC
            yield name


def _card(name: str) -> dict[str, Any] | None:
    """Return the card of a checkpoint; of a base model's network, whichever it is today."""
    return bases.card(name) if name in BASES else checkpoints.card(name, checkpoints.FOLDER)


def _data_set(name: str) -> str:
    if name in BASES:
        return BASES[name].dataset
    return name.removeprefix("noisy-").removeprefix("classifier-").partition("-")[0]  # also "captioned-vp"
