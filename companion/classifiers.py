"""The book's own classifiers: trained once, committed, and loaded by every page that asks what a sample shows.

:mod:`companion.classifier_training` trains them and writes their checkpoints and cards.

A second classifier of a set, such as ``mnist-judge``, has another architecture, initialisation and data order: what
fools one of the two need not fool the other.
"""

from functools import partial
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from companion import checkpoints
from companion.folders import models_folder
from companion.settings import Settings
from paperlib.checks import need_images
from paperlib.data import sets
from paperlib.data.images import Images, model_input
from paperlib.nets.classifier import CifarResNet, SmallCNN

__all__ = ["RECIPES", "Recipe", "Sized", "build", "classifier", "dataset", "folder_of", "images_of", "predict"]


class Recipe(Settings):
    """How a classifier is trained."""

    size: int = Field(gt=0)  # pixels
    steps: int = Field(gt=0)  # updates
    batch_size: int = Field(128, gt=0)
    # A quarter of the work of 32, and accurate enough. With 4 and channels last, oneDNN's convolutions (torch 2.15)
    # write out of bounds on processors with AVX2 alone; with 8 and 16 they do not.
    width: int = Field(16, ge=8)
    depth: int = Field(20, gt=0)  # of CifarResNet
    optimizer: Literal["Adam", "SGD"] = "Adam"  # SGD has Nesterov momentum 0.9
    lr: float = Field(3e-3, gt=0)  # falling along half a cosine
    clip: float = Field(1.0, ge=0)  # largest norm of the gradient, 0 for no clipping
    weight_decay: float = Field(0, ge=0)  # of SGD
    shift: int = Field(0, ge=0)  # the largest random shift in pixels, where the class does not depend on it
    network: Literal["SmallCNN", "CifarResNet"] = "SmallCNN"
    each: bool = False  # every image of a batch has its own shift
    flip: bool = False  # mirror half of the images, where the class does not depend on it
    statistics: int = Field(0, ge=0)  # batches used to compute BatchNorm's statistics for the averaged weights


RECIPES = {
    "digits": Recipe(size=8, steps=1500, shift=1),
    "shapes": Recipe(size=32, steps=1200, shift=2),
    "avatars": Recipe(size=32, steps=1000),
    "mnist": Recipe(size=28, steps=4500, shift=2),
    # He et al. (2016) train for 164 passes; this is 61. Adam with the same augmentation reached 89.2 % in 31.
    "cifar10": Recipe(
        size=32,
        steps=24_000,
        network="CifarResNet",
        optimizer="SGD",
        lr=0.1,
        clip=0,
        weight_decay=5e-4,
        shift=4,
        each=True,
        flip=True,
        statistics=200,
    ),
    "digits-judge": Recipe(size=8, steps=1500, network="CifarResNet", depth=8, shift=1, statistics=100),
    "mnist-judge": Recipe(size=28, steps=2500, network="CifarResNet", depth=8, shift=2, statistics=100),
    "cifar10-judge": Recipe(size=32, steps=6000, shift=4, each=True, flip=True),
}
# Our choice, as for CIFAR-10: SGU uses "external classifiers or CLIP" without saying which. STL-10 has 5,000 labelled
# images.
RECIPES["stl10"] = RECIPES["cifar10"].model_copy(update={"size": 64, "steps": 8_000, "shift": 8})
RECIPES["imagenette"] = RECIPES["stl10"]
RECIPES["celeba"] = Recipe(size=64, steps=20_000, network="CifarResNet", each=True, shift=2, flip=True, statistics=200)


def dataset(name: str) -> str:
    """Return the data set that a classifier, or second classifier, belongs to."""
    return name.removesuffix("-judge")


# Channels and classes of the real sets, so that their classifiers can be built without the images.
SHAPES = {"mnist": (1, 10), "cifar10": (3, 10), "stl10": (3, 10), "celeba": (3, 40), "imagenette": (3, 10)}
# Sets whose classifiers are not committed: one trained on CelebA may not be, the others have not been trained yet.
LARGE = ("stl10", "celeba", "imagenette")


def build(name: str) -> SmallCNN | CifarResNet:
    """Return a fresh classifier for a set, with one output per class or per attribute."""
    if name not in RECIPES:
        raise ValueError(f"there is no classifier of {name!r}; there are: {', '.join(RECIPES)}")
    recipe = RECIPES[name]
    if dataset(name) in SHAPES:
        channels, outputs = SHAPES[dataset(name)]
    else:
        example = images_of(name, "test")
        channels, outputs = example.shape[0], len(example.classes or example.attributes)
    network = {"SmallCNN": SmallCNN, "CifarResNet": partial(CifarResNet, depth=recipe.depth)}[recipe.network]
    return network(channels, outputs, width=recipe.width).to(memory_format=torch.channels_last)


def images_of(name: str, part: str) -> Images:
    """Return a part of a classifier's data set, at its image size."""
    return sets.load(dataset(name), part, size=RECIPES[name].size)


class Sized(nn.Module):
    """A classifier of a synthetic set that first resizes images of other sizes (bicubic)."""

    def __init__(self, network: SmallCNN, size: int):
        super().__init__()
        self.network, self.size = network, size

    def _fit(self, x: Tensor) -> Tensor:
        size = (self.size, self.size)
        return x if x.shape[2:] == size else nn.functional.interpolate(x, size, mode="bicubic", antialias=True)

    def features(self, x: Tensor) -> Tensor:
        """Return the input of the network's last layer."""
        return self.network.features(self._fit(x))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        return self.network(self._fit(x))


def classifier(name: str) -> SmallCNN | CifarResNet | Sized:
    """Load the classifier of a set."""
    network = checkpoints.load(build(name), f"classifier-{name}", folder_of(name))
    return Sized(network, RECIPES[name].size).eval() if _drawn(name) else network


def pinned(name: str) -> str:
    """Return the sha256 of a set's classifier, an input of every step in which it judges; empty if it is missing."""
    return (checkpoints.card(f"classifier-{name}", folder_of(name)) or {}).get("sha256", "")


def folder_of(name: str) -> Path:
    """Return the folder of a set's classifier: the committed ones, or the one beside the data."""
    return models_folder() if name in LARGE else checkpoints.FOLDER


def _drawn(name: str) -> dict[str, int]:
    return {"size": RECIPES[name].size} if name in ("shapes", "avatars") else {}


@torch.no_grad()
def predict(model: nn.Module, images: Tensor, batch_size: int = 500) -> Tensor:
    """Return logits [N, outputs] on the CPU for uint8 images [N, C, H, W], computed on the model's device."""
    need_images("images", images)
    device = next((p.device for p in model.parameters()), images.device)
    parts = (model_input(part.to(device)) for part in images.split(batch_size))
    return torch.cat([model(part.contiguous(memory_format=torch.channels_last)).cpu() for part in parts])
