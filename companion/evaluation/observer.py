"""Judging a model's images: which show what is to be forgotten, and how far the others are from real images.

Every page, course and ``python -m companion evaluate`` uses an :class:`Observer`; :class:`SameNoise` also generates the
images, from the same noise for every model.
"""

from functools import cached_property, lru_cache

import torch
from torch import Tensor

from companion.bases import Base, images
from companion.classifiers import classifier, predict
from companion.evaluation.judge import shows
from companion.machine import pick_device
from companion.seeds import generator
from paperlib.data.images import Images, to_uint8
from paperlib.data.splits import forgotten, forgotten_classes
from paperlib.denoiser import Denoiser
from paperlib.metrics import forgetting
from paperlib.metrics.features import Network, features, penultimate
from paperlib.metrics.forgetting import Forgetting
from paperlib.metrics.frechet import Frechet, Statistics, frechet
from paperlib.sampling import ipndm, prior, sample

__all__ = ["GREY", "Observer", "SameNoise"]

GREY = 128
BATCH = 500  # batch size of the feature network


class Observer:
    """A set's classifier and real images, used to judge what a model forgot and kept.

    Args:
        dataset: the set whose test part is the real images.
        forget: classes or attributes, named as in a page's parameter.
        judge: the name of the classifier; by default the set's own.
        real: real images instead of the test part.
        near: uint8 images [m, C, H, W] from which distances are measured instead of the real retained ones.
        device: the classifier's device; by default the one that pages use.
    """

    def __init__(
        self,
        dataset: str,
        forget: str,
        *,
        judge: str = "",
        real: Images | None = None,
        near: Tensor | None = None,
        device: torch.device | None = None,
    ):
        self.dataset, self.forget, self.judge = dataset, forget, judge or dataset
        self.device = device or pick_device()
        self.real: Images = images(dataset, "test") if real is None else real
        self.near = near
        self._is_test = real is None

    @property
    def classes(self) -> list[int]:
        """The classes to forget, for a set with classes."""
        return forgotten_classes(self.real, self.forget)

    @cached_property
    def retained(self) -> Images:
        """The real images of what is to be kept."""
        return self.real.only(~forgotten(self.real, self.forget))

    @cached_property
    def forgotten(self) -> Images:
        """The real images of what is to be forgotten."""
        return self.real.only(forgotten(self.real, self.forget))

    @cached_property
    def classifier(self) -> torch.nn.Module:
        """The classifier that judges."""
        return classifier(self.judge).to(self.device)

    @cached_property
    def network(self) -> Network:
        """The feature network, which returns the classifier's last features."""
        return penultimate(self.classifier, f"the {self.judge} classifier")

    def logits(self, images: Tensor) -> Tensor:
        """Return the classifier's logits for uint8 images [n, C, H, W]."""
        return predict(self.classifier, images.to(self.device)).cpu()

    def shows(self, logits: Tensor) -> Tensor:
        """Return which logits show what is to be forgotten, bool [n]."""
        return shows(logits, self.real, self.forget)

    def shown(self, images: Tensor) -> Tensor:
        """Return which images show what is to be forgotten according to the classifier, bool [n]."""
        return self.shows(self.logits(images))

    @cached_property
    def of_retained(self) -> Tensor:
        """The logits for real retained images, from which the floors follow."""
        if self._is_test:  # the same for every measurement
            return _of_test(self.judge, self.dataset, self.device)[~forgotten(self.real, self.forget)]
        return self.logits(self.retained.images)

    @property
    def floor(self) -> Tensor:
        """Which real retained images the classifier takes for what is to be forgotten."""
        return self.shows(self.of_retained)

    def ratio(self, shown: Tensor) -> Forgetting:
        """Return UR from ``shown``, with the floor from real retained images."""
        return forgetting.unlearning_ratio(shown, self.floor)

    @cached_property
    def reference(self) -> Statistics:
        """The feature statistics of the images from which distances are measured."""
        images = self.retained.images if self.near is None else self.near
        return Statistics.of(features(images, self.network, BATCH), self.network.name)

    def distance(self, images: Tensor, draws: torch.Generator) -> Frechet:
        """Return the distance of images from real retained ones, or from those given as ``near``, in the classifier's
        features; the bootstrap uses ``draws``."""
        return frechet(
            features(images, self.network, BATCH), self.reference, network=self.network.name, generator=draws
        )


@lru_cache(maxsize=8)
def _of_test(judge: str, dataset: str, device: torch.device) -> Tensor:
    return predict(classifier(judge).to(device), images(dataset, "test").images.to(device)).cpu()


class SameNoise(Observer):
    """An observer that samples every model from the same noise.

    Args:
        model: a model of the kind to be observed; its process and shape determine the noise.
        kind: the base model's description.
        forget: classes, named as in a page's parameter.
        n: the number of images per look.
        evaluations: network evaluations per image, by iPNDM.
        seed: the seed of the noise and of the bootstrap, together with ``stream``.
        real, near: as in :class:`Observer`.
    """

    def __init__(
        self,
        model: Denoiser,
        kind: Base,
        forget: str,
        *,
        n: int,
        evaluations: int,
        seed: int,
        stream: str,
        real: Images | None = None,
        near: Tensor | None = None,
    ):
        if n < 20:
            raise ValueError(f"n={n} is below 20")
        super().__init__(kind.dataset, forget, real=real, near=near)
        self.kind, self.evaluations, self.seed, self.stream = kind, evaluations, seed, stream
        self.noise = prior(model, (n, *model.net.shape), generator(seed, stream, "noise"))

    def draw(self, model: Denoiser, labels: Tensor | None = None) -> Tensor:
        """Return samples from the noise, uint8 [n, C, H, W]; pixels that are not finite are grey."""
        x = sample(
            model,
            self.noise.shape,
            noise=self.noise,
            cond=labels,
            sampler=ipndm,
            steps=self.evaluations,
            generator=generator(self.seed, f"{self.stream}/sampler", "noise"),  # iPNDM draws nothing from it
        ).x
        images = to_uint8(torch.nan_to_num(x), dequantised=self.kind.dequantised)
        images[~torch.isfinite(x)] = GREY
        return images.cpu()

    def distance(self, images: Tensor, draws: torch.Generator | None = None) -> Frechet:
        """Return the distance as every observer does, by default with its own bootstrap stream."""
        return super().distance(images, draws or generator(self.seed, f"{self.stream}/bootstrap", "evaluation"))
