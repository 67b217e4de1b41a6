"""Which page reaches which printed cell, with which parameters and requirements: the book's page about it.

What a page reaches is found by running it: its cells run at ``paper`` up to the measurement, every measure returns
without computing, and the rows are joined with the printed cells on their facts. ``python -m companion reach`` keeps
the result in ``results/reach.json``, and a test checks it.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from companion import bases
from companion.claims import Claim, load, metrics, split
from companion.claims.names import data_title, method_title
from companion.code import CHECKOUT

__all__ = ["FILE", "WITHOUT_A_PAGE", "needs", "on_images", "on_pixels", "promised", "reach_page", "reached"]

FILE = CHECKOUT / "results" / "reach.json"
#: Tables on pixels that no page computes yet.
WITHOUT_A_PAGE: tuple[str, ...] = ()

INTRODUCTION = """\
# What can be reached

Each line is a number that the papers print for an image model: the page that measures it with `PROFILE=paper`, the
parameters to pass (none: the page's defaults), and what is needed. `make book PROFILE=paper PLAN=yes` says what it
costs and what is already available on your machine.

Data sets: `python -m paperlib.data NAME`. Base models: `python -m companion campaign --only NAME`, or
`python -m companion weights NAME SOURCE` for public weights. Classifiers that are not committed:
`python -m companion classifier NAME`.

"""


def on_images(claim: Claim) -> bool:
    """Return whether a printed number is of a model of images."""
    return claim.dataset != "mixture"


def on_pixels(claim: Claim) -> bool:
    """Return whether a printed number is of a model of small images, neither the mixture nor Stable Diffusion."""
    return claim.process != "sd14" and claim.dataset != "mixture"


def reached() -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Map each printed cell's id to its page and parameters, from the committed file."""
    found: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for one in json.loads(FILE.read_text(encoding="utf-8")):
        for cell in one["cells"]:
            found.setdefault(cell, (one["page"], one["parameters"]))
    return found


def promised(page: str, parameters: Mapping[str, Any]) -> set[str]:
    """Return the printed cells that a page reaches with these parameters, from the committed file; none if they are not
    one of its rows."""
    rows = json.loads(FILE.read_text(encoding="utf-8"))
    return {cell for one in rows if (one["page"], one["parameters"]) == (page, parameters) for cell in one["cells"]}


def needs(claim: Claim) -> list[str]:
    """List what a printed cell needs: data, the paper's base model and its twin, public weights."""
    if claim.process == "sd14":
        judges = {"ua": ["ResNet-50 of ImageNet"], "clip_score": ["CLIP"]}.get(claim.metric, ["FID's Inception"])
        own = [claim.dataset] if claim.dataset == "imagenette" else ["COCO's prompts and statistics"]
        return ["Stable Diffusion 1.4", *own, *judges]
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
    """Yield (table, line) for every cell of an image model."""
    known = reached()
    for claim in load().values():
        if not on_images(claim):
            continue
        table = split(claim.id)[0]
        page, parameters = known.get(claim.id, ("", {}))
        given = " ".join(f"-p {name} {value}" for name, value in parameters.items())
        forget, gamma = claim.forget.replace(",", " and "), f"gamma {claim.gamma}" if claim.gamma else ""
        what = ", ".join(filter(None, [data_title(claim.dataset), forget or claim.test, gamma]))
        cells = [
            what,
            method_title(claim.method),
            metrics()[claim.metric].label + (f", {claim.test}" if claim.test else ""),
        ]
        where = [f"`{page}`", f"`{given}`" if given else "", ", ".join(needs(claim))]
        yield table, "| " + " | ".join([*cells, *(where if page else ["no page yet", "", ""])]) + " |"


def reach_page() -> str:
    """Return the book's page as MyST Markdown."""
    text, last = INTRODUCTION, ""
    for table, line in _lines():
        if table != last:
            text += (
                f"\n## {table}\n\n| cell | method | metric | page | parameters | needs |\n|---|---|---|---|---|---|\n"
            )
            last = table
        text += line + "\n"
    return text
