"""Classifiers of noisy images, one per data set, which give exact negation its P(class | x_t).

``python -m companion noisy-classifier digits mnist`` trains them and writes checkpoints and cards; a card has accuracy
and calibration at several noise levels. One network serves every process (:mod:`paperlib.nets.noisy_classifier`) and
every choice of classes to forget; for a set with attributes, the classes are their combinations
(:func:`paperlib.data.splits.parted`). A snapshot in the build folder lets an interrupted run continue, with bitwise the
same result.
"""

import hashlib
import math
from functools import partial
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from companion import bases, checkpoints
from companion.classifier_training import train_named
from companion.folders import build_folder
from companion.machine import say
from companion.seeds import generator
from companion.settings import Settings
from companion.snapshots import Resumable
from paperlib.data import sets
from paperlib.data.images import Images
from paperlib.data.splits import parted
from paperlib.nets.noisy_classifier import NoisyClassifier, noisy_loss
from paperlib.training import Training

__all__ = ["LEVELS", "RECIPES", "Recipe", "build", "calibration", "images", "make", "noisy_classifier", "training"]

LEVELS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # s = sigma / alpha at which a card reports its quality
BINS = 15  # of the expected calibration error (Guo et al., 2017)


class Recipe(Settings):
    """How a classifier is trained. No image is shifted or mirrored: P(class | x_t) is for the data as they are."""

    steps: int = Field(gt=0)  # updates of Adam
    batch_size: int = Field(128, gt=0)
    lr: float = Field(2e-3, gt=0)  # falling along half a cosine
    channels: int = Field(32, gt=0)
    multipliers: tuple[int, ...] = (1, 2, 4)


RECIPES = {
    "digits": Recipe(steps=1500, multipliers=(2, 4)),
    "shapes": Recipe(steps=1500),
    "avatars": Recipe(steps=1500),  # 32 combinations of five attributes
    "mnist": Recipe(steps=4000),  # 20 minutes of one core
    "cifar10": Recipe(steps=6000, multipliers=(2, 4, 8)),
}


def build(name: str) -> NoisyClassifier:
    """Return a fresh classifier of a set's noisy images."""
    if name not in RECIPES:
        raise ValueError(f"there is no classifier of noisy {name!r}; there are: {', '.join(RECIPES)}")
    recipe, channels = RECIPES[name], {"digits": 1, "mnist": 1}.get(name, 3)
    outputs = len(images(name, "test").classes) if name in sets.EMBEDDED else 10  # the other sets need not be present
    width = {"channels": recipe.channels, "multipliers": recipe.multipliers}
    return NoisyClassifier(channels, outputs, data_std=bases.DATA_STD.get(name, 0.5), **width)


def images(name: str, part: str) -> Images:
    """Return the images of a set, labelled with the classes that its classifier distinguishes."""
    return parted(bases.images(name, part))


def noisy_classifier(name: str) -> NoisyClassifier:
    """Load the committed classifier of a set's noisy images."""
    return checkpoints.load(build(name), f"noisy-classifier-{name}")


def objective(model: NoisyClassifier, draws: torch.Generator, index: int, *, data: Images, size: int) -> dict:
    """Return the cross-entropy on a random batch, each image at its own noise level."""
    return {"loss": noisy_loss(model, *data.batch(size, draws), draws).mean()}


def training(name: str, *, seed: int = 0) -> Training:
    """Return the training run of a set's classifier, before its first update."""
    recipe, data, stream = RECIPES[name], images(name, "train"), f"noisy-classifier/{name}"
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(generator(seed, stream, "init").initial_seed())
        model = build(name)
    return Training(
        model,
        partial(objective, data=data, size=recipe.batch_size),
        steps=recipe.steps,
        lr=recipe.lr,
        warmup=100,
        decay=True,
        generator=generator(seed, stream, "data"),
    )


def snapshot_file(name: str, seed: int) -> Path:
    """Return the path of a run's snapshot; every recipe and seed has its own file."""
    key = hashlib.sha256(f"{RECIPES[name].model_dump_json()} {seed}".encode()).hexdigest()[:12]
    return build_folder() / "classifiers" / f"noisy-{name}-{key}.pt"


@torch.no_grad()
def calibration(model: NoisyClassifier, data: Images, level: float, draws: torch.Generator) -> dict[str, float]:
    """Measure a classifier on images at one noise level.

    Returns ``accuracy``; ``cross_entropy`` in nats; ``error``, the expected calibration error; ``temperature``, by
    which its logits would have to be divided for the least cross-entropy on these images (below 1: underconfident).
    """
    log_s, x0 = torch.tensor(level).log(), data.images.float() / 127.5 - 1
    y = x0 + level * torch.randn(x0.shape, generator=draws)
    logits = torch.cat([model(part, log_s) for part in y.split(500)]).double()
    confidence, shown = logits.softmax(1).max(1)
    right = (shown == data.labels).double()
    bins = (confidence * BINS).long().clamp(max=BINS - 1)
    gaps = torch.zeros(BINS, dtype=torch.double).index_add(0, bins, confidence - right).abs()
    return {
        "sigma_over_alpha": level,
        "accuracy": right.mean().item(),
        "cross_entropy": F.cross_entropy(logits, data.labels).item(),
        "error": (gaps.sum() / len(data)).item(),
        "temperature": temperature(logits, data.labels),
    }


def temperature(logits: Tensor, labels: Tensor) -> float:
    """Return the T for which softmax(logits / T) has the least cross-entropy (Guo et al., 2017), by golden-section
    search in log T."""
    from scipy.optimize import minimize_scalar

    def loss(log_T: float) -> float:
        return F.cross_entropy(logits / math.exp(log_T), labels).item()

    return math.exp(minimize_scalar(loss, bounds=(-2.0, 2.0), method="bounded").x)


def make(name: str, *, seed: int = 0, folder: Path = checkpoints.FOLDER) -> Path:
    """Train, round to fp16, evaluate the rounded weights on test images, and write the checkpoint and its card."""
    run, snapshot = training(name, seed=seed), snapshot_file(name, seed)
    for step in Resumable(run, snapshot):
        if step.index % 250 == 0:
            say(f"{name}: update {step.index} of {run.steps}, loss {step.losses['loss']:.3f}, {step.seconds:.0f} s")
    model = run.model.eval()
    model.load_state_dict({key: value.float() for key, value in checkpoints.rounded(model).items()})
    file = checkpoints.save(model, f"noisy-classifier-{name}", card(name, model, run, seed), folder)
    snapshot.unlink(missing_ok=True)
    return file


def card(name: str, model: NoisyClassifier, run: Training, seed: int) -> dict[str, Any]:
    """Return what the checkpoint's card says about a trained classifier."""
    recipe, test = RECIPES[name], images(name, "test")
    draws = generator(seed, f"noisy-classifier/{name}", "evaluation")
    levels = [calibration(model, test, level, draws) for level in LEVELS]
    for one in levels:
        say(f"{name}: " + ", ".join(f"{key} {value:.4g}" for key, value in one.items()))
    return {
        "data": f"{name}-train",
        "network": f"NoisyClassifier, {recipe.channels} channels",
        "recipe": recipe.model_dump(),
        "seed": seed,
        "seconds": round(run.seconds, 1),
        "gradient_evaluations": run.gradient_evaluations,
        "samples_seen": recipe.steps * recipe.batch_size,
        "test": test.name,
        "names": list(test.classes),
        "levels": levels,
    }


def main() -> None:
    """Train the classifiers of noisy images of the named data sets."""
    train_named(make, RECIPES, main.__doc__)


if __name__ == "__main__":
    main()
