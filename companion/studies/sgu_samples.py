"""What SGU's models draw from the same noise, and which images became something else."""

from typing import Any

from torch import Tensor

from companion.evaluation.observer import Observer
from companion.evaluation.samples import draw, drawn, find
from companion.machine import pick_device
from companion.models import Model
from companion.rows import Row, row
from paperlib.metrics.intervals import share

__all__ = ["changed", "drawn_by"]


def drawn_by(model: Model, *, n: int, evaluations: int, seed: int, sampler: str = "iPNDM") -> Tensor:
    """Its samples, uint8 [n, C, H, W]: the k-th of every model begins at the same noise."""
    facts = {"n": n, "evaluations": evaluations, "seed": seed, "sampler": sampler}
    return drawn(draw(model.store, find(model.checkpoint()), pick_device(), classes=(), guidance=0.0, **facts))


def changed(before: Model, model: Model, forget: str, **drawing: Any) -> Row:
    """Of the samples of ``before`` that do not show ``forget``, the share, in percent, whose class (of faces: whether
    it shows it) is another one in ``model``'s sample from the same noise."""
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
