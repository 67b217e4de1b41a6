"""What a page says: its box and its sentences, with numbers from a record and the conditions under which they are true.

Text and conditions are given, or read by a function of the record. A function runs only where there is a record, and a
run goes on without what its function did not find there. A published page does not: that is an error.
"""

from collections.abc import Callable, Mapping
from typing import Any

from companion.records import Record

__all__ = ["Markdown", "Reading", "Untrue", "box", "boxed", "bullets"]

NOTHING = "Nothing is recorded yet."
HEAD = ":::{admonition} At a glance\n:class: tip verdict\n\n"
Reading = Callable[[Record], Mapping[str, Any]]  # what is said by name, and the conditions as ``holds``


class Markdown(str):
    """Text that a notebook renders."""

    def _repr_markdown_(self) -> str:
        return str(self)


class Untrue(AssertionError):
    """Raised when a page's record no longer supports one of its sentences."""


def box(page: str, record: Record | None, claim: str, said: Mapping[str, Any], *, published: bool) -> Markdown:
    """Return a page's box. ``said`` has ``found``, text or a ``Reading``, ``verdict``, ``rests``, ``holds`` and,
    if the record is not up to date, a ``note``, which stands below the box: the box fits on a screen."""
    read, lacking = ({}, NOTHING) if record is None else _read(said["found"], record, published)
    said = {**said, **read} | ({"found": lacking, "verdict": "open", "rests": ""} if lacking else {})
    if not (lacking or all(said["holds"])):
        raise Untrue(f"{page}: the record no longer bears out what the page's box says: {said['found']}")
    rests = " ".join(filter(None, [record.title + "." if record else "", said["rests"]]))
    lines = {"The claim": claim, "What we found": said["found"], "Verdict": said["verdict"], "Based on": rests}
    text = "\n\n".join(f"**{name}.** {words}" for name, words in lines.items() if words)
    note = f"\n\n**Note.** {said['note']}" if said.get("note") else ""
    return Markdown(f"{HEAD}{text}\n:::{note}")


def boxed(text: str) -> dict[str, str]:
    """Return what a page's box and its note say, by the names of their lines; nothing if the text is not a box."""
    if not text.startswith(HEAD):
        return {}
    lines = text.removeprefix(HEAD).replace("\n:::", "").split("\n\n**")
    return {name: words for name, _, words in (line.removeprefix("**").partition(".** ") for line in lines)}


def bullets(page: str, result: Record, said: Mapping[str, Any], *, strict: bool, published: bool) -> Markdown:
    """Return a page's sentences as a list. ``said`` has ``sentences``, texts or one ``Reading``, and ``holds``;
    if ``strict``, a condition that is not true is an error."""
    sentences = tuple(said["sentences"])
    read, lacking = _read(sentences[0] if len(sentences) == 1 else None, result, published)
    if lacking:
        return Markdown(lacking)
    said = {**said, **read}
    broken = [number for number, true in enumerate(said["holds"], 1) if not true]
    if broken and strict:
        raise Untrue(f"{page}: condition {broken[0]} of {len(said['sentences'])} sentences no longer holds")
    return Markdown("" if broken else "\n".join(f"- {text}" for text in said["sentences"]))


def _read(of: Any, record: Record, published: bool) -> tuple[Mapping[str, Any], str]:
    """Return what a function reads from a record, nothing for what is no function; or why it cannot: a row or series is
    not there."""
    if not callable(of):
        return {}, ""
    try:
        return of(record), ""
    except (LookupError, ValueError) as error:  # also the least of none
        if published:
            raise
        return {}, f"Not recorded yet: {error.args[0] if error.args else error}."
