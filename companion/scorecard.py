"""The scorecard: every printed number of the three papers with its verdict, from the claims and ``results/`` alone.

The book's home page has a summary with a row for each table and figure; the page *Scorecard* has every number with the
reason for its verdict, its page and record, and the command that makes the record again. Both are generated when the
book is built, so a new record updates them without further edits.
"""

import html
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

from companion import stale
from companion.claims import Claim, load, metrics
from companion.claims.judge import judge
from companion.claims.table import NOTHING, label, number
from companion.claims.verdicts import WORDS, Verdict
from companion.code import CHECKOUT
from companion.parameters import defaults
from companion.reach import reached
from companion.records import Record

__all__ = ["Cell", "cells", "command", "scorecard_page", "summary_table"]

RESULTS = CHECKOUT / "results"
FIGURES = CHECKOUT / "companion" / "claims" / "figures.yaml"
PAPERS = {"sgu": "SGU", "vdu": "VDU", "erasediff": "EraseDiff"}


@dataclass(frozen=True)
class Cell:
    """A printed number, what was measured, and the verdict."""

    claim: Claim
    verdict: Verdict
    value: Any = None  # the record's value; None where it was not run
    record: Record | None = None  # the record that mentions it, even if only as not run

    @property
    def paper(self) -> str:
        """The paper's short name."""
        return self.claim.id.partition(".")[0]

    @cached_property
    def stale(self) -> bool:
        """Whether it was measured on an earlier model than today's."""
        return self.value is not None and bool(stale.changed(self.record, self.value))


def records(folder: Path = RESULTS) -> list[Record]:
    """Return every page's record; ``paper``'s if a page also has ``laptop``'s."""
    found: dict[str, Record] = {}
    for profile in ("paper", "laptop"):
        for file in sorted((folder / profile).glob("*.json")):
            found.setdefault(file.stem, Record.read(file))
    return list(found.values())


def cells(folder: Path = RESULTS) -> list[Cell]:
    """Return every printed number, in the papers' order."""
    told: dict[str, tuple[Any, Record]] = {}
    for record in records(folder):
        for value in record.values:
            if value.claim in load() and (value.claim not in told or hasattr(value, "value")):
                told[value.claim] = (value, record)
    found = []
    for claim in load().values():
        value, record = told.get(claim.id, (None, None))
        measured = value if hasattr(value, "value") else None
        found.append(Cell(claim, judge(claim, record, value), measured, record))
    return found


def command(record: Record) -> str:
    """Return the command that makes the record again, with every parameter that differs from the page's default."""
    own = defaults(record.page)
    seeds = sorted({seed for value in record.values if hasattr(value, "value") for seed in value.seeds})
    parameters = record.parameters | ({"seeds": ",".join(map(str, seeds))} if "seeds" in own else {})
    other = {name: value for name, value in parameters.items() if name in own and value != own[name]}
    settings = " ".join(f"-p {name} {value}" for name, value in other.items())
    return f"make page PAGE={record.page} PROFILE={record.profile}" + (f' ARGS="{settings}"' if settings else "")


def summary_table(every: Sequence[Cell]) -> str:
    """Return an HTML table: for each table and figure, how many of its printed numbers have which verdict; and which of
    them were measured on an earlier model than today's, if any."""
    rows, ways = [], reached()
    for paper, title in PAPERS.items():
        for source, several in _by_source(cell for cell in every if cell.paper == paper).items():
            pages = [cell.record.page for cell in several if cell.record]
            pages += [ways[cell.claim.id][0] for cell in several if cell.claim.id in ways]
            rows.append(_row(_linked(f"{title}, {source}", *pages[:1]), *_counts(several)))
        for figure, facts in _figures()[paper].items():
            name = _linked(f"{title}, {figure}", *filter(None, [facts.get("page")]))
            rows.append(_row(name, NOTHING, *[""] * (len(WORDS) + 1)))
    table = _table(["", "printed", "measured", *WORDS], [*rows, _row("all numbers", *_counts(every))])
    return "\n\n".join(filter(None, [_stale(every), table]))


def _stale(every: Sequence[Cell]) -> str:
    """Return the sentence about tables with numbers that were measured on an earlier model; empty without any."""
    names = dict.fromkeys(f"{PAPERS[cell.paper]}, {cell.claim.source}" for cell in every if cell.stale)
    return f"Measured on an earlier model than today's, to be measured again: {'; '.join(names)}." if names else ""


def _counts(several: Sequence[Cell]) -> list[str]:
    count = Counter(cell.verdict.word for cell in several)
    numbers = [len(several), sum(cell.value is not None for cell in several), *(count[word] for word in WORDS)]
    return [str(number or "") for number in numbers]


def _by_source(several: Iterable[Cell]) -> dict[str, list[Cell]]:
    found: dict[str, list[Cell]] = {}
    for cell in several:
        found.setdefault(cell.claim.source, []).append(cell)
    return found


@cache
def _figures() -> dict[str, dict[str, dict[str, str]]]:
    return yaml.safe_load(FIGURES.read_text(encoding="utf-8"))


INTRODUCTION = """\
(scorecard)=
# Scorecard

This page lists all {printed} numbers that the three papers print, with our measurement, the verdict and its reason, the
page and record behind it, and the command that makes the record again. *Another protocol* means that the number depends
on our network, updates or settings, which differ from the paper's; *cannot be*, that an argument rules the number out;
{{doc}}`reading` has the rules. We measured {measured} of them: {words}.
"""


def scorecard_page(every: Sequence[Cell]) -> str:
    """Return MyST Markdown with every printed number and every figure."""
    count = Counter(cell.verdict.word for cell in every if cell.value is not None)
    words = ", ".join(f"{count[word]} {word}" for word in WORDS if count[word])
    text = [INTRODUCTION.format(printed=len(every), measured=count.total(), words=words), f"{_stale(every)}\n"]
    head = ["", "printed", "measured", "verdict", "reason"]
    for paper, title in PAPERS.items():
        text.append(f"## {title}\n")
        for source, several in _by_source(cell for cell in every if cell.paper == paper).items():
            titles = "; ".join(dict.fromkeys(cell.claim.title for cell in several))
            text.append(f"### {title}, {source}\n\n{titles}.\n")
            runs = dict.fromkeys((c.record.page, c.record.profile, command(c.record)) for c in several if c.record)
            for page, profile, made_by in runs:
                text.append(f"- {{doc}}`pages/{page}`: `results/{profile}/{page}.json`, made by `{made_by}`")
            measured = sum(cell.value is not None for cell in several)
            said = f"<summary>{len(several)} printed numbers, {measured} measured</summary>"
            table = _table(head, [_cell_row(cell) for cell in several])
            text.append(f"\n<details{' open' if measured else ''}>{said}{table}</details>\n")
        text.append(f"### {title}, figures\n")
        for figure, facts in _figures()[paper].items():
            where = f"{{doc}}`pages/{facts['page']}`" if "page" in facts else "no page"
            text.append(f"- {figure}, {facts['title']}: {where}")
        text.append("")
    return "\n".join(text)


def _cell_row(cell: Cell) -> str:
    claim, value = cell.claim, cell.value
    pages = [cell.record.page] if cell.record else []
    measured = _linked(number(value.value, value.interval, decimals=claim.decimals), *pages) if value else ""
    texts = [
        number(claim.value, decimals=claim.decimals),
        measured,
        cell.verdict.word,
        html.escape(cell.verdict.because + "; measured on an earlier model than today's" * cell.stale),
    ]
    return _row(html.escape(f"{label(claim)}, {metrics()[claim.metric].label}"), *texts, anchor=claim.id)


def _linked(name: str, *pages: str) -> str:
    return f'<a href="pages/{pages[0]}.html">{name}</a>' if pages else name


def _row(name: str, *texts: str, anchor: str = "") -> str:
    own = f' id="{anchor}"' if anchor else ""
    return f'<tr><th scope="row"{own}>{name}</th>' + "".join(f"<td>{text}</td>" for text in texts) + "</tr>"


def _table(head: Sequence[str], rows: Sequence[str]) -> str:
    top = "".join(f'<th scope="col">{word}</th>' for word in head)
    body = f"<thead><tr>{top}</tr></thead><tbody>{''.join(rows)}</tbody>"
    frame = '<div class="comparison-frame" style="overflow-x: auto" tabindex="0">'
    return f'{frame}<table class="comparison scorecard columns-{len(head)}">{body}</table></div>'
