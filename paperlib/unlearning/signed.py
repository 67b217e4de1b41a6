"""Signed denoising score matching: learn the retained data, unlearn the forgotten, with one loss of two signs.

The same loss that teaches a score is subtracted on forgotten data::

    L = (lambda L_g - L_f) / (lambda - 1),     L_i = E |z - eps(x_t, t)|^2,  x_0 from D_i

At a noisy point x the two terms together weigh (lambda p_g,t - p_f,t)(x). Where that is positive for all x, the
minimiser exists and is the exact perturbed score of a density::

    w = (lambda p_g - p_f) / (lambda - 1)

the one density that touches the frontier of forgetting (``paperlib.data.frontier``) with slope lambda. Its existence
needs lambda >= sup p_f / p_g, e^4 on SGU's mixture; the supremum only falls as noise is added. Below it the loss has no
minimiser: it falls without bound wherever lambda p_g,t < p_f,t, and what a run returns depends on when it is stopped.

Up to a factor this is the loss of SISS without importance sampling (Alberti, Hasanaliyev, Shah, Ermon, Data Unlearning
in Diffusion Models, ICLR 2025; :mod:`paperlib.unlearning.siss`): with n images, k of them forgotten, and superfactor s,
lambda = (n - k) / (s k). Ours is what it leads to: the density w, and the lambda from which there is one.
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
    """Unlearn ``forget`` [M, ...] and keep ``retain`` [N, ...].

    Args:
        lam: lambda, above 1. At least sup p_f / p_g and the run estimates w; less, and it must be stopped early. The
            default lies a little above e^4 = 54.6, the mixture's.
        start: "retrain" from fresh weights, or "finetune" from the model's own.
        batch_size: rows of each side an update.
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
