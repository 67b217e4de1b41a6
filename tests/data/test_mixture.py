"""The mixture's closed forms compared with torch.distributions, autograd and integration on a grid."""

import math

import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from paperlib.data.mixture import SGU_MIXTURE, GaussianMixture
from tests.oracles import D_F, D_G, GAUSSIAN, assert_mean, every_process, inner_times, seeded

UNEVEN = GaussianMixture(
    weights=(0.5, 0.2, 0.3), means=((1.0, 0.0, -1.0), (0.0, 3.0, 0.5), (-2.0, 0.1, 0.0)), variance=0.3
)
MIXTURES = pytest.mark.parametrize(
    "p", [SGU_MIXTURE, D_G, D_F, GAUSSIAN, UNEVEN], ids=lambda p: f"{len(p.weights)}x{p.dims}"
)


def reference(p: GaussianMixture, alpha: float = 1.0, sigma: float = 0.0) -> MixtureSameFamily:
    means = alpha * torch.tensor(p.means, dtype=torch.float64)
    std = torch.full_like(means, math.sqrt(alpha**2 * p.variance + sigma**2))
    weights = torch.tensor(p.weights, dtype=torch.float64)
    return MixtureSameFamily(Categorical(weights), Independent(Normal(means, std), 1))


def points(p: GaussianMixture, n: int = 50) -> torch.Tensor:
    return 4 * torch.randn(n, p.dims, generator=seeded(), dtype=torch.float64)


def test_sgu_s_mixture_has_the_weights_of_the_caption_of_its_figure_2():
    assert SGU_MIXTURE.weights == (0.4, 0.2, 0.4) and SGU_MIXTURE.variance == 1
    assert SGU_MIXTURE.means == ((-2, -2), (0, 0), (2, 2)) and SGU_MIXTURE.dims == 2


@MIXTURES
def test_log_density_is_that_of_torch_distributions(p):
    x = points(p)
    assert torch.allclose(p.log_density(x), reference(p).log_prob(x), rtol=1e-12, atol=1e-12)


@MIXTURES
@every_process
def test_perturbed_log_density_is_that_of_the_perturbed_mixture(p, process):
    for t in inner_times(process):
        x, alpha, sigma = points(p), process.alpha(t), process.sigma(t)
        expected = reference(p, alpha.item(), sigma.item()).log_prob(x)
        assert torch.allclose(p.log_density(x, alpha, sigma), expected, rtol=1e-10, atol=1e-10)


@MIXTURES
@every_process
def test_score_is_gradient_of_log_density(p, process):
    for t in [*inner_times(process), torch.tensor(process.t_min).double(), torch.tensor(process.t_max).double()]:
        x, alpha, sigma = points(p).requires_grad_(), process.alpha(t), process.sigma(t)
        (gradient,) = torch.autograd.grad(p.log_density(x, alpha, sigma).sum(), x)
        assert torch.allclose(p.score(x, alpha, sigma), gradient, rtol=1e-10, atol=1e-10)


def test_a_level_of_noise_a_row_is_that_level_for_the_row():
    x, alpha, sigma = points(SGU_MIXTURE, 3), torch.tensor([1.0, 0.5, 0.1]), torch.tensor([0.0, 0.7, 2.0])
    for k in range(3):
        one = SGU_MIXTURE.score(x[k : k + 1], alpha[k].item(), sigma[k].item())
        assert torch.allclose(SGU_MIXTURE.score(x, alpha, sigma)[k : k + 1], one, atol=1e-7)  # float32 levels


@pytest.mark.parametrize("distance", [40.0, 1e3])
def test_far_tails_stay_finite(distance):
    x = torch.full((1, 2), distance)
    assert torch.isfinite(SGU_MIXTURE.log_density(x)).all()
    assert torch.allclose(SGU_MIXTURE.score(x), 2 - x)  # the score of the nearest component alone


@pytest.mark.parametrize("p", [SGU_MIXTURE, D_G, D_F, GAUSSIAN])
@pytest.mark.parametrize("q", [SGU_MIXTURE, D_G, D_F, GAUSSIAN])
def test_cross_entropy_is_the_integral_of_p_log_q(p, q):
    """On a grid of step 0.1 the sum is exact up to rounding for smooth functions that vanish at the grid's border.

    Gauss-Hermite quadrature is exact for a Gaussian's log-density. With several components the log-density is not a
    polynomial and has branch points off the real axis, so the error falls only as exp(-c sqrt(nodes)).
    """
    line = torch.arange(-120, 121, dtype=torch.float64) / 10
    x = torch.cartesian_prod(line, line)
    integral = -(p.log_density(x).exp() * q.log_density(x)).sum().item() / 100
    assert p.cross_entropy(q) == pytest.approx(integral, abs=1e-6)
    assert p.cross_entropy(q, nodes=240) == pytest.approx(integral, abs=1e-9)


@pytest.mark.parametrize(
    "q, p, nats, bits, printed",
    [
        (SGU_MIXTURE, D_G, 3.628, 2.617, 10.62),
        (SGU_MIXTURE, D_F, 3.872, 2.793, 10.79),
        (D_G, D_G, 3.524, 2.542, 10.54),
        (D_G, D_F, 5.162, 3.724, 11.72),
    ],
    ids=["standard on D_g", "standard on D_f", "unseen on D_g", "unseen on D_f"],
)
def test_exact_values_of_table_1(q, p, nats, bits, printed):
    exact = p.cross_entropy(q)
    assert round(exact, 3) == nats
    assert round(exact / 2 / math.log(2), 3) == bits
    assert round(exact / 2 / math.log(2) + 8, 2) == printed


def test_cross_entropy_of_a_gaussian_is_its_closed_form():
    other = GaussianMixture((1.0,), ((0.0, 0.0),), 2.0)
    expected = math.log(2 * math.pi * 2.0) + (2 * 0.49 + 1.5**2 + 0.5**2) / (2 * 2.0)
    assert GAUSSIAN.cross_entropy(other) == pytest.approx(expected, rel=1e-12)
    assert D_F.cross_entropy(D_F, nodes=40) == pytest.approx(math.log(2 * math.pi * math.e), rel=1e-12)


def test_the_density_ratio_of_forgotten_to_retained_is_at_most_e_to_the_4():
    x = points(SGU_MIXTURE, 1000)
    ratio = (D_F.log_density(x) - D_G.log_density(x)).exp()
    assert torch.allclose(ratio, math.exp(4) / torch.cosh(2 * x.sum(1)))


@MIXTURES
def test_samples_have_the_mixture_s_moments_and_shares(p):
    x = p.sample(50_000, seeded(3))
    assert x.shape == (50_000, p.dims) and x.dtype == torch.float32
    weights, means = (torch.tensor(part, dtype=torch.float64) for part in (p.weights, p.means))
    mean = weights @ means
    spread = (means - mean).T @ (weights[:, None] * (means - mean))
    assert_mean(x, mean)
    centred = x.double() - mean
    products = (centred[:, :, None] * centred[:, None, :]).flatten(1)
    assert_mean(products, (spread + p.variance * torch.eye(p.dims)).flatten())
    assert p.std() == pytest.approx(math.sqrt((p.variance + spread.diagonal().mean()).item()), rel=1e-12)
    if len(p.weights) > 1:  # E p(k | x) = w_k
        assert_mean(p.log_joint(x.double())[0].softmax(1), weights)


def test_samples_depend_on_their_generator_alone():
    state = torch.get_rng_state()
    first = SGU_MIXTURE.sample(10, seeded(1))
    torch.randn(3)
    assert torch.equal(first, SGU_MIXTURE.sample(10, seeded(1)))
    assert not torch.equal(first, SGU_MIXTURE.sample(10, seeded(2)))
    torch.set_rng_state(state)
    SGU_MIXTURE.sample(10, seeded(1))
    assert torch.equal(state, torch.get_rng_state())


def test_only_renormalises():
    assert D_G.weights == (0.5, 0.5) and D_G.means == ((-2, -2), (2, 2))
    assert D_F.weights == (1.0,) and D_F.means == ((0, 0),)
    assert UNEVEN.only(2, 1).weights == pytest.approx((0.6, 0.4)) and UNEVEN.only(2, 1).variance == 0.3


@pytest.mark.parametrize("weights", [(0.8, 0.4, 0.8), (1.0,), (0.5, 0.6, -0.1), (0.5, 0.5, 0.0)])
def test_weights_that_make_no_mixture_are_refused(weights):
    """The first case has the weights printed in SGU's text."""
    with pytest.raises(ValueError, match="summing to 1; got weights"):
        GaussianMixture(weights, SGU_MIXTURE.means)
