import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from paperlib.data.frontier import LAMBDA_MIN, Optimum, entropy, frontier, largest_forgetting, touching_point
from paperlib.data.mixture import SGU_MIXTURE, GaussianMixture
from paperlib.processes import VE, VP

P_G, P_F = SGU_MIXTURE.only(0, 2), SGU_MIXTURE.only(1)
NATS = 2 * math.log(2)  # one bit per dimension, in the plane
LEAST = P_G.cross_entropy(P_G)


def bits(nats):
    """Convert nats to the unit of SGU's Table 1."""
    return nats / NATS + 8


def test_the_density_ratio_peaks_at_e_to_the_four_on_the_diagonal():
    x = torch.randn(20_000, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 3
    ratio = (P_F.log_density(x) - P_G.log_density(x)).exp()
    assert ratio.max() <= LAMBDA_MIN * (1 + 1e-9)
    torch.testing.assert_close(ratio, LAMBDA_MIN / torch.cosh(2 * x.sum(1)), rtol=1e-9, atol=0)


@pytest.mark.parametrize("lam", [LAMBDA_MIN, 55.0, 60.0, 500.0])
def test_touching_points_agree_with_an_independent_integrator(lam):
    def w(x):  # the density in the plane, computed directly
        return (lam * P_G.log_density(x).exp() - P_F.log_density(x).exp()) / (lam - 1)

    def integrand(u, density):
        x = torch.tensor([[u, u]], dtype=torch.float64) / math.sqrt(2)
        value = float(w(x))
        across = 0.5 * math.log(2 * math.pi) + 0.5  # contribution of the factor across the line to the mean of -log w
        # on the line, w(x) = w_u(u) / sqrt(2 pi)
        p = float(density.log_density(x).exp()) * math.sqrt(2 * math.pi)
        return p * (-math.log(value * math.sqrt(2 * math.pi)) + across) if value > 0 else 0.0

    for density, found in zip((P_G, P_F), touching_point(lam)):
        pieces = [(1e-7, 1e-3), (1e-3, 0.1), (0.1, 3), (3, 13)]  # what is omitted contributes less than 1e-5
        expected = 2 * sum(quad(integrand, a, b, args=(density,), limit=200)[0] for a, b in pieces)
        assert found == pytest.approx(expected, abs=1e-5)


def test_the_end_of_the_curve_and_the_bounds_are_those_computed_once_by_other_means():
    # Computed before this module was written, by convex optimisation over densities on a grid.
    assert [round(bits(v), 4) for v in touching_point(LAMBDA_MIN)] == [10.5513, 12.4183]
    assert [round(bits(v), 2) for v in touching_point(60.0)] == [10.55, 12.17]
    for kept, most in {10.549: 12.29, 10.60: 15.08, 10.64: 17.26, 10.70: 20.53}.items():
        assert bits(largest_forgetting((kept - 8) * NATS)) == pytest.approx(most, abs=0.006)


@pytest.mark.parametrize("lam", [56.0, 80.0])
def test_no_density_on_a_grid_does_better_than_the_bound(lam):
    # Without using the answer, maximise F - lambda G over all densities on a grid along the line.
    u = torch.linspace(-9, 9, 1201, dtype=torch.float64)
    h = float(u[1] - u[0])
    line = GaussianMixture(SGU_MIXTURE.weights, ((-2 * math.sqrt(2),), (0.0,), (2 * math.sqrt(2),)))
    p_g, p_f = (h * line.only(*k).log_density(u[:, None]).exp() for k in ((0, 2), (1,)))
    logits = torch.zeros_like(u, requires_grad=True)
    solver = torch.optim.LBFGS(
        [logits], max_iter=600, history_size=50, line_search_fn="strong_wolfe", tolerance_grad=1e-12
    )

    def gap():
        solver.zero_grad()
        log_q = torch.log_softmax(logits, 0) - math.log(h)
        value = -((lam * p_g - p_f) * log_q).sum()  # lambda G - F, along the line
        value.backward()
        return value

    solver.step(gap)
    found = float(gap().detach()) + (lam - 1) * 0.5 * math.log(2 * math.pi * math.e)  # the factor across
    bound = (lam - 1) * entropy(lam)
    assert found >= bound - 1e-6 * abs(bound)  # no density crosses the bound
    assert found == pytest.approx(
        bound, rel=2e-5
    )  # and it is reached, up to the grid's relative error of order h^2 = 2e-4


component = st.tuples(st.floats(-4, 4), st.floats(-4, 4), st.floats(0.05, 1))


@settings(max_examples=25, deadline=None)
@given(st.lists(component, min_size=1, max_size=4), st.floats(0.3, 2.0))
def test_no_mixture_of_gaussians_lies_above_the_frontier(components, variance):
    total = sum(c[2] for c in components)
    q = GaussianMixture(tuple(c[2] / total for c in components), tuple(c[:2] for c in components), variance)
    kept, forgotten = P_G.cross_entropy(q, nodes=40), P_F.cross_entropy(q, nodes=40)
    assert forgotten <= largest_forgetting(max(kept, LEAST)) + 1e-3


def test_a_likelihood_that_does_not_integrate_to_one_is_caught():
    # 1.1 times the density of p_g is not a density, so it can cross the frontier, and does.
    shift = math.log(1.1)
    with pytest.raises(ValueError, match="below the entropy of p_g"):
        largest_forgetting(LEAST - shift)
    # 1.1 times the touching point's density lies above the bound at the same D_g.
    kept, forgotten = (value - shift for value in touching_point(LAMBDA_MIN + 1.0))
    assert kept < LEAST or forgotten > largest_forgetting(kept)


def test_the_frontier_rises_and_bends_downwards():
    points = frontier(12)
    assert (np.diff(points, axis=0) > 0).all()
    slopes = np.diff(points[:, 1]) / np.diff(points[:, 0])
    assert (np.diff(slopes) < 0).all() and slopes[-1] > LAMBDA_MIN - 1


@pytest.mark.parametrize("process", [VE(), VP()], ids=["VE", "VP"])
def test_the_optimum_has_the_gradient_of_its_log_density_as_score(process):
    optimum = Optimum(60.0)
    x = torch.randn(64, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 2
    x.requires_grad_()
    for t in (0.01, 0.3, 0.7, 1.0):
        at = torch.full((64,), t, dtype=torch.float64)
        alpha, sigma = process.alpha(at), process.sigma(at)
        w = 60.0 * P_G.log_density(x, alpha, sigma).exp() - P_F.log_density(x, alpha, sigma).exp()
        expected = torch.autograd.grad(w.log().sum(), x)[0]
        torch.testing.assert_close(optimum.score(x.detach(), alpha, sigma), expected, rtol=1e-6, atol=1e-8)


def test_a_slope_below_e_to_the_four_is_refused():
    for call in (Optimum, touching_point):
        with pytest.raises(ValueError, match="lam=50.0 is below e\\^4"):
            call(50.0)


@pytest.mark.parametrize("lam", [60.0, 80.0, 200.0])
def test_a_touching_point_is_the_bound_itself(lam):
    retained, forgotten = touching_point(lam)
    assert largest_forgetting(retained) == pytest.approx(forgotten, abs=1e-5)
