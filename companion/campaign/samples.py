"""A check of a base model's samples: the classifier's confidence, the share of each class, and a grid to look at.

This is a first look, not a measure of quality: a model may generate good digits with a tenth in each class, and still
only a few different ones.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from companion import bases, checkpoints, classifiers
from companion.campaign.step import BaseStep
from companion.machine import say
from companion.seeds import generator
from paperlib.data.images import to_uint8
from paperlib.denoiser import DenoisingModel
from paperlib.sampling import ipndm, sample_batches

__all__ = ["SampleCheck", "check", "draw"]

SAMPLES, STEPS, GRID = 1000, 20, 64


def draw(
    model: DenoisingModel,
    shape: tuple[int, ...],
    generator: torch.Generator,
    *,
    labels: Tensor | None = None,
    dequantised: bool = False,
) -> Tensor:
    """Sample images from a model, uint8 of ``shape`` [n, C, H, W] on the CPU, by iPNDM with ``STEPS`` steps."""
    states = sample_batches(model, shape, batch=250, generator=generator, cond=labels, sampler=ipndm, steps=STEPS)
    return torch.cat([to_uint8(state.x, dequantised=dequantised).cpu() for state in states])


def check(images: Tensor, dataset: str, labels: Tensor | None = None) -> dict[str, float | list[float]]:
    """Return the classifier's view of uint8 images [N, C, H, W]: mean confidence, the share of each class and, given
    the requested ``labels``, the share that shows them."""
    logits = classifiers.predict(classifiers.classifier(dataset), images)
    if dataset == "avatars":  # attributes, each on its own
        shares = (logits > 0).double().mean(0)
        sure = torch.maximum(logits, -logits).sigmoid().mean().item()
        return {"confidence": round(sure, 4), "shares": [round(s, 4) for s in shares.tolist()]}
    probabilities = logits.softmax(1)
    confidence, found = probabilities.max(1)
    shares = torch.bincount(found, minlength=probabilities.shape[1]) / len(images)
    seen = {"confidence": round(confidence.mean().item(), 4), "shares": [round(s, 4) for s in shares.tolist()]}
    return seen if labels is None else seen | {"right": (found == labels).double().mean().item()}


@dataclass
class SampleCheck(BaseStep):
    """The check of one base model as a run of the campaign: the result goes to its card, beside a grid."""

    what = "samples"

    def minutes(self) -> float:
        """Return a rough guess: a few minutes for MNIST on two CPU cores."""
        return 3.0

    def work(self) -> None:
        """Sample, classify, and write the result."""
        model = checkpoints.load(bases.architecture(self.base), self.base.name, self.folder).to(self.device)
        draws = generator(0, f"samples/{self.base.name}", "evaluation")
        labels = torch.arange(SAMPLES) % 10 if self.base.labels else None
        images = draw(model, (SAMPLES, *model.net.shape), draws, labels=labels, dequantised=self.base.dequantised)
        found = check(images, self.base.dataset, labels)
        save_grid(images[:GRID], self.folder / f"{self.base.name}.png")
        self.keep(**found, n=SAMPLES, sampler="iPNDM", evaluations=STEPS)
        say(f"{self.base.name}: confidence {found['confidence']}, shares {found['shares']}")


def save_grid(images: Tensor, file: Path) -> None:
    """Save uint8 images [N, C, H, W] as a PNG, eight per row."""
    from torchvision.utils import save_image  # imported late: training does not need it

    save_image(images.float() / 255, file, nrow=8, padding=1)
