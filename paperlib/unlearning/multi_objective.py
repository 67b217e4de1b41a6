"""Multi-objective: EraseDiff's Eq. 3, the weighted sum of preservation and erasing that its Figure 2 argues against.

::

    L = L_r + lambda L_f                                                   (EraseDiff, Eq. 3)
    L_r = E |z - eps(x_t, t, c)|^2,      x_0 from D_r                      (Eq. 1)
    L_f = E |eps_f - eps(x_t, t, c)|^2,  x_0 from D_f                      (Eq. 2)

eps_f is what the model says under a random other class ("rl"), held fixed, or uniform noise on [0, 1] ("noise"). That
noise is drawn apart from x_t: what L_f asks for is its mean, 1/2 at every pixel. With lambda fixed, which is its
default, EraseDiff's public code minimises this sum too.
"""

import torch
from torch import Tensor

from paperlib.denoiser import Denoiser
from paperlib.losses import Data, batch_loss, condition, draw, noised, share
from paperlib.training import Training
from paperlib.unlearning.requirements import (
    forgotten_labels,
    not_below,
    not_negative,
    one_of,
    other_labels,
    require_classes,
    require_retained,
)

__all__ = ["TARGETS", "multi_objective"]

TARGETS = ("rl", "noise")


def multi_objective(
    model: Denoiser,
    forget: Data,
    retain: Data,
    *,
    generator: torch.Generator,
    steps: int,
    target: str = "rl",
    lam: float = 0.1,
    batch_size: int = 128,
    lr: float = 1e-4,
    antithetic: bool = False,
    **training,
) -> Training:
    """Unlearn ``forget`` and keep ``retain``.

    Args:
        target: eps_f, "rl" (a random retained class; needs a conditional model) or "noise".
        lam: lambda (EraseDiff's code: 0.1 for DDPM, 1 for Stable Diffusion; the paper gives none).
        batch_size: rows of each side an update (EraseDiff: 128).
        lr: Adam's (EraseDiff: 1e-4, some 300 updates).
        training: further arguments of :class:`paperlib.training.Training` (ema, clip, warmup, decay, cosines).
    """
    one_of(TARGETS, target=target)
    require_retained(retain, "multi_objective")
    not_negative(lam=lam)
    not_below(1, batch_size=batch_size)
    if target == "rl":
        classes = require_classes(model, "there is no other label to learn", "target='noise' serves it")
        kinds = torch.arange(classes)
        kinds = kinds[~torch.isin(kinds, forgotten_labels(forget, classes).cpu())]

    def erasing(model: Denoiser, generator: torch.Generator) -> Tensor:
        x0, labels = draw(forget, batch_size, generator)
        other = condition(model, other_labels(labels, kinds, generator), generator, 0.0) if target == "rl" else None
        cond, times = condition(model, labels, generator, dropout=0.0), 2 if antithetic else 1
        cond, other = (None if y is None else share(torch.cat([y] * times)) for y in (cond, other))
        x_t, t, z = noised(model.process, x0, generator, antithetic=antithetic)
        if target == "rl":
            with torch.no_grad():
                eps_f = model(x_t, t, other).eps
        else:
            u = torch.rand((times * batch_size, *x0.shape[1:]), generator=generator, device=generator.device)
            eps_f = share(u).to(z)
        return (eps_f - model(x_t, t, cond).eps).square().flatten(1).sum(1).mean()

    def objective(model, generator, index):
        L_r = batch_loss(model, retain, batch_size, generator, antithetic=antithetic).mean()
        L_f = erasing(model, generator)
        return {"loss": L_r + lam * L_f, "L_r": L_r, "L_f": L_f}

    return Training(model, objective, steps=steps, lr=lr, generator=generator, **training)
