"""The base models of images: what each is, how it is trained, and the committed ones by name.

A base model is trained on all images of a set, or, as the twin that has never seen them, on all but some classes; it
is what every unlearning method starts from, and the twin is what they are compared with.
"""

import math
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from companion import checkpoints
from companion.seeds import generator
from companion.settings import Settings
from paperlib.data import sets
from paperlib.data.images import Examples, Images
from paperlib.data.splits import split
from paperlib.denoiser import Denoiser, reinitialise
from paperlib.losses import LABEL_DROPOUT, Data, batch_loss
from paperlib.nets.presets import unet
from paperlib.processes import DDPM, VE, VP
from paperlib.training import Training

__all__ = [
    "BASES",
    "Base",
    "Budget",
    "architecture",
    "budget",
    "card",
    "data",
    "examples",
    "images",
    "load",
    "training",
]

PROCESSES = {"ve": VE, "vp": VP, "ddpm": DDPM.linear}
# A DDPM's network predicts the noise, as its papers have it; an SDE's is preconditioned, so that one network serves
# noise levels from 0.01 to 50.
PREDICTS = {"ve": "preconditioned", "vp": "preconditioned", "ddpm": "eps"}
SIZES = {"shapes": 16, "avatars": 32}  # pixels that drawn sets are drawn at
DATA_STD = {"mnist": 1.0, "digits": 1.0}  # root mean square of a pixel in [-1, 1], rounded; 0.5 of the coloured sets


class Budget(Settings):
    """How long a base model is trained, and with what arithmetic."""

    steps: int = Field(gt=0)  # updates of Adam
    batch_size: int = Field(gt=0)
    lr: float = Field(gt=0)  # after the warm-up; it falls to zero along half a cosine
    ema: float = Field(0.999, ge=0, lt=1)
    warmup: int = Field(200, ge=0)
    precision: Literal["float32", "bf16", "faster"] = "float32"  # faster: measured on this machine when a run begins
    compiled: bool = False
    levels: Literal["uniform", "lognormal"] = "uniform"  # of the noise in training (paperlib.losses.times)
    weighting: Literal["simple", "unit"] = "simple"  # of the loss over time (paperlib.losses.weight)
    label_dropout: float = Field(LABEL_DROPOUT, ge=0, le=1)  # how often a model with labels is told none

    @property
    def samples(self) -> int:
        """Images seen, counted as often as they were."""
        return self.steps * self.batch_size


# An hour or less on two CPU cores. On a GPU as many passes as make a good model, in minutes.
_GPU = dict(batch_size=512, ema=0.9999, warmup=1000, precision="bf16", compiled=True)
_NETWORK = dict(precision="faster", levels="lognormal", weighting="unit", label_dropout=0.4, warmup=1000)
BUDGETS = {
    ("digits", "cpu"): Budget(steps=1500, batch_size=128, lr=2e-3),  # two minutes; 140 passes
    ("digits", "cuda"): Budget(steps=1500, batch_size=128, lr=2e-3),
    ("shapes", "cpu"): Budget(steps=4000, batch_size=64, lr=1e-3),  # twelve minutes of one core
    ("shapes", "cuda"): Budget(steps=4000, batch_size=64, lr=1e-3),
    ("avatars", "cpu"): Budget(steps=3000, batch_size=64, lr=1e-3),  # 40 minutes of one core
    ("avatars", "cuda"): Budget(steps=3000, batch_size=64, lr=1e-3),
    ("mnist", "cpu"): Budget(steps=5000, batch_size=64, lr=2e-3),  # 40 minutes of one core; six passes
    ("mnist", "cuda"): Budget(steps=20_000, lr=1e-3, **_GPU),
    # One network that serves every process, with labels and without (``Base.of``): label dropout so high that its
    # unconditional face sees nearly as much. The recipe is the best at equal processor time (campaign/trials.py).
    ("cifar10", "cpu"): Budget(steps=32_000, batch_size=64, lr=1e-3, ema=0.9995, **_NETWORK),  # 2 million images
    ("cifar10", "cuda"): Budget(steps=40_000, lr=5e-4, **_GPU | _NETWORK),
    ("mnist-network", "cpu"): Budget(steps=25_000, batch_size=64, lr=1e-3, ema=0.9995, **_NETWORK),  # 1.6 million
    ("mnist-network", "cuda"): Budget(steps=20_000, lr=1e-3, **_GPU | _NETWORK),
}


class Base(Settings):
    """What a base model is: set, process, with labels or not, and the classes that it has never seen."""

    dataset: Literal["digits", "shapes", "avatars", "mnist", "cifar10"]
    process: Literal["ve", "vp", "ddpm"]
    labels: bool = False  # conditional, with label dropout
    unseen: str = ""  # as a page's parameter ``forget`` names classes
    of: Literal["", "vp-labels"] = ""  # the trained network that this is a face of; empty: it is trained itself

    @property
    def network(self) -> "Base":
        """The base model that has the weights, itself or the one that it is a face of."""
        if not self.of:
            return self
        process, _, labels = self.of.partition("-")
        return self.model_copy(update={"process": process, "labels": bool(labels), "of": ""})

    @property
    def name(self) -> str:
        """The name of its checkpoint."""
        parts = [self.dataset, self.process, *(["labels"] if self.labels else [])]
        return "-".join([*parts, *(["unseen", *self.unseen.split(",")] if self.unseen else [])])

    @property
    def dequantised(self) -> bool:
        """Whether it is a model of dequantised pixels, whose density a likelihood is; a DDPM's are the 256 levels."""
        return self.process != "ddpm"

    @property
    def preset(self) -> str:
        """The name of its network, about 0.6 M parameters for digits, 4 M for CIFAR-10, 1 to 1.5 M for others."""
        names = {"digits": "small-8", "shapes": "small-16", "avatars": "small-32", "mnist": "small-28"}
        return names.get(self.dataset, "deep-32")


def _with_twin(unseen: str, **base) -> list[Base]:
    return [Base(**base), Base(**base, unseen=unseen)]


_ALL = [
    *(Base(dataset="digits", process=process, labels=labels) for process in ("ve", "ddpm") for labels in (False, True)),
    Base(dataset="digits", process="vp"),
    Base(dataset="digits", process="ddpm", unseen="1"),  # the twins of the comparison's, and of SGU's table in small
    Base(dataset="digits", process="ve", unseen="3,7"),
    *_with_twin("square,disc", dataset="shapes", process="vp"),  # in the places of SGU's dog and automobile
    Base(dataset="shapes", process="vp", unseen="arrow"),  # in the place of its airplane
    *_with_twin("bangs", dataset="avatars", process="vp"),  # SGU's feature of CelebA
    *_with_twin("3,7", dataset="mnist", process="ve"),  # SGU's classes of MNIST
    *_with_twin("1", dataset="mnist", process="ddpm"),  # VDU's
    *_with_twin("3", dataset="mnist", process="ddpm", labels=True),
    *_with_twin("3", dataset="mnist", process="ve", labels=True),
    # MNIST's network for every process, in earnest. Until it and its twins are trained, pages start from those above.
    *_with_twin("3,7", dataset="mnist", process="vp", labels=True),
    Base(dataset="mnist", process="vp", labels=True, unseen="1"),
    # CIFAR-10's networks, without SGU's classes and without EraseDiff's.
    *_with_twin("dog,automobile", dataset="cifar10", process="vp", labels=True),
    Base(dataset="cifar10", process="vp", labels=True, unseen="airplane"),
]
_ALL += [  # CIFAR-10's faces: of each of its networks, without labels on VP and DDPM, with labels on DDPM
    base.model_copy(update={"process": process, "labels": labels, "of": "vp-labels"})
    for base in _ALL
    if base.dataset == "cifar10"
    for process, labels in (("vp", False), ("ddpm", False), ("ddpm", True))
]
# In the order of their worth: the smallest set first, the unconditional ones before the others, and each twin after
# the base models of its kind.
_ORDER = ("digits", "shapes", "avatars", "mnist", "cifar10")
_ALL.sort(key=lambda base: (_ORDER.index(base.dataset), base.labels, bool(base.unseen)))
BASES: dict[str, Base] = {base.name: base for base in _ALL}


def budget(base: Base, device: torch.device | str) -> Budget:
    """The training budget of a base model, or of the network that it is a face of, on a kind of device."""
    network, kind = base.network, torch.device(device).type
    shared = network.dataset == "mnist" and (network.process, network.labels) == ("vp", True)
    return BUDGETS["mnist-network" if shared else network.dataset, kind]


def architecture(base: Base) -> Denoiser:
    """A fresh network on the base model's process."""
    if base.of:
        model = architecture(base.network)
        model = model if base.labels else unconditional(model)
        return model if base.process == base.network.process else model.with_process(PROCESSES[base.process]())
    predicts = PREDICTS[base.process]
    changes = {"classes": 10 if base.labels else 0}
    net = unet(base.preset, predicts=predicts, **changes)
    return Denoiser(net, PROCESSES[base.process](), predicts=predicts, data_std=DATA_STD.get(base.dataset, 0.5))


def unconditional(model: Denoiser) -> Denoiser:
    """The unconditional face of a model that was trained with labels, in place."""
    model.net.unconditional()
    return model


def data(base: Base) -> Images:
    """Its training images."""
    train = images(base.dataset, "train")
    return split(train, base.unseen).retain if base.unseen else train


def images(dataset: str, part: str) -> Images:
    """A part of a set at its base models' size."""
    return sets.load(dataset, part, size=SIZES.get(dataset))


def examples(base: Base, data: Images) -> Examples:
    """Images of its set as it is trained on them, or made to forget them."""
    return Examples(data, flip=base.dataset == "cifar10", dequantise=base.dequantised)


def objective(
    model: Denoiser, generator: torch.Generator, index: int, *, data: Data, batch_size: int, **loss
) -> dict[str, Tensor]:
    """Denoising score matching, the mean over pixels; ``loss`` is of :func:`paperlib.losses.batch_loss`."""
    return {"loss": batch_loss(model, data, batch_size, generator, **loss).mean() / math.prod(model.net.shape)}


def training(
    base: Base,
    budget: Budget,
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
    images: Images | None = None,
) -> Training:
    """The training run that makes a base model, before its first update; ``images`` in place of its own try it out."""
    if base.of:
        raise ValueError(f"{base.name} is not trained: it is a face of {base.network.name}")
    model, shown = architecture(base), data(base) if images is None else images
    reinitialise(model, generator(seed, f"bases/{base.name}", "init"))
    settings = budget.model_dump(exclude={"batch_size", "levels", "weighting", "label_dropout"})
    loss = {"levels": budget.levels, "weighting": budget.weighting, "dropout": budget.label_dropout}
    return Training(
        model.to(device),
        partial(objective, data=examples(base, shown.to(device)), batch_size=budget.batch_size, **loss),
        generator=generator(seed, f"bases/{base.name}", "noise", device),
        decay=True,
        **settings,
    )


def card(name: str, folder: Path = checkpoints.FOLDER) -> dict[str, Any] | None:
    """The card of the weights that a base model has, its own or its network's; None where they are not trained."""
    return checkpoints.card(BASES[name].network.name, folder)


def load(name: str) -> Denoiser:
    """A committed base model."""
    if name not in BASES:
        raise ValueError(f"there is no base model {name!r}; there are: {', '.join(BASES)}")
    return checkpoints.load(architecture(BASES[name]), BASES[name].network.name)
