"""Euler-Maruyama compared with the reversed Gaussian process, predictor-corrector with its own recursion."""

import math

import pytest
import torch

from paperlib.data.mixture import GaussianMixture
from paperlib.denoiser import ExactDenoiser
from paperlib.processes import DDPM, VE, normal
from paperlib.sampling import euler_maruyama, predictor_corrector, time_grid
from paperlib.sampling.times import levels
from tests.oracles import assert_mean, every_process, network, seeded, smooth_process
from tests.sampling.affine import errors, sde_moments


@smooth_process
def test_euler_maruyama_s_weak_error_falls_with_the_step(process, monkeypatch):
    """Halving the step halves the errors of mean and variance, within 20 %. In VE's variance the first-order term,
    sigma_min^2 log(sigma_max / sigma_min) h, is below 1e-6, so the second order dominates: a quarter."""
    coarse, fine = (errors(euler_maruyama, sde_moments, process, steps, monkeypatch) for steps in (500, 1000))
    ratio = coarse / fine
    assert 1.6 < ratio[0] < 2.4
    assert 3.2 < ratio[1] < 4.8 if isinstance(process, VE) else 1.6 < ratio[1] < 2.4
    assert (fine < 2e-3).all()


@every_process
def test_gaussian_data_come_out_with_their_mean_and_variance(process, monkeypatch):
    """With a thousand steps, as many as the DDPM has, a first-order error is a rate of 10 to 20, over 1000."""
    assert (errors(euler_maruyama, sde_moments, process, 1000, monkeypatch) < 0.02).all()


@every_process
@pytest.mark.parametrize("corrections", [0, 1, 2])
def test_predictor_corrector_has_the_variance_of_its_recursion(process, corrections):
    """For data N(0, V I) every state is N(0, v I), and v follows a recursion.

    With m_t = alpha_t^2 V + sigma_t^2 the score is -x / m_t, so over a large batch norm(z) / norm(score) is
    m_t / sqrt(v). A corrector turns v into v (1 - d / m)^2 + 2 d, a predictor into v (2 - sqrt(a) - G^2 / m)^2 + G^2,
    and the last step multiplies x by alpha V / m. With n = 20,000 samples the ratio of norms errs by
    1 / sqrt(2 n) = 0.5 % in each of 40 steps, only a few of which still matter at the end: less than the standard
    error of the compared variance, 0.7 %.
    """
    V, n, steps = 0.49, 20_000, 40
    model = ExactDenoiser(GaussianMixture(weights=(1.0,), means=((0.0, 0.0),), variance=V), process)
    stops = levels(process, time_grid(model, steps, "index", denoise=True))
    v = process.prior_std() ** 2
    for t, s in zip(stops, stops[1:]):
        m, a = t.alpha**2 * V + t.sigma**2, (t.alpha / s.alpha) ** 2
        for _ in range(corrections):
            d = 2 * a * 0.16**2 * m**2 / v
            v = v * (1 - d / m) ** 2 + 2 * d
        g2 = t.sigma**2 - a * s.sigma**2
        v = v * (t.alpha * V / m) ** 2 if s.data else v * (2 - math.sqrt(a) - g2 / m) ** 2 + g2
    x = process.prior_std() * normal((n, 2), seeded(4))
    *_, last = predictor_corrector(model, x, steps=steps, generator=seeded(5), corrections=corrections)
    assert_mean(last.x.double() ** 2, v)
    assert_mean(last.x, 0.0)
    assert last.evaluations == steps * (corrections + 1)


@torch.no_grad()
def test_all_steps_of_a_ddpm_are_score_sde_s_predictor_corrector():
    """Algorithms 3 and 5 of Song et al. (2021) from the betas alone; the last step goes to the prediction of x0."""
    process = DDPM(torch.rand(20, generator=seeded(), dtype=torch.float64) * 0.3 + 1e-3)  # an irregular schedule
    model, noise = network(process, predicts="eps").double(), normal((5, 2), seeded(3)).double()
    x, generator, states = noise, seeded(1), []
    for k in range(process.T, 0, -1):
        beta, t = process.betas[k - 1], torch.tensor(k / process.T, dtype=torch.float64)
        score, z = model(x, t).score, normal(x.shape, generator).double()
        step = 2 * (1 - beta) * (0.16 * z.norm(dim=1).mean() / score.norm(dim=1).mean()) ** 2
        x = x + step * score + (2 * step).sqrt() * z
        if k == 1:
            x = model(x, t).x0
        else:
            x = 2 * x - (1 - beta).sqrt() * x + beta * model(x, t).score
            x = x + beta.sqrt() * normal(x.shape, generator).double()
        states.append(x)
    found = [state.x for state in predictor_corrector(model, noise, generator=seeded(1))]
    assert len(found) == process.T
    for ours, theirs in zip(found, states):
        assert torch.allclose(ours, theirs, rtol=1e-9, atol=1e-9)


def test_a_corrector_repairs_a_start_of_the_wrong_spread():
    """Starting from noise of half the spread, only correctors reach the data's variance; the predictor falls short."""
    V, process = 4.0, VE(sigma_max=2.0)
    model = ExactDenoiser(GaussianMixture(weights=(1.0,), means=((0.0, 0.0),), variance=V), process)
    x = normal((4000, 2), seeded(4))
    missing = {}
    for corrections in (0, 1, 4):
        *_, last = predictor_corrector(model, x, steps=100, generator=seeded(5), corrections=corrections)
        missing[corrections] = abs(last.x.var().item() - V)
    assert missing[4] < missing[1] < missing[0] and missing[4] < 0.1 * V < missing[0]


@pytest.mark.parametrize("settings", [{"corrections": -1}, {"snr": 0.0}])
def test_wrong_settings_are_refused(settings):
    model = ExactDenoiser(GaussianMixture(weights=(1.0,), means=((0.0, 0.0),)), VE())
    with pytest.raises(ValueError, match="must not be negative, and snr=.* must be positive"):
        next(predictor_corrector(model, torch.zeros(2, 2), generator=seeded(), **settings))
