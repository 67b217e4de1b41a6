"""Unseen: retrain from scratch on the retained data alone, the field's gold standard."""

import torch

from paperlib.denoiser import Denoiser
from paperlib.losses import Data, batch_loss
from paperlib.training import Training
from paperlib.unlearning.requirements import (
    checked,
    require_retained,
)
from paperlib.unlearning.start import starting_point

__all__ = ["unseen"]


@checked
def unseen(
    model: Denoiser,
    forget: Data | None,
    retain: Data,
    *,
    generator: torch.Generator,
    steps: int,
    batch_size: int = 400,
    lr: float = 2e-4,
    antithetic: bool = False,
    **training,
) -> Training:
    """Minimise L_g of SGU's Eq. 8 from fresh weights of ``model``'s shape; ``forget`` is not used."""
    require_retained(retain, "unseen")
    model = starting_point(model, "retrain", generator)

    def objective(model, generator, index):
        return {"loss": batch_loss(model, retain, batch_size, generator, antithetic=antithetic).mean()}

    return Training(model, objective, steps=steps, lr=lr, generator=generator, **training)
