"""What is seen of a model: images from the same noise every time, which of them show the forgotten, and how good the
others are.
"""

from functools import cached_property

import torch
from torch import Tensor

from companion.bases import Base, images
from companion.classifiers import classifier, predict
from companion.evaluation.judge import shows
from companion.machine import pick_device
from companion.seeds import generator
from paperlib.data.images import Images, to_uint8
from paperlib.data.splits import forgotten_classes, split
from paperlib.denoiser import Denoiser
from paperlib.metrics import forgetting
from paperlib.metrics.features import Network, features, penultimate
from paperlib.metrics.forgetting import Forgetting
from paperlib.metrics.frechet import Frechet, Statistics, frechet
from paperlib.sampling import ipndm, prior, sample

__all__ = ["GREY", "Eye"]

GREY = 128
BATCH = 500  # images that the feature network sees at once


class Eye:
    """The same noise, classifier and real images for every model that is looked at.

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
        self.kind, self.evaluations, self.seed, self.stream = kind, evaluations, seed, stream
        self.test: Images = images(kind.dataset, "test") if real is None else real
        self.forget = forget
        self.retained, self.forgotten = split(self.test, forget)
        self.noise = prior(model, (n, *model.net.shape), generator(seed, stream, "noise"))
        self.classifier = classifier(kind.dataset).to(pick_device())
        self.network: Network = penultimate(self.classifier, f"the {kind.dataset} classifier")
        self.reference = Statistics.of(features(self.retained.images, self.network, BATCH), self.network.name)

    @property
    def classes(self) -> list[int]:
        """What is to be forgotten, of a set with classes."""
        return forgotten_classes(self.test, self.forget)

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

    def shown(self, images: Tensor) -> Tensor:
        """Which of the images show what is to be forgotten, in the classifier's eyes, bool [n]."""
        return shows(predict(self.classifier, images), self.test, self.forget)

    def ratio(self, shown: Tensor) -> Forgetting:
        """UR of what is shown, with the floor of real retained images."""
        return forgetting.unlearning_ratio(shown, self._floor)

    @cached_property
    def _floor(self) -> Tensor:
        return self.shown(self.retained.images)

    def distance(self, images: Tensor) -> Frechet:
        """Of images from real retained ones, in the classifier's features."""
        draws = generator(self.seed, f"{self.stream}/bootstrap", "evaluation")
        own = features(images, self.network, BATCH)
        return frechet(own, self.reference, network=self.network.name, generator=draws)
