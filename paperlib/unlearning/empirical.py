"""What finite data say at a noise level: the exact density of x_t, up to a constant, and its score, over given points.

With x_0 uniform over points x_i, i = 1 ... N::

    p_t(x_t) = 1/N sum_i N(x_t; alpha_t x_i, sigma_t^2 I)

It is what a denoising loss on a training set is made of, whatever distribution the set was drawn from.
"""

import math

import torch
from torch import Tensor

from paperlib.processes import Process

__all__ = ["log_ratio", "posterior_eps"]


def log_kernel(process: Process, x_t: Tensor, t: Tensor, points: Tensor) -> Tensor:
    """-|x_t - alpha_t x_i|^2 / (2 sigma_t^2) for x_t [B, ...], t [B] and points [N, ...]: [B, N]."""
    x, x_i, alpha, sigma = x_t.flatten(1), points.flatten(1), process.alpha(t)[:, None], process.sigma(t)[:, None]
    squared = x.square().sum(1, keepdim=True) - 2 * alpha * x @ x_i.T + alpha.square() * x_i.square().sum(1)
    return -0.5 * squared / sigma.square()


def log_ratio(process: Process, x_t: Tensor, t: Tensor, forget: Tensor, retain: Tensor) -> Tensor:
    """log p_f,t(x_t) - log p_g,t(x_t), [B], for x_t [B, ...] and t [B].

    Over ``forget`` [M, ...] and ``retain`` [N, ...], each a uniform distribution.

    Where it exceeds log lambda, :func:`paperlib.unlearning.signed.signed` has no minimum.
    """
    log_f, log_g = (log_kernel(process, x_t, t, side).logsumexp(1) - math.log(len(side)) for side in (forget, retain))
    return log_f - log_g


def posterior_eps(process: Process, x_t: Tensor, t: Tensor, reference: Tensor, weights: Tensor) -> Tensor:
    """eps* at noisy points x_t [B, ...] and times t [B], from ``reference`` [R, ...] of ``weights`` [R].

    Tweedie's formula: eps* = (x_t - alpha_t x0*) / sigma_t, with x0* the mean of the points' posterior.
    """
    v = torch.softmax(weights.log() + log_kernel(process, x_t, t, reference), dim=1)
    x, alpha, sigma = x_t.flatten(1), process.alpha(t)[:, None], process.sigma(t)[:, None]
    return ((x - alpha * (v @ reference.flatten(1))) / sigma).reshape(x_t.shape)
