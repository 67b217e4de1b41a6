"""A checkpoint under a protocol: what several measures need is computed once, and stored if it takes long."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from companion.classifiers import classifier, predict
from companion.evaluation.features import Real, real_features, real_images, sample_features
from companion.evaluation.observer import Observer
from companion.evaluation.samples import Checkpoint, draw, drawn
from companion.seeds import generator
from companion.settings import Settings
from companion.store import Entry, Store
from paperlib.metrics.features import INCEPTION, features, penultimate

__all__ = ["Protocol", "Subject"]


class Protocol(Settings):
    """How a checkpoint is measured. A number means little without its protocol, so a record contains all of it."""

    metrics: tuple[str, ...] = Field(min_length=1)
    n: int = Field(5000, gt=3)  # samples
    sampler: str = "iPNDM"  # the best sampler at few evaluations
    evaluations: int = Field(20, gt=0)  # network evaluations per image, guidance included
    guidance: float = 0.0  # w of (1 + w) c - w u
    features: Literal["inception", "classifier"] = (
        "classifier"  # for precision and recall; fid and frechet imply theirs
    )
    k: int = Field(3, gt=0)  # neighbours of precision and recall
    reference: Literal["train", "test"] = "train"  # the usual one of FID on MNIST and CIFAR-10
    reference_n: int = Field(10_000, ge=0)  # the first ones; 0: all. 60,000 take an hour on two CPU cores
    resamples: int = Field(40, gt=1)  # of the Frechet distances' bootstrap: half-widths accurate to 11 %
    forget: str = ""  # written like a page's parameter
    forget_n: int = Field(500, gt=0)  # samples conditioned on what is to be forgotten; Selective Amnesia's number
    before: str = ""  # the checkpoint before unlearning
    images: int = Field(256, gt=1)  # test images for likelihoods
    tolerance: float = Field(1e-3, gt=0)  # of their ODE solver: accurate to 0.002 bits per dimension on MNIST
    strata: int = Field(0, ge=0)  # of the bound: one step of each stratum of steps, unbiased; 0: every step
    seed: int = Field(0, ge=0)


@dataclass
class Subject:
    """A checkpoint under a protocol."""

    checkpoint: Checkpoint
    protocol: Protocol
    store: Store
    device: torch.device
    before: Checkpoint | None = None

    @property
    def dataset(self) -> str:
        """The model's data set."""
        return self.checkpoint.base.dataset

    @cached_property
    def observer(self) -> Observer:
        """The observer of the samples."""
        return Observer(self.dataset, self.protocol.forget, device=self.device)

    def drawing(self, checkpoint: Checkpoint, n: int, classes: tuple[int, ...]) -> Entry:
        """Return samples of one of the checkpoints."""
        settings = {name: getattr(self.protocol, name) for name in ("sampler", "evaluations", "guidance", "seed")}
        return draw(self.store, checkpoint, self.device, n=n, classes=classes, **settings)

    def all_classes(self, checkpoint: Checkpoint) -> tuple[int, ...]:
        """Return every class, taken in turn, for a conditional model; none for others."""
        return tuple(range(checkpoint.load().net.classes))

    @cached_property
    def samples(self) -> Entry:
        """The ``n`` samples."""
        return self.drawing(self.checkpoint, self.protocol.n, self.all_classes(self.checkpoint))

    @cached_property
    def conditioned(self) -> Tensor:
        """The logits of samples conditioned on what is to be forgotten."""
        asked = self.drawing(self.checkpoint, self.protocol.forget_n, tuple(self.observer.classes))
        return self.observer.logits(drawn(asked))

    @cached_property
    def real(self) -> Real:
        """The reference images for distances."""
        return Real(dataset=self.dataset, part=self.protocol.reference, n=self.protocol.reference_n)

    def features(self, network: str) -> tuple[str, Tensor, Tensor]:
        """Return the network's name, and its features of the samples and of the reference."""
        if network == "inception":
            pair = (
                sample_features(self.store, self.samples, self.device),
                real_features(self.store, self.real, self.device),
            )
            return INCEPTION, *pair
        return self.classified

    @cached_property
    def classified(self) -> tuple[str, Tensor, Tensor]:
        """The classifier's name as a feature network, and its features of the samples and of the reference."""
        network = self.observer.network
        return network.name, features(drawn(self.samples), network, 500), _features(self.real, self.device)

    @cached_property
    def reference_shown(self) -> Tensor:
        """Which reference images show what is to be forgotten according to the classifier."""
        return self.observer.shows(_logits(self.real, self.device))

    def kept(self, real: Tensor, unlearned: bool) -> tuple[Tensor, str]:
        """Return reference features, and a description of their images: all of them or, for VDU's u-FID, those that do
        not show what is to be forgotten according to the classifier."""
        words = f"the first {len(real)} images of {self.dataset}-{self.protocol.reference}"
        if not unlearned:
            return real, words
        kept = ~self.reference_shown
        return real[kept], f"{words} without the {int((~kept).sum())} that the classifier takes for the forgotten"

    def stream(self, what: str) -> torch.Generator:
        """Return the random stream of a bootstrap."""
        return generator(self.protocol.seed, f"evaluation/{what}", "evaluation")


# The classifier's outputs for real images are the same for every model: computed once per process.


@lru_cache(maxsize=8)
def _logits(real: Real, device: torch.device) -> Tensor:
    return predict(classifier(real.dataset).to(device), real_images(real).images.to(device)).cpu()


@lru_cache(maxsize=8)
def _features(real: Real, device: torch.device) -> Tensor:
    network = penultimate(classifier(real.dataset).to(device), f"the {real.dataset} classifier")
    return features(real_images(real).images, network, 500)
