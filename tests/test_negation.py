"""Exact negation on the mixture, where everything has a closed form: p_g's score, samples and likelihoods."""

import math

import pytest
import torch

from paperlib.data.mixture import SGU_MIXTURE
from paperlib.denoiser import ExactDenoiser
from paperlib.likelihood.flow import log_likelihood
from paperlib.negation import ExactClassifier, Without, fitted_weight, log_kept
from paperlib.processes import DDPM, VE, VP
from paperlib.sampling import ddpm, heun, ipndm, sample
from tests.oracles import D_G, assert_mean, every_process, inner_times, seeded

CLASSIFIER = ExactClassifier(SGU_MIXTURE)


def without(process, forget=(1,), w=1.0, **settings):
    return Without(ExactDenoiser(SGU_MIXTURE, process), CLASSIFIER, forget, w, **settings)


@every_process
@pytest.mark.parametrize("forget", [(1,), (0,), (1, 2)])
def test_every_view_is_that_of_what_is_kept_at_every_noise_level(process, forget):
    kept = SGU_MIXTURE.only(*(k for k in range(3) if k not in forget))
    exact, model = ExactDenoiser(kept, process), without(process, forget)
    for t in [torch.tensor(process.t_min), *inner_times(process), torch.tensor(process.t_max)]:
        t = t.double().expand(200)
        x0 = torch.randn(200, 2, generator=seeded(1), dtype=torch.float64) * 3
        x_t = process.perturb(x0, t, torch.randn(200, 2, generator=seeded(2), dtype=torch.float64))
        found, expected = model(x_t, t), exact(x_t, t)
        for view in ("x0", "eps", "score"):
            torch.testing.assert_close(getattr(found, view), getattr(expected, view), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("process", [VE(0.01, 10.0), VP()], ids=["VE", "VP"])
def test_the_pull_is_pi_f_times_the_difference_of_both_scores(process):
    t, x = torch.full((300,), 0.3, dtype=torch.float64), torch.randn(300, 2, generator=seeded(), dtype=torch.float64)
    alpha, sigma = process.alpha(t), process.sigma(t)
    pi_f = SGU_MIXTURE.log_joint(x, alpha, sigma)[0].softmax(1)[:, 1:2]
    difference = SGU_MIXTURE.only(0, 2).score(x, alpha, sigma) - SGU_MIXTURE.only(1).score(x, alpha, sigma)
    torch.testing.assert_close(without(process).pull(x, t), sigma[:, None] * pi_f * difference)


def test_likelihoods_are_those_of_what_is_kept():
    x = D_G.sample(20, seeded(3)).double()
    found = log_likelihood(without(VP()), x, rtol=1e-7, atol=1e-7).log_p
    torch.testing.assert_close(found, D_G.log_density(x), rtol=0, atol=2e-3)  # the prior is not exactly p_1


@pytest.mark.parametrize(
    ("process", "sampler", "steps"), [(VE(), heun, 60), (DDPM.linear(), ipndm, 40), (VP(), ddpm, 300)]
)
def test_samples_are_those_of_what_is_kept(process, sampler, steps):
    x = sample(without(process), (4000, 2), generator=seeded(4), sampler=sampler, steps=steps).x.double()
    true = D_G.sample(400_000, seeded(5)).double()
    for f in (lambda x: x.prod(1), lambda x: (x.sum(1).abs() < 1).double(), lambda x: x[:, 0]):
        assert_mean(f(x), f(true).mean())


def test_w_0_is_the_model_and_w_scales_the_pull():
    process, x, t = VP(), torch.randn(50, 2, generator=seeded()), torch.tensor(0.4)
    assert torch.equal(without(process, w=0.0)(x, t).eps, ExactDenoiser(SGU_MIXTURE, process)(x, t).eps)
    once, twice = without(process).pull(x, t.expand(50)), without(process, w=2.0).pull(x, t.expand(50))
    by_level = without(process, w=lambda log_s: 2 + 0 * log_s).pull(x, t.expand(50))
    torch.testing.assert_close(twice, 2 * once)
    torch.testing.assert_close(by_level, twice)


def test_log_kept_is_exact_where_almost_everything_is_forgotten():
    logits = torch.tensor([[0.0, 200.0, -1.0]])
    assert log_kept(logits, (1,)).item() == pytest.approx(math.log(1 + math.exp(-1)) - 200, abs=1e-4)
    assert log_kept(logits, (0, 2)).item() == pytest.approx(0, abs=1e-6)


def test_reach_bounds_the_pull_and_leaves_shorter_ones_alone():
    process, x = VE(0.01, 10.0), torch.randn(400, 2, generator=seeded())
    t = torch.full((400,), 0.02)
    free, bound = without(process).pull(x, t), without(process, reach=0.01).pull(x, t)
    length = free.norm(dim=1)
    longest = 0.01 * math.sqrt(2)
    short = length <= longest
    assert short.any() and (~short).any()
    torch.testing.assert_close(bound[short], free[short])
    torch.testing.assert_close(bound[~short], free[~short] * (longest / length[~short])[:, None])


def test_retained_data_give_the_exact_pull_the_weight_1_and_half_of_it_the_weight_2():
    x0, process = D_G.sample(200_000, seeded(6)), VE(0.01, 10.0)
    for t in (0.6, 0.7, 0.8):  # sigma from 0.6 to 2.5
        for own, expected in ((1.0, 1.0), (0.5, 2.0)):
            w, error, pull = fitted_weight(without(process, w=own), x0, torch.tensor(t), seeded(7))
            assert abs(w - expected) < 4.5 * error and error < 0.2 * expected and pull > 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"forget": ()}, "there is no class to take away"),
        ({"w": -1.0}, "w=-1.0 is negative"),
        ({"w": math.nan}, "w=nan is negative"),
        ({"reach": 0.0}, "reach=0.0 is not positive"),
    ],
)
def test_bad_arguments_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        without(VP(), **settings)


def test_taking_everything_away_is_refused_when_it_is_asked():
    with pytest.raises(ValueError, match="nothing would be left"):
        without(VP(), (0, 1, 2))(torch.zeros(1, 2), torch.tensor(0.5))
