"""The exact density of x_t over a finite set of points, up to a constant, and its score.

With x_0 uniform over points x_i, i = 1 ... N::

    p_t(x_t) = 1/N sum_i N(x_t; alpha_t x_i, sigma_t^2 I)

A denoising loss on a training set sees this density, whatever distribution the set was sampled from.
"""

import math

import torch
from torch import Tensor

from paperlib.processes import Process

__all__ = ["log_ratio", "posterior_eps"]


def log_kernel(process: Process, x_t: Tensor, t: Tensor, points: Tensor) -> Tensor:
    """Return -|x_t - alpha_t x_i|^2 / (2 sigma_t^2), [B, N], for x_t [B, ...], t [B] and points [N, ...]."""
    x, x_i, alpha, sigma = x_t.flatten(1), points.flatten(1), process.alpha(t)[:, None], process.sigma(t)[:, None]
    squared = x.square().sum(1, keepdim=True) - 2 * alpha * x @ x_i.T + alpha.square() * x_i.square().sum(1)
    return -0.5 * squared / sigma.square()


def log_ratio(process: Process, x_t: Tensor, t: Tensor, forget: Tensor, retain: Tensor) -> Tensor:
    """Return log p_f,t(x_t) - log p_g,t(x_t), [B], for x_t [B, ...] and t [B].

    p_f is the uniform distribution over the rows of ``forget`` [M, ...], p_g that over ``retain`` [N, ...].

    Where the ratio exceeds log lambda, the loss of :func:`paperlib.unlearning.signed.signed` has no minimum.
    """
    log_f, log_g = (log_kernel(process, x_t, t, side).logsumexp(1) - math.log(len(side)) for side in (forget, retain))
    return log_f - log_g


def posterior_eps(process: Process, x_t: Tensor, t: Tensor, reference: Tensor, weights: Tensor) -> Tensor:
    """Return eps* at noisy points x_t [B, ...] and times t [B], from ``reference`` [R, ...] with ``weights`` [R].

    Tweedie's formula: eps* = (x_t - alpha_t x0*) / sigma_t, with x0* the mean of the points' posterior.
    """
    v = torch.softmax(weights.log() + log_kernel(process, x_t, t, reference), dim=1)
    x, alpha, sigma = x_t.flatten(1), process.alpha(t)[:, None], process.sigma(t)[:, None]
    return ((x - alpha * (v @ reference.flatten(1))) / sigma).reshape(x_t.shape)
