"""VDU with Gaussians of the same snapshots that differ in one thing: how many snapshots there are, or whether SWAG's
low-rank part is added. All runs start from the same weights and use the same batches and noise.

One training run gives the snapshots, evenly spaced; fewer of them are every second, fourth, ... of the same run, so
they have wandered equally far. The training run and every VDU run are stored steps.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from companion import bases, checkpoints
from companion.classifiers import pinned
from companion.evaluation.observer import SameNoise
from companion.machine import pick_device
from companion.models import Model
from companion.seeds import generator
from companion.settings import Settings
from companion.store import Entry
from paperlib.data.splits import split
from paperlib.denoiser import Denoiser
from paperlib.losses import batch_loss
from paperlib.metrics.forgetting import percentage_unlearned
from paperlib.unlearning.finetune import finetune
from paperlib.unlearning.posterior import Posterior, posterior, snapshots
from paperlib.unlearning.swag import LowRank, swag
from paperlib.unlearning.vdu import vdu

__all__ = ["KINDS", "Walk", "gaussian", "vdu_run"]

#: VDU's Gaussian; SWAG's, with every snapshot as a column; and SWAG's diagonal part alone, which is half of VDU's.
KINDS = ("diagonal", "low rank", "halved")


class Walk(Settings):
    """The training run behind the snapshots, with all images, from a base model's weights."""

    base: str
    most: int = Field(gt=1)  # snapshots
    apart: int = Field(gt=0)  # updates between two of them
    rate: float = Field(2e-4, gt=0)  # Adam's
    batch_size: int = Field(gt=0)
    seed: int = Field(0, ge=0)


class _Run(Settings):
    walk: Walk
    count: int = Field(gt=1)
    kind: Literal[KINDS]
    forget: str
    gamma: float = Field(ge=0, le=1)
    lr: float = Field(gt=0)
    looks: tuple[int, ...] = Field(min_length=1)  # ascending; the last one ends the run
    batch_size: int = Field(gt=0)
    n: int = Field(gt=19)  # images per look
    evaluations: int = Field(gt=0)  # of iPNDM
    images: int = Field(gt=1)  # test images for a loss
    folder: Path = Field(exclude=True)  # of the snapshots, an input of the step

    @model_validator(mode="after")
    def _spaced(self) -> "_Run":
        if self.walk.most % self.count:
            raise ValueError(f"{self.count} of {self.walk.most} snapshots are not evenly spaced")
        return self


def vdu_run(start: Model, walk: Walk, *, count: int, kind: str, **asked: Any) -> dict[str, Any]:
    """Return the results of one VDU run with a Gaussian of ``kind`` from ``count`` of the walk's snapshots.

    ``looks``: for each look from update 0 on, ``update``, ``ur``, ``pul`` and ``distance`` (of the samples that do not
    show D_f) with their intervals, and ``L_f`` and ``L_g``, losses per pixel on test images. ``pull``: B before any
    update, per weight. ``moved``: root mean square of the weights' change. For "low rank" also ``explained``: the share
    of the diagonal part's price that the columns take away, of the ``pull`` and of the weights' ``move``.
    """
    card, judge = bases.card(start.name)["sha256"], pinned(start.kind.dataset)
    device = [] if pick_device().type == "cpu" else [pick_device().type]  # a GPU rounds differently
    walked = start.store.step("snapshots", walk, _walk, inputs=[card, *device])
    wanted = _Run.checked(walk=walk, count=count, kind=kind, folder=walked.path, **asked)
    entry: Entry = start.store.step("posterior-run", wanted, _run, inputs=[card, judge, walked, *device])
    return json.loads((entry.path / "found.json").read_text(encoding="utf-8"))


def _walk(folder: Path, wanted: Walk) -> None:
    device, kind = pick_device(), bases.BASES[wanted.base]
    everything = bases.examples(kind, bases.images(kind.dataset, "train").to(device))
    draws = generator(wanted.seed, "posterior-walk", "data", device)
    settings = {"steps": wanted.most * wanted.apart, "batch_size": wanted.batch_size, "lr": wanted.rate, "ema": 0.0}
    run = finetune(bases.load(wanted.base).to(device), None, everything, generator=draws, **settings)
    for number, model in enumerate(snapshots(run, every=wanted.apart), 1):
        checkpoints.save(model, f"snapshot-{number}", {"update": run.index}, folder, precise=True)


def _members(wanted: _Run) -> Iterator[nn.Module]:
    """Yield every (most / count)-th snapshot; the last one is always among them."""
    every, device = wanted.walk.most // wanted.count, pick_device()
    for number in range(every, wanted.walk.most + 1, every):
        network = bases.architecture(bases.BASES[wanted.walk.base])
        yield checkpoints.load(network, f"snapshot-{number}", wanted.folder).to(device)


def gaussian(models: Iterator[nn.Module], kind: str, count: int) -> Posterior:
    """Return one of the ``KINDS`` of Gaussians from ``count`` models."""
    if kind == "diagonal":
        return posterior(models)
    found = swag(models, rank=count)
    return found if kind == "low rank" else replace(found, columns={})


def _run(folder: Path, wanted: _Run) -> None:
    device, kind = pick_device(), bases.BASES[wanted.walk.base]
    start = bases.load(wanted.walk.base).to(device)
    prior = gaussian(_members(wanted), wanted.kind, wanted.count).like(start)
    train = bases.images(kind.dataset, "train").to(device)
    forget = bases.examples(kind, split(train, wanted.forget).forget)
    settings = {"gamma": wanted.gamma, "lr": wanted.lr, "batch_size": wanted.batch_size, "ema": 0.0}
    draws = generator(wanted.walk.seed, "posterior-run", "data", device)
    run = vdu(start, forget, generator=draws, steps=wanted.looks[-1], posterior=prior, **settings)
    looking = {name: getattr(wanted, name) for name in ("forget", "n", "evaluations", "images")}
    observer, before, seen = _before(wanted.walk.base, wanted.walk.seed, **looking)
    looks = [{"update": 0} | seen]
    for step in run:
        if step.index in wanted.looks:
            looks.append({"update": step.index} | _look(observer, run.model, wanted.images, before)[1])
    facts = {"looks": looks, "pull": prior.stability(start).item() / sum(p.numel() for p in start.parameters())}
    facts |= _of_the_move(start, run.model, prior)
    (folder / "found.json").write_text(json.dumps(facts), encoding="utf-8")


@torch.no_grad()
def _of_the_move(start: Denoiser, model: Denoiser, prior: Posterior) -> dict[str, Any]:
    pairs = zip(start.parameters(), model.parameters())
    moved = torch.cat([(after - before).flatten() for before, after in pairs]).square().mean().sqrt().item()
    if not isinstance(prior, LowRank) or not prior.rank:
        return {"moved": moved}
    paid = {"pull": (prior, start), "move": (prior.around(start), model)}
    shares = {
        name: 1 - (given.stability(at) / replace(given, columns={}).stability(at)).item()
        for name, (given, at) in paid.items()
    }
    return {"moved": moved, "explained": shares}


@lru_cache(maxsize=2)
def _before(
    base: str, seed: int, *, forget: str, n: int, evaluations: int, images: int
) -> tuple[SameNoise, Tensor, Mapping[str, Any]]:
    """Return the observer that all runs share, and what it sees of the base model: which samples show D_f, and all."""
    model = bases.load(base).to(pick_device())
    settings = {"n": n, "evaluations": evaluations, "seed": seed, "stream": "posterior-run"}
    observer = SameNoise(model, bases.BASES[base], forget, **settings)
    return observer, *_look(observer, model, images, None)


@torch.no_grad()
def _look(observer: SameNoise, model: Denoiser, images: int, before: Tensor | None) -> tuple[Tensor, dict[str, Any]]:
    """Return which samples show D_f, and the results of a look."""
    model.eval()
    drawn = observer.draw(model)
    shown = observer.shown(drawn)
    ratio, rest = observer.ratio(shown), observer.distance(drawn[~shown])
    pul = percentage_unlearned(shown if before is None else before, shown, observer.floor)
    named = {"ur": ratio, "pul": pul, "distance": rest}
    found = {name: one.value for name, one in named.items()}
    found |= {f"{name}_interval": list(one.interval) for name, one in named.items()}
    for name, side in {"L_f": observer.forgotten, "L_g": observer.retained}.items():
        data = bases.examples(observer.kind, side.to(next(model.parameters()).device))
        draws = generator(observer.seed, "posterior-run/loss", "evaluation")
        found[name] = batch_loss(model, data, images, draws).mean().item() / observer.noise[0].numel()
    model.train()
    return shown, found
