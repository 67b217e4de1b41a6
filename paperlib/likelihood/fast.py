"""The probability-flow ODE for images, in variables in which it is smooth.

In x and t most of the ODE's motion is the process's own: the signal shrinks, the noise grows, and VP's rate diverges at
t = 0. In terms of the ratio s = sigma_t / alpha_t, with lam = log s as time, and in units of the spread r that data of
standard deviation c per coordinate have at s, every process gives the same smooth equation::

    z = x_t / (alpha_t r),   r^2 = s^2 + c^2,   rho = s / r
    dz/dlam = rho eps(x_t, t) - rho^2 z
    log p_0(x_0) = log p_T(x_T) + D log (alpha_T r_T / alpha_0 r_0) + int div(dz/dlam) dlam

For Gaussian data of standard deviation c nothing moves and the integrand is zero; a "preconditioned" network's output
is -(dz/dlam) r / (rho c), whatever the process (the scaling is that of Karras et al., 2022). z has unit scale and the
integrand is of order D, so tolerances are absolute.

Time "0" is ``t_min``: the density is that of data with the noise of ``t_min``, but it is evaluated at the data
themselves, as in score_sde. For 256 levels on [-1, 1] and sigma / alpha = 0.01 (VE; a DDPM's first step, where
t_min = 1 / T) that noise is 4.4 times as wide as the uniform noise of dequantisation, whose standard deviation is
1 / 128 over the root of 12. No density of data with such noise exceeds 1 / (sqrt(2 pi) 0.01) per dimension: a perfectly
trained model cannot report less than log2(sqrt(2 pi) 0.01) + 7 = 1.68 bits per dimension, even if every pixel is always
black. VP's t_min = 1e-5 puts that floor at -1.64. Moreover, the density is that of x_1 and not of x_0 = x_1 / alpha, a
difference of log2(alpha) bits per dimension, 0.0001 for a DDPM.

There are two solvers, both of which treat each image separately. ``tolerance``, the default, selects Dormand and
Prince's pair with a step size for every image, which estimates its error. ``steps`` selects classical Runge-Kutta on a
fixed grid that is dense where eps is most curved, with the integral by Simpson's rule on the same stages, so that one
stage in four needs no derivative. On MNIST's models a tolerance of 1e-3 takes 55 (VE) to 73 (DDPM) evaluations and is
accurate to 0.002 bits per dimension; a grid of 12 steps is off by 0.007 to 0.027, always in the same direction, since
it makes the same error on every image. Use grids for rough estimates only, and compare them with the other solver on a
few images first.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from paperlib.checks import need_batch, need_rows
from paperlib.denoiser import DenoisingModel
from paperlib.likelihood.divergence import draw_probes, exact_divergence, needs, products
from paperlib.likelihood.solvers import dormand_prince, runge_kutta
from paperlib.likelihood.times import Clock, grid
from paperlib.processes import expand

__all__ = ["FastLikelihood", "fast_log_likelihood"]


@dataclass(frozen=True)
class FastLikelihood:
    """The result of :func:`fast_log_likelihood`.

    Args:
        log_p: log p_0(x) in nats by each probe, float64, [P, B] on the CPU (P = 1 for an exact divergence).
        x_T: the noise to which the ODE takes each x, [B, ...].
        evaluations: network evaluations for each image, [B].
        derivatives: how many of them included the divergence (one backward pass per probe), [B].
    """

    log_p: Tensor
    x_T: Tensor
    evaluations: Tensor
    derivatives: Tensor


class Flow:
    """dz/dlam at z [B, ...] and times lam [B], and its divergence over D by each probe."""

    def __init__(self, model: DenoisingModel, cond: Tensor | None, noise: Tensor | None, data_std: float):
        self.model, self.cond, self.noise, self.data_std = model, cond, noise, data_std
        self.clock = Clock(model.process)

    def spread(self, lam: Tensor) -> Tensor:
        """Return the spread r at lam."""
        return (lam.exp().square() + self.data_std**2).sqrt()

    def scale(self, lam: Tensor) -> Tensor:
        """Return alpha_t r, so that x_t = alpha_t r z."""
        return self.model.process.alpha(self.clock(lam)) * self.spread(lam)

    def __call__(self, z: Tensor, lam: Tensor, rows: Tensor, *, divergence: bool) -> tuple[Tensor, Tensor | None]:
        """Return dz/dlam and, on request, the divergence over D, [P, B], float64 on the CPU; ``rows`` [B] are the
        images' indices."""
        t, rho = self.clock(lam), expand((lam.exp() / self.spread(lam)).to(z), z)
        scale, rows = expand(self.scale(lam).to(z), z), rows.to(z.device)
        cond = None if self.cond is None else self.cond[rows]
        with torch.set_grad_enabled(divergence):
            at = z.detach().requires_grad_(divergence)
            dz = rho * self.model(at * scale, t.to(z), cond).eps - rho.square() * at
            if not divergence:
                return dz, None
            trace = exact_divergence(dz, at)[None] if self.noise is None else products(dz, at, self.noise[:, rows])
        return dz.detach(), trace.cpu().double() / z[0].numel()


def fast_log_likelihood(
    model: DenoisingModel,
    x: Tensor,
    *,
    cond: Tensor | None = None,
    divergence: str = "rademacher",
    probes: int = 1,
    generator: torch.Generator | None = None,
    tolerance: float = 1e-3,
    steps: int | None = None,
    data_std: float = 0.5,
    most_steps: int = 2000,
) -> FastLikelihood:
    """Compute log p_0(x) for x [B, ...] by the probability-flow ODE, for each probe separately.

    Args:
        cond: labels or embeddings, one row for each x.
        divergence: "rademacher" or "gaussian" probes, which need a ``generator``, or "exact" (D backward passes).
        probes: random probes per image. They share every forward pass.
        tolerance: four times the largest error allowed in one step of the adaptive solver: root mean square in z, and
            nats per dimension in log p. Below 1e-6 use float64.
        steps: if given, use this number of steps of the fixed grid (:func:`paperlib.likelihood.times.grid`) instead:
            4 steps + 1 evaluations, of which 3 steps + 1 with a derivative.
        data_std: c above, the data's standard deviation per coordinate. It only affects the error; 0.5 suits images on
            [-1, 1].
        most_steps: largest number of steps of the adaptive solver.

    Raises:
        FloatingPointError: if an image needs more than ``most_steps``, since its field has then diverged, or if log p
            is not finite.
    """
    needs(divergence, probes, generator)
    need_batch(x=x)
    need_rows("cond", cond, x)
    for name, value in {"data_std": data_std, "tolerance": tolerance}.items():
        if not value > 0:
            raise ValueError(f"{name}={value} is not positive")
    noise = None if divergence == "exact" else draw_probes(divergence, (probes, *x.shape), generator).to(x)
    flow = Flow(model, cond, noise, data_std)
    first, last = flow.clock.first, flow.clock.last
    z = x / flow.scale(first).to(x)
    if steps is None:
        solved = dormand_prince(flow, z, first, last, tolerance, most_steps)
    else:
        solved = runge_kutta(flow, z, *grid(model.process, steps, data_std))
    x_T, dims = solved.z * flow.scale(last).to(x), x[0].numel()
    log_p = model.process.prior_log_density(x_T.cpu().double()) + dims * (
        (flow.scale(last) / flow.scale(first)).log() + solved.integral
    )
    if not log_p.isfinite().all():
        raise FloatingPointError(f"log p is not finite for {(~log_p.isfinite()).any(0).sum()} of {len(x)} images")
    return FastLikelihood(log_p, x_T, solved.evaluations, solved.derivatives)
