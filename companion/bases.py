"""The base models of images: what each one is, how it is trained, and the committed ones by name.

A base model is trained on all images of a data set; every unlearning method starts from one. Its twin is trained
without some of the classes, and is what unlearned models are compared with.
"""

import math
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from companion import checkpoints, rehearsal
from companion.budgets import BUDGETS, PAPER, Budget
from companion.folders import models_folder
from companion.seeds import generator
from companion.settings import Settings
from paperlib.data import sets
from paperlib.data.images import Examples, Images
from paperlib.data.splits import split
from paperlib.denoiser import Denoiser, reinitialise
from paperlib.losses import Data, batch_loss
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

PROCESSES = {"ve": VE, "vp": VP, "ddpm": DDPM.linear, "ddpm4000": partial(DDPM.cosine, 4000)}
# A DDPM's network predicts the noise, as in the papers; an SDE's is preconditioned, so that one network serves noise
# levels from 0.01 to 50.
PREDICTS = {"ve": "preconditioned", "vp": "preconditioned", "ddpm": "eps", "ddpm4000": "eps"}
# Image size of the synthetic sets; for STL-10 and Imagenette, the size they are resized to (SGU's public code: 64).
SIZES = {"shapes": 16, "avatars": 32, "stl10": 64, "imagenette": 64}
DATA_STD = {"mnist": 1.0, "digits": 1.0}  # root mean square of a pixel in [-1, 1], rounded; 0.5 for colour sets


class Base(Settings):
    """What a base model is: data set, process, with labels or not, and the classes left out of its training."""

    dataset: Literal["digits", "shapes", "avatars", "mnist", "cifar10", "stl10", "celeba"]
    process: Literal["ve", "vp", "ddpm", "ddpm4000"]  # the last one is VDU's: 4,000 steps on the cosine grid
    labels: bool = False  # conditional, with label dropout
    unseen: str = ""  # classes, named as in a page's parameter ``forget``
    of: Literal["", "vp-labels", "ddpm4000"] = ""  # the network whose weights it uses, as a face; empty: its own
    paper: Literal["", "sgu", "vdu", "erasediff"] = ""  # the paper whose network and training it has; empty: ours

    @property
    def network(self) -> "Base":
        """The base model that has the weights, itself or the one whose weights it uses on another process or without
        labels (that it is a face of)."""
        if not self.of:
            return self
        process, _, labels = self.of.partition("-")
        return self.model_copy(update={"process": process, "labels": bool(labels), "of": ""})

    @property
    def name(self) -> str:
        """The name of its checkpoint."""
        parts = [*([self.paper] if self.paper else []), self.dataset, self.process]
        parts += ["labels"] if self.labels else []
        return "-".join([*parts, *(["unseen", *self.unseen.split(",")] if self.unseen else [])])

    @property
    def dequantised(self) -> bool:
        """Whether it models dequantised pixels, whose density is the likelihood; a DDPM models the 256 levels."""
        return not self.process.startswith("ddpm")

    @property
    def predicts(self) -> str:
        """What its network predicts. SGU's code predicts the noise on VP too."""
        return "eps" if (self.paper, self.process) == ("sgu", "vp") else PREDICTS[self.process]

    @property
    def folder(self) -> Path:
        """The folder of its checkpoint, the committed one or, for a paper's size, the one beside the data."""
        return models_folder() if self.paper else checkpoints.FOLDER

    @property
    def preset(self) -> str:
        """The name of its network, a paper's or ours. Ours have about 0.6 M parameters for digits, 4 M for CIFAR-10,
        and 1 to 1.5 M for others."""
        if self.paper:
            return PAPER[self.paper, self.dataset].preset
        names = {"digits": "small-8", "shapes": "small-16", "avatars": "small-32", "mnist": "small-28"}
        return names.get(self.dataset, "patched-32")


def _with_twin(unseen: str, **base) -> list[Base]:
    return [Base(**base), Base(**base, unseen=unseen)]


_ALL = [
    *(Base(dataset="digits", process=process, labels=labels) for process in ("ve", "ddpm") for labels in (False, True)),
    Base(dataset="digits", process="vp"),
    Base(dataset="digits", process="ddpm", unseen="1"),  # the comparison's twin; below, that of SGU's table in small
    Base(dataset="digits", process="ve", unseen="3,7"),
    *_with_twin("square,disc", dataset="shapes", process="vp"),  # in place of SGU's dog and automobile
    Base(dataset="shapes", process="vp", unseen="arrow"),  # in place of its airplane
    *_with_twin("bangs", dataset="avatars", process="vp"),  # SGU's feature of CelebA
    *_with_twin("3,7", dataset="mnist", process="ve"),  # SGU's classes of MNIST
    *_with_twin("1", dataset="mnist", process="ddpm"),  # VDU's
    *_with_twin("3", dataset="mnist", process="ddpm", labels=True),
    *_with_twin("3", dataset="mnist", process="ve", labels=True),
    # MNIST's full network for every process. Until it and its twins are trained, pages start from those above.
    *_with_twin("3,7", dataset="mnist", process="vp", labels=True),
    Base(dataset="mnist", process="vp", labels=True, unseen="1"),
    # CIFAR-10's networks, in full, without SGU's classes and without EraseDiff's.
    *_with_twin("dog,automobile", dataset="cifar10", process="vp", labels=True),
    Base(dataset="cifar10", process="vp", labels=True, unseen="airplane"),
]
_ALL += [  # CIFAR-10's faces: each of its networks without labels on VP and DDPM, and with labels on DDPM
    base.model_copy(update={"process": process, "labels": labels, "of": "vp-labels"})
    for base in _ALL
    if base.dataset == "cifar10"
    for process, labels in (("vp", False), ("ddpm", False), ("ddpm", True))
]
# The most useful first: the smallest data set, unconditional models before the others, and each twin after the base
# models of its kind.
_ORDER = ("digits", "shapes", "avatars", "mnist", "cifar10")
_ALL.sort(key=lambda base: (_ORDER.index(base.dataset), base.labels, bool(base.unseen)))
_ALL += [  # the papers' own
    *_with_twin("3,7", dataset="mnist", process="ve", paper="sgu"),
    *_with_twin("dog,automobile", dataset="cifar10", process="vp", paper="sgu"),
    *_with_twin("airplane", dataset="stl10", process="vp", paper="sgu"),
    *_with_twin("bangs", dataset="celeba", process="vp", paper="sgu"),
    *_with_twin("dog,automobile", dataset="cifar10", process="ddpm", paper="sgu"),  # Table 5
    Base(dataset="mnist", process="ddpm", paper="vdu"),
    Base(dataset="cifar10", process="ddpm4000", paper="vdu"),
    Base(dataset="cifar10", process="ddpm", paper="vdu", of="ddpm4000"),
    *_with_twin("airplane", dataset="cifar10", process="ddpm", labels=True, paper="erasediff"),
]
BASES: dict[str, Base] = {base.name: base for base in _ALL}


def budget(base: Base, device: torch.device | str) -> Budget:
    """Return the training budget of a base model, or of the network that it is a face of, for a kind of device."""
    network, kind = base.network, torch.device(device).type
    if network.paper:
        return rehearsal.budget(PAPER[network.paper, network.dataset].budget.on(kind))
    shared = network.dataset == "mnist" and (network.process, network.labels) == ("vp", True)
    return BUDGETS["mnist-network" if shared else network.dataset, kind]


def architecture(base: Base) -> Denoiser:
    """Return a fresh network with the base model's process."""
    if base.of:
        model = architecture(base.network)
        if base.of == "ddpm4000":  # VDU, App. 6.2.3: unlearning and sampling use another grid than training
            return model.with_process(DDPM.linear(500, 2e-4, 0.04), match="index")
        model = model if base.labels else unconditional(model)
        return model if base.process == base.network.process else model.with_process(PROCESSES[base.process]())
    changes = {"classes": 10 if base.labels else 0}
    if base.paper:
        changes |= rehearsal.width(PAPER[base.paper, base.dataset].changes)
    net = unet(base.preset, predicts=base.predicts, **changes)
    return Denoiser(net, PROCESSES[base.process](), predicts=base.predicts, data_std=DATA_STD.get(base.dataset, 0.5))


def unconditional(model: Denoiser) -> Denoiser:
    """Turn a model that was trained with labels into its unconditional face, in place."""
    model.net.unconditional()
    return model


def data(base: Base) -> Images:
    """Return the training images of a base model."""
    train = images(base.dataset, "train")
    return split(train, base.unseen).retain if base.unseen else train


def images(dataset: str, part: str) -> Images:
    """Return a part of a data set at the image size of its base models."""
    return _drawn(dataset, part) if dataset in SIZES else sets.load(dataset, part)


@cache
def _drawn(dataset: str, part: str) -> Images:
    """Return a synthetic set, generated and resized once per process."""
    return sets.load(dataset, part, size=SIZES[dataset])


def examples(base: Base, data: Images) -> Examples:
    """Return images of a base model's set in the form used for training and unlearning."""
    return Examples(data, flip=base.dataset in ("cifar10", "stl10"), dequantise=base.dequantised)


def objective(
    model: Denoiser, generator: torch.Generator, index: int, *, data: Data, batch_size: int, **loss
) -> dict[str, Tensor]:
    """Return the denoising loss per pixel; ``loss`` is passed to :func:`paperlib.losses.batch_loss`."""
    return {"loss": batch_loss(model, data, batch_size, generator, **loss).mean() / math.prod(model.net.shape)}


def training(
    base: Base,
    budget: Budget,
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
    images: Images | None = None,
) -> Training:
    """Return the training run of a base model, before its first update; ``images`` replace its own for a trial."""
    if base.of:
        raise ValueError(f"{base.name} is not trained: it is a face of {base.network.name}")
    model, shown = architecture(base), data(base) if images is None else images
    reinitialise(model, generator(seed, f"bases/{base.name}", "init"))
    settings = {"decay": True} | budget.model_dump(exclude={"batch_size", "levels", "weighting", "label_dropout"})
    loss = {"levels": budget.levels, "weighting": budget.weighting, "dropout": budget.label_dropout}
    return Training(
        model.to(device),
        partial(objective, data=examples(base, shown.to(device)), batch_size=budget.batch_size, **loss),
        generator=generator(seed, f"bases/{base.name}", "noise", device),
        **settings,
    )


def card(name: str, folder: Path | None = None) -> dict[str, Any] | None:
    """Return the card of a base model's weights, its own or its network's; None if they are missing."""
    network = BASES[name].network
    return checkpoints.card(network.name, folder or network.folder)


def load(name: str) -> Denoiser:
    """Load a base model whose weights are available."""
    if name not in BASES:
        raise ValueError(f"there is no base model {name!r}; there are: {', '.join(BASES)}")
    return checkpoints.load(architecture(BASES[name]), BASES[name].network.name, BASES[name].folder)
