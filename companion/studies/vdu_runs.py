"""Measures of VDU's runs: a rate's score on held-out images, how far the weights moved, and the terms gamma weighs."""

from dataclasses import replace

import torch

from companion import bases
from companion.comparison.course_results import looks
from companion.comparison.courses import course
from companion.evaluation.samples import find
from companion.machine import pick_device
from companion.models import Model
from paperlib.data.splits import split
from paperlib.metrics.rule import score
from paperlib.unlearning.posterior import Posterior
from paperlib.unlearning.vdu import vdu

__all__ = ["both_terms", "held_out_score", "moved"]


def held_out_score(model: Model, *, n: int) -> float | None:
    """Return the score of a run's settings by the book's rule, from the same run without a part of the training images
    and ``n`` samples compared with that part. Smaller is better; None if nothing can be measured."""
    run = model.run.model_copy(update={"held_out": True, "n": n})
    before, last = looks(course(model.store, run))
    return score(last["ur"], last["distance"], before)


def moved(model: Model) -> tuple[float, float]:
    """Return how far unlearning moved the weights: the largest change and the root mean square."""
    before, after = (dict(find(name).load().named_parameters()) for name in (model.name, model.checkpoint()))
    change = torch.cat([(after[name] - weights).flatten() for name, weights in before.items()])
    return change.abs().max().item(), change.square().mean().sqrt().item()


def both_terms(model: Model, forget: str, *, seed: int) -> dict[str, list[float]]:
    """Return VDU's A and B before any update, for a posterior whose mean is one sigma away from every weight of the
    model: by "<data>, <sums or means>", where the data are all of D_f or every fourth image of it."""
    device = pick_device()
    start, everything = bases.load(model.name).to(device), bases.images(model.kind.dataset, "train").to(device)
    around = Posterior.isotropic(start, 1e-3)
    off = replace(around, mean={name: mean + 1e-3 for name, mean in around.mean.items()})
    images, found = split(everything, forget).forget, {}
    for name, each in {"all of D_f": 1, "a quarter": 4}.items():
        data = bases.examples(model.kind, images.only(torch.arange(len(images)) % each == 0))
        for kind, means in {"sums": False, "means": True}.items():
            draws = torch.Generator(device).manual_seed(seed)
            settings = {"posterior": off, "normalised": means, "batch_size": 64, "lr": 1e-6}
            losses = next(iter(vdu(start, data, generator=draws, steps=1, **settings))).losses
            found[f"{name}, {kind}"] = [losses["plasticity"], losses["stability"]]
    return found
