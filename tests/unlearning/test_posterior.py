"""Mean and variance compared with numpy, the stability term with torch's KL; and which weights are included."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence

from paperlib.processes import VE
from paperlib.training import Training
from paperlib.unlearning.posterior import Posterior, posterior, snapshots
from tests.oracles import STANDARD_ERRORS, network, seeded

MODELS = [network(VE(), seed=seed) for seed in range(5)]


def stacked(models):
    return {name: np.stack([m.state_dict()[name].double().numpy() for m in models]) for name in models[0].state_dict()}


def weights_alike(a, b):
    return all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters()))


@pytest.mark.parametrize("n", [2, 5])
def test_mean_and_variance_are_numpy_s(n):
    """Sums of n numbers in float64 agree to 1e-12."""
    found, values = posterior(iter(MODELS[:n])), stacked(MODELS[:n])
    assert found.models == n and found.floored == 0
    for name, _ in MODELS[0].named_parameters():
        np.testing.assert_allclose(found.mean[name], values[name].mean(0), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(found.variance[name], values[name].var(0, ddof=1), rtol=1e-12, atol=1e-14)


def test_the_variance_of_large_weights_that_differ_little_keeps_its_digits():
    """In float64, sum x^2 - n mean^2 would cancel by 1e16 / 1e-8 and lose all digits."""
    models = []
    for value in (1e8, 1e8 + 1e-4, 1e8 + 2e-4):
        model = nn.Linear(1, 1, bias=False).double()
        nn.init.constant_(model.weight, value)
        models.append(model)
    assert posterior(models, floor=1e-20).variance["weight"].item() == pytest.approx(1e-8, rel=1e-3)


def test_models_may_be_one_network_that_changes():
    def one():
        model = copy.deepcopy(MODELS[0])
        for other in MODELS:
            model.load_state_dict(other.state_dict())
            yield model

    alone, together = posterior(one()), posterior(MODELS)
    assert all(torch.equal(alone.variance[name], together.variance[name]) for name in together.variance)


def test_variances_are_floored_and_the_share_is_told():
    model = nn.Linear(3, 1)  # four weights
    other = copy.deepcopy(model)
    with torch.no_grad():
        other.weight[0, 0] += 1.0  # variance 1/2
        other.bias += 0.01  #        variance 5e-5; the other two stay
    found = posterior([model, other], floor=1e-3)
    assert found.floored == 0.75
    torch.testing.assert_close(found.variance["weight"], torch.tensor([[0.5, 1e-3, 1e-3]]).double())
    assert found.variance["bias"].item() == 1e-3
    assert posterior([model, other], floor=1e-6).floored == 0.5


@pytest.mark.parametrize("n, factor", [(5, 2.0), (4, 3.0)])
def test_few_models_exaggerate_the_precision_unless_told_not_to(n, factor):
    """For normal weights E[1 / s^2] = (n - 1) / (n - 3) / sigma^2, and each variance is scaled by that factor. The test
    uses the mean logarithm of (n - 1) s^2, which is chi-squared: digamma((n - 1) / 2) + ln 2. The mean of 1 / s^2 has
    no finite standard error."""
    generator, models = seeded(5), []
    for _ in range(n):
        model = nn.Linear(400, 500, bias=False)
        nn.init.normal_(model.weight, generator=generator)
        models.append(model)
    plain, precise = posterior(models).variance["weight"], posterior(models, precise=True).variance["weight"]
    torch.testing.assert_close(precise, factor * plain)
    expected = torch.digamma(torch.tensor((n - 1) / 2)) + np.log(2) - np.log(n - 1)
    draws = plain.flatten().log()
    assert (draws.mean() - expected).abs() < STANDARD_ERRORS * draws.std() / len(draws) ** 0.5


def test_stability_is_the_divergence_of_torch_s_gaussians():
    """It is KL(N(theta, sigma*^2) || N(mu*, sigma*^2)), weight by weight, summed over 400 terms in float32."""
    found, model = posterior(MODELS[1:]), MODELS[0]
    expected = sum(
        kl_divergence(
            Normal(p.double(), found.variance[name].sqrt()), Normal(found.mean[name], found.variance[name].sqrt())
        ).sum()
        for name, p in model.named_parameters()
    )
    assert found.like(model).stability(model).item() == pytest.approx(expected.item(), rel=1e-5)
    double = copy.deepcopy(model).double()
    assert found.like(double).stability(double).item() == pytest.approx(expected.item(), rel=1e-12)


def test_around_a_model_nothing_pulls_it_away():
    found, model = posterior(MODELS[1:]), copy.deepcopy(MODELS[0])
    away = found.like(model).stability(model)
    here = found.around(model).stability(model)
    assert here.item() == 0 and away.item() > 0
    assert all(g.abs().max() == 0 for g in torch.autograd.grad(here, list(model.parameters())))
    around = found.around(model)
    assert all(torch.allclose(around.variance[name], found.variance[name].float()) for name in found.variance)
    before = {name: value.clone() for name, value in around.mean.items()}
    with torch.no_grad():
        next(model.parameters()).add_(1.0)
    assert all(torch.equal(around.mean[name], before[name]) for name in before)  # a copy, not a view


def test_isotropic_stability_is_the_squared_distance_from_the_start():
    start, model = MODELS[0], MODELS[1]
    squared = sum((p - q).square().sum() for p, q in zip(model.parameters(), start.parameters()))
    found = Posterior.isotropic(start, 0.1)
    assert found.stability(model).item() == pytest.approx(squared.item() / (2 * 0.01), rel=1e-5)
    assert found.models == 0 and found.floored == 0


def test_snapshots_are_the_run_s_own_weights_after_each_so_manyth_update():
    def objective(model, generator, index):
        return {"loss": sum((p - torch.randn(p.shape, generator=generator)).square().sum() for p in model.parameters())}

    def run():
        return Training(MODELS[0], objective, steps=10, lr=0.01, generator=seeded(3), ema=0.9)

    taken = [copy.deepcopy(model) for model in snapshots(run(), every=3, skip=2)]
    by_hand, expected = run(), []
    for step in by_hand:
        if step.index in (5, 8):
            expected.append(copy.deepcopy(by_hand.network))
    assert len(taken) == 2 and all(weights_alike(a, b) for a, b in zip(taken, expected))
    assert not weights_alike(taken[-1], by_hand.model)
    found = posterior(snapshots(run(), every=1))
    assert found.models == 10 and found.floored < 1


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: posterior(MODELS[:1]), "a posterior needs 2 models or more, got 1"),
        (lambda: posterior([]), "needs 2 models or more, got 0"),
        (lambda: posterior(MODELS[:3], precise=True), "with precise=True needs 4 models or more, got 3"),
        (lambda: posterior(MODELS, floor=0.0), "floor=0.0 is not positive"),
        (lambda: posterior([MODELS[0], network(VE(), width=8)]), "model 2 has other weights than the first"),
        (lambda: posterior(MODELS).like(network(VE(), width=8)), "this posterior is of another network: net"),
        (lambda: posterior(MODELS).like(nn.Linear(2, 2)), "this posterior is of another network"),
        (lambda: Posterior.isotropic(MODELS[0], 0.0), "sigma=0.0 is not positive"),
        (lambda: snapshots(None, every=0), "every=0 and skip=0"),
        (lambda: snapshots(None, every=1, skip=-1), "every=1 and skip=-1"),
    ],
)
def test_wrong_settings_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
