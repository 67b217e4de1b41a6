"""The solvers alone: their tables compared with scipy's, and a step with the exact solution's series."""

import numpy as np
import pytest
import torch
from scipy.integrate import RK45

from paperlib.likelihood.solvers import ERROR, NODES, STAGES, WEIGHTS, dormand_prince, runge_kutta

F64 = dict(dtype=torch.float64)


def test_the_tables_are_those_of_scipy():
    assert NODES[:6] == pytest.approx(RK45.C) and NODES[6] == 1
    stages = np.array([[*stage, *[0] * (5 - len(stage))] for stage in STAGES[:6]])
    np.testing.assert_allclose(stages, RK45.A, rtol=1e-15)
    np.testing.assert_allclose(WEIGHTS, [*RK45.B, 0], rtol=1e-15)
    np.testing.assert_allclose(ERROR, -np.array(RK45.E), rtol=1e-12)  # theirs is the fourth order minus the fifth


def growth(z, lam, rows, divergence=True):
    """Return dz/dlam = z and the integrand lam^3, for which Simpson's rule is exact."""
    return z, lam[None] ** 3 if divergence else None


@pytest.mark.parametrize("h", [0.1, 0.5, 2.0])
def test_a_step_of_order_four_is_the_exponential_s_series_to_the_fourth_power(h):
    z = torch.tensor([[1.0], [-3.0]], **F64)
    found = runge_kutta(growth, z, torch.tensor([0, h / 2, h], **F64), torch.full((3,), h, **F64))
    series = 1 + h + h**2 / 2 + h**3 / 6 + h**4 / 24
    torch.testing.assert_close(found.z, series * z, rtol=1e-14, atol=0)
    torch.testing.assert_close(found.integral, torch.full((1, 2), h**4 / 4, **F64), rtol=1e-14, atol=0)
    assert found.evaluations.tolist() == [5, 5] and found.derivatives.tolist() == [4, 4]


@pytest.mark.parametrize("tolerance", [1e-4, 1e-7, 1e-10])
def test_an_adaptive_solution_is_within_its_tolerance_and_asks_for_the_integrand_where_it_has_a_weight(tolerance):
    calls = {True: 0, False: 0}

    def flow(z, lam, rows, divergence=True):
        calls[divergence] += len(rows)
        return growth(z, lam, rows, divergence)

    z, first, last = torch.tensor([[1.0], [0.01]], **F64), torch.tensor(0.0, **F64), torch.tensor(1.0, **F64)
    found = dormand_prince(flow, z, first, last, tolerance, 1000)
    assert (found.z / np.e - z).abs().max() < 10 * tolerance
    assert (found.integral - 0.25).abs().max() < tolerance
    assert found.evaluations.sum() == calls[True] + calls[False] and found.derivatives.sum() == calls[True]
    assert (found.evaluations - 1).remainder(6).eq(0).all()
    torch.testing.assert_close(found.derivatives - 1, (found.evaluations - 1) * 5 // 6)
