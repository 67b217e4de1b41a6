"""Exact likelihood by the probability-flow ODE, in the process's own x and t, by torchdiffeq's solvers.

The ordinary differential equation (Song et al., 2021, Eq. 13 of the main text and Appendix D.2)::

    dx/dt = f(t) x - 1/2 g(t)^2 score(x, t)

has the same marginals as the stochastic one, so along its path::

    log p_0(x_0) = log p_T(x_T) + int_0^T div(dx/dt) dt

Time "0" is ``t_min``, whose noise the density includes. This module implements the equation directly, which is suitable
for a few dimensions; for images :mod:`paperlib.likelihood.fast` solves the same ODE in variables in which it is smooth.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torchdiffeq import odeint

from paperlib.checks import need_batch, need_positive, need_rows
from paperlib.denoiser import DenoisingModel
from paperlib.likelihood.divergence import draw_probes, exact_divergence, hutchinson, needs

__all__ = ["LogLikelihood", "log_likelihood", "velocity"]

ADAPTIVE = {"dopri5": 6, "bosh3": 3, "dopri8": 13, "adaptive_heun": 2}  # with the evaluations per step
FIXED = ("rk4", "midpoint", "euler")


@dataclass(frozen=True)
class LogLikelihood:
    """The result of :func:`log_likelihood`.

    Args:
        log_p: log p_0(x) in nats, [B].
        x_T: the noise to which the ODE takes each x, [B, ...].
        evaluations: network evaluations of the batch.
    """

    log_p: Tensor
    x_T: Tensor
    evaluations: int


def velocity(model: DenoisingModel, x: Tensor, t: Tensor, cond: Tensor | None = None) -> Tensor:
    """Return dx/dt of the probability-flow ODE at x [B, ...] and one time t (a scalar tensor)."""
    process = model.process
    return process.drift(t) * x - 0.5 * process.diffusion(t).square() * model(x, t, cond).score


def log_likelihood(
    model: DenoisingModel,
    x: Tensor,
    *,
    cond: Tensor | None = None,
    divergence: str = "exact",
    probes: int = 1,
    generator: torch.Generator | None = None,
    solver: str = "dopri5",
    rtol: float = 1e-5,
    atol: float = 1e-5,
    steps: int = 64,
    most_steps: int = 10_000,
) -> LogLikelihood:
    """Compute log p_0(x) for each row of x [B, ...] by the probability-flow ODE.

    Args:
        divergence: "exact" (one backward pass per dimension), or "rademacher" or "gaussian" probes, which need a
            ``generator``.
        probes: random probes per row, whose results are averaged.
        solver: adaptive (dopri5, dopri8, bosh3, adaptive_heun), controlled by ``rtol`` and ``atol`` with one step size
            for the batch, or fixed-step (rk4, midpoint, euler), controlled by ``steps``.
        most_steps: largest number of steps of an adaptive solver.

    Raises:
        FloatingPointError: if an adaptive solver needs more than ``most_steps`` or cannot follow the field, or if the
            field is not finite.
    """
    needs(divergence, probes, generator)
    need_batch(x=x)
    need_rows("cond", cond, x)
    if solver not in (*ADAPTIVE, *FIXED):
        raise ValueError(f"solver={solver!r} is not one of {', '.join((*ADAPTIVE, *FIXED))}")
    if solver in FIXED:
        need_positive(steps=steps)
    noise = None if divergence == "exact" else draw_probes(divergence, (probes, *x.shape), generator).to(x)
    evaluations, most = 0, most_steps * ADAPTIVE[solver] + 2 if solver in ADAPTIVE else math.inf

    def derivative(t, state):
        nonlocal evaluations
        evaluations += 1
        if evaluations > most:  # torchdiffeq counts its steps in an assert, which ``python -O`` leaves out
            raise FloatingPointError(f"{solver} has not arrived after most_steps={most_steps} steps")
        with torch.enable_grad():
            at = state[0].detach().requires_grad_()
            dx = velocity(model, at, t, cond)
            trace = exact_divergence(dx, at) if noise is None else hutchinson(dx, at, noise)
        if not (dx.isfinite().all() and trace.isfinite().all()):  # else its steps would shrink forever
            raise FloatingPointError(f"{solver} cannot follow this model's field: not finite at t = {t.item():.4g}")
        return dx.detach(), trace

    process = model.process
    if solver in FIXED:
        grid = torch.linspace(process.t_min, process.t_max, steps + 1, dtype=torch.float64)
        solved = odeint(derivative, (x, x.new_zeros(len(x))), grid.to(x), method=solver)
    else:
        ends = torch.tensor([process.t_min, process.t_max], dtype=x.dtype, device=x.device)
        # By default torchdiffeq looks ahead to choose a first step, and steps beyond the end to interpolate back: both
        # evaluate the network at times beyond t_max.
        options = {"step_t": ends[1:], "first_step": (ends[1] - ends[0]) / 100, "max_num_steps": most_steps}
        start = (x, x.new_zeros(len(x)))
        try:
            solved = odeint(derivative, start, ends, method=solver, rtol=rtol, atol=atol, options=options)
        except AssertionError as error:  # torchdiffeq asserts a positive step size and the number of steps
            raise FloatingPointError(f"{solver} cannot follow this model's field: {error}") from error
    x_T, change = (part[-1] for part in solved)
    return LogLikelihood(process.prior_log_density(x_T) + change, x_T, evaluations)
