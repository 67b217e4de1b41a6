"""EraseDiff's Figure 19: a grid of samples, a row a class, before and after; and the classifier's word on each row."""

from typing import Any

import torch
from torch import Tensor

from companion import bases
from companion.evaluation.samples import drawn
from companion.models import Model
from companion.studies.erasediff_measures import kept

__all__ = ["obeyed", "rows_by_class"]


def _by_class(model: Model, forget: str, drawing: dict[str, Any]) -> dict[str, tuple[Tensor, Tensor]]:
    """For each class the images that were asked to show it, and the classifier's word on each, [n, C, H, W] and [n]."""
    subject = kept(model, forget, ("p-forget",), **drawing)
    names, asked = bases.images(subject.dataset, "test").classes, {}
    retained = subject.all_classes(subject.checkpoint)
    forgotten = drawn(subject.drawing(subject.checkpoint, subject.protocol.forget_n, tuple(subject.classes)))
    for classes, images in ((retained, drawn(subject.samples)), (tuple(subject.classes), forgotten)):
        said = subject.logits(images).argmax(1)
        for k, label in enumerate(classes):
            asked[label] = images[k :: len(classes)], said[k :: len(classes)]
    return {names[label]: asked[label] for label in sorted(asked)}


def rows_by_class(models: list[Model], forget: str, columns: int, **drawing: Any) -> dict[str, Tensor]:
    """A row a class: the first ``columns`` images of each model, side by side, from the same noise."""
    several = [_by_class(model, forget, drawing) for model in models]
    gap = [torch.full_like(next(iter(several[0].values()))[0][:1], 255)]
    found = {}
    for name in several[0]:
        parts = [part for one in several for part in (one[name][0][:columns], *gap)][:-1]
        found[name] = torch.cat(parts)
    return found


def obeyed(model: Model, forget: str, **drawing: Any) -> dict[str, dict[str, Any]]:
    """For each class, of the images that were asked to show it: ``share`` that does, in percent and in the classifier's
    eyes, of ``n``, and ``word``, what the classifier says most often."""
    names, found = list(bases.images(model.kind.dataset, "test").classes), {}
    for name, (_, said) in _by_class(model, forget, drawing).items():
        word = names[int(said.mode().values)]
        found[name] = {"share": 100 * (said == names.index(name)).double().mean().item(), "n": len(said), "word": word}
    return found
