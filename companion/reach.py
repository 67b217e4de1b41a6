"""Which printed cell is reached by which page, with which parameters, and what that needs: the book's page about it.

What a page reaches is not asserted but seen: its cells run at ``paper`` up to its measurement, every measure answers
without computing, and the rows are joined with the printed cells by the facts that they have. ``python -m companion
reach`` keeps that in ``results/reach.json``, and a test does it again.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from companion import bases
from companion.claims import Claim, load, split
from companion.claims.names import data_title, method_title
from companion.code import CHECKOUT

__all__ = ["FILE", "WITHOUT_A_PAGE", "needs", "on_pixels", "reach_page", "reached"]

FILE = CHECKOUT / "results" / "reach.json"
#: Tables on pixels that no page computes yet.
WITHOUT_A_PAGE = ("erasediff.tab1", "erasediff.tab4", "erasediff.text_entropy")

INTRODUCTION = """\
# What can be reached

A line for each number that the papers print of models of images: the page that measures it with `PROFILE=paper`, the
parameters that it takes (none: the page's own), and what has to be at hand. `make book PROFILE=paper PLAN=yes` says
what it costs, and what is at hand here.

Data sets: `python -m paperlib.data NAME`. Base models: `python -m companion campaign --only NAME`, or with weights of
others `python -m companion weights NAME SOURCE`. Classifiers that are not committed:
`python -m companion classifier NAME`.

"""


def on_pixels(claim: Claim) -> bool:
    """Whether a printed number is of a model of small images, neither the mixture nor Stable Diffusion."""
    return claim.process != "sd14" and claim.dataset != "mixture"


def reached() -> dict[str, tuple[str, Mapping[str, Any]]]:
    """By a printed cell's id, as the committed file has it: the page and its parameters."""
    found: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for one in json.loads(FILE.read_text(encoding="utf-8")):
        for cell in one["cells"]:
            found.setdefault(cell, (one["page"], one["parameters"]))
    return found


def needs(claim: Claim) -> list[str]:
    """What has to be at hand for a printed cell: data, the paper's base model and its twin, weights of others."""
    if not on_pixels(claim):
        return []
    paper, process = claim.id.partition(".")[0], {"vesde": "ve", "vpsde": "vp"}.get(claim.process, claim.process)
    kinds = [base for base in bases.BASES.values() if (base.paper, base.dataset) == (paper, claim.dataset)]
    kinds = [base for base in kinds if base.process == process and (not base.unseen or claim.method == "unseen")]
    found = [claim.dataset, *dict.fromkeys(base.network.name for base in kinds)]
    found += ["a classifier"] * (claim.dataset in ("stl10", "celeba"))
    found += ["FID's Inception"] * (claim.metric in ("fid", "ufid"))
    return found + ["CLIP"] * (claim.metric == "clip_distance")


def _lines() -> Iterator[tuple[str, str]]:
    """(table, its line) of every cell on pixels."""
    known = reached()
    for claim in load().values():
        if not on_pixels(claim):
            continue
        table = split(claim.id)[0]
        page, parameters = known.get(claim.id, ("", {}))
        given = " ".join(f"-p {name} {value}" for name, value in parameters.items())
        what = ", ".join(filter(None, [data_title(claim.dataset), claim.forget or claim.test, claim.gamma]))
        cells = [what, method_title(claim.method), claim.metric + (f" {claim.test}" if claim.test else "")]
        where = [f"`{page}`", f"`{given}`" if given else "", ", ".join(needs(claim))]
        yield table, "| " + " | ".join([*cells, *(where if page else ["no page yet", "", ""])]) + " |"


def reach_page() -> str:
    """The book's page, MyST Markdown."""
    text, last = INTRODUCTION, ""
    for table, line in _lines():
        if table != last:
            text += (
                f"\n## {table}\n\n| cell | method | metric | page | parameters | needs |\n|---|---|---|---|---|---|\n"
            )
            last = table
        text += line + "\n"
    return text
