"""Solvers of the probability-flow ODE: their order on Gaussian data, where the ODE has a closed-form solution."""

import pytest
import torch

from paperlib.data.mixture import SGU_MIXTURE
from paperlib.denoiser import ExactDenoiser
from paperlib.processes import VE
from paperlib.sampling import heun, ipndm
from paperlib.sampling.ode import ADAMS_BASHFORTH
from tests.oracles import GAUSSIAN, PROCESSES, every_process, seeded, smooth_process
from tests.sampling.affine import ODE, errors, ode_moments

ORDER = {name: 1 if name == "DDIM" else 2 for name in ODE}
every_solver = pytest.mark.parametrize("name", ODE)


@smooth_process
@every_solver
def test_halving_the_step_divides_the_error_by_two_to_the_order(process, name, monkeypatch):
    """With uniform steps in log(alpha / sigma) down to t_min, in float64; the next order contributes up to 5 %."""
    coarse, fine = (errors(ODE[name], ode_moments, process, n, monkeypatch, spacing="snr") for n in (400, 800))
    ratio = coarse / fine
    assert ((ratio / 2 ** ORDER[name] - 1).abs() < 0.05).all(), ratio
    assert (fine < (6e-3 if ORDER[name] == 1 else 1e-4)).all(), fine


@pytest.mark.parametrize("spacing", ["time", "karras"])
@smooth_process
def test_heun_keeps_its_order_on_other_grids(process, spacing, monkeypatch):
    variable = "time" if spacing == "time" else "noise"
    settings = {"spacing": spacing, "variable": variable}
    coarse, fine = (errors(heun, ode_moments, process, n, monkeypatch, **settings) for n in (400, 800))
    assert ((coarse / fine / 4 - 1).abs() < 0.05).all(), (coarse, fine)


@every_process
@every_solver
def test_gaussian_data_come_out_with_their_mean_and_variance(process, name, monkeypatch):
    """With about a thousand steps, as many as the DDPM has, a first-order error is a rate of up to 20, over 1000."""
    assert (errors(ODE[name], ode_moments, process, 998, monkeypatch) < 0.02).all()


@pytest.mark.parametrize("order", ADAMS_BASHFORTH)
def test_adams_bashforth_integrates_polynomials_below_its_order(order):
    """Slopes at 0, -1, -2, -3 give the integral of u^p over [0, 1], 1 / (p + 1), for p < order but not p = order."""
    for power in range(order + 1):
        found = sum(w * (-float(k)) ** power for k, w in enumerate(ADAMS_BASHFORTH[order]))
        assert (found == pytest.approx(1 / (power + 1))) == (power < order)


def test_ipndm_is_the_most_accurate_at_few_evaluations():
    """This is why the package has it. On the papers' mixture, with VP and DDPM at 5, 8 and 10 evaluations, the distance
    from the exact end of each path is 0.013 to 0.11 for iPNDM and 0.12 to 0.18 for DPM-Solver++(2M)."""
    for process in (PROCESSES["VP"], PROCESSES["DDPM linear"]):
        model = ExactDenoiser(SGU_MIXTURE, process)
        x = process.prior_std() * torch.randn(500, 2, generator=seeded(), dtype=torch.float64)
        *_, exact = ODE["DPM-Solver++(2M)"](model, x, steps=800)

        def distance(name, steps, model=model, x=x, exact=exact):
            *_, last = ODE[name](model, x, steps=steps)
            return (last.x - exact.x).square().mean().sqrt()

        for evaluations in (5, 8, 10):
            for other in ("DDIM", "DPM-Solver++(2M)"):
                assert distance("iPNDM", evaluations) < 0.65 * distance(other, evaluations)


def test_an_order_or_a_variable_that_does_not_exist_is_refused():
    model, x = ExactDenoiser(GAUSSIAN, VE()), torch.zeros(2, 2)
    with pytest.raises(ValueError, match="order=5 is not one of 1, 2, 3, 4"):
        next(ipndm(model, x, order=5))
    with pytest.raises(ValueError, match="variable='sigma' is not one of time, noise"):
        next(heun(model, x, variable="sigma"))
