"""The variational bound: terms compared with closed forms and public code, the sum with exact likelihoods."""

import math
from dataclasses import dataclass

import pytest
import torch
from denoising_diffusion_pytorch.learned_gaussian_diffusion import (
    LearnedGaussianDiffusion,
    discretized_gaussian_log_likelihood,
    normal_kl,
)
from torch.distributions import Normal, kl_divergence

from paperlib.denoiser import Denoised
from paperlib.likelihood.bound import chain, level_log_probability, variational_bound
from paperlib.processes import DDPM, VE, VP, Process, expand, normal
from tests.oracles import STANDARD_ERRORS, assert_mean, every_process, network, seeded

both_variances = pytest.mark.parametrize("variance", ["small", "large"])


@dataclass(frozen=True)
class GaussianDenoiser:
    """The exact denoiser of N(mean, spread^2 I) for any shape, with its mean squared error per coordinate."""

    process: Process
    mean: float = 0.0
    spread: float = 1.0

    def __call__(self, x_t, t, cond=None):
        t = t.expand(len(x_t))
        alpha, sigma = expand(self.process.alpha(t), x_t), expand(self.process.sigma(t), x_t)
        gain = alpha * self.spread**2 / (alpha.square() * self.spread**2 + sigma.square())
        x0 = self.mean + gain * (x_t - alpha * self.mean)
        eps = (x_t - alpha * x0) / sigma
        return Denoised(x0=x0, eps=eps, score=-eps / sigma)

    def error(self, t):
        s2 = self.process.variance(t) / self.process.alpha(t).square()
        return self.spread**2 * s2 / (self.spread**2 + s2)

    def sample(self, n, dims=2):
        return self.mean + self.spread * normal((n, dims), seeded(7)).double()


def grid_of(process, steps):
    """Return a grid of a few steps for any process; a DDPM's consists of its own grid points."""
    if isinstance(process, DDPM):
        return torch.linspace(1, round(process.t_max * process.T), steps + 1, dtype=torch.float64).round() / process.T
    return chain(process, steps)


# --- the decoder of levels


@pytest.mark.parametrize("levels", [2, 17, 256])
@pytest.mark.parametrize("std", [1e-3, 0.01, 0.3, 5.0])
def test_the_levels_probabilities_sum_to_one(levels, std):
    x = torch.linspace(-1, 1, levels, dtype=torch.float64)
    for mean in (-1.3, -1.0, -0.123, 0.0, 0.5, 0.999, 4.0):
        log_p = level_log_probability(x, torch.full_like(x, mean), std, levels)
        assert log_p.logsumexp(0).item() == pytest.approx(0, abs=1e-10)


def test_a_level_s_probability_is_the_integral_over_its_bin():
    """By brute force with 20,000 midpoints per bin; the outermost bins extend to 120 standard deviations."""
    mean, std, half = 0.3, 0.02, 1 / 255
    for level in (0, 1, 130, 160, 165, 170, 254, 255):
        x = 2 * level / 255 - 1
        low, high = x - half, x + half
        low, high = (low if level else mean - 120 * std), (high if level < 255 else mean + 120 * std)
        h = (high - low) / 20_000
        points = low + h * (torch.arange(20_000, dtype=torch.float64) + 0.5)
        integral = (Normal(mean, std).log_prob(points)).logsumexp(0) + math.log(h)
        found = level_log_probability(torch.tensor(x).double(), torch.tensor(mean).double(), std)
        assert found.item() == pytest.approx(integral.item(), rel=1e-4 if level in (0, 255) else 1e-6)


def test_tails_keep_their_digits():
    """Hundreds of standard deviations out, Phi is 0 or 1 in floating point; both sides must be mirror images."""
    x = torch.tensor([-1.0, 1 / 255, 1.0], dtype=torch.float64)
    left = level_log_probability(x, torch.full_like(x, 0.9), 0.005)
    right = level_log_probability(-x, torch.full_like(x, -0.9), 0.005)
    assert left.isfinite().all() and torch.allclose(left, right, rtol=1e-12)
    assert left[0].item() == pytest.approx(-0.5 * ((1.9 - 1 / 255) / 0.005) ** 2, rel=1e-3)  # the exponent of the tail


def test_the_decoder_is_the_public_one_to_its_approximation():
    """denoising-diffusion-pytorch approximates Phi by a tanh, with an error of 2e-4, and clips at 1e-15."""
    x = torch.linspace(-1, 1, 256, dtype=torch.float64)
    mean, std = torch.full_like(x, 0.2), torch.full_like(x, 0.1)
    theirs = discretized_gaussian_log_likelihood(x, means=mean, log_scales=std.log())
    assert (theirs.exp() - level_log_probability(x, mean, 0.1).exp()).abs().max() < 4e-4


# --- terms


@both_variances
@every_process
def test_each_term_is_the_divergence_of_two_gaussians(process, variance):
    """The posterior is computed by Bayes' rule, as a product of two Gaussians; the network's x0 is always 0.2."""

    class Constant:
        def __call__(self, x_t, t, cond=None):
            x0 = torch.full_like(x_t, 0.2)
            return Denoised(x0=x0, eps=x0, score=x0)

    model, x0 = Constant(), torch.tensor([[-0.4, 0.9, 0.1]], dtype=torch.float64)
    model.process, grid = process, grid_of(process, 5)
    bound = variational_bound(model, x0, generator=seeded(), grid=grid, variance=variance, levels=None)

    def posterior(x_s0, x_t, s, t):
        """Multiply N(alpha_s x0, sigma_s^2) by the likelihood of x_t = (alpha_t / alpha_s) x_s + noise."""
        step = process.alpha(t) / process.alpha(s)
        noise = process.variance(t) - step.square() * process.variance(s)
        precision = 1 / process.variance(s) + step.square() / noise
        mean = (process.alpha(s) * x_s0 / process.variance(s) + step * x_t / noise) / precision
        return mean, precision.rsqrt(), noise.sqrt()

    for i, (s, t) in enumerate(zip(grid, grid[1:])):
        x_t = torch.tensor(0.7, dtype=torch.float64)  # any value: it drops out
        mean, std, noise = posterior(x0, x_t, s, t)
        model_mean, _, _ = posterior(torch.tensor(0.2).double(), x_t, s, t)
        expected = kl_divergence(Normal(mean, std), Normal(model_mean, std if variance == "small" else noise)).sum()
        assert bound.steps[0, i].item() == pytest.approx(expected.item(), rel=1e-6)
        assert bound.times[0, i] == t
    last = process.alpha(grid[-1]) * x0, process.sigma(grid[-1])
    prior = kl_divergence(Normal(*last), Normal(0.0, process.prior_std())).sum().item()
    assert bound.prior.item() == pytest.approx(prior, rel=1e-6, abs=1e-12)
    decoder = -Normal(0.2, (process.sigma(grid[0]) / process.alpha(grid[0])).item()).log_prob(x0).sum().item()
    assert bound.decoder.item() == pytest.approx(decoder, rel=1e-6)
    assert bound.evaluations == 6


@both_variances
def test_a_ddpm_s_terms_are_those_of_public_code(variance):
    """With denoising-diffusion-pytorch's tables, posterior and KL, the same noise, random weights and float32."""
    process = DDPM.linear()
    model = network(process, predicts="eps")
    x0 = torch.randn(6, 2, generator=seeded(1)).clamp(-1, 1)
    fraction = torch.full((6, 2), -1.0 if variance == "small" else 1.0)  # the position between small and large variance

    class Outside(torch.nn.Module):
        channels, out_dim, self_condition, random_or_learned_sinusoidal_cond = 3, 6, False, False

    public = LearnedGaussianDiffusion(Outside(), image_size=2, timesteps=1000, beta_schedule="linear")
    for clip in (True, False):
        bound, generator = variational_bound(model, x0, generator=seeded(), variance=variance, clip=clip), seeded()
        for k in range(2, 1001):  # in the order in which the bound samples
            t, at = torch.full((6,), k - 1), torch.full((6,), k / 1000, dtype=torch.float64).float()
            x_t = process.perturb(x0, at, normal(x0.shape, generator))
            with torch.no_grad():
                output = torch.cat([model(x_t, at).eps, fraction], 1)
            mean, _, log_variance, _ = public.p_mean_variance(x=x_t, t=t, clip_denoised=clip, model_output=output)
            true_mean, _, true_log_variance = public.q_posterior(x_start=x0, x_t=x_t, t=t)
            theirs = normal_kl(true_mean, true_log_variance, mean, log_variance).sum(1)
            assert torch.allclose(bound.steps[:, k - 2].float(), theirs, rtol=1e-2, atol=1e-5)


@both_variances
@every_process
def test_on_gaussian_data_every_term_has_its_exact_mean(process, variance):
    """The network's mean squared error is known, and the divergences are linear in it."""
    n, dims, model = 20_000, 2, GaussianDenoiser(process, 0.3, 0.6)
    x0, grid = model.sample(n, dims), grid_of(process, 4)
    bound = variational_bound(
        model, x0, generator=seeded(), grid=grid, variance=variance, levels=None, clip=False, decoder_variance=0.04
    )
    snr = (process.alpha(grid).square() / process.variance(grid)).tolist()
    for i, (s, t) in enumerate(zip(grid, grid[1:])):
        v = (process.variance(t) / process.variance(s)).item() if variance == "large" else 1.0
        spread = dims / 2 * (math.log(v) + 1 / v - 1)
        assert_mean(bound.steps[:, i], spread + (snr[i] - snr[i + 1]) / (2 * v) * dims * model.error(t).item())
    decoder = dims * (0.5 * math.log(2 * math.pi * 0.04) + model.error(grid[0]).item() / 0.08)
    assert_mean(bound.decoder, decoder)
    alpha, ratio = process.alpha(grid[-1]).item(), (process.variance(grid[-1]) / process.prior_std() ** 2).item()
    signal = alpha**2 * (0.09 + 0.36) / process.prior_std() ** 2
    assert_mean(bound.prior, dims / 2 * (signal + ratio - 1 - math.log(ratio)))


# --- the whole


def chain_by_matrices(model, grid, variance, decoder_variance):
    """Compute with the joint Gaussians of (x_0, x_{t_0} ... x_{t_T}) under the model and under q, for one coordinate.

    Returns E_{x_0}[-log p(x_0)] and E_{x_0} KL(q(z | x_0) || p(z | x_0)) for data from the denoiser's own density.
    """
    process, T = model.process, len(grid) - 1
    alpha, sigma2 = process.alpha(grid), process.variance(grid)

    def x0_line(i):  # x0 = a x_t + b
        at = grid[i : i + 1]
        b = model(torch.zeros(1, 1).double(), at).x0.item()
        return model(torch.ones(1, 1).double(), at).x0.item() - b, b

    order = list(range(T, -1, -1))  # from x_{t_T} down to x_{t_0}, then x_0
    mean = torch.zeros(T + 2, dtype=torch.float64)
    root = torch.zeros(T + 2, T + 2, dtype=torch.float64)  # each variable as a linear combination of independent noises
    root[0, 0] = process.prior_std()
    for place, i in enumerate(order[1:] + [-1], start=1):
        t = i + 1  # the step from grid[t] to grid[i], or the decoder from grid[0]
        a, b = x0_line(t)
        if i >= 0:
            step = alpha[t] / alpha[i]
            noise = sigma2[t] - step**2 * sigma2[i]
            on_x0, on_x = alpha[i] * noise / sigma2[t], step * sigma2[i] / sigma2[t]
            own = noise * (sigma2[i] / sigma2[t] if variance == "small" else 1)
        else:
            on_x0, on_x, own = 1.0, 0.0, torch.tensor(decoder_variance)
        gain = on_x0 * a + on_x
        mean[place] = gain * mean[place - 1] + on_x0 * b
        root[place] = gain * root[place - 1]
        root[place, place] = own**0.5
    cov = root @ root.T
    m, v = model.mean, model.spread**2
    nll = 0.5 * (math.log(2 * math.pi * cov[-1, -1]) + (v + (m - mean[-1]) ** 2) / cov[-1, -1])
    # p(z | x_0) = N(mean_z + k (x_0 - mean_x), S);   q(z | x_0) = N(alpha x_0, Q)
    k = cov[:-1, -1] / cov[-1, -1]
    S = cov[:-1, :-1] - torch.outer(k, cov[-1, :-1])
    down = torch.tensor(order)
    al, s2 = alpha[down], sigma2[down]
    later = torch.minimum(torch.arange(T + 1)[:, None], torch.arange(T + 1)[None])  # the noisier one of each pair
    earlier = torch.maximum(torch.arange(T + 1)[:, None], torch.arange(T + 1)[None])
    Q = al[later] / al[earlier] * s2[earlier]
    inverse = S.inverse()
    constant = mean[:-1] - k * mean[-1] + (k - al) * m  # difference of the means at x_0 = m
    square = constant @ inverse @ constant + v * (k - al) @ inverse @ (k - al)
    divergence = 0.5 * ((inverse @ Q).trace() - (T + 1) + S.logdet() - Q.logdet() + square)
    return nll.item(), divergence.item()


@both_variances
@every_process
def test_the_bound_exceeds_the_chain_s_likelihood_by_the_divergence_of_the_paths(process, variance):
    """The bound is -log p(x_0) + KL(q(x_{t_0} ... x_{t_T} | x_0) || p(... | x_0)), both computed from matrices."""
    model, grid, n = GaussianDenoiser(process, 0.3, 0.6), grid_of(process, 5), 20_000
    nll, gap = chain_by_matrices(model, grid, variance, 0.04)
    assert gap > 0
    x0 = model.sample(n, 1)
    bound = variational_bound(
        model, x0, generator=seeded(), grid=grid, variance=variance, levels=None, clip=False, decoder_variance=0.04
    )
    assert_mean(bound.nats, nll + gap)


def test_the_bound_is_tight_where_the_chain_is_exact():
    """For unit normal data under VP, "large" is the exact reverse variance; only the prior's 4e-5 is left."""
    process = VP()
    model, grid = GaussianDenoiser(process), chain(process, 6)
    x0 = model.sample(20_000, 2)
    decoder = model.error(grid[0]).item()
    bound = variational_bound(
        model, x0, generator=seeded(), grid=grid, variance="large", levels=None, clip=False, decoder_variance=decoder
    )
    entropy = math.log(2 * math.pi * math.e)
    nll, gap = chain_by_matrices(model, grid, "large", decoder)
    assert 2 * nll == pytest.approx(entropy, abs=1e-4) and gap == pytest.approx(0, abs=1e-4)
    assert_mean(bound.nats, entropy)


@pytest.mark.parametrize("process", [VE(), VP()], ids=["VE", "VP"])
def test_a_fine_grid_comes_to_the_bound_in_continuous_time_which_is_the_data_s_entropy(process):
    """With the exact denoiser the loss between steps vanishes as O(1 / T) (Kingma et al., 2021); T is 100,000.

    The bound also contains the misfit of the prior, which is known.
    """
    model = GaussianDenoiser(process, 0.3, 0.6)
    x0, grid = model.sample(4000, 2), chain(process, 100_000)
    bound = variational_bound(
        model,
        x0,
        generator=seeded(),
        grid=grid,
        strata=40,
        levels=None,
        clip=False,
        decoder_variance=model.error(grid[0]).item(),
    )
    alpha = process.alpha(grid[-1]).item()
    signal, own = alpha**2 * (0.09 + 0.36), process.variance(grid[-1]).item()
    # the cross-entropy with the prior N(0, prior_std^2), minus the marginal's entropy
    misfit = 0.5 * ((signal + own) / process.prior_std() ** 2 - 1) + 0.5 * math.log(
        process.prior_std() ** 2 / (alpha**2 * 0.36 + own)
    )
    assert_mean(bound.nats, 2 * (0.5 * math.log(2 * math.pi * math.e * 0.36) + misfit))
    assert bound.evaluations == 41


# --- strata


@every_process
def test_strata_are_unbiased_and_the_full_sum_s_equal(process):
    """For a network with random weights and one image, repeated, compare with the mean over all steps."""
    model = network(process, data_std=1.0)
    grid = None if isinstance(process, DDPM) else chain(process, 400)
    x0 = torch.tensor([[0.3, -0.6]])
    settings = {"grid": grid, "levels": None, "clip": False}
    full = variational_bound(model, x0.repeat(60, 1), generator=seeded(), **settings).steps.sum(1)
    some = variational_bound(model, x0.repeat(4000, 1), generator=seeded(1), strata=12, **settings)
    estimates = some.steps.sum(1)
    error = (full.var() / len(full) + estimates.var() / len(estimates)).sqrt()
    assert (full.mean() - estimates.mean()).abs() < STANDARD_ERRORS * error
    assert some.evaluations <= 13


def test_the_prior_s_term_is_the_divergence_where_the_chain_ends():
    process, grid = VP(), torch.linspace(0.01, 0.4, 5, dtype=torch.float64)  # still far from the prior
    x0 = torch.randn(6, 1, generator=seeded(), dtype=torch.float64)
    bound = variational_bound(GaussianDenoiser(process), x0, generator=seeded(), grid=grid, levels=None)
    end = Normal(process.alpha(grid[-1]) * x0, process.sigma(grid[-1]))
    expected = kl_divergence(end, Normal(torch.zeros_like(x0), process.prior_std()))
    torch.testing.assert_close(bound.prior, expected.sum(1))


def test_strata_hold_every_step_once_and_draw_evenly():
    process = DDPM.linear(100)
    model, x0 = GaussianDenoiser(process), torch.zeros(20_000, 1, dtype=torch.float64)
    bound = variational_bound(model, x0, generator=seeded(), strata=10, levels=None)
    drawn = (bound.times * 100).round().long()
    seen = [column.unique() for column in drawn.T]
    assert torch.equal(torch.cat(seen), torch.arange(2, 101))
    for column, own in zip(drawn.T, seen):
        if len(own) > 1:
            assert_mean((column[:, None] == own).double(), 1 / len(own))
    assert len(seen) == bound.evaluations - 1
    lam = process.log_ratio(chain(process))  # the steps' midpoints in ten intervals of equal length
    each, _ = torch.histogram((lam[1:] + lam[:-1]) / 2, torch.linspace(lam[0], lam[-1], 11, dtype=lam.dtype))
    assert [len(own) for own in seen] == [n for n in each.tolist() if n]


# --- settings


@every_process
def test_the_chain_of_a_process(process):
    grid = chain(process, 50)
    if isinstance(process, DDPM):
        assert torch.equal(grid, torch.arange(1, round(process.t_max * process.T) + 1).double() / process.T)
    else:
        assert len(grid) == 51
        ratio = (process.sigma(grid) / process.alpha(grid)).log()
        assert torch.allclose(ratio.diff(), ratio.diff()[0].expand(50), rtol=1e-6)
    assert grid[0].item() == pytest.approx(process.t_min, rel=1e-9)
    assert grid[-1].item() == pytest.approx(process.t_max, rel=1e-9)


def test_clipping_lowers_every_step():
    process = DDPM.linear(20)
    model, x0 = network(process, predicts="eps"), torch.rand(8, 2, generator=seeded()) * 2 - 1
    clipped, free = (variational_bound(model, x0, generator=seeded(), clip=clip) for clip in (True, False))
    assert (clipped.steps <= free.steps).all() and (clipped.steps < free.steps).any()
    assert torch.equal(clipped.prior, free.prior)


def test_the_bound_depends_on_its_generator_alone():
    model, x0, state = network(VE()), torch.rand(3, 2, generator=seeded()) * 2 - 1, torch.get_rng_state()

    def run(seed):
        return variational_bound(model, x0, generator=seeded(seed), grid=chain(VE(), 20), strata=5).nats

    assert torch.equal(run(1), run(1)) and not torch.equal(run(1), run(2))
    assert torch.equal(state, torch.get_rng_state())
    assert all(parameter.grad is None for parameter in model.parameters()) and not run(1).requires_grad


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"variance": "learned"}, "variance='learned' is not one of small, large"),
        ({"levels": 1}, "levels=1 is not at least 2"),
        ({"strata": 0}, "strata=0 is not a whole number of at least 1"),
        ({"decoder_variance": 0.0}, "decoder_variance=0.0 is not positive"),
        ({"grid": torch.tensor([0.5, 0.1])}, "grid must hold two or more increasing times"),
        ({"grid": torch.tensor([0.5])}, "grid must hold two or more increasing times"),
    ],
)
def test_wrong_settings_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        variational_bound(network(VE()), torch.zeros(2, 2), generator=seeded(), **wrong)


def test_a_chain_has_at_least_one_step():
    with pytest.raises(ValueError, match="steps=0 is not at least 1"):
        chain(VE(), 0)
    assert len(chain(VE(), 1)) == 2
