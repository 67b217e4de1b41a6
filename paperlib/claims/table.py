"""The comparison table of every page: *paper | recorded | this run*, with intervals and verdicts."""

import html
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from paperlib.claims.printed import Claim, load, metrics, split
from paperlib.claims.verdicts import verdict

if TYPE_CHECKING:
    import pandas

__all__ = ["NOTHING", "StyledTable", "comparison", "number", "reasons", "style"]

NOTHING = "—"


def comparison(
    rows: Sequence[Claim | str],
    *,
    recorded: Any = None,
    this_run: Sequence[Any] = (),
    extra: Mapping[str, Mapping[str, float]] | None = None,
    profile: str,
    labels: Mapping[str, str] | None = None,
    cannot_be: Mapping[str, str] | None = None,
    decimals: int | None = None,
) -> "pandas.DataFrame":
    """Return the comparison, a row for each claim, as text that is ready to read.

    Args:
        rows: claims or ids, of the papers or of the page's own (``ours.<page>/...``), in the table's order.
        recorded: the page's committed record, or None.
        this_run: the values that this run has measured.
        extra: further columns between *paper* and *recorded*, such as ``{"exact": {id: number}}``.
        profile: this run's profile. A ``smoke`` run is never judged: without a record there is no verdict column then.
        labels: other names of rows, by id. Without, a row is called by its claim's row and column.
        cannot_be: the argument, by id, why a printed number cannot be.
        decimals: digits after the point; without, those that the paper prints.

    The verdict judges the recorded value, and this run's where nothing is recorded. What a column stands for, its
    profile and its seeds, is in ``attrs["caption"]``.
    """
    import pandas

    known = load()
    ids = [row.id if isinstance(row, Claim) else row for row in rows]
    old = {value.claim: value for value in recorded.values} if recorded else {}
    new = {value.claim: value for value in this_run}
    table: dict[str, list[str]] = {"paper": [], **{name: [] for name in extra or {}}, "recorded": [], "this run": []}
    verdicts: list[str] = []
    for one in ids:
        claim = known.get(one)
        if claim is None and not one.startswith("ours."):
            raise KeyError(f"{one} is neither a claim of the papers nor one of ours")
        digits = decimals if decimals is not None else metrics()[claim.metric].decimals if claim else 2
        table["paper"].append(number(claim and claim.value, decimals=digits))
        for name, numbers in (extra or {}).items():
            table[name].append(number(numbers.get(one), decimals=digits))
        table["recorded"].append(_cell(old.get(one), digits))
        table["this run"].append(_cell(new.get(one), digits))
        judged = old.get(one) or (None if profile == "smoke" else new.get(one))
        because = (cannot_be or {}).get(one, "")
        verdicts.append(str(verdict(claim, judged, cannot_be=because)) if claim else NOTHING)
    if recorded or profile != "smoke":
        table["verdict"] = verdicts
    frame = pandas.DataFrame(table, index=[(labels or {}).get(one) or _label(one) for one in ids])
    frame.attrs["caption"] = _caption(recorded, this_run, profile, [known[one].unit for one in ids if one in known])
    return frame


def reasons(values: Sequence[Any]) -> str:
    """Markdown, an item for each reason why claims were not run, with the rows that it is of; empty where all were."""
    found: dict[str, dict[str, None]] = {}
    for value in values:
        if not hasattr(value, "value"):
            table, row, _ = split(value.claim)
            found.setdefault(value.reason, {})[f"{table.partition('.')[2]} {row}"] = None
    return "\n".join(f"- *Not run*, {why}: {', '.join(rows)}." for why, rows in found.items())


def number(value: float | None, interval: Sequence[float] | None = None, *, decimals: int = 2) -> str:
    """Format ``10.62 [10.60, 10.64]``; a dash where there is nothing."""
    if value is None:
        return NOTHING
    text = _fixed(value, decimals)
    return text if interval is None else f"{text} [{', '.join(_fixed(end, decimals) for end in interval)}]"


def style(frame: "pandas.DataFrame") -> "StyledTable":
    """Render a comparison for the book: an HTML table that scrolls by itself where a phone is too narrow for it."""
    return StyledTable(frame)


class StyledTable:
    """A comparison that a notebook shows as HTML, and a terminal as text."""

    def __init__(self, frame: "pandas.DataFrame") -> None:
        self.frame = frame

    def __repr__(self) -> str:
        return f"{self.frame.to_string()}\n{self.frame.attrs.get('caption', '')}"

    def _repr_html_(self) -> str:
        columns = [str(column) for column in self.frame.columns]
        head = "".join(f'<th scope="col">{html.escape(column)}</th>' for column in columns)
        lines = []
        for label, cells in zip(self.frame.index, self.frame.itertuples(index=False), strict=True):
            marked = "".join(_td(column, str(cell)) for column, cell in zip(columns, cells, strict=True))
            lines.append(f'<tr><th scope="row">{html.escape(str(label))}</th>{marked}</tr>')
        body = f"<thead><tr><td></td>{head}</tr></thead><tbody>{''.join(lines)}</tbody>"
        caption = html.escape(self.frame.attrs.get("caption", ""))
        table = f'<table class="comparison"><caption>{caption}</caption>{body}</table>'
        return f'<div class="comparison-frame" style="overflow-x: auto" tabindex="0">{table}</div>'


def _td(column: str, text: str) -> str:
    """One cell. The interval is an element of its own, which breaks onto a second line as a whole."""
    value, bracket, rest = text.partition(" [")
    name = f"column-{_slug(column)}" + (f" verdict-{_slug(text)}" if column == "verdict" else "")
    interval = f' <span class="interval" style="white-space: nowrap">[{html.escape(rest)}</span>' if bracket else ""
    return f'<td class="{name}">{html.escape(value)}{interval}</td>'


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _cell(value: Any, decimals: int) -> str:
    if value is None:
        return NOTHING
    return number(value.value, value.ci95, decimals=decimals) if hasattr(value, "value") else "not run"


def _label(claim: str) -> str:
    _, row, column = split(claim)
    return f"{row}, {column}"


def _fixed(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    return text.removeprefix("-") if float(text) == 0 else text  # no "-0.00"


def _caption(recorded: Any, this_run: Sequence[Any], profile: str, units: Sequence[str]) -> str:
    parts = [f"In {units[0]}."] if len(set(units)) == 1 else []
    old = f"Recorded: profile {recorded.profile}, {_seeds(recorded.values)}." if recorded else "Nothing recorded."
    parts.append(old)
    parts.append(f"This run: profile {profile}, {_seeds(this_run)}.")
    values = [*(recorded.values if recorded else ()), *this_run]
    if any(getattr(value, "ci95", None) for value in values):
        parts.append("In brackets: 95 % interval of the mean over seeds.")
    return " ".join(parts)


def _seeds(values: Sequence[Any]) -> str:
    seeds = sorted({seed for value in values for seed in getattr(value, "seeds", ())})
    if not seeds:
        return "nothing measured"
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(str(seed) for seed in seeds)}"
