"""Samplers: from noise x_T to data x_0, each a generator of states that the caller iterates.

Two equations carry the same marginals backwards (SGU, Eq. 4; Song et al., 2021, Eq. 6 and 13), t falling from t_max
to t_min::

    dx = [f(t) x - g(t)^2 score(x, t)] dt + g(t) dw              (reverse-time SDE)
    dx = [f(t) x - 1/2 g(t)^2 score(x, t)] dt                    (probability-flow ODE)

``sample`` runs one to its end; iterating a sampler itself shows every step, for animations.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from paperlib.denoiser import DenoisingModel
from paperlib.likelihood import velocity

__all__ = ["State", "euler_maruyama", "heun", "prior", "sample"]


@dataclass(frozen=True)
class State:
    """x [B, ...] at time t, and the network evaluations spent on the batch so far."""

    x: Tensor
    t: float
    evaluations: int


def prior(model: DenoisingModel, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Noise to start from, N(0, sigma_1^2 I), of ``shape`` [B, ...]."""
    return model.process.prior_std() * torch.randn(shape, generator=generator)


def time_grid(model: DenoisingModel, steps: int) -> Tensor:
    """steps + 1 times from t_max down to t_min, evenly spaced (for VE: a geometric ladder of noise levels)."""
    if steps < 1:
        raise ValueError(f"steps={steps}: a sampler needs at least one")
    return torch.linspace(model.process.t_max, model.process.t_min, steps + 1)


@torch.no_grad()
def euler_maruyama(
    model: DenoisingModel, x: Tensor, *, steps: int, generator: torch.Generator, cond: Tensor | None = None
) -> Iterator[State]:
    """The reverse-time SDE by Euler's method: first order, fresh noise at every step, one evaluation a step.

    The last step adds no noise, since nothing would remove it.
    """
    grid = time_grid(model, steps)
    for k, (t, s) in enumerate(zip(grid, grid[1:])):
        f, g2, dt = model.process.drift(t), model.process.diffusion(t).square(), s - t  # dt < 0
        x = x + (f * x - g2 * model(x, t, cond).score) * dt
        if k + 1 < steps:
            x = x + (-g2 * dt).sqrt() * torch.randn(x.shape, generator=generator)
        yield State(x, s.item(), k + 1)


@torch.no_grad()
def heun(
    model: DenoisingModel,
    x: Tensor,
    *,
    steps: int,
    generator: torch.Generator | None = None,
    cond: Tensor | None = None,
) -> Iterator[State]:
    """The probability-flow ODE by Heun's method: second order, deterministic, two evaluations a step.

    ``generator`` is not read.
    """
    grid = time_grid(model, steps)
    for k, (t, s) in enumerate(zip(grid, grid[1:])):
        slope = velocity(model, x, t, cond)
        ahead = velocity(model, x + (s - t) * slope, s, cond)
        x = x + (s - t) * 0.5 * (slope + ahead)
        yield State(x, s.item(), 2 * (k + 1))


def sample(
    model: DenoisingModel,
    shape: tuple[int, ...],
    *,
    generator: torch.Generator,
    sampler: Callable[..., Iterator[State]] = heun,
    steps: int = 50,
    noise: Tensor | None = None,
    cond: Tensor | None = None,
) -> State:
    """The last state of ``sampler``, from ``noise`` [B, ...] where given, else from fresh noise of ``shape``."""
    x = prior(model, shape, generator) if noise is None else noise
    state = State(x, model.process.t_max, 0)
    for state in sampler(model, x, steps=steps, generator=generator, cond=cond):
        pass
    return state
