"""Two Runge-Kutta solvers for an ODE and an integral along its path, with each row of the batch treated separately.

Both take ``flow(z, lam, rows, divergence=...) -> (dz/dlam, integrand [P, B] or None)``. The integral does not feed back
into the ODE, so the integrand, which is expensive, is evaluated only at stages that contribute to it.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from paperlib.processes import expand

__all__ = ["Solved", "dormand_prince", "runge_kutta"]


@dataclass(frozen=True)
class Solved:
    """A solution: final z [B, ...], the integral [P, B], evaluations per row, and those with the integrand, [B]."""

    z: Tensor
    integral: Tensor
    evaluations: Tensor
    derivatives: Tensor


def runge_kutta(flow, z: Tensor, grid: Tensor, rate: Tensor) -> Solved:
    """Solve by Kutta's classical method of order four, with steps of length one in v.

    ``grid`` has lam at the ends and middles of the steps, and ``rate`` has dlam / dv there, [2 steps + 1]. The integral
    uses Simpson's rule with the mean of the two middle stages, as the method itself does except at the far end: there
    the next step's first stage, which is needed anyway, replaces the fourth.
    """
    rows = torch.arange(len(z))

    def at(z, i, divergence=True):
        dz, integrand = flow(z, grid[i].expand(len(z)), rows, divergence=divergence)
        return rate[i].to(z) * dz, rate[i] * integrand if divergence else None

    k1, d1 = at(z, 0)
    integral = 0 * d1
    for i in range(0, len(grid) - 1, 2):
        k2, d2 = at(z + k1 / 2, i + 1)
        k3, d3 = at(z + k2 / 2, i + 1)
        k4, _ = at(z + k3, i + 2, divergence=False)
        z = z + (k1 + 2 * k2 + 2 * k3 + k4) / 6
        k1, d4 = at(z, i + 2)
        integral = integral + (d1 + 2 * d2 + 2 * d3 + d4) / 6
        d1 = d4
    steps = torch.full((len(z),), len(grid) // 2)
    return Solved(z, integral, 4 * steps + 1, 3 * steps + 1)


# Dormand and Prince (1980), RK5(4)7M: the position of each stage in the step, its coefficients, and the weights of
# order five, which are the last stage's, minus those of order four.
NODES = (0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1, 1)
STAGES = (
    (),
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
WEIGHTS = (*STAGES[-1], 0)
FOURTH = (5179 / 57600, 0, 7571 / 16695, 393 / 640, -92097 / 339200, 187 / 2100, 1 / 40)
ERROR = tuple(five - four for five, four in zip(WEIGHTS, FOURTH))


def weighted(weights, values):
    """Return sum_i w_i v_i over the non-zero weights."""
    return sum(w * v for w, v in zip(weights, values) if w)


def dormand_prince(flow, z: Tensor, first: Tensor, last: Tensor, tolerance: float, most_steps: int) -> Solved:
    """Solve with order five, an error estimate of order four, and a step size for each row; finished rows leave the
    batch.

    A step is accepted where neither the root mean square of the error in z nor, for any probe, the error of the
    integral exceeds a quarter of ``tolerance``: over the hundred steps that a rough field needs, errors add up.

    Raises:
        FloatingPointError: if a row needs more than ``most_steps``.
    """
    n = len(z)
    rows, lam, h = torch.arange(n), first.repeat(n), ((last - first) / 20).repeat(n)
    k1, d1 = flow(z, lam, rows, divergence=True)
    integral = 0 * d1
    final_z, final_integral = torch.empty_like(z), torch.empty_like(integral)
    evaluations, derivatives = torch.ones(n, dtype=torch.long), torch.ones(n, dtype=torch.long)
    for _ in range(most_steps):
        left = last - lam
        h = torch.where(h >= left, left, torch.where(2 * h > left, left / 2, h))  # no tiny last step
        step, k, d = expand(h.to(z), z), [k1], [d1]
        for node, stage in zip(NODES[1:], STAGES[1:]):
            enters = len(stage) > 1  # the second stage has no weight in either order
            end = z + step * weighted(stage, k)
            slope, integrand = flow(end, lam + node * h, rows, divergence=enters)
            k.append(slope)
            d.append(integrand if enters else 0 * d1)
        evaluations[rows] += 6
        derivatives[rows] += 5
        error_z = (step * weighted(ERROR, k)).flatten(1).square().mean(1).sqrt().cpu().double()
        error = torch.maximum(error_z, (h * weighted(ERROR, d)).abs().amax(0)) / (tolerance / 4)
        taken = error <= 1  # False where it is nan
        integral = integral + torch.where(taken, h * weighted(WEIGHTS, d), 0.0)
        lam = torch.where(taken, lam + h, lam)
        arrived = taken & (h >= left)
        where = expand(taken.to(z.device), z)
        z, k1, d1 = torch.where(where, end, z), torch.where(where, k[-1], k1), torch.where(taken, d[-1], d1)
        h = h * (0.9 * error.nan_to_num(torch.inf).clamp(min=1e-10) ** -0.2).clamp(0.2, 4)
        if arrived.any():
            here = arrived.to(z.device)
            final_z[rows[arrived].to(z.device)], final_integral[:, rows[arrived]] = z[here], integral[:, arrived]
            stay, there = ~arrived, ~here
            rows, lam, h, integral, d1 = rows[stay], lam[stay], h[stay], integral[:, stay], d1[:, stay]
            z, k1 = z[there], k1[there]
        if not len(rows):
            return Solved(final_z, final_integral, evaluations, derivatives)
    raise FloatingPointError(f"{len(rows)} of {n} images have not arrived after most_steps={most_steps} steps")
