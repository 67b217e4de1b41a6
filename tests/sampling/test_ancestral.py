"""Jumps along the chain: exact in known cases, and equal to Ho et al.'s algorithm on a DDPM's grid."""

import math
from functools import partial

import pytest
import torch

from paperlib.data.mixture import GaussianMixture
from paperlib.denoiser import ExactDenoiser
from paperlib.processes import DDPM, VE, normal
from paperlib.sampling import ddim, ddpm
from tests.oracles import GAUSSIAN, every_process, network, seeded, smooth_process
from tests.sampling.affine import errors, moments, sde_moments

both_variances = pytest.mark.parametrize("variance", ["small", "large"])


@smooth_process
@both_variances
def test_halving_the_step_halves_the_error_of_the_variance_and_the_mean_is_exact(process, variance, monkeypatch):
    """Within 5 %. E[x_s given x_t] depends only on E[x_0 given x_t], so no step has an error in the mean."""
    sampler = partial(ddpm, variance=variance)
    coarse, fine = (errors(sampler, sde_moments, process, n, monkeypatch) for n in (500, 1000))
    assert coarse[0] < 1e-12 and fine[0] < 1e-12
    assert abs(coarse[1] / fine[1] / 2 - 1) < 0.05 and fine[1] < 0.01


@every_process
@pytest.mark.parametrize("steps", [1, 2, 5, 50])
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_data_at_one_point_are_exact_for_any_steps_and_eta(process, steps, eta, monkeypatch):
    """x_0 is then known, and each jump preserves x_s ~ N(alpha_s m, sigma_s^2), which defines the DDIM family."""
    point = GaussianMixture(weights=(1.0,), means=((0.0, 0.0),), variance=1e-30)
    mean, variance = moments(partial(ddim, eta=eta), process, steps, monkeypatch, data=point, denoise=False)
    end = torch.tensor(process.t_min, dtype=torch.float64)
    assert (mean == 0).all() and torch.allclose(variance, process.variance(end), rtol=1e-7, atol=0)


@pytest.mark.parametrize("steps", [1, 2, 5, 50])
def test_large_variance_is_exact_for_standard_normal_data(steps, monkeypatch):
    """On a variance-preserving chain every marginal is then N(0, 1), for any number of steps."""
    standard = GaussianMixture(weights=(1.0,), means=((0.0, 0.0),), variance=1.0)
    sampler, process = partial(ddpm, variance="large"), DDPM.linear()
    _, variance = moments(sampler, process, steps, monkeypatch, data=standard, denoise=False)
    start = process.prior_std() ** 2  # 1 - abar_T
    assert (variance - 1).abs().max() <= 1 - start + 1e-12
    _, small = moments(ddpm, process, steps, monkeypatch, data=standard, denoise=False)
    assert (small < variance - 1e-3).all()


@both_variances
@torch.no_grad()
def test_all_steps_of_a_ddpm_are_algorithm_2_of_ho_et_al(variance):
    """From the betas alone: x_{k-1} = (x_k - beta_k / sqrt(1 - abar_k) eps) / sqrt(1 - beta_k) + sigma_k z."""
    process = DDPM(torch.rand(40, generator=seeded(), dtype=torch.float64) * 0.2 + 1e-3)  # an irregular schedule
    model, noise = network(process, predicts="eps").double(), normal((5, 2), seeded(3)).double()
    abar, x, generator, states = torch.cumprod(1 - process.betas, 0).tolist(), noise, seeded(1), []
    for k in range(process.T, 0, -1):
        beta, product, before = process.betas[k - 1].item(), abar[k - 1], abar[k - 2] if k > 1 else 1.0
        eps = model(x, torch.tensor(k / process.T, dtype=torch.float64)).eps
        x = (x - beta / math.sqrt(1 - product) * eps) / math.sqrt(1 - beta)
        if k > 1:
            spread = beta if variance == "large" else beta * (1 - before) / (1 - product)
            x = x + math.sqrt(spread) * normal(x.shape, generator).double()
        states.append(x)
    found = [state.x for state in ddpm(model, noise, steps=process.T, generator=seeded(1), variance=variance)]
    assert len(found) == process.T
    for ours, theirs in zip(found, states):
        assert torch.allclose(ours, theirs, rtol=1e-9, atol=1e-9)


@every_process
def test_ddim_with_eta_1_is_ddpm_and_with_eta_0_reads_no_chance(process):
    model, noise = network(process), process.prior_std() * normal((4, 2), seeded(3))
    chain = [state.x for state in ddpm(model, noise, steps=6, generator=seeded(1))]
    assert all(torch.equal(a, b.x) for a, b in zip(chain, ddim(model, noise, steps=6, generator=seeded(1), eta=1.0)))
    assert len(list(ddim(model, noise, steps=6))) == 6


def test_wrong_settings_are_refused():
    model, x = ExactDenoiser(GAUSSIAN, VE()), torch.zeros(2, 2)
    with pytest.raises(ValueError, match="variance='learned' is not one of small, large"):
        next(ddpm(model, x, variance="learned", generator=seeded()))
    for eta in (-0.1, 1.5):
        with pytest.raises(ValueError, match=f"eta={eta} is not between 0 and 1"):
            next(ddim(model, x, eta=eta, generator=seeded()))
