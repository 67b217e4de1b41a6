"""The distance of a sampler's images from real ones, in the features of the set's classifier, and their cost."""

from collections.abc import Mapping, Sequence
from functools import cache
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from companion.bases import BASES
from companion.classifiers import classifier
from companion.evaluation.samples import draw, drawn, find, timing
from companion.machine import pick_device
from companion.seeds import generator
from companion.store import Entry, Store
from paperlib.data import sets
from paperlib.metrics.features import Network, features, penultimate
from paperlib.metrics.frechet import Frechet, Statistics, frechet, statistics

__all__ = ["distance", "distances", "draws", "feature_network", "reached", "real_distance", "reference"]

BATCH = 250


def feature_network(dataset: str) -> Network:
    """Return the feature network for a set's distances: its committed classifier."""
    return penultimate(classifier(dataset), f"the {dataset} classifier")


@cache
def reference(dataset: str) -> Statistics:
    """Return the feature statistics of the set's test images."""
    return statistics(sets.load(dataset, "test").images, feature_network(dataset))


def draws(store: Store, base: str, sampler: str, evaluations: int, *, n: int, seed: int = 0) -> Entry:
    """Return ``n`` images of an unconditional base model; every sampler starts from the same noise."""
    settings = {"sampler": sampler, "evaluations": evaluations, "n": n, "seed": seed}
    return draw(store, find(base), pick_device(), **settings, guidance=0, classes=())


def distances(
    store: Store, base: str, counts: Mapping[str, Sequence[int]], *, n: int, seeds: Sequence[int]
) -> dict[str, list[dict[str, float]]]:
    """Return the results of each sampler for each of its ``counts`` of evaluations, averaged over seeds.

    The distance with its 95 % interval over the images of one seed, the evaluations used and the seconds per image.
    """
    dataset, found = BASES[base].dataset, {}
    for sampler, several in counts.items():
        for count in several:
            entries = [draws(store, base, sampler, count, n=n, seed=seed) for seed in seeds]
            found.setdefault(sampler, []).append(_point(entries, dataset, seeds))
    return found


def _point(entries: Sequence[Entry], dataset: str, seeds: Sequence[int]) -> dict[str, float]:
    real, found = reference(dataset), []
    for entry, seed in zip(entries, seeds, strict=True):
        images, cost = drawn(entry), timing(entry)
        far = distance(images, dataset, real, seed)
        low, high = far.interval
        found.append({"distance": far.value, "low": low, "high": high, "seconds": cost["seconds"] / len(images)})
    return {name: fmean(one[name] for one in found) for name in found[0]} | {"evaluations": cost["evaluations"]}


def reached(record: Any) -> dict[tuple[str, str, int], float]:
    """Return (process, sampler, evaluations) -> distance from a record with the series ``samplers``."""
    return {
        (process, name, one["evaluations"]): one["distance"]
        for process, samplers in record.series["samplers"].items()
        for name, points in samplers.items()
        for one in points
    }


def distance(images: Tensor, dataset: str, of: Statistics, seed: int = 0) -> Frechet:
    """Return the distance from the test images, in the classifier's features, with its bootstrap interval."""
    network, resampling = feature_network(dataset), generator(seed, "samplers/bootstrap", "evaluation")
    return frechet(features(images, network, BATCH), of, network=network.name, generator=resampling)


def real_distance(dataset: str, n: int, seed: int = 0) -> Frechet:
    """Return the distance of ``n`` training images from the same reference: what a perfect model would have."""
    data, network = sets.load(dataset, "train"), feature_network(dataset)
    chosen = torch.randperm(len(data), generator=generator(seed, "samplers/real", "evaluation"))[:n]
    return frechet(features(data.images[chosen], network, BATCH), reference(dataset), network=network.name)
