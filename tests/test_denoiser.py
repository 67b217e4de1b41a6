"""A denoiser's three views of one output, which must be accurate at every noise level."""

import pytest
import torch
from torch import nn

from paperlib.data.mixture import SGU_MIXTURE, GaussianMixture
from paperlib.denoiser import PREDICTIONS, Denoiser, ExactDenoiser, reinitialise
from paperlib.nets.mlp import MLP
from paperlib.processes import VE, VP
from tests.oracles import GAUSSIAN, assert_mean, every_process, inner_times, marginal, network, seeded

every_prediction = pytest.mark.parametrize("predicts", PREDICTIONS)


@every_process
@every_prediction
def test_the_three_views_agree(process, predicts):
    model = network(process, predicts=predicts, data_std=1.7).double()
    t = inner_times(process)
    x_t = 2 * torch.randn(len(t), 2, generator=seeded(), dtype=torch.float64)
    views = model(x_t, t)
    alpha, sigma = process.alpha(t)[:, None], process.sigma(t)[:, None]
    assert torch.allclose(alpha * views.x0 + sigma * views.eps, x_t, rtol=1e-10, atol=1e-10)
    assert torch.allclose(views.score, -views.eps / sigma, rtol=1e-12)


@every_process
def test_the_view_that_is_predicted_is_the_network_s_output(process):
    t, x_t = inner_times(process).float(), torch.randn(9, 2, generator=seeded())
    for predicts in ("eps", "x0"):
        model = network(process, predicts=predicts)
        assert torch.equal(getattr(model(x_t, t), predicts), model.net(x_t, 1000 * t))


@every_process
def test_preconditioning_is_that_of_karras_et_al(process):
    """With c_skip, c_out, c_in and c_noise of their Table 1, at the noise level s of y = x_t / alpha."""
    model, t = network(process, data_std=1.7).double(), inner_times(process)
    x_t = 2 * torch.randn(len(t), 2, generator=seeded(), dtype=torch.float64)
    s, y = (process.sigma(t) / process.alpha(t))[:, None], x_t / process.alpha(t)[:, None]
    c_skip, c_out = 1.7**2 / (s**2 + 1.7**2), s * 1.7 / (s**2 + 1.7**2).sqrt()
    c_in, c_noise = 1 / (s**2 + 1.7**2).sqrt(), s.log() / 4
    expected = c_skip * y + c_out * model.net(c_in * y, c_noise[:, 0])
    assert torch.allclose(model(x_t, t).x0, expected, rtol=1e-10, atol=1e-10)


def test_preconditioned_views_are_accurate_in_float32_at_every_noise_level():
    """For sigma from 1e-3 to 1e3: each view's deviation from float64, relative to its size.

    float32 rounds by 6e-8; exp(2 log sigma) multiplies that by up to 14, and the network's sines by up to 2 pi.
    Computed as (x_t - x0) / sigma, eps would err by 6e-8 / 1e-3 at the lower end; x0 = x_t - sigma eps, by as much at
    the upper end.
    """
    process = VE(sigma_min=1e-3, sigma_max=1e3)
    model = network(process, data_std=1.7)
    for t in torch.linspace(0, 1, 25):
        x0, z = (torch.randn(200, 2, generator=seeded(seed)) for seed in (1, 2))
        x_t = process.perturb(1.7 * x0, t, z)
        single, double = model(x_t, t), model.double()(x_t.double(), t.double())
        model.float()
        for view in ("x0", "eps", "score"):
            exact = getattr(double, view)
            error = (getattr(single, view) - exact).square().mean().sqrt() / exact.square().mean().sqrt()
            assert error < 1e-5, (view, t)


@every_process
def test_a_fresh_network_is_exact_for_centred_gaussian_data_of_its_std(process):
    model, exact = Denoiser(MLP(2), process, data_std=0.7), ExactDenoiser(
        GaussianMixture((1.0,), ((0.0, 0.0),), 0.49), process
    )  # fmt: skip
    t, x_t = inner_times(process), torch.randn(9, 2, generator=seeded(), dtype=torch.float64)
    views, expected = model.double()(x_t, t), exact(x_t, t)
    for view in ("x0", "eps", "score"):
        assert torch.allclose(getattr(views, view), getattr(expected, view), rtol=1e-8, atol=1e-8)


@every_prediction
def test_one_time_serves_the_whole_batch(predicts):
    model, x_t = network(VP(), predicts=predicts), torch.randn(5, 2, generator=seeded())
    assert torch.equal(model(x_t, torch.tensor(0.3)).eps, model(x_t, torch.full((5,), 0.3)).eps)


def test_images_and_conditions_reach_the_network():
    class Net(nn.Module):
        def forward(self, x, time, cond):
            self.seen = (x.shape, time.shape, cond)
            return x

    model = Denoiser(Net(), VP())
    assert model(torch.randn(4, 3, 8, 8), torch.rand(4) + 0.1, "label").score.shape == (4, 3, 8, 8)
    assert model.net.seen == ((4, 3, 8, 8), (4,), "label")


def test_wrong_settings_are_refused():
    with pytest.raises(ValueError, match="predicts='noise' is not one of preconditioned, eps, x0"):
        Denoiser(MLP(2), VP(), predicts="noise")
    for data_std in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="data_std=.* is not positive"):
            Denoiser(MLP(2), VP(), data_std=data_std)


@every_process
def test_exact_denoiser_has_the_posterior_means_of_gaussian_data(process):
    """E[x_0 | x_t] = m + (alpha v / v_t) (x_t - alpha m) and E[z | x_t] = (sigma / v_t) (x_t - alpha m)."""
    exact = ExactDenoiser(GAUSSIAN, process)
    x_t = torch.randn(7, 2, generator=seeded(), dtype=torch.float64)
    for t in inner_times(process):
        p = marginal(process, t.item())
        away = (x_t - p.mean) / p.variance
        views = exact(x_t, t)
        x0 = torch.tensor(GAUSSIAN.means[0]) + p.alpha * GAUSSIAN.variance * away
        # x0 = (x_t - sigma eps) / alpha; on the cosine grid alpha is as small as 0.15: no cancellation beyond 1e-12
        assert torch.allclose(views.x0, x0, rtol=1e-8, atol=1e-8)
        assert torch.allclose(views.eps, process.sigma(t) * away, rtol=1e-8, atol=1e-8)
        assert torch.allclose(views.score, -away, rtol=1e-10)


@every_process
def test_exact_denoiser_is_the_mean_of_what_was_mixed(process):
    """E[(z - eps) h(x_t)] = 0 and E[(x_0 - x0) h(x_t)] = 0 for any h, here for several even and odd functions."""
    n, t = 100_000, inner_times(process)[3]
    x0, z = SGU_MIXTURE.sample(n, seeded(1)).double(), torch.randn(n, 2, generator=seeded(2)).double()
    x_t = process.perturb(x0, t, z)
    views = ExactDenoiser(SGU_MIXTURE, process)(x_t, t)
    for h in (torch.ones(n, 2), x_t, x_t**2, x_t.flip(1), torch.tanh(x_t.sum(1, keepdim=True))):
        assert_mean((z - views.eps) * h, 0.0)
        assert_mean((x0 - views.x0) * h, 0.0)


def test_reinitialise_depends_on_its_generator_alone():
    models = [network(VE(), seed=seed) for seed in (1, 2, 3)]
    for model, seed, of_the_world in zip(models, (5, 5, 6), (10, 20, 30)):
        torch.manual_seed(of_the_world)
        reinitialise(model, seeded(seed))
    first, second, third = (model.state_dict() for model in models)
    assert all(torch.equal(first[name], second[name]) for name in first)
    drawn = [name for name in first if name.startswith("net.hidden")]
    assert len(drawn) == 4 and not any(torch.equal(first[name], third[name]) for name in drawn)
    assert (first["net.out.weight"] == 0).all() and (first["net.out.bias"] == 0).all()


def test_reinitialise_leaves_the_global_generator_and_advances_its_own():
    generator, model = seeded(5), network(VE())
    state = torch.get_rng_state()
    reinitialise(model, generator)
    assert torch.equal(state, torch.get_rng_state())
    first = model.net.hidden[0].weight.clone()
    reinitialise(model, generator)
    assert not torch.equal(first, model.net.hidden[0].weight)
