"""What a search for settings looks with: images and noise that no report uses.

A run of a search learns from four fifths of the training images. Its losses are those of the other fifth, and on MNIST
its distance is from that fifth, too. On digits that would not do: the classifier has learnt the training images, so its
features of the held-out ones are not those of new images; real test images are farther from them than the base model's
samples are from test images. There, distances are measured from the base model's own samples of what is to be kept, and
compared with the base model's distance from real test images: a model passes the book's rule
(:func:`paperlib.metrics.rule.score`) if unlearning moves it by no more than 1.5 times the distance at which it started.
This needs nothing of the classifier, so all other sets have it, CIFAR-10 too, whose held-out images would have served.
"""

from typing import Any

from torch import Tensor

from companion import bases
from companion.evaluation.observer import Observer, SameNoise
from companion.seeds import generator
from paperlib.data.images import Images
from paperlib.data.splits import validation
from paperlib.denoiser import Denoiser

__all__ = ["ALIKE", "from_real", "observer", "parts"]

ALIKE = ("mnist",)  # sets whose searches measure from held-out images, which serve there
OWN = 1000  # samples of the base model from which distances are measured


def parts(base: str) -> tuple[Images, Images]:
    """Return the training images that a run of a search learns from, and those held out."""
    return validation(bases.images(bases.BASES[base].dataset, "train"))


def observer(model: Denoiser, base: str, forget: str, **settings: Any) -> SameNoise:
    """Return the observer of a search's runs of this base model; ``settings`` are those of
    :class:`~companion.evaluation.observer.SameNoise`."""
    kind, real = bases.BASES[base], parts(base)[1]
    near = None if kind.dataset in ALIKE else _own(model, base, forget, **settings)
    return SameNoise(model, kind, forget, real=real, near=near, stream="course/held-out", **settings)


def from_real(looking: SameNoise, images: Tensor) -> tuple[float, list[float]]:
    """Return the distance, with its interval, of the base model's images from real ones: what the book's rule allows a
    multiple of. On a set that is not in ``ALIKE`` the real ones are the test images; no candidate is compared with
    these."""
    kept = images[~looking.shown(images)]
    draws = generator(looking.seed, f"{looking.stream}/bootstrap", "evaluation")
    found = (looking if looking.near is None else Observer(looking.dataset, looking.forget)).distance(kept, draws)
    return found.value, list(found.interval)


def _own(model: Denoiser, base: str, forget: str, **settings: Any) -> Tensor:
    """Return samples of the base model that do not show D_f, from noise of their own."""
    drawing = SameNoise(model, bases.BASES[base], forget, stream="course/own", **settings | {"n": OWN})
    images = drawing.draw(model)
    return images[~drawing.shown(images)]
