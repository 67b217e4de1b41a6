"""SWAG's Gaussian against numpy's covariance, a dense inverse and torch's own low-rank Gaussian, and inside VDU."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import LowRankMultivariateNormal

from paperlib.processes import VP
from paperlib.unlearning.posterior import Posterior, posterior
from paperlib.unlearning.swag import LowRank, swag
from paperlib.unlearning.vdu import vdu
from tests.oracles import D_F, network, seeded

MODELS = [network(VP(), width=3, seed=seed).double() for seed in range(7)]
AWAY = network(VP(), width=3, seed=9).double()


def flat(by_name, model=AWAY):
    """All weights as one vector, or columns [K, P], in the order of the model's parameters."""
    first = [by_name[name].reshape(*by_name[name].shape[: by_name[name].ndim - p.ndim], -1) for name, p in named(model)]
    return torch.cat(first, -1)


def named(model):
    return list(model.named_parameters())


def weights(model):
    return flat({name: p.detach() for name, p in named(model)}, model)


def gradient(found, model):
    return torch.cat([g.flatten() for g in torch.autograd.grad(found.stability(model), list(model.parameters()))])


def dense(found):
    U = flat(found.columns)
    return torch.diag(flat(found.variance)) + U.T @ U


@pytest.mark.parametrize("rank", [2, 4, 7])
def test_the_covariance_is_swag_s_as_numpy_computes_it(rank):
    """diag(s^2) / 2 of all models plus D D^T / (2 (K - 1)) of the last K, float64."""
    stacked = torch.stack([weights(model) for model in MODELS]).numpy()
    found, D = swag(iter(MODELS), rank=rank), (stacked - stacked.mean(0))[-rank:]
    expected = np.diag(stacked.var(0, ddof=1)) / 2 + D.T @ D / (2 * (rank - 1))
    np.testing.assert_allclose(dense(found), expected, rtol=1e-10, atol=1e-14)
    assert found.rank == rank and found.models == 7 and found.floored == 0


def test_half_of_each_part_leaves_every_weight_its_variance():
    """With all models as columns, the low-rank part is half the sample covariance. Only the correlations are new."""
    found, stacked = swag(MODELS, rank=7), torch.stack([weights(model) for model in MODELS])
    torch.testing.assert_close(dense(found).diag(), flat(posterior(MODELS).variance))
    half = torch.from_numpy(np.cov(stacked.T.numpy())) / 2
    torch.testing.assert_close(dense(found) - torch.diag(flat(found.variance)), half)


@pytest.mark.parametrize("rank", [2, 7])
@pytest.mark.parametrize("model", [AWAY, MODELS[6]], ids=["another network", "a column's own"])
def test_stability_and_its_gradient_are_those_of_the_dense_inverse(rank, model):
    """d^T Sigma^-1 d / 2 and Sigma^-1 d; float64, with a condition number of up to 1e5."""
    found = swag(MODELS, rank=rank)
    d = weights(model) - flat(found.mean)
    expected = torch.linalg.solve(dense(found), d)
    assert found.stability(model).item() == pytest.approx((d @ expected / 2).item(), rel=1e-8)
    torch.testing.assert_close(gradient(found, model), expected, rtol=1e-6, atol=1e-6 * expected.abs().max().item())


def test_the_curvature_is_the_dense_inverse_too():
    """z depends on theta, and a second derivative has to know it."""
    found, model = swag(MODELS, rank=4), copy.deepcopy(AWAY)
    slope = torch.cat(
        [g.flatten() for g in torch.autograd.grad(found.stability(model), list(model.parameters()), create_graph=True)]
    )
    direction = torch.randn(len(slope), generator=seeded(1), dtype=torch.float64)
    turned = torch.autograd.grad(slope @ direction, list(model.parameters()))
    expected = torch.linalg.solve(dense(found), direction)
    torch.testing.assert_close(torch.cat([g.flatten() for g in turned]), expected, rtol=1e-6, atol=1e-4)


def test_stability_is_the_drop_of_torch_s_log_density():
    found = swag(MODELS, rank=5)
    mean, U = flat(found.mean), flat(found.columns)
    theirs = LowRankMultivariateNormal(mean, U.T, flat(found.variance))
    drop = theirs.log_prob(mean) - theirs.log_prob(weights(AWAY))
    assert found.stability(AWAY).item() == pytest.approx(drop.item(), rel=1e-8)


def test_rank_0_is_vdu_s_posterior():
    found, expected = swag(MODELS, rank=0), posterior(MODELS)
    assert found.rank == 0 and all(torch.equal(found.variance[name], expected.variance[name]) for name in found.mean)
    assert found.stability(AWAY).item() == expected.stability(AWAY).item()
    assert torch.equal(gradient(found, AWAY), gradient(expected, AWAY))


def test_moving_along_a_column_is_cheap_and_across_all_of_them_is_not():
    """Along column k of scale 1: below |z|^2 / 2 = 1/2. Orthogonal to all in units of a: the diagonal's price."""
    found = swag(MODELS, rank=7)
    diagonal, U, a = Posterior(found.mean, found.variance, 7, 0.0), flat(found.columns), flat(found.variance)

    def price(gaussian, step):
        model = copy.deepcopy(AWAY)
        nn.utils.vector_to_parameters(flat(found.mean) + step, model.parameters())
        return gaussian.stability(model).item()

    assert price(found, U[2]) < 0.5 < 3 < price(diagonal, U[2])
    across = torch.randn(U.shape[1], generator=seeded(2), dtype=torch.float64)
    across -= torch.linalg.lstsq((U / a.sqrt()).T, across / a.sqrt()).solution @ U
    assert price(found, across) == pytest.approx(price(diagonal, across), rel=1e-8)


def test_in_single_precision_no_digits_cancel():
    """A million weights, displaced along one column: Woodbury's own form is the difference of two numbers of 2e6 that
    agree in their first six digits, where float32 has seven."""
    K, P = 3, 1_000_000
    generator, model = seeded(4), nn.Linear(P, 1, bias=False)
    U = 1e-3 * torch.randn(K, 1, P, generator=generator)
    mean, variance = torch.zeros(1, P), torch.full((1, P), 1e-6)
    found = LowRank({"weight": mean}, {"weight": variance}, 3, 0.0, {"weight": U})
    with torch.no_grad():
        model.weight.copy_(2 * U[1])
    double = copy.deepcopy(model).double()
    exact = found.like(double).stability(double).item()
    assert exact == pytest.approx(2.0, rel=1e-3)  # |z|^2 / 2, and nearly nothing for the rest
    assert found.like(model).stability(model).item() == pytest.approx(exact, rel=0.01)
    d, scaled = model.weight.detach().flatten(), U.flatten(1) / variance
    along = scaled @ d
    inner = torch.linalg.solve(torch.eye(K) + scaled @ U.flatten(1).T, along)
    woodbury = ((d.square() / variance).sum() - along @ inner) / 2
    assert (woodbury - exact).abs() > 1


def test_like_and_around_follow_the_model():
    found, model = swag(MODELS, rank=4), copy.deepcopy(AWAY).float()
    here = found.like(model)
    assert isinstance(here, LowRank) and {x.dtype for x in here.columns.values()} == {torch.float32}
    assert here.stability(model).item() == pytest.approx(found.stability(AWAY).item(), rel=1e-4)
    around = found.around(model)
    assert around.rank == 4 and around.stability(model).item() == 0
    assert {x.dtype for x in found.columns.values()} == {torch.float64}
    single = swag([copy.deepcopy(one).float() for one in MODELS], rank=4)
    assert {x.dtype for x in single.columns.values()} == {torch.float32}  # memory: K networks, not 2 K


def test_models_may_be_one_network_that_changes():
    def one():
        model = copy.deepcopy(MODELS[0])
        for other in MODELS:
            model.load_state_dict(other.state_dict())
            yield model

    alone, together = swag(one(), rank=3), swag(MODELS, rank=3)
    assert all(torch.equal(alone.columns[name], together.columns[name]) for name in together.columns)


def test_the_floor_is_on_the_variance_before_it_is_halved():
    model = nn.Linear(3, 1)
    other = copy.deepcopy(model)
    with torch.no_grad():
        other.weight[0, 0] += 1.0
    found = swag([model, other], rank=2, floor=1e-3)
    torch.testing.assert_close(found.variance["weight"], torch.tensor([[0.25, 5e-4, 5e-4]]).double())
    assert found.floored == 0.75


def test_vdu_s_first_update_follows_it():
    """With gamma 1 the loss is B, its gradient Sigma^-1 d; Adam's first step is the rate times the sign of each."""
    found, start = swag(MODELS, rank=5), copy.deepcopy(AWAY)
    data = D_F.sample(8, seeded(1)).double()
    settings = {"posterior": found, "gamma": 1.0, "T": 10, "batch_size": 4, "lr": 1e-5, "ema": 0.0, "clip": 0.0}
    run = vdu(start, data, generator=seeded(0), steps=1, **settings)
    step = next(iter(run))
    assert step.losses["stability"] == pytest.approx(found.stability(start).item(), rel=1e-6)
    moved, slope = weights(run.model) - weights(start), gradient(found, start)
    large = slope.abs() > 1e-3 * slope.abs().max()
    torch.testing.assert_close(moved[large], -1e-5 * slope[large].sign(), rtol=1e-3, atol=0)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: swag(MODELS, rank=1), "rank=1 is neither 0 nor a whole number of at least 2"),
        (lambda: swag(MODELS, rank=-1), "rank=-1 is neither"),
        (lambda: swag(MODELS, rank=2.0), "rank=2.0 is neither"),
        (lambda: swag(MODELS, rank=8), "rank=8 needs as many models, got 7"),
        (lambda: swag(MODELS[:1], rank=0), "a posterior needs 2 models or more, got 1"),
        (lambda: swag([MODELS[0], network(VP(), width=8)], rank=2), "model 2 has other weights than the first"),
        (lambda: swag(MODELS, rank=2, floor=0.0), "floor=0.0 is not positive"),
        (lambda: swag(MODELS, rank=2).like(network(VP(), width=8)), "this posterior is of another network"),
        (
            lambda: LowRank({"a": torch.ones(2)}, {"a": torch.ones(2)}, 3, 0.0, {"a": torch.ones(3, 4)}),
            r"columns of a: \(3, 4\), for a weight of \(2,\); every weight needs 3 of its shape",
        ),
        (
            lambda: LowRank(
                {"a": torch.ones(2), "b": torch.ones(1)}, {"a": torch.ones(2)}, 3, 0.0, {"a": torch.ones(3, 2)}
            ),
            "columns of b: missing",
        ),
    ],
)
def test_wrong_settings_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
