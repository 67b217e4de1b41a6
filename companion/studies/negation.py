"""Measures of the page on exact negation: models without a class, at sampling time or in their weights.

Samples of a wrapped model start from the same noise as those of any other (:mod:`companion.evaluation.samples`), and
are measured by the same code. A second classifier judges them too, because a classifier guided the sampling.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from companion import bases, checkpoints
from companion.bases import Base
from companion.comparison.compared import record_of
from companion.evaluation.features import Real, real_features, real_images, sample_features
from companion.evaluation.measures import Result, distance_of_the_rest, result, unlearning_ratio
from companion.evaluation.observer import Observer
from companion.evaluation.samples import BATCH, drawn
from companion.evaluation.subject import Subject
from companion.measures import subject_of
from companion.models import Model
from companion.noisy_classifiers import noisy_classifier
from companion.seeds import generator
from companion.settings import Settings
from companion.store import Entry
from paperlib.data.images import to_uint8
from paperlib.data.splits import forgotten, forgotten_parts
from paperlib.files import whole
from paperlib.metrics.features import INCEPTION
from paperlib.metrics.frechet import Statistics, frechet
from paperlib.negation import Without
from paperlib.sampling import ipndm, sample

__all__ = ["Negated", "fid_of_the_rest", "look", "measures", "nearest", "others"]


class Negating(Settings):
    """Samples of a model with classes removed."""

    forget: tuple[int, ...]
    w: float = Field(gt=0)
    n: int = Field(gt=0)
    evaluations: int = Field(gt=0)  # of iPNDM
    seed: int = Field(ge=0)
    base: Base
    name: str = Field(exclude=True)
    folder: Path = Field(exclude=True)


@dataclass
class Negated(Subject):
    """A checkpoint under a protocol, with ``forget`` negated with weight ``w`` during sampling."""

    w: float = 1.0

    @cached_property
    def samples(self) -> Entry:
        """The ``n`` samples, from the same noise as the model's own."""
        at, kind = self.protocol, self.checkpoint.base
        facts = {"n": at.n, "evaluations": at.evaluations, "seed": at.seed, "base": kind, "w": self.w}
        facts |= {"name": self.checkpoint.name, "folder": self.checkpoint.folder}
        wanted = Negating(forget=tuple(forgotten_parts(self.observer.real, at.forget)), **facts)
        judged = checkpoints.card(f"noisy-classifier-{kind.dataset}")["sha256"]
        return self.store.step("negated", wanted, _draw, inputs=[self.checkpoint.sha256, judged])


def _draw(folder: Path, wanted: Negating) -> None:
    model = checkpoints.load(bases.architecture(wanted.base), wanted.name, wanted.folder)
    model, parts = Without(model, noisy_classifier(wanted.base.dataset), wanted.forget, wanted.w), []
    for start in range(0, wanted.n, BATCH):
        file = folder / f"resume-{start}.npy"
        if not file.is_file():
            stream = generator(wanted.seed, f"evaluation/{start}", "noise")
            shape = (min(BATCH, wanted.n - start), *model.net.shape)
            noise = model.process.prior_std() * torch.randn(shape, generator=stream)
            x = sample(model, shape, noise=noise, sampler=ipndm, steps=wanted.evaluations, generator=stream).x
            with whole(file) as draft:
                np.save(draft, to_uint8(torch.nan_to_num(x), dequantised=wanted.base.dequantised).numpy())
        parts.append(np.load(file))
    np.savez_compressed(folder / "images.npz", images=np.concatenate(parts))


def look(model: Model, forget: str, *, n: int, evaluations: int, seed: int, w: float = 0.0) -> Subject:
    """Return a model to be measured; with ``w``, negation is applied at sampling time."""
    found = subject_of(model, ("ur", "rest-frechet"), forget, n=n, evaluations=evaluations, seed=seed)
    return Negated(found.checkpoint, found.protocol, found.store, found.device, w=w) if w else found


def measures(subject: Subject) -> dict[str, Result]:
    """Return UR by the set's classifier and by the second judge, and the distance of the rest."""
    return {
        "ur": unlearning_ratio(subject)[0],
        "ur by the judge": _by_the_judge(subject),
        "rest-frechet": distance_of_the_rest(subject)[0],
    }


def _by_the_judge(subject: Subject) -> Result:
    judge = Observer(subject.dataset, subject.protocol.forget, judge=f"{subject.dataset}-judge", device=subject.device)
    found = judge.ratio(judge.shown(drawn(subject.samples)))
    return result("UR by the judge", found, "%", floor=found.floor.value)


def fid_of_the_rest(subject: Subject, reference: int) -> Result:
    """Return the FID between the samples that do not show what is to be forgotten and real images without it, among the
    first ``reference`` test images (0: all)."""
    real = Real(dataset=subject.dataset, part="test", n=reference)
    kept = ~forgotten(real_images(real), subject.protocol.forget)
    shown = subject.observer.shown(drawn(subject.samples))
    own = sample_features(subject.store, subject.samples, subject.device)[~shown]
    there = Statistics.of(real_features(subject.store, real, subject.device)[kept], INCEPTION)
    found = frechet(own, there, network=INCEPTION, generator=subject.stream("fid"), resamples=20)
    return result("FID of the rest", found, "squared distance", reference_n=int(kept.sum()))


def nearest(samples: Tensor, dataset: str) -> Tensor:
    """Return the nearest training image in Euclidean distance for each of the uint8 ``samples`` [B, C, H, W]."""
    train = bases.images(dataset, "train").images
    flat = samples.flatten(1).float()
    return train[torch.cat([torch.cdist(row[None], train.flatten(1).float()) for row in flat]).argmin(1)]


def others(base: str, forget: str) -> list[dict[str, Any]]:
    """Return UR in percent and the distance of the rest relative to the base model, for every method in the comparison
    page's record; empty if the record is about another base model or class."""
    record = record_of(base, forget)
    if record is None:
        return []
    ur, rest = ({one.method: one.value for one in record.all(metric=what)} for what in ("UR", "distance"))
    titles = record.series["titles"]
    return [
        {"method": name, "title": titles[name], "ur": ur[name], "rest": rest[name] / rest["before"]}
        for name in ur
        if name not in ("before", "retrained")
    ]
