"""The comparison table of every page: printed beside measured values, with tolerance and verdict."""

import html
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from companion.claims.judge import judge
from companion.claims.names import PROCESSES, data_title, method_title
from companion.claims.printed import Claim, load, metrics, split, tolerance
from companion.units import sources

if TYPE_CHECKING:
    import pandas

__all__ = ["NOTHING", "StyledTable", "comparison", "label", "number", "reasons", "style"]

NOTHING = "—"


def comparison(
    rows: Sequence[str],
    record: Any,
    *,
    title: str = "",
    extra: Mapping[str, Mapping[str, float]] | None = None,
    labels: Mapping[str, str] | None = None,
    decimals: int | None = None,
) -> "pandas.DataFrame":
    """Return the comparison, one row for each measured cell, as formatted text.

    Args:
        rows: tables of the papers (``"sgu.tab2_ur"`` stands for all its cells), or ids, including the page's own, in
            the order of the rows.
        record: what was measured.
        title: data, seeds and profile of the record; becomes the caption.
        extra: further columns after *paper*, such as ``{"exact": {id: number}}``.
        labels: row names by id. The default names data set, process, forgotten classes and method.
        decimals: digits after the point; by default as many as the paper prints.

    Cells that were not run have no row: ``attrs["not_run"]`` has a sentence for each reason, ``attrs["because"]`` the
    reason for each row's verdict (:func:`companion.claims.judge.judge`). A ``smoke`` record is never judged.
    """
    import pandas

    known, values = load(), {value.claim: value for value in record.values}
    ids = [name for row in rows for name in (_cells(row, known) or [row])]
    shown = [one for one in ids if hasattr(values.get(one), "value") or (one in known and known[one].cannot_be)]
    table: dict[str, list[str]] = {"metric": [], "paper": [], **{name: [] for name in extra or {}}, "measured": []}
    table |= {"tolerance": [], "verdict": []}
    because: list[str] = []
    for one in shown:
        claim, value = known.get(one), values.get(one)
        if claim is None and not one.startswith("ours."):
            raise KeyError(f"{one} is neither a claim of the papers nor one of ours")
        metric = metrics().get(claim.metric if claim else value.protocol.get("metric", ""))
        digits = decimals if decimals is not None else metric.decimals if metric else 2
        unit = claim.unit if claim else value.unit
        table["metric"].append(f"{metric.label if metric else value.protocol.get('metric', '')}, {unit}")
        table["paper"].append(number(claim and claim.value, decimals=digits))
        for name, numbers in (extra or {}).items():
            table[name].append(number(numbers.get(one), decimals=digits))
        table["measured"].append(_cell(value, digits))
        within = tolerance(claim) if claim else None
        table["tolerance"].append(NOTHING if within is None else f"± {within:g}")
        judged = claim and (record.profile != "smoke" or claim.cannot_be)
        made = judge(claim, record, value) if judged else None
        table["verdict"].append(str(made or NOTHING))
        because.append(made.because if made else "")
    if len(set(table["metric"])) == 1:
        del table["metric"]
    frame = pandas.DataFrame(table, index=[(labels or {}).get(one) or _label(one, known, values) for one in shown])
    missing = [values[one] for one in ids if one in values and not hasattr(values[one], "value")]
    units = {known[one].unit for one in shown if one in known}
    frame.attrs["caption"] = " ".join(
        filter(None, [title and f"{title}.", f"In {min(units)}." if len(units) == 1 else ""])
    )
    held = sources([values[one] for one in shown if one in values])
    frame.attrs["caption"] += f" {held}" if held else ""
    frame.attrs["not_run"], frame.attrs["because"] = reasons(missing), because
    return frame


def _cells(table: str, known: Mapping[str, Claim]) -> list[str]:
    """Return the ids of a whole table of the papers; empty if there is no such table."""
    return [name for name in known if split(name)[0] == table]


def reasons(values: Sequence[Any]) -> list[str]:
    """Return a sentence for each reason why cells were not run, with their data sets and their number."""
    found: dict[str, list[Claim]] = {}
    for value in values:
        if not hasattr(value, "value"):
            found.setdefault(value.reason, []).append(load().get(value.claim))
    said = []
    for why, cells in found.items():
        data = ", ".join(dict.fromkeys(data_title(cell.dataset) for cell in cells if cell))
        said.append(f"Not run ({data + ', ' if data else ''}{len(cells)} cell{'s' * (len(cells) > 1)}): {why}.")
    return said


def number(value: float | None, interval: Sequence[float] | None = None, *, decimals: int = 2) -> str:
    """Format ``10.62 [10.60, 10.64]``; a dash if there is no value."""
    if value is None:
        return NOTHING
    text = _fixed(value, decimals)
    return text if interval is None else f"{text} [{', '.join(_fixed(end, decimals) for end in interval)}]"


def style(frame: "pandas.DataFrame") -> "StyledTable":
    """Render a comparison for the book: an HTML table that scrolls on its own where a phone is too narrow."""
    return StyledTable(frame)


class StyledTable:
    """A comparison that is HTML in a notebook and text in a terminal."""

    def __init__(self, frame: "pandas.DataFrame") -> None:
        self.frame = frame

    def __repr__(self) -> str:
        return "\n".join(
            [self.frame.to_string(), self.frame.attrs.get("caption", ""), *self.frame.attrs.get("not_run", [])]
        )

    def _repr_html_(self) -> str:
        columns = [str(column) for column in self.frame.columns]
        head = "".join(f'<th scope="col">{html.escape(column)}</th>' for column in columns)
        lines = []
        because = self.frame.attrs.get("because", [""] * len(self.frame))
        for label, cells, why in zip(self.frame.index, self.frame.itertuples(index=False), because, strict=True):
            marked = "".join(_td(column, str(cell), why) for column, cell in zip(columns, cells, strict=True))
            lines.append(f'<tr><th scope="row">{html.escape(str(label))}</th>{marked}</tr>')
        body = f"<thead><tr><td></td>{head}</tr></thead><tbody>{''.join(lines)}</tbody>"
        caption = html.escape(self.frame.attrs.get("caption", ""))
        table = f'<table class="comparison"><caption>{caption}</caption>{body}</table>'
        below = "".join(f'<p class="not-run">{html.escape(line)}</p>' for line in self.frame.attrs.get("not_run", []))
        if not lines:  # nothing was run: show only the reasons
            return below
        return f'<div class="comparison-frame" style="overflow-x: auto" tabindex="0">{table}</div>{below}'


def _td(column: str, text: str, because: str = "") -> str:
    """Return one cell as HTML. The interval is an element of its own, so that it wraps to a second line as a whole; a
    verdict's reason is below the verdict."""
    value, bracket, rest = text.partition(" [")
    name = f"column-{_slug(column)}" + (f" verdict-{_slug(text)}" if column == "verdict" else "")
    interval = f' <span class="interval" style="white-space: nowrap">[{html.escape(rest)}</span>' if bracket else ""
    why = f"<br><small>{html.escape(because)}</small>" if because and column == "verdict" else ""
    return f'<td class="{name}">{html.escape(value)}{interval}{why}</td>'


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _cell(value: Any, decimals: int) -> str:
    if not hasattr(value, "value"):
        return NOTHING if value is None else "not run"
    return number(value.value, value.interval, decimals=decimals)


def _label(one: str, known: Mapping[str, Claim], values: Mapping[str, Any]) -> str:
    if claim := known.get(one):
        return label(claim)
    value = values[one]
    return _said(value.protocol | {"dataset": value.dataset, "method": value.method})


def label(claim: Claim) -> str:
    """Describe a printed cell by data set, process, test side, gamma, forgotten classes and method."""
    return _said(claim.model_dump())


def _said(facts: Mapping[str, Any]) -> str:
    data, process = data_title(facts.get("dataset", "")), PROCESSES.get(str(facts.get("process", "")), "")
    forget, side, gamma = (str(facts.get(key, "")) for key in ("forget", "test", "gamma"))
    where = f"{data} ({process})" if process else data
    parts = [where, forget.replace(",", " and "), side, f"gamma {gamma}" if gamma else ""]
    return ", ".join(filter(None, [*parts, method_title(facts["method"])]))


def _fixed(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    return text.removeprefix("-") if float(text) == 0 else text  # no "-0.00"
