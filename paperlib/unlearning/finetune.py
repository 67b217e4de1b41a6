"""Fine-tuning: go on training on the retained data alone, and hope that the rest fades."""

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
    """Minimise L_r (EraseDiff, Eq. 1) from the model's own weights; ``forget`` is not looked at.

    Nothing pushes the forgotten data out: a conditional model is never asked about their label again, and keeps what it
    knows but for what the shared weights lose by the way. EraseDiff's Table 1 has the probability of the forgotten
    class at 0.96 of the untouched model's 0.97.

    Args:
        batch_size: retained rows an update (EraseDiff: 128).
        lr: Adam's (EraseDiff: 1e-4).
        training: further arguments of :class:`paperlib.training.Training` (ema, clip, warmup, decay).
    """
    require_retained(retain, "finetune")

    def objective(model, generator, index):
        L_r = batch_loss(model, retain, batch_size, generator, antithetic=antithetic).mean()
        return {"loss": L_r, "L_r": L_r}

    return Training(model, objective, steps=steps, lr=lr, generator=generator, **training)
