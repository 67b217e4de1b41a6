"""The probability-flow likelihood compared with closed forms, its divergence with Jacobians, its integral with one."""

import math

import pytest
import torch

from paperlib.data.mixture import SGU_MIXTURE, GaussianMixture
from paperlib.denoiser import Denoised, Denoiser, ExactDenoiser
from paperlib.likelihood import (
    SCORE_SDE_OFFSET,
    bits_per_dim,
    draw_probes,
    exact_divergence,
    hutchinson,
    log_likelihood,
    velocity,
)
from paperlib.losses import batch, score_matching
from paperlib.nets.mlp import MLP
from paperlib.processes import VE, VP
from paperlib.training import Training
from tests.oracles import (
    D_F,
    D_G,
    GAUSSIAN,
    assert_mean,
    every_process,
    inner_times,
    marginal,
    network,
    seeded,
    smooth_process,
)

estimators = pytest.mark.parametrize("divergence", ["rademacher", "gaussian"])


def points(n=12, dtype=torch.float64):
    return 2 * torch.randn(n, 2, generator=seeded(), dtype=dtype)


def level(process, t):
    """Return alpha and sigma at t, float64."""
    t = torch.tensor(t, dtype=torch.float64)
    return process.alpha(t), process.sigma(t)


def gaussian_log_likelihood(process, x):
    """Return log p_0(x) and x_T = m_T + sqrt(v_T / v_0) (x - m_0), to which the flow takes Gaussian data.

    log p_0(x) is the prior's log-density at x_T plus log v_T / v_0; with D = 2 the ratio has no square root. "0" is
    t_min, whose noise the data include.
    """
    start, end = marginal(process, process.t_min), marginal(process, process.t_max)
    x_T = end.mean + (end.variance / start.variance).sqrt() * (x - start.mean)
    return process.prior_log_density(x_T) + (end.variance / start.variance).log(), x_T


@every_process
def test_gaussian_log_density_is_the_closed_form_with_the_adaptive_solver(process):
    """In float64 at tolerance 1e-9, a thousand such errors stay below 1e-6, relative or absolute."""
    x = points()
    result = log_likelihood(ExactDenoiser(GAUSSIAN, process), x, rtol=1e-9, atol=1e-9)
    log_p, x_T = gaussian_log_likelihood(process, x)
    assert torch.allclose(result.log_p, log_p, rtol=1e-6, atol=1e-6)
    assert torch.allclose(result.x_T, x_T, rtol=1e-6, atol=1e-5)
    assert result.log_p.shape == (12,) and result.evaluations > 10


@every_process
def test_gaussian_log_density_is_near_that_of_the_clean_data(process):
    """The differences are the noise at t_min, sigma^2 / v, and the signal at t_max, |m| alpha / sigma."""
    x = torch.tensor(GAUSSIAN.means[0], dtype=torch.float64) + 0.7 * points()
    log_p = log_likelihood(ExactDenoiser(GAUSSIAN, process), x, rtol=1e-7, atol=1e-7).log_p
    # alpha_T / sigma_T is largest for VE, 0.021; times |m| = 1.6 and |x_T| / sigma_T <= 5
    assert torch.allclose(log_p, GAUSSIAN.log_density(x), atol=0.021 * 1.6 * 5)


@every_process
@pytest.mark.parametrize("density", [SGU_MIXTURE, D_G, D_F], ids=["p_data", "p_g", "p_f"])
def test_mixture_log_density_is_the_closed_form(process, density):
    """Along a path of the exact flow log p_t(x_t) - int div is constant, so for any prior:

    log p_0(x) = log p_t_min(x) + log prior(x_T) - log p_T(x_T)."""
    x = points()
    result = log_likelihood(ExactDenoiser(density, process), x, rtol=1e-8, atol=1e-8)
    correction = process.prior_log_density(result.x_T) - density.log_density(result.x_T, *level(process, process.t_max))
    expected = density.log_density(x, *level(process, process.t_min)) + correction
    assert torch.allclose(result.log_p, expected, rtol=1e-5, atol=1e-5)  # a thousand steps with errors of 1e-8
    assert correction.abs().max() < 0.25  # the prior fits


@every_process
def test_float32_is_as_good_as_its_tolerance(process):
    """An upper bound at rtol = atol = 1e-5 with a few hundred steps: 200 * 1e-5 for each of the two terms."""
    x = points(dtype=torch.float32)
    result = log_likelihood(ExactDenoiser(SGU_MIXTURE, process), x)
    exact = log_likelihood(ExactDenoiser(SGU_MIXTURE, process), x.double(), rtol=1e-8, atol=1e-8)
    assert result.log_p.dtype == torch.float32
    assert (result.log_p - exact.log_p).abs().max() < 4e-3


@pytest.mark.slow
@smooth_process
@pytest.mark.parametrize("solver, order, steps", [("rk4", 4, 200), ("midpoint", 2, 80), ("euler", 1, 200)])
def test_fixed_step_solvers_converge_at_their_order(process, solver, order, steps):
    """Halving the step divides the error by 2^order, to within a third for the next order's contribution."""
    x, model = points(4), ExactDenoiser(GAUSSIAN, process)
    exact, _ = gaussian_log_likelihood(process, x)

    def error(steps):
        result = log_likelihood(model, x, solver=solver, steps=steps)
        assert result.evaluations == steps * {"rk4": 4, "midpoint": 2, "euler": 1}[solver]
        return (result.log_p - exact).abs().max().item()

    coarse, fine = error(steps), error(2 * steps)
    assert 0.67 * 2**order < coarse / fine < 1.5 * 2**order


@every_process
def test_fixed_and_adaptive_solvers_agree(process):
    """A DDPM's rate has kinks at its grid points, and the cosine grid's grows as 1 / (1 - t): h = 0.01 errs by 0.01."""
    x, model = points(4), ExactDenoiser(SGU_MIXTURE, process)
    adaptive = log_likelihood(model, x, rtol=1e-8, atol=1e-8).log_p
    fixed = log_likelihood(model, x, solver="rk4", steps=100).log_p
    assert torch.allclose(fixed, adaptive, atol=0.02 if hasattr(process, "betas") else 1e-3)


@pytest.mark.parametrize("solver, tolerance", [("dopri8", 1e-7), ("bosh3", 1e-7), ("adaptive_heun", 1e-5)])
def test_the_other_adaptive_solvers_agree(solver, tolerance):
    """A thousand steps may each err by the tolerance; Heun's method, of order two, would need ten thousand at 1e-7."""
    x = points(4)
    exact, _ = gaussian_log_likelihood(VP(), x)
    log_p = log_likelihood(ExactDenoiser(GAUSSIAN, VP()), x, solver=solver, rtol=tolerance, atol=tolerance).log_p
    assert (log_p - exact).abs().max() < 1000 * tolerance


@every_process
def test_velocity_carries_the_marginals(process):
    """For Gaussian data, the mean moves with the marginal's mean, and deviations scale with its standard deviation."""
    model, h = ExactDenoiser(GAUSSIAN, process), 1e-6
    for t in inner_times(process):
        before, now, after = (marginal(process, t.item() + d) for d in (-h, 0, h))
        for z in (-1.0, 0.0, 2.0):
            path = [(p.mean + z * p.variance.sqrt())[None] for p in (before, now, after)]
            slope = (path[2] - path[0]) / (2 * h)
            assert torch.allclose(velocity(model, path[1], t), slope, rtol=1e-5, atol=1e-7)


@every_process
@pytest.mark.parametrize("solver", ["dopri5", "bosh3", "rk4"])
def test_no_solver_looks_beyond_the_process_s_times(process, solver):
    """By default torchdiffeq's adaptive solvers look ahead for the first step, and step beyond the end."""
    exact, asked = ExactDenoiser(GAUSSIAN, process), []

    class Watching:
        def __call__(self, x_t, t, cond=None):
            asked.append(t.item())
            return exact(x_t, t)

    model = Watching()
    model.process = process
    result = log_likelihood(model, points(3), solver=solver, rtol=1e-3, atol=1e-3, steps=10)
    assert len(asked) == result.evaluations
    assert process.t_min * (1 - 1e-6) <= min(asked) and max(asked) <= process.t_max + 1e-9


# --- the divergence


class Twisted:
    """A denoiser with a full, asymmetric Jacobian, so that no estimate is exact by chance."""

    process = VP()

    def __call__(self, x_t, t, cond=None):
        matrix = torch.tensor([[0.5, 2.0, -1.0], [-0.3, 1.0, 0.7], [1.1, -0.6, -2.0]], dtype=x_t.dtype)
        score = -x_t + torch.tanh(x_t @ matrix.T) * (1 + t)
        return Denoised(x0=score, eps=score, score=score)


def jacobians(dx, x):
    return torch.stack([torch.autograd.functional.jacobian(dx, row[None])[0, :, 0] for row in x])


@every_process
def test_exact_divergence_is_the_trace_of_the_jacobian(process):
    model, t = network(process, data_std=2.0).double(), inner_times(process)[4]
    x = points(5).requires_grad_()
    trace = exact_divergence(velocity(model, x, t), x)
    expected = jacobians(lambda row: velocity(model, row, t), x.detach()).diagonal(dim1=1, dim2=2).sum(1)
    assert torch.allclose(trace, expected, rtol=1e-10)


def test_exact_divergence_reads_images():
    x = torch.randn(3, 2, 4, 4, generator=seeded(), dtype=torch.float64, requires_grad=True)
    assert torch.allclose(exact_divergence(x**3 + x.flip(3), x), (3 * x**2).sum((1, 2, 3)))


@estimators
def test_hutchinson_is_unbiased(divergence):
    n, t = 20_000, torch.tensor(0.3, dtype=torch.float64)
    for row in torch.randn(3, 1, 3, generator=seeded(1), dtype=torch.float64):
        x = row.repeat(n, 1).requires_grad_()
        probes = draw_probes(divergence, (1, n, 3), seeded(2)).double()
        estimates = hutchinson(velocity(Twisted(), x, t), x, probes)
        one = row.clone().requires_grad_()
        assert_mean(estimates, exact_divergence(velocity(Twisted(), one, t), one).item())
        assert estimates.std() > 1e-3  # neither estimator is exact here


@estimators
def test_the_likelihood_with_random_probes_is_unbiased(divergence):
    """The path does not depend on the probes, and log p is linear in the divergence, so its mean is exact."""
    n, x = 3000, points(1).float()
    x = torch.cat([x, torch.zeros_like(x[:, :1])], 1)
    model = Twisted()
    exact = log_likelihood(model, x.double(), solver="rk4", steps=24).log_p.item()
    result = log_likelihood(
        model, x.double().repeat(n, 1), divergence=divergence, generator=seeded(3), solver="rk4", steps=24
    )
    assert_mean(result.log_p, exact)


@estimators
def test_the_probes_of_a_call_are_averaged(divergence):
    probes = draw_probes(divergence, (6, 4, 3), seeded()).double()
    x = torch.randn(4, 3, generator=seeded(1), dtype=torch.float64, requires_grad=True)
    t = torch.tensor(0.3, dtype=torch.float64)
    each = torch.stack([hutchinson(velocity(Twisted(), x, t), x, probe[None]) for probe in probes])
    assert torch.allclose(hutchinson(velocity(Twisted(), x, t), x, probes), each.mean(0))


@every_process
def test_rademacher_is_exact_where_the_jacobian_is_diagonal(process):
    """Because e_i^2 = 1; normal probes are not exact there."""
    x, model = points(6), ExactDenoiser(GAUSSIAN, process)
    exact = log_likelihood(model, x, solver="rk4", steps=16).log_p
    settings = {"generator": seeded(1), "solver": "rk4", "steps": 16}
    assert torch.allclose(log_likelihood(model, x, divergence="rademacher", **settings).log_p, exact, rtol=1e-9)
    assert not torch.allclose(log_likelihood(model, x, divergence="gaussian", **settings).log_p, exact, rtol=1e-3)


@estimators
def test_probes_have_identity_covariance(divergence):
    e = draw_probes(divergence, (20_000, 3), seeded()).double()
    off = (e[:, :, None] * e[:, None, :]).flatten(1)
    if divergence == "rademacher":
        assert set(e.flatten().tolist()) == {-1.0, 1.0}
        assert (off[:, [0, 4, 8]] == 1).all()
        off = off[:, [1, 2, 5]]
        assert_mean(off, 0.0)
    else:
        assert_mean(off, torch.eye(3).flatten())
    assert_mean(e, 0.0)


@estimators
def test_probes_depend_on_the_generator_alone_and_stay_along_the_path(divergence):
    x, model, state = points(3), network(VP()).double(), torch.get_rng_state()

    def run(seed):
        return log_likelihood(model, x, divergence=divergence, generator=seeded(seed), solver="rk4", steps=4).log_p

    assert torch.equal(run(1), run(1)) and not torch.equal(run(1), run(2))
    generator = seeded(1)
    log_likelihood(model, x, divergence=divergence, generator=generator, solver="rk4", steps=4)
    after = generator.get_state()
    longer = seeded(1)
    log_likelihood(model, x, divergence=divergence, generator=longer, solver="rk4", steps=8)
    assert torch.equal(after, longer.get_state())  # sampled once, whatever the number of evaluations
    assert torch.equal(state, torch.get_rng_state())


# --- a density


@pytest.mark.parametrize("process", [VE(), VP()], ids=["VE", "VP"])
def test_the_density_of_a_trained_network_integrates_to_one(process):
    """The flow maps the prior to a density, whatever the network.

    For features as narrow as 0.3, a sum over a grid of step 0.3 errs by exp(-2 pi^2), which is negligible; the
    solver's error is 1e-3.
    """
    data, generator = SGU_MIXTURE.sample(20_000, seeded(1)), seeded(2)

    def objective(model, generator, index):
        return {"loss": score_matching(model, batch(data, 256, generator), generator, antithetic=True).mean()}

    model = Denoiser(MLP(2, width=32, depth=2), process, data_std=SGU_MIXTURE.std())
    model = Training(model, objective, steps=300, lr=5e-3, generator=generator, decay=True, warmup=20, ema=0.9).run()
    line = 0.3 * torch.arange(-27, 28)
    log_p = log_likelihood(model, torch.cartesian_prod(line, line), rtol=1e-4, atol=1e-4).log_p
    assert 0.09 * log_p.exp().sum().item() == pytest.approx(1, abs=1e-2)
    # It has also learned something: it is closer to the data's entropy, 3.6768 nats, than a Gaussian of equal spread.
    test = SGU_MIXTURE.sample(500, seeded(3))
    nll = -log_likelihood(model, test, rtol=1e-4, atol=1e-4).log_p
    gaussian = math.log(2 * math.pi * math.e * SGU_MIXTURE.std() ** 2)
    assert 3.6 < nll.mean() < gaussian


def test_each_row_s_likelihood_is_its_own():
    x, model = points(6), network(VE(), data_std=2.0).double()
    together = log_likelihood(model, x, solver="rk4", steps=16).log_p
    apart = torch.cat([log_likelihood(model, row[None], solver="rk4", steps=16).log_p for row in x])
    assert torch.allclose(together, apart, rtol=1e-9)


def test_neither_data_nor_network_collect_gradients():
    x, model = points(3).float(), network(VE())
    with torch.no_grad():
        result = log_likelihood(model, x, solver="rk4", steps=2)
    assert not result.log_p.requires_grad and not result.x_T.requires_grad and not x.requires_grad
    assert all(parameter.grad is None for parameter in model.parameters())


# --- units and errors


def test_bits_per_dim_are_nats_over_dims_log_2_plus_the_offset():
    assert bits_per_dim(2 * math.log(2), 2) == pytest.approx(1)
    assert bits_per_dim(3.628, 2) == pytest.approx(2.617, abs=5e-4)
    assert bits_per_dim(3.628, 2, SCORE_SDE_OFFSET["uncentred"]) == pytest.approx(10.617, abs=5e-4)
    assert torch.allclose(bits_per_dim(torch.tensor([0.0, math.log(2)]), 1, 7), torch.tensor([7.0, 8.0]))


@pytest.mark.parametrize("scaling, low", [("uncentred", 0.0), ("centred", -1.0)])
def test_the_offset_turns_a_density_of_scaled_pixels_into_the_probability_of_a_level(scaling, low):
    """A uniform density 1 / (1 - low) on [low, 1] gives each of 256 levels the probability 1 / 256, or 8 bits."""
    nats = math.log(1 - low)
    assert bits_per_dim(nats, 1, SCORE_SDE_OFFSET[scaling]) == pytest.approx(8)


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"divergence": "hutchinson"}, "divergence='hutchinson' is not one of exact, rademacher, gaussian"),
        ({"solver": "rk45"}, "solver='rk45' is not one of dopri5, .*rk4"),
        ({"divergence": "rademacher"}, "draws random probes: give a generator"),
    ],
)
def test_wrong_settings_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        log_likelihood(network(VE()), points(2).float(), **wrong)


def test_a_field_that_no_step_can_follow_is_an_error_that_says_so():
    class Broken:
        process = VP()

        def __call__(self, x_t, t, cond=None):
            wrong = x_t / torch.zeros(())
            return Denoised(x0=wrong, eps=wrong, score=wrong)

    with pytest.raises(FloatingPointError, match="dopri5 cannot follow this model's field: not finite at t ="):
        log_likelihood(Broken(), points(2))


@pytest.mark.parametrize("solver", ["dopri5", "bosh3", "dopri8", "adaptive_heun"])
def test_the_number_of_steps_is_bounded_by_us_and_not_by_an_assert_of_the_library(solver, monkeypatch):
    """The library's own limit is an assert, which ``python -O`` removes."""
    from torchdiffeq._impl.rk_common import RKAdaptiveStepsizeODESolver as Solver

    monkeypatch.setattr(Solver, "_advance", _without_its_bound(Solver._advance))
    with pytest.raises(FloatingPointError, match=f"{solver} has not arrived after most_steps=3 steps"):
        log_likelihood(network(VE()), points(2).float(), solver=solver, rtol=1e-9, atol=1e-9, most_steps=3)


def _without_its_bound(advance):
    def endless(self, next_t):
        self.max_num_steps = 10**9
        return advance(self, next_t)

    return endless


def test_a_gaussian_of_three_dimensions_counts_every_one():
    density = GaussianMixture((1.0,), ((0.0, 0.0, 0.0),), 0.49)
    x = torch.zeros(1, 3, dtype=torch.float64)
    log_p = log_likelihood(ExactDenoiser(density, VP()), x, rtol=1e-8, atol=1e-8).log_p.item()
    (_, sigma), (_, end) = level(VP(), 1e-5), level(VP(), 1.0)
    variance = (0.49 * (1 - sigma**2) + sigma**2).item()
    assert end.item() == pytest.approx(1, abs=1e-4)
    assert log_p == pytest.approx(-1.5 * math.log(2 * math.pi * variance), abs=1e-3)
