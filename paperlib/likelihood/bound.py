"""The variational bound on the likelihood of a chain of Gaussian steps, term by term.

SGU's Table 5 has a backslash in place of a DDPM's likelihood, since a DDPM "cannot calculate exact NLL values". Exact
values of the sampling chain are indeed not available, but a bound is, and Ho et al. (2020) print it. Moreover, the same
network, also evaluated as a score between the points of its grid, has an exact likelihood by
:mod:`paperlib.likelihood.fast`. These are two models: the bound is the chain's, the exact likelihood the ODE's.

On a grid of times t_0 < t_1 < ... < t_T, for x_0 (Ho et al., 2020, Eq. 5; Kingma et al., 2021, Eq. 11)::

    -log p(x_0)  <=  KL(q(x_T | x_0) || p(x_T))                                        prior, L_T
                   + sum_i E KL(q(x_s | x_t, x_0) || p(x_s | x_t)),  s = t_{i-1}, t = t_i     steps, L_{t-1}
                   + E[-log p(x_0 | x_{t_0})]                                            decoder, L_0

A step of the model is the exact posterior with the network's x0 in place of x_0. With lam = log(sigma / alpha) and
g = 1 - exp(2 (lam_s - lam_t)), the share of x_t's noise that the step adds, this is, for any alpha and sigma::

    q(x_s | x_t, x_0) = N(alpha_s g x_0 + (alpha_s / alpha_t) exp(2 (lam_s - lam_t)) x_t,  sigma_s^2 g)
    KL = D/2 (log v - 1 + 1/v) + alpha_s^2 g^2 |x_0 - x0|^2 / (2 v sigma_s^2 g)

where v sigma_s^2 g is the variance of p(x_s | x_t). ``variance="small"`` is v = 1, the variance of q, correct for data
at one point (DDPM's beta-tilde); the KL is then half the change of the signal-to-noise ratio times the squared error.
"large" is the variance sigma_t^2 g (DDPM's beta), correct for unit normal data under VP.

A DDPM uses its own grid, t_i = (i + 1) / T. Any other process accepts any grid, and the limit of a fine one is the
bound in continuous time (Kingma et al., 2021, Eq. 17), which ``strata`` makes cheap.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from paperlib.checks import need_batch, need_positive
from paperlib.denoiser import DenoisingModel
from paperlib.processes import DDPM, Process, normal

__all__ = ["Bound", "VARIANCES", "chain", "level_log_probability", "variational_bound"]

VARIANCES = ("small", "large")


@dataclass(frozen=True)
class Bound:
    """The terms of the variational bound for each of B images, in nats, float64 on the CPU.

    Args:
        prior: L_T, [B].
        steps: the terms of the steps, [B, n], or one estimate per stratum.
        times: times of the noisier end of each step, [B, n].
        decoder: L_0, [B].
        evaluations: network evaluations per image.
    """

    prior: Tensor
    steps: Tensor
    times: Tensor
    decoder: Tensor
    evaluations: int

    @property
    def nats(self) -> Tensor:
        """The upper bound of -log p(x_0), [B]."""
        return self.prior + self.steps.sum(1) + self.decoder


def chain(process: Process, steps: int = 1000) -> Tensor:
    """Return the times t_0 ... t_T, float64: a DDPM's own grid up to ``t_max``; for other processes ``steps`` + 1 times
    uniform in log(sigma / alpha)."""
    if isinstance(process, DDPM):  # its steps are fixed
        return torch.arange(1, round(process.t_max * process.T) + 1, dtype=torch.float64) / process.T
    if steps < 1:
        raise ValueError(f"steps={steps} is not at least 1")
    ends = process.log_ratio(torch.tensor([process.t_min, process.t_max], dtype=torch.float64))
    return process.time_of(ends[0] + (ends[1] - ends[0]) * torch.linspace(0, 1, steps + 1, dtype=torch.float64))


@torch.no_grad()
def variational_bound(
    model: DenoisingModel,
    x0: Tensor,
    *,
    generator: torch.Generator,
    cond: Tensor | None = None,
    grid: Tensor | None = None,
    variance: str = "small",
    strata: int | None = None,
    levels: int | None = 256,
    decoder_variance: float | None = None,
    clip: bool = True,
) -> Bound:
    """Estimate the upper bound of -log p(x_0) for x_0 [B, ...], each term with one sample of its x_t.

    Args:
        generator: source of the noise, and of the steps sampled from strata.
        cond: labels or embeddings, one row for each x_0.
        grid: times t_0 < ... < t_T; None is :func:`chain`.
        variance: "small" or "large".
        strata: number of strata of steps (fewer where steps are long). Only one step of each is evaluated, sampled for
            each image and weighted by the stratum's size: an unbiased estimate of the sum. Strata are uniform in
            log(sigma / alpha), where the terms have similar size, so a few dozen leave little noise; a DDPM's first,
            long steps are strata of their own. None evaluates every step.
        levels: x_0 has this many levels, evenly spaced on [-1, 1] (:func:`paperlib.data.images.model_input` without
            dequantisation), and the decoder is a discretised Gaussian (Ho et al., 2020, Eq. 13). None: x_0 is
            continuous, and the decoder is a density.
        decoder_variance: variance of p(x_0 | x_{t_0}); None is sigma^2 / alpha^2 at t_0, which for a DDPM is
            beta_1 / (1 - beta_1), the paper's beta_1. (Its code has beta-tilde of the second step there, for either
            variance.)
        clip: clip the network's x0 to [-1, 1], as public code does. The data lie in that range, so no step's term
            increases.
    """
    if variance not in VARIANCES:
        raise ValueError(f"variance={variance!r} is not one of {', '.join(VARIANCES)}")
    if levels is not None and levels < 2:
        raise ValueError(f"levels={levels} is not at least 2")
    if strata is not None:
        need_positive(strata=strata)
    need_batch(x0=x0)
    if decoder_variance is not None and not decoder_variance > 0:
        raise ValueError(f"decoder_variance={decoder_variance} is not positive")
    process = model.process
    grid = chain(process) if grid is None else grid.double()
    if grid.ndim != 1 or len(grid) < 2 or not (grid.diff() > 0).all():
        raise ValueError("grid must hold two or more increasing times")
    lam, dims = process.log_ratio(grid), x0[0].numel()

    def error(t: Tensor) -> Tensor:
        """Return the network's x0 at x_t sampled at times t [B]."""
        at = t.to(x0)
        x_t = process.perturb(x0, at, normal(x0.shape, generator, x0.device).to(x0))
        denoised = model(x_t, at, cond).x0
        return denoised.clamp(-1, 1) if clip else denoised

    index, weight = _steps_of(lam, len(x0), strata, generator)
    g = -torch.expm1(2 * (lam[:-1] - lam[1:]))
    v = torch.ones_like(g) if variance == "small" else process.variance(grid[1:]) / process.variance(grid[:-1])
    spread = 0.5 * dims * (v.log() - 1 + 1 / v)  #            the KL of two Gaussians with one mean
    per_error = 0.5 * g * torch.exp(-2 * lam[:-1]) / v  #     factor of |x_0 - x0|^2
    terms = []
    for i in index.T:
        squared = (x0 - error(grid[i + 1])).flatten(1).double().square().sum(1).cpu()
        terms.append(spread[i] + per_error[i] * squared)
    steps = torch.stack(terms, 1) * weight

    first, last = grid[0].expand(len(x0)), grid[-1]
    mean = error(first)
    std = math.sqrt(decoder_variance) if decoder_variance is not None else lam[0].exp().item()
    if levels is None:
        log_p = -0.5 * ((x0 - mean).double() / std).square() - math.log(std * math.sqrt(2 * math.pi))
    else:
        log_p = level_log_probability(x0.double(), mean.double(), std, levels)
    decoder = -log_p.flatten(1).sum(1).cpu()

    shrunk = (process.variance(last) / process.prior_std() ** 2).item()
    signal = x0.flatten(1).double().square().sum(1).cpu() * (process.alpha(last) / process.prior_std()).square()
    prior = 0.5 * (signal + dims * (shrunk - 1 - math.log(shrunk)))
    return Bound(prior, steps, grid[index + 1], decoder, index.shape[1] + 1)


def _steps_of(lam: Tensor, rows: int, strata: int | None, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return the steps to evaluate for each row, [B, n], and how many steps each represents, [n]."""
    steps = torch.arange(len(lam) - 1)
    if strata is None:
        return steps.expand(rows, -1), torch.ones(len(steps), dtype=torch.float64)
    middle = (lam[:-1] + lam[1:]) / 2 - lam[0]
    stratum = (middle / (lam[-1] - lam[0]) * strata).long().clamp(max=strata - 1)
    size = torch.bincount(stratum)
    size = size[size > 0]
    start = size.cumsum(0) - size
    u = torch.rand(rows, len(size), generator=generator, device=generator.device, dtype=torch.float64).cpu()
    return start + (u * size).long(), size.double()


def level_log_probability(x: Tensor, mean: Tensor, std: float, levels: int = 256) -> Tensor:
    """Return the log of the probability that N(mean, std^2) assigns to the level x in [-1, 1], elementwise (Ho et al.,
    2020, Eq. 13).

    A level extends half way to its neighbours, the lowest to minus and the highest to plus infinity. Both tails are
    computed without loss of precision: no probability is rounded to zero.
    """
    half = 1 / (levels - 1)
    low = torch.where(x < -1 + half, -torch.inf, (x - half - mean) / std)
    high = torch.where(x > 1 - half, torch.inf, (x + half - mean) / std)
    upper = low + high > 0  # use 1 - Phi(a) = Phi(-a) there
    low, high = torch.where(upper, -high, low), torch.where(upper, -low, high)
    a, b = torch.special.log_ndtr(low), torch.special.log_ndtr(high)
    return b + torch.log(-torch.expm1(a - b))
