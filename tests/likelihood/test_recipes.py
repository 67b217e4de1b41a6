"""Three recipes on a Gaussian in closed form, their floors, and the trace that shows whether a field is a diffusion."""

import math

import pytest
import torch

from companion import bases
from companion.studies.likelihood_measures import test_images as images_of
from paperlib.data.images import model_input
from paperlib.denoiser import Denoised
from paperlib.likelihood.fast import fast_log_likelihood
from paperlib.likelihood.images import image_nll
from paperlib.likelihood.recipes import RECIPES, floor, noised, posterior_trace
from paperlib.likelihood.units import LEVELS_OFFSET
from paperlib.processes import DDPM, VE, expand
from tests.likelihood.test_bound import GaussianDenoiser
from tests.oracles import STANDARD_ERRORS, network, seeded

MEAN, SPREAD = 0.1, 0.3
PROCESSES = {"VE": VE(), "DDPM": DDPM.linear()}
every = pytest.mark.parametrize("process", PROCESSES.values(), ids=PROCESSES)


class Sharpened:
    """A smooth field that belongs to no diffusion: the exact noise of N(0, spread^2 I) times 1.5."""

    def __init__(self, process, spread=0.001):
        self.process, self.exact = process, GaussianDenoiser(process, 0.0, spread)

    def __call__(self, x_t, t, cond=None):
        found = self.exact(x_t, t)
        x0 = x_t - 1.5 * expand(self.process.sigma(t.expand(len(x_t))), x_t) * found.eps
        x0 = x0 / expand(self.process.alpha(t.expand(len(x_t))), x_t)
        return Denoised(x0=x0, eps=1.5 * found.eps, score=1.5 * found.score)


def at_t_min(process):
    t = torch.tensor(process.t_min, dtype=torch.float64)
    return process.alpha(t).item(), process.sigma(t).item()


@every
@pytest.mark.parametrize("recipe", ["flow", "noised flow"])
def test_a_gaussian_has_its_closed_form(process, recipe):
    """It is E[-log2 N(x; alpha m, alpha^2 c^2 + sigma^2)] + 7, over dequantisation and the noise of t_min."""
    levels = torch.arange(60, 220, 16, dtype=torch.uint8).reshape(-1, 1, 1, 1)
    model, repeats = GaussianDenoiser(process, MEAN, SPREAD), 16
    how = dict(generator=seeded(), dequantisations=repeats, divergence="exact", steps=8)
    found = image_nll(model, levels, recipe=recipe, **how).values.mean(2)
    alpha, sigma = at_t_min(process)
    variance = alpha**2 * SPREAD**2 + sigma**2
    centre = (2 * (levels.flatten().double() + 0.5) / 256 - 1) * (1 if recipe == "flow" else alpha)
    off = (centre - alpha * MEAN).square() + (1 / 128) ** 2 / 12 * (1 if recipe == "flow" else alpha**2)
    off += sigma**2 if recipe == "noised flow" else 0
    exact = 0.5 * math.log2(2 * math.pi * variance) + off / (2 * variance * math.log(2)) + LEVELS_OFFSET
    errors = found.std(1) / repeats**0.5
    assert ((found.mean(1) - exact).abs() < STANDARD_ERRORS * errors + 2e-3).all()


@pytest.mark.parametrize("name", ["exact", "sharpened", "random"])
def test_a_noised_flow_is_never_below_its_floor_whatever_the_field(name):
    """If all data are one point, only the exact score reaches the floor."""
    process = VE()
    model = {
        "exact": lambda: GaussianDenoiser(process, 0.0, 1e-6),
        "sharpened": lambda: Sharpened(process),
        "random": lambda: network(process, width=8),
    }[name]()
    x = noised(process, torch.zeros(2000, 2), seeded(1))
    found = fast_log_likelihood(model, x, divergence="exact", steps=24)
    bits = -found.log_p.flatten() / (2 * math.log(2)) + LEVELS_OFFSET
    error = bits.std().item() / len(bits) ** 0.5
    assert bits.mean() > floor(process, "noised flow") - STANDARD_ERRORS * error
    if name == "exact":
        assert bits.mean().item() == pytest.approx(floor(process, "noised flow"), abs=STANDARD_ERRORS * error)


def test_a_flow_at_the_image_can_be_below_the_floor_of_exact_scores():
    process, origin = VE(), torch.zeros(1, 2)
    bits = {
        name: -fast_log_likelihood(model, origin, divergence="exact", steps=24).log_p.item() / (2 * math.log(2)) + 7
        for name, model in {"exact": GaussianDenoiser(process, 0.0, 1e-6), "sharpened": Sharpened(process)}.items()
    }
    assert bits["exact"] == pytest.approx(floor(process, "flow"), abs=1e-3)
    assert bits["sharpened"] < floor(process, "flow") - 1


def test_a_trained_network_is_not_below_the_floor_of_its_noised_flow():
    """On scikit-learn's digits: the upper end of the interval over images is above the floor."""
    model, data = bases.load("digits-ve"), images_of("digits-ve", 6)
    found = image_nll(model, data.images, recipe="noised flow", generator=seeded(), steps=10)
    assert found.interval[1] > floor(model.process, "noised flow")


def test_floors():
    assert floor(VE(sigma_min=0.01), "flow") == pytest.approx(1.68, abs=0.005)
    assert floor(VE(sigma_min=0.01), "noised flow") == pytest.approx(2.40, abs=0.005)
    assert floor(DDPM.linear(), "bound") == 0 and set(RECIPES) == {"flow", "noised flow", "bound"}


@pytest.mark.parametrize(
    "ask",
    [
        lambda: floor(VE(), "ode"),
        lambda: image_nll(None, torch.zeros(1, 1, 1, 1, dtype=torch.uint8), recipe="bound", generator=seeded()),
    ],
)
def test_another_recipe_is_refused(ask):
    with pytest.raises(ValueError, match="is not one of flow, noised flow"):
        ask()


@every
def test_the_trace_of_a_gaussian_is_its_posterior_variance(process):
    """tr Cov(x_0 | x_t) / r^2 / D = c^2 / (c^2 + r^2) at any x_t; for the sharpened field it is below 0 where r exceeds
    c."""
    x0 = model_input(torch.zeros(3, 1, 4, 4, dtype=torch.uint8))
    for level in (-3.0, -1.0, 0.0):
        lam = torch.tensor([level], dtype=torch.float64)
        t, ratio = process.time_of(lam).float().expand(3), math.exp(level)
        x_t = process.perturb(x0, t, torch.ones_like(x0))
        model = GaussianDenoiser(process, MEAN, SPREAD)
        expected = SPREAD**2 / (SPREAD**2 + ratio**2)
        assert posterior_trace(model, x_t, t, generator=seeded()).tolist() == pytest.approx([expected] * 3, rel=2e-3)
        assert (posterior_trace(Sharpened(process, 0.01), x_t, t, generator=seeded()) < 0).all()
