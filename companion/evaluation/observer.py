"""What is seen in a model's images: which show what is to be forgotten, and how far the others are from real ones.

Every page, course and ``python -m companion evaluate`` look through an :class:`Observer`; :class:`SameNoise` also makes
the images, from the same noise of every model.
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
BATCH = 500  # images that the feature network sees at once


class Observer:
    """A classifier of a set and the set's real images, asked about what is to be forgotten.

    Args:
        dataset: whose test part is the real images.
        forget: classes or attributes, as a page's parameter names them.
        judge: the name of the classifier; the set's own where none is named.
        real: real images in place of the test part.
        device: of the classifier; a page's where none is named.
    """

    def __init__(
        self,
        dataset: str,
        forget: str,
        *,
        judge: str = "",
        real: Images | None = None,
        device: torch.device | None = None,
    ):
        self.dataset, self.forget, self.judge = dataset, forget, judge or dataset
        self.device = device or pick_device()
        self.real: Images = images(dataset, "test") if real is None else real
        self._is_test = real is None

    @property
    def classes(self) -> list[int]:
        """What is to be forgotten, of a set with classes."""
        return forgotten_classes(self.real, self.forget)

    @cached_property
    def retained(self) -> Images:
        """The real images that are to be kept."""
        return self.real.only(~forgotten(self.real, self.forget))

    @cached_property
    def forgotten(self) -> Images:
        """The real images that are to be forgotten."""
        return self.real.only(forgotten(self.real, self.forget))

    @cached_property
    def classifier(self) -> torch.nn.Module:
        """Who judges."""
        return classifier(self.judge).to(self.device)

    @cached_property
    def network(self) -> Network:
        """The classifier's last features."""
        return penultimate(self.classifier, f"the {self.judge} classifier")

    def logits(self, images: Tensor) -> Tensor:
        """What the classifier says of uint8 images [n, C, H, W]."""
        return predict(self.classifier, images.to(self.device)).cpu()

    def shows(self, logits: Tensor) -> Tensor:
        """Whether what it said names what is to be forgotten, bool [n]."""
        return shows(logits, self.real, self.forget)

    def shown(self, images: Tensor) -> Tensor:
        """Which images show what is to be forgotten, in the classifier's eyes, bool [n]."""
        return self.shows(self.logits(images))

    @cached_property
    def of_retained(self) -> Tensor:
        """What it says of the real images that are to be kept, where the floors come from."""
        if self._is_test:  # the same whatever is measured
            return _of_test(self.judge, self.dataset, self.device)[~forgotten(self.real, self.forget)]
        return self.logits(self.retained.images)

    @property
    def floor(self) -> Tensor:
        """Whether those show what is to be forgotten, by the classifier's errors."""
        return self.shows(self.of_retained)

    def ratio(self, shown: Tensor) -> Forgetting:
        """UR of what is shown, with the floor of real retained images."""
        return forgetting.unlearning_ratio(shown, self.floor)

    @cached_property
    def reference(self) -> Statistics:
        """Of the real retained images."""
        return Statistics.of(features(self.retained.images, self.network, BATCH), self.network.name)

    def distance(self, images: Tensor, draws: torch.Generator) -> Frechet:
        """Of images from real retained ones, in the classifier's features; ``draws`` are its bootstrap's."""
        return frechet(
            features(images, self.network, BATCH), self.reference, network=self.network.name, generator=draws
        )


@lru_cache(maxsize=8)
def _of_test(judge: str, dataset: str, device: torch.device) -> Tensor:
    return predict(classifier(judge).to(device), images(dataset, "test").images.to(device)).cpu()


class SameNoise(Observer):
    """An observer that draws from the same noise with every model that it looks at.

    Args:
        model: of the kind that will be looked at; its process and shape make the noise.
        kind: the base model's description.
        forget: classes, as a page's parameter names them.
        n: images of a look.
        evaluations: of the network for each image, by iPNDM.
        seed: of the noise and of the bootstrap, together with ``stream``.
        real: real images in place of the set's test part.
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
    ):
        if n < 20:
            raise ValueError(f"n={n} is below 20")
        super().__init__(kind.dataset, forget, real=real)
        self.kind, self.evaluations, self.seed, self.stream = kind, evaluations, seed, stream
        self.noise = prior(model, (n, *model.net.shape), generator(seed, stream, "noise"))

    def draw(self, model: Denoiser, labels: Tensor | None = None) -> Tensor:
        """Images from the noise, uint8 [n, C, H, W]; pixels that are not finite are grey."""
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
        """As every observer's, with a bootstrap of its own."""
        return super().distance(images, draws or generator(self.seed, f"{self.stream}/bootstrap", "evaluation"))
