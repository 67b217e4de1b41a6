"""Denoising score matching compared with closed forms; the random draws of all losses."""

import math

import pytest
import torch
from scipy.integrate import quad
from scipy.stats import kstest, norm

from paperlib.data import sets
from paperlib.data.images import Examples
from paperlib.data.mixture import SGU_MIXTURE, GaussianMixture
from paperlib.denoiser import Denoised, Denoiser, ExactDenoiser
from paperlib.losses import batch, batch_loss, condition, draw, noised, score_matching, times, weight
from paperlib.nets.presets import unet
from paperlib.processes import DDPM, VE, VP
from tests.oracles import GAUSSIAN, STANDARD_ERRORS, assert_mean, every_process, network, seeded


class Scaled:
    """The exact denoiser with its eps multiplied by ``factor``."""

    def __init__(self, density, process, factor):
        self.exact, self.process, self.factor = ExactDenoiser(density, process), process, factor

    def __call__(self, x_t, t, cond=None):
        eps = self.factor * self.exact(x_t, t).eps
        return Denoised(x0=eps, eps=eps, score=eps)


def pairs(rows):
    """Average the antithetic rows k and B + k; these averages are independent."""
    return rows.reshape(2, len(rows) // 2, *rows.shape[1:]).mean(0)


# --- denoising score matching


def residuals(process, factor, antithetic, n=40_000):
    """Return, per noisy row, d/dc |z - c eps|^2 = -2 eps . (z - c eps) and the derivatives along other directions."""
    x0 = SGU_MIXTURE.sample(n, seeded(1))
    model = Scaled(SGU_MIXTURE, process, factor)
    c = torch.tensor([1.0, 0.0, 0.0, 0.0], requires_grad=True)

    class Family:
        def __init__(self):
            self.process = process

        def __call__(self, x_t, t, cond=None):
            scale = process.sigma(t)[:, None] / (1 + process.variance(t)[:, None])
            directions = [model(x_t, t).eps, scale * x_t, torch.tanh(x_t.flip(1)), t[:, None].expand_as(x_t)]
            self.directions = torch.stack(directions, 2)  # [B, D, 4]
            self.eps = self.directions @ c
            return Denoised(x0=self.eps, eps=self.eps, score=self.eps)

    family = Family()
    loss = score_matching(family, x0, seeded(2), antithetic=antithetic)
    (rows,) = torch.autograd.grad(loss.sum(), family.eps)  # -2 (z - eps) for each row: rows are independent
    slopes = (rows[..., None] * family.directions).sum(1).detach()
    return pairs(slopes) if antithetic else slopes


@every_process
@pytest.mark.parametrize("antithetic", [False, True])
def test_score_matching_is_stationary_at_the_exact_score(process, antithetic):
    assert_mean(residuals(process, 1.0, antithetic), 0.0)


@every_process
@pytest.mark.parametrize("factor", [0.9, 1.1, -1.0])
def test_score_matching_is_not_stationary_at_another_multiple_of_it(process, factor):
    """The derivative along factor * eps is 2 factor (factor - 1) E |eps|^2, whose sign points back to 1."""
    slope = residuals(process, factor, False)[:, 0]
    error = slope.std() / len(slope) ** 0.5
    assert slope.mean() / error * math.copysign(1, factor * (factor - 1)) > STANDARD_ERRORS


@every_process
@pytest.mark.parametrize("antithetic", [False, True])
def test_score_matching_s_least_value_is_the_closed_form_for_gaussian_data(process, antithetic):
    """It is E |z - eps|^2 = D (1 - sigma^2 / (alpha^2 v + sigma^2)), averaged over t, with D = 2."""

    def least(t):
        t = torch.tensor(t, dtype=torch.float64)
        signal = (process.alpha(t) ** 2 * GAUSSIAN.variance).item()
        return 2 * signal / (signal + process.variance(t).item())

    n, span = 20_000, process.t_max - process.t_min
    expected = quad(least, process.t_min, process.t_max, limit=200, epsabs=1e-6)[0] / span
    rows = score_matching(
        ExactDenoiser(GAUSSIAN, process), GAUSSIAN.sample(n, seeded(1)), seeded(2), antithetic=antithetic
    )
    assert rows.shape == ((2 if antithetic else 1) * n,)
    assert_mean(pairs(rows) if antithetic else rows, expected)  # stratified times only make the true error smaller


def test_score_matching_is_the_weighted_error_of_the_score():
    """Row by row, sigma^2 |s - grad log p(x_t | x_0)|^2 (Eq. 5, 8), with the gradient (alpha x_0 - x_t) / sigma^2."""
    model, x0 = network(VP(), data_std=2.0).double(), SGU_MIXTURE.sample(64, seeded(1)).double()
    rows = score_matching(model, x0, seeded(2))
    x_t, t, z = noised(model.process, x0, seeded(2))
    alpha, variance = model.process.alpha(t)[:, None], model.process.variance(t)[:, None]
    target = (alpha * x0 - x_t) / variance
    expected = (variance * (model(x_t, t).score - target) ** 2).sum(1)
    assert torch.allclose(rows, expected, rtol=1e-3)  # times are float32, and x_t - alpha x_0 loses digits near t_min


def test_score_matching_reads_images():
    def double(x_t, t, cond=None):
        return Denoised(x0=x_t, eps=0 * x_t, score=x_t)

    double.process = VP()
    rows = score_matching(double, torch.zeros(6, 3, 4, 4), seeded())
    _, _, z = noised(VP(), torch.zeros(6, 3, 4, 4), seeded())
    assert torch.allclose(rows, z.square().sum((1, 2, 3)))


# --- random times and antithetic noise


@every_process
def test_times_are_each_uniform_between_t_min_and_t_max(process):
    generator = seeded(4)
    t = torch.stack([times(7, process, generator) for _ in range(3000)])
    assert t.min() >= process.t_min and t.max() <= process.t_max
    u = (t - process.t_min) / (process.t_max - process.t_min)
    for k in (0, 3, 6):
        assert kstest(u[:, k].numpy(), "uniform").pvalue > 1e-4


@every_process
def test_times_are_evenly_spaced(process):
    u = (times(50, process, seeded()) - process.t_min) / (process.t_max - process.t_min)
    assert torch.allclose(u.sort().values.diff(), torch.tensor(1 / 50), atol=1e-5)  # a few float32 roundings of 1


@every_process
def test_stratified_times_are_unbiased_and_vary_less(process):
    """Batch means of t, sigma_t and cos(9 t) agree with those of independent uniform times, and vary less."""
    generator, span = seeded(5), process.t_max - process.t_min
    for h in (lambda t: t, process.sigma, lambda t: torch.cos(9 * t)):
        stratified = torch.stack([h(times(16, process, generator)).mean() for _ in range(800)])
        plain = h(process.t_min + span * torch.rand(800, 16, generator=generator)).mean(1)
        error = ((stratified.var() + plain.var()) / 800) ** 0.5
        assert (stratified.mean() - plain.mean()).abs() < STANDARD_ERRORS * error
        assert stratified.std() < plain.std() / 2


def test_antithetic_noise_is_unbiased_and_varies_less_at_low_noise():
    """For noise up to a tenth of the data's scale, E[z | x_t] is of order 0.1 |x|, and the z of a pair cancel."""
    process, x0 = VE(sigma_min=1e-3, sigma_max=0.1), SGU_MIXTURE.sample(20_000, seeded(1))
    model = ExactDenoiser(SGU_MIXTURE, process)

    def slopes(antithetic):  # derivative of the loss with respect to a constant shift of eps
        x_t, t, z = noised(process, x0, seeded(2), antithetic=antithetic)
        return -2 * (z - model(x_t, t).eps)

    plain, antithetic = slopes(False), pairs(slopes(True))
    error = (plain.var(0) / len(plain)) ** 0.5
    assert ((plain - antithetic).mean(0).abs() < STANDARD_ERRORS * error).all()
    assert (antithetic.std(0) < plain.std(0) / 5).all()


def test_antithetic_rows_share_data_and_time_and_oppose_their_noise():
    x0 = SGU_MIXTURE.sample(8, seeded(1))
    x_t, t, z = noised(VP(), x0, seeded(2), antithetic=True)
    assert len(x_t) == len(t) == len(z) == 16
    assert torch.equal(z[:8], -z[8:]) and torch.equal(t[:8], t[8:])
    assert torch.allclose(x_t[:8] + x_t[8:], 2 * VP().alpha(t[:8])[:, None] * x0, atol=1e-5)


def test_batches_are_drawn_with_replacement_from_all_rows():
    data = torch.arange(5.0)[:, None].expand(5, 2)
    rows = batch(data, 20_000, seeded())
    assert rows.shape == (20_000, 2) and torch.equal(rows[:, 0], rows[:, 1])
    assert_mean((rows[:, :1] == torch.arange(5.0)).double(), 0.2)


def test_labels_go_to_the_model_with_their_rows():
    seen = []

    def records(x_t, t, cond=None):
        seen.append((x_t, cond))
        return Denoised(x0=x_t, eps=0 * x_t, score=x_t)

    records.process = VE(sigma_min=1e-6, sigma_max=1e-5)  # so little noise that each noisy row can be identified
    x0, labels = torch.arange(4.0)[:, None], torch.arange(4)
    for antithetic in (False, True):
        score_matching(records, x0, seeded(), cond=labels, antithetic=antithetic)
        x_t, cond = seen[-1]
        assert torch.equal(x_t[:, 0].round().long(), cond)


def test_rows_have_no_labels_and_examples_have_their_own():
    rows, none = draw(torch.arange(4.0)[:, None], 6, seeded())
    assert none is None and torch.equal(rows, batch(torch.arange(4.0)[:, None], 6, seeded()))
    digits = sets.load("digits", "test")
    x0, labels = draw(Examples(digits, dequantise=True), 50, seeded())
    again, same = digits.batch(50, seeded(), dequantise=True)
    assert torch.equal(x0, again) and torch.equal(labels, same) and len(Examples(digits)) == len(digits)


def test_only_a_conditional_model_is_told_labels_and_some_are_dropped():
    plain = Denoiser(unet("small-8", predicts="eps"), VE(), predicts="eps")
    classes = Denoiser(unet("small-8", predicts="eps", classes=10), VE(), predicts="eps")
    labels = torch.full((4000,), 3)
    assert condition(plain, labels, seeded()) is None
    told = condition(classes, labels, seeded())
    assert set(told.tolist()) == {3, 10}
    assert_mean((told == 10).double()[:, None], 0.1)
    assert torch.equal(condition(classes, labels, seeded(), dropout=0), labels)
    with pytest.raises(ValueError, match="a model of 10 classes needs data with labels"):
        condition(classes, None, seeded())


def test_a_batch_s_loss_is_score_matching_on_its_images_and_labels():
    model = Denoiser(unet("small-8", predicts="eps", classes=10), VE(), predicts="eps")
    digits, ours, by_hand = Examples(sets.load("digits", "test")), seeded(3), seeded(3)
    found = batch_loss(model, digits, 8, ours, antithetic=True)
    x0, labels = digits.batch(8, by_hand)
    told = condition(model, labels, by_hand)
    assert torch.equal(found, score_matching(model, x0, by_hand, cond=told, antithetic=True))


# --- noise levels and weights for images


@every_process
def test_log_normal_times_have_the_quantiles_that_they_promise(process):
    """log(sigma / alpha) is normal (-1.2, 1.2), clipped at the ends of the process; inside, its distribution is Phi."""
    t = torch.cat([times(1000, process, seeded(k), levels="lognormal") for k in range(20)])
    ends = torch.tensor([process.t_min, process.t_max], dtype=torch.float64)
    assert t.min() >= ends[0].float() and t.max() <= ends[1].float()
    t, (low, high) = t.double(), process.log_ratio(ends).tolist()
    for share in (0.1, 0.25, 0.5, 0.75, 0.9):
        level = norm.ppf(share, -1.2, 1.2)
        if low < level < high:  # strata are 1/1000 wide, with uniform draws inside
            below = (process.log_ratio(t) <= level).double().mean().item()
            assert below == pytest.approx(share, abs=1 / 1000 + step_share(process, level))


def step_share(process, level):
    """Return the share of one step of a DDPM's grid near ``level``: log(sigma / alpha) is exact only at its points."""
    if not isinstance(process, DDPM):
        return 0.0
    t = process.time_of(torch.tensor([level], dtype=torch.float64))
    around = process.log_ratio((t + torch.tensor([-1, 1]) / process.T).clamp(process.t_min, process.t_max))
    return float(norm.cdf(around[1], -1.2, 1.2) - norm.cdf(around[0], -1.2, 1.2))


@every_process
def test_the_unit_weight_makes_the_error_that_of_the_network_s_own_output(process):
    """With this weight |z - eps|^2 is |F - F*|^2, where F is the network's output and F* its target for x_0,
    (x_0 - c_skip y) / c_out with y = x_t / alpha_t (Karras et al., 2022, Eq. 8)."""
    model, x0, outputs = network(process, data_std=2.0).double(), SGU_MIXTURE.sample(64, seeded(1)).double(), []
    model.net.register_forward_hook(lambda net, inputs, output: outputs.append(output))
    rows = score_matching(model, x0, seeded(2), weighting="unit")
    x_t, t, z = noised(process, x0, seeded(2))
    alpha, sigma = process.alpha(t)[:, None].double(), process.sigma(t)[:, None].double()
    s, y = sigma / alpha, x_t.double() / alpha
    c_skip, c_out = 4 / (s**2 + 4), 2 * s / (s**2 + 4).sqrt()
    expected = (outputs[0] - (x0 - c_skip * y) / c_out).square().sum(1)
    assert torch.allclose(rows, expected, rtol=1e-3, atol=1e-6)  # times are float32


@every_process
def test_the_target_of_the_unit_weight_has_unit_scale_at_every_noise_level(process):
    """If the data's standard deviation is ``data_std``, a network whose output is 0 has an error of 1 per dimension at
    every time."""
    density = GaussianMixture(weights=(1.0,), means=((0.0, 0.0),), variance=4.0)

    class Zero:
        data_std = 2.0

        def __init__(self):
            self.process = process

        def __call__(self, x_t, t, cond=None):
            alpha, sigma = process.alpha(t)[:, None], process.sigma(t)[:, None]
            x0 = 4 * alpha / (sigma**2 + 4 * alpha**2) * x_t  # c_skip x
            return Denoised(x0=x0, eps=(x_t - alpha * x0) / sigma, score=x0)

    for levels in ("uniform", "lognormal"):
        rows = score_matching(Zero(), density.sample(20_000, seeded(1)), seeded(2), weighting="unit", levels=levels)
        assert_mean(rows / 2, 1.0)


def test_unknown_levels_and_weights_are_refused():
    with pytest.raises(ValueError, match="levels='log' is not one of uniform, lognormal"):
        times(4, VP(), seeded(), levels="log")
    with pytest.raises(ValueError, match="weighting='snr' is not one of simple, bound, unit"):
        weight(VP(), torch.ones(2), "snr")


def test_the_bound_s_weight_is_the_divergence_of_two_steps_by_their_noise():
    """Two predictions of the noise at one x_k give two x_0, and so two steps N(mu, beta_k) of the reverse chain. Their
    divergence |mu_1 - mu_2|^2 / (2 beta_k) must be w |eps_1 - eps_2|^2."""
    process = DDPM.linear()
    k = torch.tensor([2, 10, 400, 1000])
    beta, abar, before = process.betas[k - 1], process.abar[k], process.abar[k - 1]
    eps = torch.tensor([[0.3], [-1.2]], dtype=torch.float64)
    x0 = (0.7 - (1 - abar).sqrt() * eps) / abar.sqrt()
    mean = before.sqrt() * beta / (1 - abar) * x0 + (1 - beta).sqrt() * (1 - before) / (1 - abar) * 0.7
    expected = (mean[0] - mean[1]).square() / (2 * beta) / (eps[0] - eps[1]).square()
    torch.testing.assert_close(weight(process, k.double() / process.T, "bound"), expected, rtol=1e-9, atol=0)
