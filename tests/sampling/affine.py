"""Exact moments of samplers on Gaussian data, and helpers for the tests of all samplers."""

from functools import partial

import pytest
import torch

from paperlib.denoiser import ExactDenoiser
from paperlib.sampling import ddim, ddpm, dpmpp_2m, euler_maruyama, heun, ipndm, predictor_corrector
from tests.oracles import GAUSSIAN, marginal, seeded

ODE = {
    "DDIM": ddim,
    "Heun": heun,
    "Heun in the noise level": partial(heun, variable="noise"),
    "DPM-Solver++(2M)": dpmpp_2m,
    "iPNDM": ipndm,
}
STOCHASTIC = {
    "DDPM, small variance": ddpm,
    "DDPM, large variance": partial(ddpm, variance="large"),
    "DDIM, eta 1/2": partial(ddim, eta=0.5),
    "Euler-Maruyama": euler_maruyama,
    "predictor-corrector": predictor_corrector,
}
SAMPLERS = ODE | STOCHASTIC
COST = {"Heun": 2, "Heun in the noise level": 2, "predictor-corrector": 2}
every_sampler = pytest.mark.parametrize("name", SAMPLERS)


class Counting:
    """A model that counts its evaluations and records their times."""

    def __init__(self, model):
        self.model, self.process, self.times = model, model.process, []

    def __call__(self, x_t, t, cond=None):
        self.times.append(t.item())
        return self.model(x_t, t, cond)


def moments(sampler, process, steps, monkeypatch, data=GAUSSIAN, **settings):
    """Return the exact mean [2] and variance of a sampler's output for Gaussian data, without randomness.

    The output is affine in the initial noise and in each step's noise, so each is switched on alone in one row of the
    batch, and the variance is the sum of the squared responses.
    """
    calls = iter(range(steps))

    def impulse(shape, generator, device):
        noise = torch.zeros(shape, dtype=torch.float64)
        noise[2 + next(calls)] = 1
        return noise

    x = torch.zeros(steps + 2, 2, dtype=torch.float64)
    x[1] = process.prior_std()
    with monkeypatch.context() as patch:
        patch.setattr(torch, "randn", impulse)
        model = ExactDenoiser(data, process)
        *_, last = sampler(model, x, steps=steps, generator=seeded(), **settings)
    response = last.x[1:] - last.x[0]
    return last.x[0], (response**2).sum(0)


def ode_moments(process):
    """Return the moments of x_s = m_s + sqrt(v_s / v_T) (x_T - m_T), started from the prior N(0, sigma_T^2)."""
    start, end = marginal(process, process.t_max), marginal(process, process.t_min)
    factor = end.variance / start.variance
    return end.mean - factor.sqrt() * start.mean, factor * process.prior_std() ** 2


def sde_moments(process):
    """Return those of the reversed process: x_s given x_T is N(m_s + c (x_T - m_T), v_s - c^2 v_T) with
    c = alpha_T v_s / (alpha_s v_T)."""
    start, end = marginal(process, process.t_max), marginal(process, process.t_min)
    c = start.alpha / end.alpha * end.variance / start.variance
    return end.mean - c * start.mean, end.variance - c**2 * (start.variance - process.prior_std() ** 2)


def errors(sampler, exact, process, steps, monkeypatch, **settings):
    """Return the absolute errors of mean and variance, [2], at the process's t_min."""
    mean, variance = moments(sampler, process, steps, monkeypatch, denoise=False, **settings)
    exact_mean, exact_variance = exact(process)
    return torch.cat([(mean - exact_mean).abs()[:1], (variance - exact_variance).abs()[:1]])
