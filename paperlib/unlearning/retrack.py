"""ReTrack: redirect the denoising of forgotten data to their nearest retained neighbours.

The loss of the retained data, importance sampled at noisy *forgotten* points x_t ~ q(. | x_f), weights each retained
x_i by its posterior probability, which is negligible for all but the k nearest (Shi, Jin, Zhang, Gu, ReTrack, arXiv
2509.13007, 2025)::

    L_f = E |z* - eps(x_t, t)|^2,    z* = (x_t - alpha_t x0*) / sigma_t,    x0* = sum_i v_i x_i / sum_i v_i
    v_i = exp(-|x_t - alpha_t x_i|^2 / (2 sigma_t^2)),    x_i among the k retained points nearest to x_f

L_f is a regression to the retained data's score, as is the second term of :mod:`paperlib.unlearning.redirect`, whose
x_i are a random batch. L_g is added to preserve the rest.
"""

import torch
from torch import Tensor

from paperlib.denoiser import Denoiser
from paperlib.losses import Data, batch_loss, condition, draw, noised, share
from paperlib.training import Training
from paperlib.unlearning.empirical import log_kernel
from paperlib.unlearning.requirements import checked, not_below, not_negative, require_retained

__all__ = ["nearest", "retrack"]


def nearest(x: Tensor, points: Tensor, k: int) -> Tensor:
    """Return the indices [B, min(k, R)] of the ``k`` points nearest to each x [B, ...] among ``points`` [R, ...]."""
    return torch.cdist(x.flatten(1), points.flatten(1)).topk(min(k, len(points)), largest=False).indices


@checked
def retrack(
    model: Denoiser,
    forget: Data,
    retain: Data,
    *,
    generator: torch.Generator,
    steps: int,
    k: int = 10,
    mu: float = 1.0,
    pool: int = 4096,
    batch_size: int = 64,
    lr: float = 5e-6,
    antithetic: bool = False,
    **training,
) -> Training:
    """Unlearn ``forget`` with ReTrack and keep ``retain``.

    Args:
        k: neighbours behind a target.
        mu: weight of L_f beside L_g.
        pool: retained rows, sampled again at every update, that are searched for neighbours. The paper searches all; a
            random 4,096 of 60,000 images contain neighbours nearly as near.
        batch_size: rows of each side per update.
        training: further arguments of :class:`paperlib.training.Training` (ema, clip, warmup, decay).
    """
    require_retained(retain, "retrack")
    not_below(1, k=k, pool=pool)
    not_negative(mu=mu)

    def objective(model, generator, index):
        L_g = batch_loss(model, retain, batch_size, generator, antithetic=antithetic).mean()
        x_f, labels = draw(forget, batch_size, generator)
        cond, points = condition(model, labels, generator), draw(retain, pool, generator)[0]
        beside = points[nearest(x_f, points, k)]  #                                            [B, k, ...]
        x_t, t, _ = noised(model.process, x_f, generator, antithetic=antithetic)
        beside, cond = (
            None if rows is None else share(torch.cat([rows, rows]) if antithetic else rows) for rows in (beside, cond)
        )
        target = torch.cat([_target(model.process, *row) for row in zip(x_t.split(1), t.split(1), beside)])
        L_f = (target - model(x_t, t, cond).eps).square().flatten(1).sum(1).mean()
        return {"loss": L_g + mu * L_f, "L_g": L_g, "L_f": L_f}

    return Training(model, objective, steps=steps, lr=lr, generator=generator, **training)


def _target(process, x_t: Tensor, t: Tensor, points: Tensor) -> Tensor:
    """Return z* of one noisy row [1, ...], from its own ``points`` [k, ...]."""
    v = log_kernel(process, x_t, t, points).softmax(1)
    x0 = (v @ points.flatten(1)).reshape(x_t.shape)
    return (x_t - process.alpha(t) * x0) / process.sigma(t)
