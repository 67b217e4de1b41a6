"""Ancestral samplers: jumps from x_t to x_s, s < t, of any length, by the exact Gaussian posterior given x_0.

With x0 and eps the model's predictions at x_t, and v = sigma_s^2 (1 - (alpha_t sigma_s / (alpha_s sigma_t))^2) the
variance of q(x_s given x_t and x_0)::

    x_s = alpha_s x0 + sqrt(sigma_s^2 - eta^2 v) eps + n z,   z ~ N(0, I)

==========  ====================================================  ==================================================
eta         n^2                                                   recovers
==========  ====================================================  ==================================================
0           0                                                     DDIM, the Euler step of the ODE in sigma / alpha
any         eta^2 v                                               DDIM with noise (Song et al., 2021a, Eq. 12 and 16)
1           v                                                     DDPM, small variance: right for data at one point
1           sigma_t^2 - (alpha_t / alpha_s)^2 sigma_s^2           DDPM, large variance: right for data from N(0, I)
==========  ====================================================  ==================================================

Between adjacent points of a DDPM's grid the two variances are Ho et al.'s (2020, Section 3.2) beta-tilde_k and beta_k;
between grid points that are further apart they are those of Nichol and Dhariwal's (2021, Section 4) shortened chain.
Only alpha and sigma at the stops are used, which on the grid follow from the products of the 1 - beta_k, never the
derived drift.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from paperlib.denoiser import Denoised, DenoisingModel
from paperlib.sampling.times import Level
from paperlib.sampling.walk import State, Walk

__all__ = ["VARIANCES", "ddim", "ddpm", "jump"]

VARIANCES = ("small", "large")


def jump(views: Denoised, t: Level, s: Level, *, eta: float, variance: str = "small") -> tuple[Tensor, float]:
    """Return the mean [B, ...] and standard deviation of x_s given the model's views at x_t; the last step, to the
    data, has no noise."""
    v = s.sigma**2 * (1 - (t.alpha * s.sigma / (s.alpha * t.sigma)) ** 2)
    mean = s.alpha * views.x0 + math.sqrt(s.sigma**2 - eta**2 * v) * views.eps
    noise = eta**2 * v if variance == "small" else t.sigma**2 - (t.alpha / s.alpha * s.sigma) ** 2
    return mean, 0.0 if s.data else math.sqrt(noise)


def _chain(walk: Walk, x: Tensor, **settings) -> Iterator[State]:
    for t, s in walk.pairs:
        mean, std = jump(walk(x, t), t, s, **settings)
        x = mean + std * walk.noise(x) if std else mean
        yield walk.state(x, s)


@torch.no_grad()
def ddpm(
    model: DenoisingModel,
    x: Tensor,
    *,
    steps: int | Tensor | None = None,
    generator: torch.Generator | None = None,
    cond: Tensor | None = None,
    clip: float | None = None,
    spacing: str = "index",
    denoise: bool = True,
    variance: str = "small",
) -> Iterator[State]:
    """Ancestral sampling (Ho et al., 2020, Algorithm 2); ``steps=None`` uses a DDPM's whole grid.

    ``variance`` is "small" or "large". With 1000 steps it hardly matters; with 50 the large one leaves visible noise.
    """
    if variance not in VARIANCES:
        raise ValueError(f"variance={variance!r} is not one of {', '.join(VARIANCES)}")
    walk = Walk(model, x, steps, spacing=spacing, denoise=denoise, generator=generator, cond=cond, clip=clip)
    yield from _chain(walk, x, eta=1.0, variance=variance)


@torch.no_grad()
def ddim(
    model: DenoisingModel,
    x: Tensor,
    *,
    steps: int | Tensor = 50,
    generator: torch.Generator | None = None,
    cond: Tensor | None = None,
    clip: float | None = None,
    spacing: str = "index",
    denoise: bool = True,
    eta: float = 0.0,
) -> Iterator[State]:
    """DDIM (Song et al., 2021a): deterministic at ``eta=0``, where no generator is needed; DDPM at ``eta=1``."""
    if not 0 <= eta <= 1:
        raise ValueError(f"eta={eta} is not between 0 and 1")
    walk = Walk(model, x, steps, spacing=spacing, denoise=denoise, generator=generator, cond=cond, clip=clip)
    yield from _chain(walk, x, eta=eta)
