"""Which classes a conditional base model has: what the classifier sees where each of them was asked for.

A model in which a class is not there cannot forget it, and every number about unlearning it would be about nothing. A
class *is there* if among the samples that were asked to show it, at least twice as many show it as show any other one.
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
EACH = 50  # samples of every class


def seen(images: Tensor, asked: Tensor, dataset: str, classes: int) -> Tensor:
    """Counts [K, K] of the class that was asked for (row) and the one that the classifier sees (column)."""
    found = classifiers.predict(classifiers.classifier(dataset), images).argmax(1)
    return torch.bincount(asked * classes + found, minlength=classes**2).reshape(classes, classes)


def there(counts: Tensor) -> Tensor:
    """Which classes are there, bool [K]."""
    own = counts.diagonal()
    others = counts.masked_fill(torch.eye(len(counts), dtype=torch.bool), 0)
    return own >= (2 * others.amax(1)).clamp(min=1)


@dataclass
class ClassCheck(BaseStep):
    """The check of one conditional base model as a run of the campaign; what it finds goes to the model's card."""

    what = "classes"

    def minutes(self) -> float:
        """Unknown before it is tried; five evaluations for each of the sample check's one."""
        return 6.0

    def work(self) -> None:
        """Draw with every weight of guidance, look, and write."""
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
