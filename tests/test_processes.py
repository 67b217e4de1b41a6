"""Marginals, drift and diffusion compared with independent closed forms, finite differences and simulation."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from paperlib.processes import DDPM, VE, VP, Process, SubVP, expand
from tests.oracles import PROCESSES, assert_mean, every_process, inner_times, marginal, seeded


def beta(t):
    return 0.1 + t * (20.0 - 0.1)


def integral_of_beta(t):
    return quad(beta, 0, t)[0]


def linear_abar():
    return np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))


def cosine_abar():
    """Return abar of Nichol and Dhariwal (Eq. 17) for k = 1 ... 999; only beta_1000 is clipped."""
    k = np.arange(1000)
    f = np.cos((k / 1000 + 0.008) / 1.008 * np.pi / 2) ** 2
    return f[1:] / f[0]


def scaled_linear_abar():
    """Return Stable Diffusion's abar: sqrt(beta) is linear from sqrt(0.00085) to sqrt(0.012)."""
    k = np.arange(1000)
    root = np.sqrt(0.00085) + k / 999 * (np.sqrt(0.012) - np.sqrt(0.00085))
    return np.cumprod(1 - root**2)


CLOSED_FORMS = {  # t -> alpha, sigma^2
    "VE": lambda t: (1.0, (0.01 * (50.0 / 0.01) ** t) ** 2),
    "VP": lambda t: (math.exp(-integral_of_beta(t) / 2), 1 - math.exp(-integral_of_beta(t))),
    "sub-VP": lambda t: (math.exp(-integral_of_beta(t) / 2), (1 - math.exp(-integral_of_beta(t))) ** 2),
}


@pytest.mark.parametrize("name", CLOSED_FORMS)
@pytest.mark.parametrize("t", [1e-5, 0.01, 0.3, 0.77, 1.0])
def test_marginals_are_the_closed_forms(name, t):
    alpha, variance = CLOSED_FORMS[name](t)
    process, time = PROCESSES[name], torch.tensor(t, dtype=torch.float64)
    # In the references, 1 - exp(-B) cancels for small B: an error of 1e-16 / 1e-6.
    assert process.alpha(time).item() == pytest.approx(alpha, rel=1e-12)
    assert process.sigma(time).item() ** 2 == pytest.approx(variance, rel=1e-9)
    assert process.variance(time).item() == pytest.approx(variance, rel=1e-9)


ABAR = {
    "linear": (DDPM.linear(), linear_abar()),
    "scaled linear": (DDPM.scaled_linear(), scaled_linear_abar()),
    "cosine": (DDPM.cosine(), cosine_abar()),
}


@pytest.mark.parametrize("process, abar", ABAR.values(), ids=ABAR)
def test_ddpm_at_its_grid_points_is_its_own_abar(process, abar):
    t = torch.arange(1, len(abar) + 1, dtype=torch.float64) / process.T
    # A product of 1000 factors has 1000 roundings of half a unit, 2^-52.
    assert torch.allclose(process.alpha(t) ** 2, torch.from_numpy(abar), rtol=1e-12, atol=0)
    assert torch.allclose(process.variance(t), torch.from_numpy(1 - abar), rtol=1e-11, atol=0)
    assert torch.allclose(process.abar[1 : len(abar) + 1], torch.from_numpy(abar), rtol=1e-12, atol=0)
    assert process.abar[0] == 1


@pytest.mark.parametrize("process", [DDPM.linear(), DDPM.cosine(), DDPM.linear(10, 1e-3, 0.5)])
def test_ddpm_marginals_are_those_of_its_markov_chain(process):
    """Follow the mean's factor and the variance of x_k = sqrt(1 - beta_k) x_{k-1} + sqrt(beta_k) z step by step."""
    factor, variance = 1.0, 0.0
    for k, b in enumerate(process.betas.tolist(), start=1):
        factor, variance = math.sqrt(1 - b) * factor, (1 - b) * variance + b
        t = torch.tensor(k / process.T, dtype=torch.float64)
        assert process.alpha(t).item() == pytest.approx(factor, rel=1e-12)
        assert process.variance(t).item() == pytest.approx(variance, rel=1e-12)


def test_ddpm_cosine_clips_the_last_beta_and_stops_before_it():
    process = DDPM.cosine()
    assert process.T == 1000 and process.betas[-1] == 0.999 and process.betas[:-1].max() < 0.999
    assert process.t_max == 0.999 and process.t_min == 0.001
    assert DDPM.linear().t_max == 1.0


@every_process
def test_drift_is_the_derivative_of_log_alpha(process):
    t, h = inner_times(process), 1e-5
    difference = (process.alpha(t + h).log() - process.alpha(t - h).log()) / (2 * h)
    # The error of central differences is h^2 f'' / 6 = 0 (log alpha is a parabola or a line) plus rounding, 1e-15 / h.
    assert torch.allclose(process.drift(t), difference, rtol=1e-8, atol=1e-9)


@every_process
def test_diffusion_is_what_the_variance_needs_besides_the_drift(process):
    t, h = inner_times(process), 1e-5
    rate = (process.sigma(t + h) ** 2 - process.sigma(t - h) ** 2) / (2 * h)
    f = (process.alpha(t + h).log() - process.alpha(t - h).log()) / (2 * h)
    # VE's variance grows with a rate of 17: h^2 17^2 / 6 = 5e-9 of the derivative. For the others rounding dominates.
    assert torch.allclose(process.diffusion(t) ** 2, rate - 2 * f * process.sigma(t) ** 2, rtol=1e-7, atol=1e-8)


def test_drift_and_diffusion_are_those_of_song_et_al():
    for t in (1e-5, 0.1, 0.5, 0.9):
        time, B = torch.tensor(t, dtype=torch.float64), integral_of_beta(t)
        assert VE().drift(time) == 0
        assert VE().diffusion(time).item() == pytest.approx(0.01 * 5000**t * math.sqrt(2 * math.log(5000)), rel=1e-12)
        for process in (VP(), SubVP()):
            assert process.drift(time).item() == pytest.approx(-0.5 * beta(t), rel=1e-12)
        assert VP().diffusion(time).item() ** 2 == pytest.approx(beta(t), rel=1e-9)
        assert SubVP().diffusion(time).item() ** 2 == pytest.approx(beta(t) * -math.expm1(-2 * B), rel=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("process", [DDPM.linear(), DDPM.cosine(), DDPM.linear(10, 1e-3, 0.5)])
def test_ddpm_rate_is_continuous_and_between_those_of_its_neighbouring_steps(process, dtype):
    """At t = k / T, where samplers evaluate it, the rate lies between those of the steps k and k + 1, however k / T is
    rounded.

    Otherwise a solver whose steps all end at grid points would get one neighbour's rate instead of the mean.
    """
    k = torch.arange(1, round(process.t_max * process.T) + (process.t_max < 1))
    step = -process.T * torch.log1p(-process.betas)
    low, high = torch.minimum(step[k - 1], step[k]), torch.maximum(step[k - 1], step[k])
    t = (k.double() / process.T).to(dtype)
    for time in (t, t.nextafter(torch.zeros_like(t)), t.nextafter(torch.ones_like(t))):
        rate = -2 * process.drift(time).double()
        rounding = (
            4e-3 if dtype == torch.float32 else 1e-9
        )  # of T u = t T - k, 6e-5 of a cell, times 2 (high - low) / step
        assert ((rate > low * (1 - rounding)) & (rate < high * (1 + rounding))).all()
        assert torch.allclose(rate, -2 * process.drift(t).double(), rtol=rounding)


@pytest.mark.parametrize("process", [DDPM.linear(), DDPM.cosine(), DDPM.linear(10, 1e-3, 0.5)])
def test_ddpm_only_loses_signal(process):
    t = torch.linspace(0, 1, 20_001, dtype=torch.float64)
    assert (process.drift(t) < 0).all() and (process.alpha(t).diff() < 0).all()


@every_process
def test_moments_solve_the_equations_of_the_forward_sde(process):
    """dm/dt = f m and dv/dt = 2 f v + g^2 have m = exp(F) m_0, v = exp(2 F) (v_0 + int exp(-2 F) g^2), F = int f."""
    start, end, n = process.t_min, 0.6, 59_900  # a hundred midpoints for each interval of a DDPM's grid
    h = (end - start) / n
    t = start + h * (torch.arange(n, dtype=torch.float64) + 0.5)
    f, g = process.drift(t), process.diffusion(t)
    F = h * (f.cumsum(0) - 0.5 * f)
    noise = (h * (-2 * F).exp() * g**2).sum()
    before, after = marginal(process, start), marginal(process, end)
    # The midpoint rule errs by h^2 / 24 times the second derivative, here below (20 h)^2 = 4e-8 of the integrand.
    assert torch.allclose((h * f.sum()).exp() * before.mean, after.mean, rtol=1e-6)
    assert torch.allclose((2 * h * f.sum()).exp() * (before.variance + noise), after.variance, rtol=1e-6)


@every_process
def test_simulated_forward_sde_has_the_moments_of_the_marginals(process):
    n, steps, end = 20_000, 600, 0.5
    generator, h = seeded(1), (end - process.t_min) / 600
    start, goal = marginal(process, process.t_min), marginal(process, end)
    x = start.mean[0] + start.variance.sqrt() * torch.randn(n, dtype=torch.float64, generator=generator)
    squared = 0.0
    for k in range(steps):
        t = torch.tensor(process.t_min + (k + 0.5) * h, dtype=torch.float64)
        f, g = process.drift(t), process.diffusion(t)
        squared += (f * f * h).item()
        x = x + f * x * h + g * math.sqrt(h) * torch.randn(n, dtype=torch.float64, generator=generator)
    # With (1 + f h) for exp(f h), log alpha errs by h/2 int f^2, and the variance by at most twice that (relative).
    # Steps longer than a DDPM's grid interval use one rate instead of a mean, so its trapezoids err by O(h).
    bias = h * squared + 2 * h
    mean_error, variance_error = 4.5 * (goal.variance / n) ** 0.5, 4.5 * (2 / n) ** 0.5
    assert abs(x.mean() - goal.mean[0]) < mean_error + bias * goal.mean[0].abs()
    assert abs(x.var() / goal.variance - 1) < variance_error + bias


@every_process
def test_perturbed_data_have_the_kernel_s_moments(process):
    x0, t, n = torch.tensor([[1.0, -2.0]]).double(), torch.tensor([0.3]).double(), 20_000
    x_t = process.perturb(x0.expand(n, 2), t.expand(n), torch.randn(n, 2, generator=seeded()).double())
    assert_mean(x_t, process.alpha(t) * x0[0])
    assert_mean((x_t - process.alpha(t) * x0) ** 2, process.variance(t))


def test_perturb_takes_a_time_a_row_or_one_for_all():
    x0, z, t = torch.ones(3, 2, 4), torch.full((3, 2, 4), 2.0), torch.tensor([0.1, 0.5, 0.9])
    assert torch.equal(VE().perturb(x0, t[1], z), 1 + 2 * VE().sigma(t[1]) * torch.ones(3, 2, 4))
    rows = VP().perturb(x0, t, z)
    for row, time in zip(rows, t):
        assert torch.equal(row, VP().perturb(x0, time, z)[0])
    assert expand(t, x0).shape == (3, 1, 1) and expand(t[0], x0).shape == ()


@every_process
@pytest.mark.parametrize("shape", [(), (3,), (2, 5)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_results_have_the_shape_and_dtype_of_the_times(process, shape, dtype):
    t = torch.full(shape, 0.4, dtype=dtype)
    for function in (
        process.alpha,
        process.sigma,
        process.variance,
        process.log_alpha,
        process.drift,
        process.diffusion,
    ):
        assert function(t).shape == shape and function(t).dtype == dtype


@every_process
def test_float32_keeps_its_digits_down_to_the_smallest_time(process):
    """Without cancellation in 1 - alpha^2, relative errors stay near float32's 6e-8 times exponents up to 20.

    For a DDPM, float32 rounds t T by up to 3e-5 of a grid interval, times the change of log alpha in it.
    """
    t = torch.logspace(math.log10(process.t_min), 0, 50).clamp(process.t_min, process.t_max)
    for function in (process.alpha, process.sigma):
        exact = function(t.double())
        cell = process.drift(t.double()).abs() / process.T if isinstance(process, DDPM) else 0
        assert (((function(t) - exact) / exact).abs() < 1e-5 + 3e-5 * cell).all()


@every_process
def test_prior_is_the_normal_density_of_sigma_at_t_max_and_the_signal_is_gone(process):
    end = torch.tensor(process.t_max, dtype=torch.float64)
    assert process.prior_std() == process.sigma(end).item()
    x = 3 * torch.randn(5, 2, 3, generator=seeded(), dtype=torch.float64)
    normal = torch.distributions.Normal(torch.zeros((), dtype=torch.float64), process.sigma(end))
    assert torch.allclose(process.prior_log_density(x), normal.log_prob(x).sum((1, 2)), rtol=1e-12)
    assert process.alpha(end) / process.sigma(end) <= 0.021  # 1/50 for VE, below 0.007 for the others


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: VE(1.0, 0.5), "0 < sigma_min < sigma_max, got 1.0 and 0.5"),
        (lambda: VE(0.0, 0.5), "0 < sigma_min"),
        (lambda: VP(2.0, 1.0), "VP needs 0 < beta_min < beta_max, got 2.0 and 1.0"),
        (lambda: SubVP(-1.0, 1.0), "SubVP needs"),
        (lambda: DDPM(torch.tensor([0.1, 1.0])), "each between 0 and 1"),
        (lambda: DDPM(torch.tensor([[0.1]])), "one-dimensional"),
        (lambda: DDPM(torch.tensor([0.1, float("nan")])), "each between 0 and 1"),
    ],
)
def test_what_is_no_process_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_process_is_two_functions():
    class Straight(Process):
        def log_alpha(self, t):
            return (1 - 0.9 * t).log()

        def variance(self, t):
            return t**2

    t = torch.tensor([0.2, 0.8], dtype=torch.float64)
    f = -0.9 / (1 - 0.9 * t)
    assert torch.allclose(Straight().drift(t), f) and Straight().prior_std() == 1
    assert torch.allclose(Straight().diffusion(t) ** 2, 2 * t - 2 * f * t**2)
