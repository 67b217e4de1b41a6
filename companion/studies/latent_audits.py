"""The Frechet distance after the wrong cast of [-1, 1] to bytes, tested on sets whose differences are known."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import torch
from torch import Tensor

from companion.claims import load
from companion.rows import Row, row
from companion.seeds import generator
from paperlib.data import sets
from paperlib.intervals import t_interval
from paperlib.metrics.features import MissingWeights, Network, features, inception
from paperlib.metrics.frechet import Statistics, frechet
from paperlib.metrics.miscast import miscast

__all__ = ["SETS", "distances", "known_sets", "mean_without", "network_64", "printed_fids"]

#: The sets that are compared with a reference of real images.
SETS = {
    "equal": "other images of the same set",
    "dimmer": "the same, at half the contrast",
    "brighter": "the same, every pixel 24 levels brighter",
    "inverted": "the same, as negatives",
    "one class": "one class only",
    "collapsed": "one image, repeated",
    "grey": "grey, all of them",
    "noise": "uniform noise",
}


def known_sets(dataset: str, n: int, seed: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Return ``n`` reference images and, by name, ``n`` images of each of :data:`SETS`, uint8 [n, C, H, W]."""
    enough = 40 * n if dataset in sets.DRAWN else None  # so that one class of ten has n images
    data, draws = sets.load(dataset, "train", n=enough), generator(seed, "latent_audits", "data")
    order = torch.randperm(len(data), generator=draws)
    reference, equal = data.images[order[:n]], data.images[order[n : 2 * n]]
    one_class = data.images[(data.labels == 0).nonzero()[:n, 0]]
    found = {
        "equal": equal,
        "dimmer": (equal // 2) + 64,
        "brighter": (equal.int() + 24).clamp(max=255).to(torch.uint8),
        "inverted": 255 - equal,
        "one class": one_class,
        "collapsed": equal[:1].expand_as(equal).contiguous(),
        "grey": torch.full_like(equal, 128),
        "noise": torch.randint(0, 256, equal.shape, generator=draws, dtype=torch.uint8),
    }
    return reference, found


@cache
def network_64() -> Network:
    """Return Inception's first 64 features or, if its weights are missing, 64 features of a random convolution."""
    try:
        return each_once(inception(dims=64))
    except MissingWeights:
        W = torch.randn(64, 3, 3, 3, generator=torch.Generator().manual_seed(0)) / 5

    def extract(images: Tensor) -> Tensor:
        return torch.nn.functional.conv2d(images.float() / 255, W).relu().mean((2, 3))

    return each_once(Network("64 random features", extract))


def each_once(network: Network) -> Network:
    """Return the same network, which evaluates equal images of a batch once: the wrong cast makes most images equal."""

    def extract(images: Tensor) -> Tensor:
        first: dict[bytes, int] = {}  # index among the distinct images, by first appearance
        places = [first.setdefault(image.numpy().tobytes(), len(first)) for image in images]
        rows = [places.index(place) for place in range(len(first))]
        return network.extract(images[rows])[places]

    return Network(network.name, extract)


def distances(dataset: str, n: int, seed: int) -> Iterator[Row]:
    """Yield the distance of every set from the reference, with the right bytes and with the wrong cast."""
    reference, known = known_sets(dataset, n, seed)
    network = network_64()
    facts: dict[str, Any] = dict(dataset=dataset, feature_network=network.name, reference_n=n, unit="squared distance")
    for cast, bytes_of in (("right", lambda images: images), ("wrong", miscast)):
        against = Statistics.of(features(bytes_of(reference), network), network.name)
        for name, images in known.items():
            values = features(bytes_of(images), network)
            draws = generator(seed, f"latent_audits/{name}", "evaluation")
            found = frechet(values, against, network=network.name, generator=draws)
            how = dict(metric="distance", n=len(images), seed=seed, interval=found.interval, cast=cast)
            yield row(found.value, **how, method=name, what=SETS[name], **facts)


def printed_fids() -> dict[str, dict[str, float]]:
    """Return the FIDs printed in Table 3: method -> class -> FID."""
    found: dict[str, dict[str, float]] = {}
    for name, one in load().items():
        if name.startswith("erasediff.tab3/") and one.metric == "fid_imagenette" and one.forget != "each class":
            found.setdefault(one.method, {})[one.forget] = one.value
    return found


def mean_without(ours: dict[str, float], theirs: dict[str, float], left_out: str = "") -> dict[str, Any]:
    """Return both means over all classes except ``left_out``, and their paired difference with its t-interval."""
    kept = [name for name in ours if name != left_out]
    gaps = [ours[name] - theirs[name] for name in kept]
    return {
        "ours": sum(ours[name] for name in kept) / len(kept),
        "theirs": sum(theirs[name] for name in kept) / len(kept),
        "difference": sum(gaps) / len(gaps),
        "interval": t_interval(gaps),
    }
