"""Inpainting measures of a model, as rows for a record, and the images behind them."""

from typing import Any

import torch

from companion.classifiers import classifier, predict
from companion.evaluation.judge import right
from companion.models import Model
from companion.records import Value
from companion.rows import Row, row
from companion.seeds import generator
from companion.studies.inpainting import Inpainting, inpaint, originals, restored, results
from paperlib.metrics import clip
from paperlib.metrics.intervals import share

__all__ = ["accuracy", "clean", "clip_distance", "drawn", "replaced", "restored_by"]

SIDES = {"D_g": "retain", "D_f": "forget"}


def _asked(forget: str, side: str, settings: dict[str, Any]) -> Inpainting:
    return Inpainting.checked(forget=forget, side=SIDES[side], **settings)


def accuracy(model: Model, forget: str, side: str, **settings: Any) -> Row:
    """Return the percentage of a side's restored test images that have the original's class according to the
    classifier.

    ``settings`` are those of :class:`companion.studies.inpainting.Inpainting`. The papers' cells use replacement; for
    RePaint the metric has another name.
    """
    asked = _asked(forget, side, settings)
    found = results(inpaint(model.store, model.checkpoint(), asked))
    facts = model.facts | asked.facts | {"forget": forget, "test": side, "evaluations": found["evaluations"]}
    facts |= {"shared": "test images"}
    metric = "accuracy" if asked.way == "replacement" else "accuracy with RePaint"
    told = {"n": found["n"], "seed": asked.seed, "interval": found["interval"], "unit": "percent"}
    return row(found["accuracy"], metric=metric, **told, **facts)


def clean(model: Model, forget: str, side: str, *, n: int) -> Row:
    """Return the same for the originals: the classifier's own accuracy, which inpainting can at best reach."""
    asked, data = _asked(forget, side, {"n": n}), model.kind.dataset
    found = originals(data, asked)
    seen = share(right(predict(classifier(data), found.images), found, forget))
    facts = {"dataset": data, "process": model.kind.process, "forget": forget, "test": side, "split": "test"}
    told = {"n": seen.n, "interval": [100 * end for end in seen.interval]}
    return row(100 * seen.value, metric="accuracy", method="clean", **told, **facts)


def clip_distance(judge: clip.Clip, model: Model, forget: str, side: str, **settings: Any) -> Row:
    """Return the mean CLIP distance between restored and original images, 100 (1 - cosine)."""
    asked = _asked(forget, side, settings)
    before, after = drawn(model, forget, side, **settings)
    found = clip.clip_distance(judge, after, before, generator(asked.seed, "clip", "evaluation"))
    facts = model.facts | asked.facts | {"forget": forget, "test": side, "features": judge.name}
    facts |= {"shared": "test images"}
    told = {"n": found.n, "seed": asked.seed, "interval": found.interval}
    return row(found.value, metric="clip_distance", **told, **facts)


def replaced(process: str) -> dict[str, Any]:
    """Return the settings of replacement that score_sde has for a process: reverse diffusion with a Langevin step at
    each stop for VE, ancestral sampling without one for the others."""
    if process == "ve":
        return {"way": "replacement", "predictor": "reverse diffusion", "corrections": 1}
    return {"way": "replacement", "predictor": "ancestral sampling", "corrections": 0}


def restored_by(record: Any, dataset: str, way: str = "replacement") -> dict[tuple[str, str], Value]:
    """Return a record's accuracies on a data set by (method, side), those of the originals included."""
    found = record.all(dataset=dataset, unit="percent")
    return {(one.method, one.protocol["test"]): one for one in found if one.protocol.get("way", way) == way}


def drawn(model: Model, forget: str, side: str, **settings: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the originals and the model's completions, uint8 [n, C, H, W]."""
    asked = _asked(forget, side, settings)
    return originals(model.kind.dataset, asked).images, restored(inpaint(model.store, model.checkpoint(), asked))
