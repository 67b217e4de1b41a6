"""What unlearning does to images from the same noise: which ones changed, into what, and whether they are new."""

from typing import Any

import torch
from torch import Tensor

from companion import bases
from companion.evaluation.samples import drawn
from companion.measures import subject_of
from companion.models import Model
from companion.studies.negation import nearest

__all__ = ["changes", "images", "sheet_rows", "words"]


def images(model: Model, D_f: str, **draw: Any) -> Tensor:
    """Return a model's samples, uint8 [n, C, H, W], from the same noise for every model."""
    return drawn(subject_of(model, ("ur",), D_f, **draw).samples)


def words(model: Model, D_f: str, **draw: Any) -> list[str]:
    """Return the classifier's answer for each sample."""
    seen = subject_of(model, ("ur",), D_f, **draw)
    names = bases.images(seen.dataset, "test").classes
    return [names[k] for k in seen.observer.logits(drawn(seen.samples)).argmax(1).tolist()]


def changes(before: list[str], after: list[str], D_f: str) -> dict[str, Any]:
    """Compare samples with the same noise: ``left``, the percentage of those that showed D_f that still do; ``others``,
    the percentage of the others whose class changed; ``came``, how many others now show D_f; ``went``, what those that
    showed it became, by class."""
    pairs = list(zip(before, after, strict=True))
    forgotten = D_f.split(",")
    theirs, rest = ([b for a, b in pairs if (a in forgotten) is side] for side in (True, False))
    moved = sum(a != b for a, b in pairs if a not in forgotten)
    counts = {word: theirs.count(word) for word in sorted(set(theirs), key=lambda word: -theirs.count(word))}
    left = sum(word in forgotten for word in theirs)
    found = {"left": 100 * left / max(len(theirs), 1), "others": 100 * moved / max(len(rest), 1)}
    return found | {"came": sum(word in forgotten for word in rest), "went": counts, "m": len(theirs), "n": len(rest)}


def sheet_rows(start: Model, models: list[Model], D_f: str, columns: int, **draw: Any) -> dict[str, Tensor]:
    """Return the first images that showed D_f before, each model's samples from their noise, and the training images
    nearest to the first model's samples."""
    shows = torch.tensor([word in D_f.split(",") for word in words(start, D_f, **draw)])
    chosen = shows.nonzero().flatten()[:columns]
    found = {f"{D_f}, before": images(start, D_f, **draw)[chosen]}
    found |= {f"{D_f}, {model.method}": images(model, D_f, **draw)[chosen] for model in models}
    return found | {f"{D_f}, nearest": nearest(images(models[0], D_f, **draw)[chosen], start.kind.dataset)}
