"""How far a sampler's images are from real ones, in the features of the set's own classifier."""

import torch
from torch import Tensor

from companion.classifiers import classifier
from companion.seeds import generator
from paperlib.data import sets
from paperlib.metrics.features import Network, features, penultimate
from paperlib.metrics.frechet import Frechet, Statistics, frechet, statistics

__all__ = ["distance", "eye", "real_distance", "reference"]

BATCH = 250


def eye(dataset: str) -> Network:
    """The feature network of a set's distances: its committed classifier."""
    return penultimate(classifier(dataset), f"the {dataset} classifier")


def reference(dataset: str) -> Statistics:
    """Those of the set's test images."""
    return statistics(sets.load(dataset, "test").images, eye(dataset))


def distance(images: Tensor, dataset: str, of: Statistics, seed: int = 0) -> Frechet:
    """From the test images, in the classifier's features, with its bootstrap interval."""
    network, resampling = eye(dataset), generator(seed, "samplers/bootstrap", "evaluation")
    return frechet(features(images, network, BATCH), of, network=network.name, generator=resampling)


def real_distance(dataset: str, n: int, seed: int = 0) -> Frechet:
    """What ``n`` training images get against the same reference: the distance of a perfect model at that number."""
    data, network = sets.load(dataset, "train"), eye(dataset)
    chosen = torch.randperm(len(data), generator=generator(seed, "samplers/real", "evaluation"))[:n]
    return frechet(features(data.images[chosen], network, BATCH), reference(dataset), network=network.name)
