"""A checkpoint under a protocol: what several measures need is computed once, and stored where it takes long."""

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
    """How it is measured. A number without its protocol says little: a record has all of it."""

    metrics: tuple[str, ...] = Field(min_length=1)
    n: int = Field(5000, gt=3)  # samples
    sampler: str = "iPNDM"  # the best at few evaluations
    evaluations: int = Field(20, gt=0)  # of the network, an image, guidance included
    guidance: float = 0.0  # w of (1 + w) c - w u
    features: Literal["inception", "classifier"] = "classifier"  # precision and recall; fid and frechet name theirs
    k: int = Field(3, gt=0)  # neighbours of precision and recall
    reference: Literal["train", "test"] = "train"  # the usual one of FID on MNIST and CIFAR-10
    reference_n: int = Field(10_000, ge=0)  # its first so many images; 0: all. 60,000 take an hour on two CPU cores
    resamples: int = Field(40, gt=1)  # of the Frechet distances' bootstrap: half-widths to 11 %
    forget: str = ""  # as a page's parameter
    forget_n: int = Field(500, gt=0)  # samples conditioned on what is to be forgotten; Selective Amnesia's number
    before: str = ""  # the checkpoint before unlearning
    images: int = Field(256, gt=1)  # test images of likelihoods
    tolerance: float = Field(1e-3, gt=0)  # of their ODE's solver: right to 0.002 bits a dimension on MNIST
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
        """The model's set."""
        return self.checkpoint.base.dataset

    @cached_property
    def observer(self) -> Observer:
        """Who looks at the samples."""
        return Observer(self.dataset, self.protocol.forget, device=self.device)

    def drawing(self, checkpoint: Checkpoint, n: int, classes: tuple[int, ...]) -> Entry:
        """The images of one of the checkpoints."""
        settings = {name: getattr(self.protocol, name) for name in ("sampler", "evaluations", "guidance", "seed")}
        return draw(self.store, checkpoint, self.device, n=n, classes=classes, **settings)

    def all_classes(self, checkpoint: Checkpoint) -> tuple[int, ...]:
        """Every class in turn for a model with labels; else none is asked for."""
        return tuple(range(checkpoint.load().net.classes))

    @cached_property
    def samples(self) -> Entry:
        """The ``n`` samples."""
        return self.drawing(self.checkpoint, self.protocol.n, self.all_classes(self.checkpoint))

    @cached_property
    def conditioned(self) -> Tensor:
        """The logits of samples that were asked to show what is to be forgotten."""
        asked = self.drawing(self.checkpoint, self.protocol.forget_n, tuple(self.observer.classes))
        return self.observer.logits(drawn(asked))

    @cached_property
    def real(self) -> Real:
        """The reference of the distances."""
        return Real(dataset=self.dataset, part=self.protocol.reference, n=self.protocol.reference_n)

    def features(self, network: str) -> tuple[str, Tensor, Tensor]:
        """The network's name, and what it sees in the samples and in the reference."""
        if network == "inception":
            pair = (
                sample_features(self.store, self.samples, self.device),
                real_features(self.store, self.real, self.device),
            )
            return INCEPTION, *pair
        return self.classified

    @cached_property
    def classified(self) -> tuple[str, Tensor, Tensor]:
        """The name of the classifier as a feature network, and what it sees in the samples and in the reference."""
        network = self.observer.network
        return network.name, features(drawn(self.samples), network, 500), _features(self.real, self.device)

    @cached_property
    def reference_shown(self) -> Tensor:
        """Which images of the reference show what is to be forgotten, in the classifier's eyes."""
        return self.observer.shows(_logits(self.real, self.device))

    def kept(self, real: Tensor, unlearned: bool) -> tuple[Tensor, str]:
        """Reference features, and in words of which images: all, or (VDU's u-FID) those that do not show what is to be
        forgotten in the classifier's eyes."""
        words = f"the first {len(real)} images of {self.dataset}-{self.protocol.reference}"
        if not unlearned:
            return real, words
        kept = ~self.reference_shown
        return real[kept], f"{words} without the {int((~kept).sum())} that the classifier takes for the forgotten"

    def stream(self, what: str) -> torch.Generator:
        """Of a bootstrap."""
        return generator(self.protocol.seed, f"evaluation/{what}", "evaluation")


# Of real images the classifier says the same whatever model is measured: once in a process.


@lru_cache(maxsize=8)
def _logits(real: Real, device: torch.device) -> Tensor:
    return predict(classifier(real.dataset).to(device), real_images(real).images.to(device)).cpu()


@lru_cache(maxsize=8)
def _features(real: Real, device: torch.device) -> Tensor:
    network = penultimate(classifier(real.dataset).to(device), f"the {real.dataset} classifier")
    return features(real_images(real).images, network, 500)
