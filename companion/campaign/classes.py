"""Which classes a conditional base model has learned: what the classifier sees in samples of each class.

A model that lacks a class cannot forget it, and every number about unlearning it would be meaningless. A class *is
there* if, among the samples conditioned on it, at least twice as many show it as show any other class.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from companion import bases, checkpoints, classifiers
from companion.campaign.samples import STEPS, draw
from companion.campaign.step import BaseStep
from companion.machine import say
from companion.seeds import generator
from paperlib.guidance import Guided

__all__ = ["ClassCheck", "EACH", "GUIDANCE", "seen", "there"]

GUIDANCE = (0.0, 1.0, 2.0)
EACH = 50  # samples per class


def seen(images: Tensor, asked: Tensor, dataset: str, classes: int) -> Tensor:
    """Count the requested class (rows) against the class that the classifier sees (columns), [K, K]."""
    found = classifiers.predict(classifiers.classifier(dataset), images).argmax(1)
    return torch.bincount(asked * classes + found, minlength=classes**2).reshape(classes, classes)


def there(counts: Tensor) -> Tensor:
    """Return which classes are there, bool [K]."""
    own = counts.diagonal()
    others = counts.masked_fill(torch.eye(len(counts), dtype=torch.bool), 0)
    return own >= (2 * others.amax(1)).clamp(min=1)


@dataclass
class ClassCheck(BaseStep):
    """The check of one conditional base model as a run of the campaign; the result goes to the model's card."""

    what = "classes"

    def minutes(self) -> float:
        """Return a rough guess: five times the evaluations of the sample check."""
        return 6.0

    def work(self) -> None:
        """Sample with every guidance weight, classify, and write the result."""
        model = checkpoints.load(bases.architecture(self.base), self.base.name, self.folder).to(self.device)
        names, found = bases.images(self.base.dataset, "test").classes, []
        asked = torch.arange(EACH * len(names)) % len(names)
        for w in GUIDANCE:
            draws = generator(0, f"classes/{self.base.name}", "evaluation")  # the same noise for every weight
            guided = Guided(model, w) if w else model
            shape = (len(asked), *model.net.shape)
            images = draw(guided, shape, draws, labels=asked, dequantised=self.base.dequantised)
            counts = seen(images, asked, self.base.dataset, len(names))
            share = counts.diagonal().sum().item() / len(asked)
            is_there = [name for name, here in zip(names, there(counts)) if here]
            found.append({"guidance": w, "right": share, "there": is_there, "counts": counts.tolist()})
            say(f"{self.base.name}, guidance {w:g}: {share:.1%} as asked; there: {', '.join(is_there) or 'none'}")
        self.keep(found=found, each=EACH, sampler="iPNDM", steps=STEPS, names=list(names))
