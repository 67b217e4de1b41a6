"""Samplers against closed forms of Gaussian data and the mixture's regions; orders by halving the step."""

import math

import pytest
import torch
from torch.distributions import Normal

from paperlib.data.mixture import SGU_MIXTURE
from paperlib.denoiser import ExactDenoiser
from paperlib.processes import VE
from paperlib.sampling import euler_maruyama, heun, prior, sample
from tests.oracles import GAUSSIAN, assert_mean, every_process, marginal, network, seeded, smooth_process

both_samplers = pytest.mark.parametrize("sampler", [euler_maruyama, heun])


class Counting:
    """A model that counts how often it is asked, and about which time."""

    def __init__(self, model):
        self.model, self.process, self.times = model, model.process, []

    def __call__(self, x_t, t, cond=None):
        self.times.append(t.item())
        return self.model(x_t, t, cond)


def moments(sampler, process, steps, monkeypatch):
    """The exact mean [2] and variance of a sampler's output for Gaussian data, no chance involved.

    All is affine in the starting noise and in each step's noise, so each is switched on alone in a row of the batch:
    the variance is the sum of the squared responses.
    """
    calls = iter(range(steps))

    def impulse(shape, generator):
        noise = torch.zeros(shape, dtype=torch.float64)
        noise[2 + next(calls)] = 1
        return noise

    x = torch.zeros(steps + 2, 2, dtype=torch.float64)
    x[1] = process.prior_std()
    with monkeypatch.context() as patch:
        patch.setattr(torch, "randn", impulse)
        model = ExactDenoiser(GAUSSIAN, process)
        *_, last = sampler(model, x, steps=steps, generator=seeded())
    response = last.x[1:] - last.x[0]
    return last.x[0], (response**2).sum(0)


def ode_moments(process):
    """x_s = m_s + sqrt(v_s / v_T) (x_T - m_T), started from the prior N(0, sigma_T^2)."""
    start, end = marginal(process, process.t_max), marginal(process, process.t_min)
    factor = end.variance / start.variance
    return end.mean - factor.sqrt() * start.mean, factor * process.prior_std() ** 2


def sde_moments(process):
    """The reversed process: x_s given x_T is N(m_s + c (x_T - m_T), v_s - c^2 v_T), c = alpha_T v_s / (alpha_s v_T)."""
    start, end = marginal(process, process.t_max), marginal(process, process.t_min)
    c = start.alpha / end.alpha * end.variance / start.variance
    return end.mean - c * start.mean, end.variance - c**2 * (start.variance - process.prior_std() ** 2)


def errors(sampler, exact, process, steps, monkeypatch):
    mean, variance = moments(sampler, process, steps, monkeypatch)
    exact_mean, exact_variance = exact(process)
    return torch.cat([(mean - exact_mean).abs()[:1], (variance - exact_variance).abs()[:1]])


@smooth_process
def test_heun_s_error_falls_with_the_square_of_the_step(process, monkeypatch):
    """Halving the step leaves a quarter of the error, within 20 %: the next order's share at these steps."""
    coarse, fine = (errors(heun, ode_moments, process, steps, monkeypatch) for steps in (400, 800))
    assert ((coarse / fine > 3.2) & (coarse / fine < 4.8)).all(), (coarse, fine)
    assert (fine < 1e-3).all()


@smooth_process
def test_euler_maruyama_s_weak_error_falls_with_the_step(process, monkeypatch):
    """Halving the step halves the errors of mean and variance, within 20 %; VE's variance, whose first-order term is
    sigma_min^2 log(sigma_max / sigma_min) h, below 1e-6, shows the second: a quarter."""
    coarse, fine = (errors(euler_maruyama, sde_moments, process, steps, monkeypatch) for steps in (500, 1000))
    ratio = coarse / fine
    assert 1.6 < ratio[0] < 2.4
    assert 3.2 < ratio[1] < 4.8 if isinstance(process, VE) else 1.6 < ratio[1] < 2.4
    assert (fine < 2e-3).all()


@every_process
@pytest.mark.parametrize("sampler, exact", [(heun, ode_moments), (euler_maruyama, sde_moments)])
def test_gaussian_data_come_out_with_their_mean_and_variance(process, sampler, exact, monkeypatch):
    """A thousand steps, the DDPM's own number: a first-order error is a rate, 10 to 20, over 1000."""
    assert (errors(sampler, exact, process, 1000, monkeypatch) < 0.02).all()


@every_process
@both_samplers
def test_samples_of_gaussian_data_have_the_moments_within_standard_errors(process, sampler, monkeypatch):
    """Draws against the sampler's own exact moments at that number of steps."""
    steps = 400
    mean, variance = moments(sampler, process, steps, monkeypatch)
    model, n = ExactDenoiser(GAUSSIAN, process), 4000
    x = sample(model, (n, 2), generator=seeded(1), sampler=sampler, steps=steps).x.double()
    assert_mean(x, mean)
    assert_mean((x - mean) ** 2, variance)


@every_process
@both_samplers
def test_the_mixture_s_regions_are_hit_in_their_exact_shares(process, sampler):
    """Along u = (x1 + x2) / sqrt 2 the means lie at -2 sqrt 2, 0, 2 sqrt 2; the borders are half way.

    Binomial standard errors, 0.008 at n = 4000; the samplers' own bias at these steps is below 2e-3 (tests above).
    """
    n, steps = 4000, 1000 if sampler is euler_maruyama else 400
    model = ExactDenoiser(SGU_MIXTURE, process)
    x = sample(model, (n, 2), generator=seeded(2), sampler=sampler, steps=steps).x
    assert torch.isfinite(x).all()
    u, half = x.sum(1) / math.sqrt(2), math.sqrt(2)
    below, above = u < -half, u > half
    normal = Normal(0.0, 1.0)
    right = sum(
        w * (1 - normal.cdf(torch.tensor(half - centre))).item()
        for w, centre in zip(SGU_MIXTURE.weights, (-2 * half, 0.0, 2 * half))
    )
    for share, expected in ((below, right), (above, right), (~below & ~above, 1 - 2 * right)):
        error = math.sqrt(expected * (1 - expected) / n)
        assert abs(share.double().mean().item() - expected) < 4.5 * error


@every_process
@both_samplers
def test_evaluations_and_times_are_reported(process, sampler):
    model = Counting(network(process))
    states = list(sampler(model, torch.randn(3, 2, generator=seeded()), steps=7, generator=seeded()))
    cost = 2 if sampler is heun else 1
    assert [state.evaluations for state in states] == [cost * k for k in range(1, 8)]
    assert len(model.times) == 7 * cost
    assert max(model.times) == pytest.approx(process.t_max) and states[-1].t == pytest.approx(process.t_min)
    assert all(a.t > b.t for a, b in zip(states, states[1:]))
    assert min(model.times) >= process.t_min * (1 - 1e-6)
    assert all(not state.x.requires_grad for state in states)


@both_samplers
def test_noise_given_is_where_sampling_starts(sampler):
    model, noise = network(VE()), torch.randn(5, 2, generator=seeded(3))
    kept = noise.clone()
    first = sample(model, (9, 9), generator=seeded(1), sampler=sampler, steps=4, noise=noise)
    *_, last = sampler(model, noise, steps=4, generator=seeded(1))
    assert torch.equal(first.x, last.x) and first.evaluations == last.evaluations
    assert torch.equal(noise, kept)
    other = sample(model, (5, 2), generator=seeded(1), sampler=sampler, steps=4, noise=noise + 1)
    assert not torch.equal(first.x, other.x)


@every_process
def test_heun_reads_no_chance_and_euler_maruyama_its_generator_alone(process):
    model, noise = network(process), torch.randn(5, 2, generator=seeded(3))
    state = torch.get_rng_state()

    def last(sampler, seed):
        return sample(model, (5, 2), generator=seeded(seed), sampler=sampler, steps=5, noise=noise).x

    assert torch.equal(last(heun, 1), last(heun, 2))
    assert torch.equal(last(euler_maruyama, 1), last(euler_maruyama, 1))
    assert not torch.equal(last(euler_maruyama, 1), last(euler_maruyama, 2))
    assert torch.equal(state, torch.get_rng_state())


@every_process
def test_the_prior_has_the_spread_of_sigma_at_t_max(process):
    x = prior(network(process), (5000, 2), seeded())
    assert_mean(x, 0.0)
    assert_mean(x.double() ** 2, process.prior_std() ** 2)


@both_samplers
@pytest.mark.parametrize("steps", [0, -3])
def test_no_steps_are_refused(sampler, steps):
    with pytest.raises(ValueError, match=f"steps={steps}: a sampler needs at least one"):
        sample(network(VE()), (5, 2), generator=seeded(), sampler=sampler, steps=steps)


@both_samplers
def test_the_condition_reaches_the_model(sampler):
    class Model:
        process, seen = VE(), []

        def __call__(self, x_t, t, cond=None):
            self.seen.append(cond)
            return ExactDenoiser(GAUSSIAN, self.process)(x_t, t)

    model = Model()
    sample(model, (2, 2), generator=seeded(), sampler=sampler, steps=2, cond="label")
    assert set(model.seen) == {"label"}
