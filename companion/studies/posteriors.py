"""VDU's posterior fitted in two ways, to snapshots of one training run or to models of several seeds.

The models of other seeds, one by one, and the results for both Gaussians are stored steps.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from torch import nn

from companion import bases, checkpoints
from companion.classifiers import pinned
from companion.evaluation.observer import SameNoise
from companion.machine import pick_device
from companion.seeds import generator
from companion.settings import Settings
from companion.store import Store
from paperlib.denoiser import Denoiser
from paperlib.losses import batch_loss
from paperlib.unlearning.finetune import finetune
from paperlib.unlearning.posterior import Posterior, posterior, snapshots

__all__ = ["Study", "study"]


class Study(Settings):
    """Both Gaussian posteriors of one base model."""

    base: str
    forget: str
    models: int = Field(5, ge=2)  # for each; the paper's number
    steps: int = Field(gt=0)  # training updates for each further seed
    lr: float = Field(0, ge=0)  # of that training; 0: the base model's
    apart: int = Field(gt=0)  # updates between two snapshots
    rate: float = Field(2e-4, gt=0)  # of Adam, between snapshots
    batch_size: int = Field(gt=0)
    n: int = Field(gt=19)  # images per look
    sampler: int = Field(gt=0)
    images: int = Field(gt=1)  # test images for a loss


class _Seed(Settings):
    base: str
    steps: int
    lr: float
    seed: int


def study(store: Store, wanted: Study) -> dict[str, Any]:
    """Return, for the two fits ``snapshots`` and ``seeds``: ``members`` and ``mean``, the results of the first member
    and of the mean model (``loss`` per pixel on test images, ``distance`` and ``distance_interval``); ``pull``, the
    stability term of the base model before any update, per weight; ``floored``, the share of weights whose variance was
    raised to the floor; ``layers``, the name, size and median standard deviation of each parameter tensor."""
    seeds = [
        store.step("seed", _Seed(base=wanted.base, steps=wanted.steps, lr=wanted.lr, seed=seed), _train)
        for seed in range(1, wanted.models + 1)
    ]
    card, judge = bases.card(wanted.base), pinned(bases.BASES[wanted.base].dataset)
    found = {}
    for way in ("snapshots", "seeds"):
        inputs = [card["sha256"], judge, *(seeds if way == "seeds" else [])]
        setting = _Way(**wanted.model_dump(), way=way, folders=tuple(entry.path for entry in seeds))
        entry = store.step("posterior", setting, _examine, inputs=inputs)
        found[way] = json.loads((entry.path / "found.json").read_text(encoding="utf-8"))
    return found


class _Way(Study):
    way: Literal["snapshots", "seeds"]
    folders: tuple[Path, ...] = Field(exclude=True)  # not part of the key: the seeds' models are inputs of the step


def _train(folder: Path, wanted: _Seed) -> None:
    """Train a model with another seed, like the base model except for the number of updates and the rate."""
    base = bases.BASES[wanted.base]
    changes = {"steps": wanted.steps, "warmup": wanted.steps // 8} | ({"lr": wanted.lr} if wanted.lr else {})
    budget = bases.budget(base, pick_device()).model_copy(update=changes)
    run = bases.training(base, budget, seed=wanted.seed, device=pick_device())
    checkpoints.save(run.run(), "model", {"base": base.model_dump(), "steps": wanted.steps}, folder, precise=True)


def _members(wanted: _Way) -> Iterator[nn.Module]:
    kind = bases.BASES[wanted.base]
    if wanted.way == "seeds":
        for folder in wanted.folders:
            yield checkpoints.load(bases.architecture(kind), "model", folder).to(pick_device())
        return
    everything = bases.examples(kind, bases.images(kind.dataset, "train").to(pick_device()))
    settings = {"steps": wanted.models * wanted.apart, "batch_size": wanted.batch_size, "lr": wanted.rate, "ema": 0.0}
    start, draws = bases.load(wanted.base).to(pick_device()), generator(0, "posterior", "data", pick_device())
    way = finetune(start, None, everything, generator=draws, **settings)
    yield from snapshots(way, every=wanted.apart)


def _examine(folder: Path, wanted: _Way) -> None:
    kind, base, first = bases.BASES[wanted.base], bases.load(wanted.base).to(pick_device()), None
    observer = SameNoise(base, kind, wanted.forget, n=wanted.n, evaluations=wanted.sampler, seed=0, stream="posterior")

    def followed() -> Iterator[nn.Module]:
        nonlocal first
        for model in _members(wanted):
            first = first or _seen(observer, model, wanted.images)
            yield model.train()

    gaussian = posterior(followed())
    count = sum(p.numel() for p in base.parameters())
    facts = {
        "members": first,
        "mean": _seen(observer, _mean_model(wanted.base, gaussian), wanted.images),
        "pull": gaussian.like(base).stability(base).item() / count,
        "floored": gaussian.floored,
        "layers": [
            {"name": name, "size": variance.numel(), "std": variance.sqrt().median().item()}
            for name, variance in gaussian.variance.items()
        ],
    }
    (folder / "found.json").write_text(json.dumps(facts), encoding="utf-8")


def _mean_model(base: str, gaussian: Posterior) -> Denoiser:
    """Return a model whose weights are the Gaussian's mean."""
    model = bases.load(base).to(pick_device())
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(gaussian.mean[name])
    return model


@torch.no_grad()
def _seen(observer: SameNoise, model: Denoiser, images: int) -> dict[str, Any]:
    """Return the loss on test images, and the distance between all samples and real retained images."""
    model.eval()
    distance = observer.distance(observer.draw(model))
    data = bases.examples(observer.kind, observer.real.to(next(model.parameters()).device))
    loss = batch_loss(model, data, images, generator(0, "posterior/loss", "evaluation")).mean().item()
    facts = {"distance": distance.value, "distance_interval": list(distance.interval)}
    return {"loss": loss / observer.noise[0].numel(), **facts}
