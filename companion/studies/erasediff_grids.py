"""EraseDiff's Figure 19: a grid of samples before and after, one row per class, and the classifier's answer for each
row."""

from typing import Any

import torch
from torch import Tensor

from companion import bases
from companion.evaluation.samples import drawn
from companion.models import Model
from companion.studies.erasediff_measures import kept

__all__ = ["obeyed", "rows_by_class"]


def _by_class(model: Model, forget: str, drawing: dict[str, Any]) -> dict[str, tuple[Tensor, Tensor]]:
    """Return, for each class, the images conditioned on it and the classifier's answer, [n, C, H, W] and [n]."""
    subject = kept(model, forget, ("p-forget",), **drawing)
    names, asked = bases.images(subject.dataset, "test").classes, {}
    retained = subject.all_classes(subject.checkpoint)
    forgotten = drawn(subject.drawing(subject.checkpoint, subject.protocol.forget_n, tuple(subject.observer.classes)))
    for classes, images in ((retained, drawn(subject.samples)), (tuple(subject.observer.classes), forgotten)):
        said = subject.observer.logits(images).argmax(1)
        for k, label in enumerate(classes):
            asked[label] = images[k :: len(classes)], said[k :: len(classes)]
    return {names[label]: asked[label] for label in sorted(asked)}


def rows_by_class(models: list[Model], forget: str, columns: int, **drawing: Any) -> dict[str, Tensor]:
    """Return one row per class: the first ``columns`` images of each model, side by side, from the same noise."""
    several = [_by_class(model, forget, drawing) for model in models]
    gap = [torch.full_like(next(iter(several[0].values()))[0][:1], 255)]
    found = {}
    for name in several[0]:
        parts = [part for one in several for part in (one[name][0][:columns], *gap)][:-1]
        found[name] = torch.cat(parts)
    return found


def obeyed(model: Model, forget: str, **drawing: Any) -> dict[str, dict[str, Any]]:
    """Return, for each class, the ``share`` in percent of the ``n`` images conditioned on it that show it according to
    the classifier, and ``word``, the classifier's most frequent answer."""
    names, found = list(bases.images(model.kind.dataset, "test").classes), {}
    for name, (_, said) in _by_class(model, forget, drawing).items():
        word = names[int(said.mode().values)]
        found[name] = {"share": 100 * (said == names.index(name)).double().mean().item(), "n": len(said), "word": word}
    return found
