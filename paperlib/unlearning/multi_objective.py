"""Multi-objective: EraseDiff's Eq. 3, the weighted sum of preservation and erasing that its Figure 2 argues against.

::

    L = L_r + lambda L_f                                                   (EraseDiff, Eq. 3)
    L_r = E |z - eps(x_t, t, c)|^2,      x_0 from D_r                      (Eq. 1)
    L_f = E |eps_f - eps(x_t, t, c)|^2,  x_0 from D_f                      (Eq. 2)

eps_f and both terms are those of :mod:`paperlib.unlearning.erasediff`, which recomputes the weights of their gradients
at every update. With its default, a fixed lambda, EraseDiff's public code minimises this sum too.
"""

import torch

from paperlib.denoiser import Denoiser
from paperlib.losses import Data, condition, draw, score_matching
from paperlib.training import Training
from paperlib.unlearning.erasediff import TARGETS, VARIANTS, erasing
from paperlib.unlearning.requirements import (
    checked,
    not_negative,
    one_of,
    require_classes,
    require_retained,
)

__all__ = ["multi_objective"]


@checked
def multi_objective(
    model: Denoiser,
    forget: Data,
    retain: Data,
    *,
    generator: torch.Generator,
    steps: int,
    target: str = "rl",
    variant: str = "paper",
    lam: float = 0.1,
    batch_size: int = 128,
    lr: float = 1e-4,
    **training,
) -> Training:
    """Unlearn ``forget`` with the weighted sum of both losses and keep ``retain``.

    Args:
        target: eps_f, "rl" (another class; needs a conditional model) or "noise". With variants other than "code" the
            noise is independent of x_t, so the minimiser of L_f is its mean, 1/2 at every pixel.
        variant: which other class, or how noise is sampled (:func:`paperlib.unlearning.erasediff.erasing`).
        lam: lambda (EraseDiff's code: 0.1 for DDPM, 1 for Stable Diffusion; the paper gives none). 0 is fine-tuning.
        batch_size: rows of each side per update (EraseDiff: 128).
        lr: Adam's learning rate (EraseDiff: 1e-4, some 300 updates).
        training: further arguments of :class:`paperlib.training.Training` (ema, clip, warmup, decay, cosines).
    """
    one_of(TARGETS, target=target)
    one_of(VARIANTS, variant=variant)
    require_retained(retain, "multi_objective")
    not_negative(lam=lam)
    if target == "rl":
        require_classes(model, "there is no other label to learn", "target='noise' serves it")

    def objective(model, generator, index):
        x_r, labels_r = draw(retain, batch_size, generator)
        L_r = score_matching(model, x_r, generator, cond=condition(model, labels_r, generator)).mean()
        drawn = draw(forget, batch_size, generator)
        L_f = erasing(model, *drawn, generator, target=target, variant=variant, others=labels_r).loss(model)
        return {"loss": L_r + lam * L_f, "L_r": L_r, "L_f": L_f}

    return Training(model, objective, steps=steps, lr=lr, generator=generator, **training)
