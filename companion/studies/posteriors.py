"""What VDU's pages ask: how a rate does on held-out images, how far a run moved the weights, what gamma weighs, and
what the posterior is worth that is made in two ways, of snapshots of one training or of models of several seeds.

Stored steps: the runs, the models of other seeds, one by one, and what is found of both Gaussians.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from torch import nn

from companion import bases, checkpoints
from companion.comparison.course_results import looks
from companion.comparison.courses import course
from companion.evaluation.eye import Eye
from companion.evaluation.samples import find
from companion.models import Model
from companion.seeds import generator
from companion.settings import Settings
from companion.store import Store
from paperlib.data.splits import split
from paperlib.denoiser import Denoiser
from paperlib.losses import batch_loss
from paperlib.metrics.rule import score
from paperlib.unlearning.finetune import finetune
from paperlib.unlearning.posterior import Posterior, posterior, snapshots
from paperlib.unlearning.vdu import vdu

__all__ = ["Study", "both_terms", "held_out_score", "moved", "study"]


def held_out_score(model: Model, *, n: int) -> float | None:
    """The score of a run's settings by the book's rule: the same run without a part of the training images, and ``n``
    samples held against that part. The smaller the better; None where nothing is left to be measured."""
    run = model.run.model_copy(update={"held_out": True, "n": n})
    before, last = looks(course(model.store, run))
    return score(last["ur"], last["distance"], before)


def moved(model: Model) -> tuple[float, float]:
    """How far unlearning has moved the weights: the farthest one, and the root mean square."""
    before, after = (dict(find(name).load().named_parameters()) for name in (model.name, model.checkpoint()))
    change = torch.cat([(after[name] - weights).flatten() for name, weights in before.items()])
    return change.abs().max().item(), change.square().mean().sqrt().item()


def both_terms(model: Model, forget: str, *, seed: int) -> dict[str, list[float]]:
    """VDU's A and B before any update, for a posterior from whose mean every weight of the model is one sigma away: by
    "<data>, <sums or means>", the data all of D_f or every fourth image of it."""
    start, everything = bases.load(model.name), bases.images(model.kind.dataset, "train")
    around = Posterior.isotropic(start, 1e-3)
    off = replace(around, mean={name: mean + 1e-3 for name, mean in around.mean.items()})
    images, found = split(everything, forget).forget, {}
    for name, each in {"all of D_f": 1, "a quarter": 4}.items():
        data = bases.examples(model.kind, images.only(torch.arange(len(images)) % each == 0))
        for kind, means in {"sums": False, "means": True}.items():
            draws = torch.Generator().manual_seed(seed)
            settings = {"posterior": off, "normalised": means, "batch_size": 64, "lr": 1e-6}
            losses = next(iter(vdu(start, data, generator=draws, steps=1, **settings))).losses
            found[f"{name}, {kind}"] = [losses["plasticity"], losses["stability"]]
    return found


class Study(Settings):
    """Both Gaussians of one base model."""

    base: str
    forget: str
    models: int = Field(5, ge=2)  # behind each; the paper's number
    steps: int = Field(gt=0)  # of the training of each further seed
    lr: float = Field(0, ge=0)  # of that training; 0: as the base model's
    apart: int = Field(gt=0)  # updates between two snapshots
    rate: float = Field(2e-4, gt=0)  # of Adam, between snapshots
    batch_size: int = Field(gt=0)
    n: int = Field(gt=19)  # images of a look
    sampler: int = Field(gt=0)
    images: int = Field(gt=1)  # test images behind a loss


class _Seed(Settings):
    base: str
    steps: int
    lr: float
    seed: int


def study(store: Store, wanted: Study) -> dict[str, Any]:
    """By the way's name, ``snapshots`` and ``seeds``: ``members`` and ``mean``, what is seen of the first member and of
    the mean model (``loss`` a pixel on test images, ``distance`` and ``distance_interval``); ``pull``, the stability
    term of the base model before any update, a weight; ``floored``, the share of weights whose variance was raised to
    the floor; ``layers``, for each parameter tensor its name, size and the median of its standard deviations."""
    seeds = [
        store.step("seed", _Seed(base=wanted.base, steps=wanted.steps, lr=wanted.lr, seed=seed), _train)
        for seed in range(1, wanted.models + 1)
    ]
    card = bases.card(wanted.base)
    found = {}
    for way in ("snapshots", "seeds"):
        inputs = [card["sha256"], *(seeds if way == "seeds" else [])]
        setting = _Way(**wanted.model_dump(), way=way, folders=tuple(entry.path for entry in seeds))
        entry = store.step("posterior", setting, _examine, inputs=inputs)
        found[way] = json.loads((entry.path / "found.json").read_text(encoding="utf-8"))
    return found


class _Way(Study):
    way: Literal["snapshots", "seeds"]
    folders: tuple[Path, ...] = Field(exclude=True)  # of the seeds' models, which are inputs of the step


def _train(folder: Path, wanted: _Seed) -> None:
    """A model of another seed, as the base model was trained, but for the number of updates and the rate."""
    base = bases.BASES[wanted.base]
    changes = {"steps": wanted.steps, "warmup": wanted.steps // 8} | ({"lr": wanted.lr} if wanted.lr else {})
    budget = bases.budget(base, "cpu").model_copy(update=changes)
    run = bases.training(base, budget, seed=wanted.seed)
    checkpoints.save(run.run(), "model", {"base": base.model_dump(), "steps": wanted.steps}, folder, precise=True)


def _members(wanted: _Way) -> Iterator[nn.Module]:
    kind = bases.BASES[wanted.base]
    if wanted.way == "seeds":
        yield from (checkpoints.load(bases.architecture(kind), "model", folder) for folder in wanted.folders)
        return
    everything = bases.examples(kind, bases.images(kind.dataset, "train"))
    settings = {"steps": wanted.models * wanted.apart, "batch_size": wanted.batch_size, "lr": wanted.rate, "ema": 0.0}
    way = finetune(bases.load(wanted.base), None, everything, generator=generator(0, "posterior", "data"), **settings)
    yield from snapshots(way, every=wanted.apart)


def _examine(folder: Path, wanted: _Way) -> None:
    kind, base, first = bases.BASES[wanted.base], bases.load(wanted.base), None
    eye = Eye(base, kind, wanted.forget, n=wanted.n, evaluations=wanted.sampler, seed=0, stream="posterior")

    def followed() -> Iterator[nn.Module]:
        nonlocal first
        for model in _members(wanted):
            first = first or _seen(eye, model, wanted.images)
            yield model.train()

    gaussian = posterior(followed())
    count = sum(p.numel() for p in base.parameters())
    facts = {
        "members": first,
        "mean": _seen(eye, _mean_model(wanted.base, gaussian), wanted.images),
        "pull": gaussian.like(base).stability(base).item() / count,
        "floored": gaussian.floored,
        "layers": [
            {"name": name, "size": variance.numel(), "std": variance.sqrt().median().item()}
            for name, variance in gaussian.variance.items()
        ],
    }
    (folder / "found.json").write_text(json.dumps(facts), encoding="utf-8")


def _mean_model(base: str, gaussian: Posterior) -> Denoiser:
    """A model whose weights are the Gaussian's mean."""
    model = bases.load(base)
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(gaussian.mean[name])
    return model


@torch.no_grad()
def _seen(eye: Eye, model: Denoiser, images: int) -> dict[str, Any]:
    """Loss on test images, and the distance of all that it draws from real retained ones."""
    model.eval()
    distance = eye.distance(eye.draw(model))
    data = bases.examples(eye.kind, eye.test)
    loss = batch_loss(model, data, images, generator(0, "posterior/loss", "evaluation")).mean().item()
    facts = {"distance": distance.value, "distance_interval": list(distance.interval)}
    return {"loss": loss / eye.noise[0].numel(), **facts}
