"""What each sampler gives for its evaluations: images, their distance from real ones, and seconds.

One stored step for each base model, sampler and number of evaluations. All start from the same noise.
"""

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from paperlib.data import sets
from paperlib.data.images import to_uint8
from paperlib.metrics.features import Network, features, penultimate
from paperlib.metrics.frechet import Frechet, Statistics, frechet, statistics
from paperlib.runs import bases, checkpoints
from paperlib.runs.classifiers import classifier
from paperlib.runs.seeds import generator
from paperlib.runs.settings import Settings
from paperlib.runs.store import Entry, Store
from paperlib.sampling import ddim, ddpm, dpmpp_2m, euler_maruyama, heun, ipndm, predictor_corrector, sample_batches

__all__ = ["SAMPLERS", "Drawing", "distance", "draw", "images", "real_distance", "reference", "steps", "timing"]

#: Name -> sampler, and the network evaluations of ``steps`` steps.
SAMPLERS: dict[str, tuple[Callable, Callable[[int], int]]] = {
    "DDPM": (partial(ddpm, clip=1.0), lambda steps: steps),
    "DDIM": (ddim, lambda steps: steps),
    "Euler-Maruyama": (partial(euler_maruyama, denoise=True), lambda steps: steps),
    "predictor-corrector": (predictor_corrector, lambda steps: 2 * steps),
    "Heun": (partial(heun, variable="noise", spacing="karras", denoise=True), lambda steps: 2 * steps - 1),
    "DPM-Solver++(2M)": (dpmpp_2m, lambda steps: steps),
    "iPNDM": (ipndm, lambda steps: steps),
}
BATCH = 250


def steps(sampler: str, evaluations: int) -> int:
    """The most steps of a sampler within so many evaluations, one at least."""
    cost = SAMPLERS[sampler][1]
    return max(k for k in range(1, evaluations + 1) if k == 1 or cost(k) <= evaluations)


class Drawing(Settings):
    """What is drawn: ``n`` images of a base model, by a sampler with so many evaluations."""

    base: str
    sampler: str
    evaluations: int = Field(gt=0)
    n: int = Field(gt=0)
    seed: int = Field(0, ge=0)


def draw(store: Store, drawing: Drawing) -> Entry:
    """The images and the seconds that they took, from the store or computed now."""
    card = checkpoints.card(drawing.base)
    if drawing.sampler not in SAMPLERS:
        raise ValueError(f"sampler={drawing.sampler!r} is not one of {', '.join(SAMPLERS)}")
    return store.step("samples", drawing, _draw, inputs=[card["sha256"]] if card else [])


def _draw(folder: Path, drawing: Drawing) -> None:
    model = bases.load(drawing.base)
    start = generator(drawing.seed, f"samplers/{drawing.base}", "noise")  # the same noise for every sampler
    noise = model.process.prior_std() * torch.randn(drawing.n, *model.net.shape, generator=start)
    labels = torch.arange(drawing.n) % 10 if model.net.classes else None
    settings = {
        "sampler": SAMPLERS[drawing.sampler][0],
        "steps": steps(drawing.sampler, drawing.evaluations),
        "generator": generator(drawing.seed, f"samplers/{drawing.base}/{drawing.sampler}", "noise"),
    }
    begun = time.perf_counter()
    states = list(sample_batches(model, noise.shape, batch=BATCH, noise=noise, cond=labels, **settings))
    seconds = time.perf_counter() - begun
    dequantised = bases.BASES[drawing.base].dequantised
    pixels = torch.cat([to_uint8(state.x, dequantised=dequantised) for state in states])
    np.savez_compressed(folder / "images.npz", images=pixels.numpy())
    facts = {"seconds": seconds, "evaluations": states[0].evaluations}
    (folder / "facts.json").write_text(json.dumps(facts), encoding="utf-8")


def images(entry: Entry) -> Tensor:
    """The stored images, uint8 [n, C, H, W]."""
    with np.load(entry.path / "images.npz") as stored:
        return torch.from_numpy(stored["images"])


def timing(entry: Entry) -> dict[str, float]:
    """``seconds`` of the whole drawing, and ``evaluations`` of each image."""
    return json.loads((entry.path / "facts.json").read_text())


def eye(dataset: str) -> Network:
    """The feature network of a set's distances: its committed classifier."""
    return penultimate(classifier(dataset), f"the {dataset} classifier")


def reference(dataset: str) -> Statistics:
    """Those of the set's test images."""
    return statistics(sets.load(dataset, "test").images, eye(dataset))


def distance(entry: Entry, dataset: str, of: Statistics, seed: int = 0) -> Frechet:
    """From the test images, in the classifier's features, with its bootstrap interval."""
    network, resampling = eye(dataset), generator(seed, "samplers/bootstrap", "evaluation")
    return frechet(features(images(entry), network, BATCH), of, network=network.name, generator=resampling)


def real_distance(dataset: str, n: int, seed: int = 0) -> Frechet:
    """What ``n`` training images get against the same reference: the distance of a perfect model at that number."""
    data, network = sets.load(dataset, "train"), eye(dataset)
    chosen = torch.randperm(len(data), generator=generator(seed, "samplers/real", "evaluation"))[:n]
    return frechet(features(data.images[chosen], network, BATCH), reference(dataset), network=network.name)
