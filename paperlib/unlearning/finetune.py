"""Fine-tuning: continue training on the retained data alone and hope that the rest is forgotten."""

import torch

from paperlib.denoiser import Denoiser
from paperlib.losses import Data, batch_loss
from paperlib.training import Training
from paperlib.unlearning.requirements import (
    checked,
    require_retained,
)

__all__ = ["finetune"]


@checked
def finetune(
    model: Denoiser,
    forget: Data | None,
    retain: Data,
    *,
    generator: torch.Generator,
    steps: int,
    batch_size: int = 128,
    lr: float = 1e-4,
    antithetic: bool = False,
    **training,
) -> Training:
    """Minimise L_r (EraseDiff, Eq. 1) from the model's own weights; ``forget`` is not used.

    Nothing in the loss removes the forgotten data: a conditional model no longer sees their label in training, and
    keeps what it knows of it except for what is lost as the shared weights change. EraseDiff's Table 1 gives a
    probability of the forgotten class of 0.96, against 0.97 for the base model.

    Args:
        batch_size: retained rows per update (EraseDiff: 128).
        lr: Adam's learning rate (EraseDiff: 1e-4).
        training: further arguments of :class:`paperlib.training.Training` (ema, clip, warmup, decay).
    """
    require_retained(retain, "finetune")

    def objective(model, generator, index):
        L_r = batch_loss(model, retain, batch_size, generator, antithetic=antithetic).mean()
        return {"loss": L_r, "L_r": L_r}

    return Training(model, objective, steps=steps, lr=lr, generator=generator, **training)
