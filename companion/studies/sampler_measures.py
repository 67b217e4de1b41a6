"""How far a sampler's images are from real ones, in the features of the set's own classifier, and what they cost."""

from collections.abc import Sequence
from functools import cache
from statistics import fmean

import torch
from torch import Tensor

from companion.classifiers import classifier
from companion.evaluation.samples import draw, drawn, find, timing
from companion.seeds import generator
from companion.store import Entry, Store
from paperlib.data import sets
from paperlib.metrics.features import Network, features, penultimate
from paperlib.metrics.frechet import Frechet, Statistics, frechet, statistics

__all__ = ["distance", "draws", "eye", "point", "real_distance", "reference"]

BATCH = 250


def eye(dataset: str) -> Network:
    """The feature network of a set's distances: its committed classifier."""
    return penultimate(classifier(dataset), f"the {dataset} classifier")


@cache
def reference(dataset: str) -> Statistics:
    """Those of the set's test images."""
    return statistics(sets.load(dataset, "test").images, eye(dataset))


def draws(store: Store, base: str, sampler: str, evaluations: int, *, n: int, seed: int = 0) -> Entry:
    """``n`` images of a base model without labels; every sampler starts from the same noise."""
    settings = {"sampler": sampler, "evaluations": evaluations, "n": n, "seed": seed}
    return draw(store, find(base), torch.device("cpu"), **settings, guidance=0, classes=())


def point(entries: Sequence[Entry], dataset: str, seeds: Sequence[int]) -> dict[str, float]:
    """What so many evaluations buy, a mean over seeds, one entry of :func:`draws` each.

    The distance with its 95 % interval over the images of one seed, the evaluations, and the seconds an image.
    """
    real, found = reference(dataset), []
    for entry, seed in zip(entries, seeds, strict=True):
        images, cost = drawn(entry), timing(entry)
        far = distance(images, dataset, real, seed)
        low, high = far.interval
        found.append({"distance": far.value, "low": low, "high": high, "seconds": cost["seconds"] / len(images)})
    return {name: fmean(one[name] for one in found) for name in found[0]} | {"evaluations": cost["evaluations"]}


def distance(images: Tensor, dataset: str, of: Statistics, seed: int = 0) -> Frechet:
    """From the test images, in the classifier's features, with its bootstrap interval."""
    network, resampling = eye(dataset), generator(seed, "samplers/bootstrap", "evaluation")
    return frechet(features(images, network, BATCH), of, network=network.name, generator=resampling)


def real_distance(dataset: str, n: int, seed: int = 0) -> Frechet:
    """What ``n`` training images get against the same reference: the distance of a perfect model at that number."""
    data, network = sets.load(dataset, "train"), eye(dataset)
    chosen = torch.randperm(len(data), generator=generator(seed, "samplers/real", "evaluation"))[:n]
    return frechet(features(data.images[chosen], network, BATCH), reference(dataset), network=network.name)
