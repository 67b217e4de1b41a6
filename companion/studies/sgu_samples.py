"""Samples of SGU's models from the same noise, and which images changed their class."""

from typing import Any

from torch import Tensor

from companion.evaluation.observer import Observer
from companion.evaluation.samples import draw, drawn, find
from companion.machine import pick_device
from companion.models import Model
from companion.rows import Row, row
from paperlib.metrics.intervals import share

__all__ = ["changed", "counts", "drawn_by"]


def drawn_by(model: Model, *, n: int, evaluations: int, seed: int, sampler: str = "iPNDM") -> Tensor:
    """Return a model's samples, uint8 [n, C, H, W]; the k-th of every model starts from the same noise."""
    facts = {"n": n, "evaluations": evaluations, "seed": seed, "sampler": sampler}
    return drawn(draw(model.store, find(model.checkpoint()), pick_device(), classes=(), guidance=0.0, **facts))


def changed(before: Model, model: Model, forget: str, **drawing: Any) -> Row:
    """The percentage of those samples of ``before`` that do not show ``forget`` whose class (for faces: whether they
    show it) differs in ``model``'s sample from the same noise."""
    observer = Observer(model.kind.dataset, forget)
    first, now = (observer.logits(drawn_by(one, **drawing)) for one in (before, model))
    other = ~observer.shows(first)
    if observer.real.labels is None:
        moved = observer.shows(now)[other]
    else:
        moved = (first.argmax(1) != now.argmax(1))[other]
    found = share(moved)
    facts = model.facts | {
        "forget": forget,
        "of": "samples of other classes",
        "sampler_evaluations": drawing["evaluations"],
    }
    told = {"n": drawing["n"], "seed": drawing["seed"], "interval": [100 * end for end in found.interval]}
    return row(100 * found.value, metric="changed class", unit="percent", **told, **facts)


def counts(record: Any, dataset: str) -> tuple[dict[str, float], dict[str, float]]:
    """Return a record's UR and :func:`changed` on a data set, by method."""
    ur, moved = (record.all(metric=metric, dataset=dataset) for metric in ("ur", "changed class"))
    return {one.method: one.value for one in ur}, {one.method: one.value for one in moved}
