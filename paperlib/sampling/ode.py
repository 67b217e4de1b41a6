"""Samplers of the probability-flow ODE (Song et al., 2021, Eq. 13), solved from high to low t. They are deterministic
and need no generator.

The ODE in t, in the noise level r = sigma / alpha, and in l = log(alpha / sigma)::

    dx/dt = f(t) x - 1/2 g(t)^2 score(x, t)
    d(x / alpha) / dr = eps(x, t)
    d(x / sigma) / dl = exp(l) x0(x, t)

``heun`` solves the first or the second, ``ipndm`` the second, ``dpmpp_2m`` the third, where everything except the
network is integrated exactly. The last step, to the data, is first order: the prediction of x_0.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from paperlib.denoiser import DenoisingModel
from paperlib.likelihood import velocity
from paperlib.sampling.walk import State, Walk

__all__ = ["ADAMS_BASHFORTH", "VARIABLES", "dpmpp_2m", "heun", "ipndm"]

VARIABLES = ("time", "noise")

#: Weights of the slopes, newest first, that integrate a polynomial exactly over one step, by the number of slopes.
ADAMS_BASHFORTH = {
    1: (1.0,),
    2: (3 / 2, -1 / 2),
    3: (23 / 12, -16 / 12, 5 / 12),
    4: (55 / 24, -59 / 24, 37 / 24, -9 / 24),
}


@torch.no_grad()
def heun(
    model: DenoisingModel,
    x: Tensor,
    *,
    steps: int | Tensor = 50,
    generator: torch.Generator | None = None,
    cond: Tensor | None = None,
    clip: float | None = None,
    spacing: str = "time",
    denoise: bool = False,
    variable: str = "time",
) -> Iterator[State]:
    """Heun's method: second order, two evaluations per step, one in the last step to the data.

    ``variable="noise"`` steps in sigma / alpha: with ``spacing="karras", denoise=True`` it is Algorithm 1 of Karras et
    al. (2022) without churn, and it is the better choice at few steps on VE, whose velocity in t is steep.
    """
    if variable not in VARIABLES:
        raise ValueError(f"variable={variable!r} is not one of {', '.join(VARIABLES)}")
    walk = Walk(model, x, steps, spacing=spacing, denoise=denoise, generator=generator, cond=cond, clip=clip)
    for t, s in walk.pairs:
        if s.data:
            x = walk(x, t).x0
        elif variable == "time":
            now, then, dt = walk.time(x, t), walk.time(x, s), s.t - t.t
            slope = velocity(walk, x, now)
            ahead = velocity(walk, x + dt * slope, then)
            x = x + dt * 0.5 * (slope + ahead)
        else:
            y, dr = x / t.alpha, s.sigma / s.alpha - t.sigma / t.alpha
            slope = walk(x, t).eps
            ahead = walk(s.alpha * (y + dr * slope), s).eps
            x = s.alpha * (y + dr * 0.5 * (slope + ahead))
        yield walk.state(x, s)


@torch.no_grad()
def dpmpp_2m(
    model: DenoisingModel,
    x: Tensor,
    *,
    steps: int | Tensor = 20,
    generator: torch.Generator | None = None,
    cond: Tensor | None = None,
    clip: float | None = None,
    spacing: str = "snr",
    denoise: bool = True,
) -> Iterator[State]:
    """DPM-Solver++(2M) (Lu et al., 2022, Algorithm 2): second order, one evaluation per step.

    With h = l_s - l_t, and D the line through the last two x0 evaluated at the middle of the step::

        x_s = (sigma_s / sigma_t) x_t + alpha_s (1 - exp(-h)) D

    The default spacing, uniform in log(alpha / sigma), is the authors' choice for small images, and mostly the best on
    our exact mixtures.
    """
    walk = Walk(model, x, steps, spacing=spacing, denoise=denoise, generator=generator, cond=cond, clip=clip)
    last_x0 = last_h = None
    for t, s in walk.pairs:
        x0 = walk(x, t).x0
        if s.data:
            x = x0
        else:
            h = math.log(s.alpha * t.sigma / (s.sigma * t.alpha))
            D = x0 if last_x0 is None else x0 + h / (2 * last_h) * (x0 - last_x0)
            x = s.sigma / t.sigma * x - s.alpha * math.expm1(-h) * D
            last_x0, last_h = x0, h
        yield walk.state(x, s)


@torch.no_grad()
def ipndm(
    model: DenoisingModel,
    x: Tensor,
    *,
    steps: int | Tensor = 10,
    generator: torch.Generator | None = None,
    cond: Tensor | None = None,
    clip: float | None = None,
    spacing: str = "index",
    denoise: bool = True,
    order: int = 3,
) -> Iterator[State]:
    """iPNDM (Zhang and Chen, 2023, Section 3.3): DDIM with an extrapolation of the last ``order`` predictions of the
    noise; one evaluation per step::

        x_s / alpha_s = x_t / alpha_t + (sigma_s / alpha_s - sigma_t / alpha_t) sum_k w_k eps_k

    The weights w are those of Adams-Bashforth for uniform steps, although the noise levels are not evenly spaced: with
    many steps this makes the method second order, whatever ``order``, but with few it extrapolates least. Among eight
    solvers that need no training it is first or second at each of 5 to 10 evaluations on CIFAR-10, FFHQ and ImageNet 64
    (public comparison of Zhou et al., 2024, where ``order`` is 4). On our exact mixtures it is also first, with 3 ahead
    of 4.
    """
    if order not in ADAMS_BASHFORTH:
        raise ValueError(f"order={order} is not one of {', '.join(map(str, ADAMS_BASHFORTH))}")
    walk = Walk(model, x, steps, spacing=spacing, denoise=denoise, generator=generator, cond=cond, clip=clip)
    noises: list[Tensor] = []  # the newest first
    for t, s in walk.pairs:
        views = walk(x, t)
        if s.data:
            x = views.x0
        else:
            noises = [views.eps, *noises][:order]
            eps = sum(w * noise for w, noise in zip(ADAMS_BASHFORTH[len(noises)], noises))
            x = s.alpha / t.alpha * x + (s.sigma - s.alpha / t.alpha * t.sigma) * eps
        yield walk.state(x, s)
