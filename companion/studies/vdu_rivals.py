"""Additions to VDU's Table 1: searched settings, the search's candidates, and other pages' runs on the same task."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from companion import bases
from companion.comparison.compared import record_of
from companion.comparison.entrants import ENTRANTS
from companion.comparison.search import committed
from paperlib.data.splits import forgotten

__all__ = ["beside", "length", "named_settings", "tries", "ways"]

Settings = Mapping[str, Any]
ELSEWHERE = ("mnist-ddpm", "1")  # the search used for base models without one


def named_settings(base: str, forget: str, name: str, papers: Settings | None = None) -> Iterator[tuple[str, Settings]]:
    """Yield a method's name and settings: the paper's, if given, and, if different, those chosen by the committed
    search for this base model. Without a search for it, a method whose paper's settings are not given has those chosen
    on MNIST, untested here."""
    entrant, found = ENTRANTS[name], committed(base, forget)
    if papers:
        yield name, entrant.settings() | papers
    if found is None and not papers:
        found = committed(*ELSEWHERE)
    if found and papers != (searched := found.best(name).settings):
        yield (f"{name}_ours" if papers else name), entrant.settings() | searched


def tries(base: str, forget: str, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return all candidates of the committed search for exactly this task: ``method``, ``settings``, PUL in percent
    (``pul``) and the relative distance of the rest (``rest``), on held-out images. Runs without measurable samples are
    left out."""
    found = committed(base, forget)
    if not found or found.forget != forget:
        return []
    return [
        {"method": one.entrant, "settings": dict(one.settings)}
        | {"pul": 100 * (1 - one.ur / found.ur), "rest": one.distance / found.distance}
        for one in found.candidates
        if one.entrant in names and one.distance is not None
    ]


def ways(base: str, forget: str, names: tuple[str, ...]) -> dict[str, list[list[dict[str, float]]]]:
    """Return, by method and for each seed, PUL and the distance of the rest as in :func:`tries`, at every look of the
    comparison page's recorded runs; empty if these are for another task."""
    record = record_of(base, forget)
    if record is None:
        return {}
    return {
        name: [[_point(one, seen[0]) for one in seen if "distance" in one] for seen in record.series["courses"][name]]
        for name in names
        if name in record.series["courses"]
    }


def _point(one: Mapping[str, float], first: Mapping[str, float]) -> dict[str, float]:
    found = {"pul": 100 * (1 - one["ur"] / first["ur"]), "rest": one["distance"] / first["distance"]}
    return found | {"evaluations": one["gradient_evaluations"]}


def beside(base: str, forget: str) -> list[dict[str, Any]]:
    """Return the ends of the comparison page's recorded runs: ``method``, ``pul``, ``rest``, averaged over seeds."""
    record = record_of(base, forget)
    if record is None:
        return []
    puls, far = ({one.method: one.value for one in record.all(metric=what)} for what in ("PUL", "distance"))
    return [{"method": name, "pul": puls[name], "rest": far[name] / far["before"]} for name in puls if name != "before"]


def length(budget: Any, name: str, D_f: str) -> dict[str, Any]:
    """Return the length of a run of Table 1: the budget of gradient evaluations, or the paper's passes over D_f, two
    for Selective Amnesia (Sec. 4.4), with one batch size for all."""
    run = {"batch_size": budget.batch_size, "apart": budget.apart}
    run |= {"selective_amnesia": budget.fisher, "negate_own": {"own": budget.own}}.get(name, {})
    if budget.evaluations:
        return run | {"updates": budget.evaluations, "unit": "evaluations"}
    epochs = 2 if name == "selective_amnesia" else budget.epochs
    images = int(forgotten(bases.images(budget.dataset, "train"), D_f).sum())
    return run | {"updates": epochs * math.ceil(images / budget.batch_size)}
