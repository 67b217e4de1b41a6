"""Signed denoising score matching: add the score-matching loss on retained data and subtract it on forgotten data.

The loss is::

    L = (lambda L_g - L_f) / (lambda - 1),     L_i = E |z - eps(x_t, t)|^2,  x_0 from D_i

At a noisy point x the two terms together have the weight (lambda p_g,t - p_f,t)(x). Where that is positive for all x,
the minimiser exists and is the exact perturbed score of a density::

    w = (lambda p_g - p_f) / (lambda - 1)

the one density that touches the frontier of forgetting (``paperlib.data.frontier``) with slope lambda. It exists only
for lambda >= sup p_f / p_g, e^4 on SGU's mixture; the supremum only falls as noise is added. Below it the loss has no
minimiser: it falls without bound wherever lambda p_g,t < p_f,t, and the result of a run depends on when it is stopped.

Up to a factor this is the loss of SISS without importance sampling (Alberti, Hasanaliyev, Shah, Ermon, Data Unlearning
in Diffusion Models, ICLR 2025; :mod:`paperlib.unlearning.siss`): with n images, k of them forgotten, and superfactor s,
lambda = (n - k) / (s k). Our addition is the analysis: the density w, and the smallest lambda for which it exists.
"""

import torch

from paperlib.denoiser import Denoiser
from paperlib.losses import Data, batch_loss
from paperlib.training import Training
from paperlib.unlearning.requirements import (
    checked,
    require_retained,
)
from paperlib.unlearning.start import starting_point

__all__ = ["signed"]


@checked
def signed(
    model: Denoiser,
    forget: Data,
    retain: Data,
    *,
    generator: torch.Generator,
    steps: int,
    lam: float = 60.0,
    start: str = "finetune",
    batch_size: int = 400,
    lr: float = 2e-4,
    antithetic: bool = False,
    **training,
) -> Training:
    """Unlearn ``forget`` [M, ...] with the signed loss and keep ``retain`` [N, ...].

    Args:
        lam: lambda, above 1. From sup p_f / p_g up the run estimates w; below, it must be stopped early. The default
            is slightly above the mixture's e^4 = 54.6.
        start: "retrain" from fresh weights, or "finetune" from the model's own.
        batch_size: rows of each side per update.
        training: further arguments of :class:`paperlib.training.Training` (ema, clip, warmup, decay).
    """
    require_retained(retain, "signed")
    if not lam > 1:
        raise ValueError(f"lam={lam} is not above 1: the forgotten data would outweigh the retained")
    model = starting_point(model, start, generator)

    def objective(model, generator, index):
        L_g = batch_loss(model, retain, batch_size, generator, antithetic=antithetic).mean()
        L_f = batch_loss(model, forget, batch_size, generator, antithetic=antithetic).mean()
        return {"loss": (lam * L_g - L_f) / (lam - 1), "L_g": L_g, "L_f": L_f}

    return Training(model, objective, steps=steps, lr=lr, generator=generator, **training)
