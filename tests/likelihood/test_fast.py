"""The fast likelihood compared with closed forms, with the plain one, and with score_sde's recipe."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from paperlib.data.mixture import SGU_MIXTURE, GaussianMixture
from paperlib.denoiser import Denoised, Denoiser, ExactDenoiser, reinitialise
from paperlib.likelihood.divergence import draw_probes
from paperlib.likelihood.fast import Flow, fast_log_likelihood
from paperlib.likelihood.flow import log_likelihood
from paperlib.likelihood.solvers import runge_kutta
from paperlib.likelihood.times import Clock, ends, grid
from paperlib.likelihood.units import bits_per_dim
from paperlib.nets.presets import unet
from paperlib.processes import DDPM, VE, VP
from tests.likelihood.test_flow import gaussian_log_likelihood
from tests.oracles import GAUSSIAN, assert_mean, every_process, network, seeded, smooth_process

either_solver = pytest.mark.parametrize("solver", [{"steps": 6}, {"tolerance": 1e-4}], ids=["steps", "tolerance"])


def points(n=12):
    return 2 * torch.randn(n, 2, generator=seeded(), dtype=torch.float64)


def rough_unet(process, predicts):
    """Return a U-Net whose weights are all random, even those that start at zero, so that its output is curved."""
    net = unet("small-8", predicts=predicts, channels=8, frequency=0.05)
    model = Denoiser(net, process, predicts=predicts, data_std=0.5)
    reinitialise(model, seeded())
    generator = seeded(1)
    for parameter in model.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05, generator=generator)
    return model.eval()


class Counting:
    """A model that records the times at which each row was evaluated."""

    def __init__(self, model):
        self.model, self.process, self.times = model, model.process, []

    def __call__(self, x_t, t, cond=None):
        self.times.append(t.clone())
        return self.model(x_t, t, cond)


# --- time


@every_process
def test_the_time_of_a_noise_ratio_is_its_inverse(process):
    lam = torch.linspace(*[end.item() for end in ends(process)], 501, dtype=torch.float64)
    assert torch.allclose(process.log_ratio(process.time_of(lam)), lam, rtol=0, atol=1e-11)
    clock = Clock(process)
    assert torch.allclose(process.log_ratio(clock(lam)), lam, rtol=0, atol=1e-8)
    assert clock(lam).diff().min() > 0


@every_process
def test_the_grid_runs_from_end_to_end_and_its_rate_is_its_derivative(process):
    lam, rate = grid(process, 400)
    first, last = ends(process)
    assert lam[0] == first and lam[-1] == last and (lam.diff() > 0).all()
    slope = lam[2:] - lam[:-2]  # over one step; central differences err by a third derivative times (1 / 400)^2
    assert torch.allclose(slope, rate[1:-1], rtol=1e-4)
    assert rate[rate.argmin()] == rate[(lam - (math.log(0.5) - 1)).abs().argmin()]  # densest at its centre


# --- the likelihood


@every_process
def test_gaussian_data_of_the_assumed_spread_take_one_step(process):
    """For data about zero with the given standard deviation nothing moves in z, so any grid is exact."""
    x, data = points(), GaussianMixture((1.0,), ((0.0, 0.0),), 0.7**2)
    result = fast_log_likelihood(ExactDenoiser(data, process), x, divergence="exact", steps=1, data_std=0.7)
    t = torch.tensor([process.t_min, process.t_max], dtype=torch.float64)
    spread = (process.alpha(t).square() * 0.49 + process.variance(t)).sqrt()
    x_T = spread[1] / spread[0] * x
    assert torch.allclose(result.x_T, x_T, rtol=1e-9)
    expected = process.prior_log_density(x_T) + 2 * (spread[1] / spread[0]).log()
    assert torch.allclose(result.log_p, expected[None], rtol=1e-9)


@every_process
@pytest.mark.parametrize("data_std", [0.3, 2.0])
def test_gaussian_log_density_is_the_closed_form(process, data_std):
    """For data other than assumed. A few hundred errors of 1e-9 stay below 1e-6; VE's x_T is 50 times its z."""
    x = points()
    model = ExactDenoiser(GAUSSIAN, process)
    result = fast_log_likelihood(model, x, divergence="exact", tolerance=1e-9, data_std=data_std)
    log_p, x_T = gaussian_log_likelihood(process, x)
    assert torch.allclose(result.log_p, log_p[None], rtol=1e-6, atol=1e-6)
    assert torch.allclose(result.x_T, x_T, rtol=1e-6, atol=2.5e-5)


@every_process
def test_it_is_the_plain_likelihood_in_other_variables(process):
    """Both run at a tolerance of 1e-8, over some hundred steps."""
    x, model = points(), ExactDenoiser(SGU_MIXTURE, process)
    plain = log_likelihood(model, x, rtol=1e-8, atol=1e-8).log_p
    fast = fast_log_likelihood(model, x, divergence="exact", tolerance=1e-8)
    assert torch.allclose(fast.log_p[0], plain, atol=1e-5)
    assert fast.log_p.shape == (1, 12) and fast.x_T.shape == x.shape


@smooth_process
def test_the_fixed_grid_is_of_order_four(process):
    """Halving the step divides the error by 16, within a third. A DDPM's rate has kinks, so it is left out."""
    x, model = points(4), ExactDenoiser(GAUSSIAN, process)
    exact, _ = gaussian_log_likelihood(process, x)

    def error(steps):
        return (fast_log_likelihood(model, x, divergence="exact", steps=steps).log_p[0] - exact).abs().max().item()

    assert 16 * 0.67 < error(96) / error(192) < 16 * 1.5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("process", "predicts"), [(VE(), "preconditioned"), (DDPM.linear(), "eps")], ids=["VE", "DDPM"]
)
def test_float32_at_tolerance_1e_5_is_within_0_001_bits_a_dimension_of_float64(process, predicts):
    model = rough_unet(process, predicts)
    x = torch.rand(2, 1, 8, 8, generator=seeded(2)) * 2 - 1
    found = fast_log_likelihood(model, x, generator=seeded(3), tolerance=1e-5)
    exact = fast_log_likelihood(model.double(), x.double(), generator=seeded(3), tolerance=1e-7)
    assert found.x_T.dtype == torch.float32 and found.log_p.dtype == torch.float64
    assert bits_per_dim(found.log_p - exact.log_p, 64).abs().max() < 1e-3


def recipe(model, x, probe, tolerance=1e-5):
    """Follow score_sde: SciPy's RK45 in t on x and log p of the whole batch, with the model's drift and divergence."""
    process, n, shape = model.process, len(x), x.shape

    def derivative(t, state):
        at, time = torch.from_numpy(state[:-n]).to(x).reshape(shape).requires_grad_(), torch.full((n,), t).to(x)
        f, g2 = process.drift(time), process.diffusion(time).square()
        dx = f[:, None, None, None] * at - 0.5 * g2[:, None, None, None] * model(at, time).score
        trace = (torch.autograd.grad(dx, at, probe)[0] * probe).flatten(1).sum(1)
        return np.concatenate([dx.detach().flatten().numpy(), trace.numpy()])

    start = np.concatenate([x.flatten().numpy(), np.zeros(n)])
    solved = solve_ivp(derivative, (process.t_min, process.t_max), start, rtol=tolerance, atol=tolerance).y[:, -1]
    x_T = torch.from_numpy(solved[:-n]).reshape(shape)
    return process.prior_log_density(x_T) + torch.from_numpy(solved[-n:])


def test_it_is_score_sde_s_recipe():
    """The recipe's steps err by 1e-5 of the state's scale, 50 for VE: 0.001 bits per dimension in a hundred steps."""
    model = rough_unet(VE(), "preconditioned")
    x = torch.rand(4, 1, 8, 8, generator=seeded(2)) * 2 - 1
    theirs = recipe(model, x, draw_probes("rademacher", (1, *x.shape), seeded(3))[0])
    ours = fast_log_likelihood(model, x, generator=seeded(3), tolerance=1e-5).log_p[0]
    assert bits_per_dim(ours - theirs, 64).abs().max() < 1e-3


# --- probes


def test_probes_are_unbiased():
    model, x = network(VP(), data_std=2.0).double(), points(1)
    exact = fast_log_likelihood(model, x, divergence="exact", steps=8).log_p.item()
    for divergence in ("rademacher", "gaussian"):
        many = x.repeat(1000, 1)
        result = fast_log_likelihood(model, many, divergence=divergence, probes=3, generator=seeded(), steps=8)
        assert result.log_p.shape == (3, 1000)
        assert_mean(result.log_p.flatten(), exact)


def test_probes_share_the_forward_passes_and_each_has_its_value():
    model, x = Counting(network(VP(), data_std=2.0).double()), points(3)
    result = fast_log_likelihood(model, x, divergence="gaussian", probes=5, generator=seeded(), steps=6)
    assert len(model.times) == 25
    probes = draw_probes("gaussian", (5, 3, 2), seeded())
    each = [_with_probe(model, x, probe) for probe in probes]
    assert torch.allclose(result.log_p, torch.stack(each), rtol=1e-12)


def _with_probe(model, x, probe):
    """Return log p with the given probe."""
    flow = Flow(model, None, probe[None].double(), 0.5)
    solved = runge_kutta(flow, x / flow.scale(flow.clock.first), *grid(model.process, 6))
    log_p = model.process.prior_log_density(solved.z * flow.scale(flow.clock.last))
    ratio = (flow.scale(flow.clock.last) / flow.scale(flow.clock.first)).log()
    return log_p + x.shape[1] * (ratio + solved.integral[0])


# --- each image on its own


@either_solver
def test_each_row_is_solved_on_its_own(solver):
    """Near and far rows in one batch give the same as alone, up to rounding, with the same number of evaluations."""
    x, model = points(6) * torch.tensor([0.1, 1, 1, 1, 1, 20], dtype=torch.float64)[:, None], network(VE(), width=32)
    model = model.double()
    together = fast_log_likelihood(model, x, divergence="exact", **solver)
    apart = [fast_log_likelihood(model, row[None], divergence="exact", **solver) for row in x]
    assert torch.allclose(together.log_p, torch.cat([a.log_p for a in apart], 1), rtol=1e-9)
    assert torch.allclose(together.x_T, torch.cat([a.x_T for a in apart]), rtol=1e-9)
    assert together.evaluations.tolist() == [a.evaluations.item() for a in apart]
    if "tolerance" in solver:
        assert len(together.evaluations.unique()) > 1  # otherwise the test would show nothing


@every_process
@either_solver
def test_evaluations_are_counted_and_stay_within_the_process_s_times(process, solver):
    model = Counting(ExactDenoiser(SGU_MIXTURE, process))
    result = fast_log_likelihood(model, points(5), divergence="exact", **solver)
    times = torch.cat(model.times)
    assert len(times) == result.evaluations.sum()
    assert process.t_min * (1 - 1e-9) <= times.min() and times.max() <= process.t_max + 1e-12
    assert (result.derivatives < result.evaluations).all()
    if "steps" in solver:
        assert result.evaluations.tolist() == [25] * 5 and result.derivatives.tolist() == [19] * 5


@either_solver
def test_conditions_stay_with_their_rows(solver):
    """Each row keeps its own mean, however many rows have left the batch before it."""

    class Shifted:
        process = VP()

        def __call__(self, x_t, t, cond=None):
            exact = ExactDenoiser(SGU_MIXTURE, self.process)
            shift = self.process.alpha(t)[:, None] * cond
            return exact(x_t - shift, t)

    x, shift = points(6), 3 * torch.randn(6, 2, generator=seeded(1), dtype=torch.float64)
    found = fast_log_likelihood(Shifted(), x, cond=shift, divergence="exact", **solver).log_p
    plain = fast_log_likelihood(ExactDenoiser(SGU_MIXTURE, VP()), x - shift, divergence="exact", tolerance=1e-8).log_p
    # The prior is not shifted: at t = 1 the signal's share alpha = 0.0066 remains, times |x_T| <= 5 and |shift|.
    assert torch.allclose(found, plain, atol=0.0066 * 5 * shift.norm(dim=1).max().item() + 0.05)


def test_nothing_is_left_behind():
    model, x, state = network(VP()), points(3).float(), torch.get_rng_state()
    result = fast_log_likelihood(model, x, generator=seeded(), steps=2)
    assert not result.log_p.requires_grad and not result.x_T.requires_grad and not x.requires_grad
    assert all(parameter.grad is None for parameter in model.parameters())
    again = fast_log_likelihood(model, x, generator=seeded(), steps=2)
    assert torch.equal(result.log_p, again.log_p) and torch.equal(state, torch.get_rng_state())


# --- errors


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"divergence": "trace"}, "divergence='trace' is not one of exact, rademacher, gaussian"),
        ({}, "draws random probes: give a generator"),
        ({"divergence": "exact", "probes": 0}, "probes=0 is not a whole number of at least 1"),
        ({"divergence": "exact", "steps": 0}, "steps=0 is not at least 1"),
        ({"divergence": "exact", "tolerance": 0.0}, "tolerance=0.0 is not positive"),
        ({"divergence": "exact", "data_std": -1.0}, "data_std=-1.0 is not positive"),
    ],
)
def test_wrong_settings_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        fast_log_likelihood(network(VE()), points(2).float(), **wrong)


@pytest.mark.parametrize(
    ("solver", "message"),
    [
        ({"steps": 4}, "log p is not finite for 2 of 2"),
        ({"tolerance": 1e-3, "most_steps": 50}, "2 of 2 images have not"),
    ],
)
def test_a_field_that_cannot_be_followed_is_an_error(solver, message):
    class Broken:
        process = VP()

        def __call__(self, x_t, t, cond=None):
            wrong = x_t / torch.zeros(())
            return Denoised(x0=wrong, eps=wrong, score=wrong)

    with pytest.raises(FloatingPointError, match=message):
        fast_log_likelihood(Broken(), points(2), divergence="exact", **solver)
