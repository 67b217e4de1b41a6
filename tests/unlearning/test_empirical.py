"""Densities and scores of finite data, compared with brute force and with exact ones."""

import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from paperlib.denoiser import ExactDenoiser
from paperlib.processes import VE, VP
from paperlib.unlearning.empirical import log_ratio, posterior_eps
from tests.oracles import D_F, D_G, seeded, smooth_process


@smooth_process
def test_the_posterior_mean_is_the_sum_over_reference_points(process):
    x_t, reference = (torch.randn(n, 3, generator=seeded(n), dtype=torch.float64) for n in (5, 7))
    t, weights = torch.linspace(0.4, 0.9, 5, dtype=torch.float64), torch.rand(7, generator=seeded(3)).double()
    found = posterior_eps(process, x_t, t, reference, weights)
    for i in range(5):  # by brute force, point by point
        alpha, sigma = process.alpha(t[i]), process.sigma(t[i])
        v = [w * torch.exp(-(x_t[i] - alpha * x).square().sum() / (2 * sigma**2)) for w, x in zip(weights, reference)]
        x0 = sum(a * x for a, x in zip(v, reference)) / sum(v)
        torch.testing.assert_close(found[i], (x_t[i] - alpha * x0) / sigma, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("process", [VE(), VP()], ids=["VE", "VP"])
def test_many_reference_points_give_the_exact_score_of_the_retained_data(process):
    reference = D_G.sample(200_000, seeded(4))
    for t in (0.45, 0.6, 0.8):
        at = torch.full((50,), t)
        x_t = process.perturb(D_F.sample(50, seeded(5)), at, torch.randn(50, 2, generator=seeded(6)))
        found = posterior_eps(process, x_t, at, reference, torch.ones(len(reference)))
        # Thousands of points lie within sigma of x_t, so the error is a few percent of the noise.
        assert (found - ExactDenoiser(D_G, process)(x_t, at).eps).square().mean().sqrt() < 0.05


def test_images_keep_their_shape():
    found = posterior_eps(
        VE(), torch.randn(2, 1, 4, 4), torch.tensor([0.5, 0.6]), torch.randn(6, 1, 4, 4), torch.ones(6)
    )
    assert found.shape == (2, 1, 4, 4)


@smooth_process
def test_the_ratio_is_that_of_two_mixtures(process):
    x_t, forget, retain = (torch.randn(n, 1, 2, 2, generator=seeded(n), dtype=torch.float64) for n in (6, 3, 5))
    t = torch.linspace(0.3, 0.9, 6, dtype=torch.float64)
    found = log_ratio(process, x_t, t, forget, retain)
    for i in range(6):
        log_p = []
        for points in (forget.flatten(1), retain.flatten(1)):
            normal = Independent(Normal(process.alpha(t[i]) * points, process.sigma(t[i])), 1)
            mixture = MixtureSameFamily(Categorical(logits=torch.zeros(len(points)).double()), normal)
            log_p.append(mixture.log_prob(x_t[i].flatten()))
        assert found[i].item() == pytest.approx((log_p[0] - log_p[1]).item(), rel=1e-9, abs=1e-9)
