"""Inpainting and reconstruction on Gaussian data, where every conditional and every flow is known."""

from dataclasses import dataclass

import pytest
import torch

from paperlib.denoiser import ExactDenoiser
from paperlib.editing import PREDICTORS, encode, half, reconstruct, repaint, replacement
from paperlib.processes import DDPM, VE, VP
from paperlib.sampling.times import levels, time_grid
from tests.oracles import STANDARD_ERRORS, assert_mean, seeded

MEAN = torch.tensor([0.3, -0.2], dtype=torch.float64)
C = torch.tensor([[0.5, 0.4], [0.4, 0.6]], dtype=torch.float64)
Y = 1.0  # the known first coordinate
EXACT_MEAN = (MEAN[1] + C[1, 0] / C[0, 0] * (Y - MEAN[0])).item()
EXACT_VARIANCE = (C[1, 1] - C[1, 0] ** 2 / C[0, 0]).item()
N = 10_000


@dataclass(frozen=True)
class Correlated:
    """N(MEAN, C)."""

    def score(self, x, alpha, sigma):
        a, s = alpha.flatten()[0], sigma.flatten()[0]  # a sampler's rows all have the same time
        precision = torch.linalg.inv(a**2 * C + s**2 * torch.eye(2, dtype=C.dtype))
        return -(x - a * MEAN) @ precision


PROCESSES = {"VE": VE(sigma_max=20.0), "VP": VP(), "DDPM": DDPM.linear(200, 5e-4, 0.1)}
every = pytest.mark.parametrize("process", PROCESSES.values(), ids=PROCESSES.keys())
KNOWN = torch.tensor([[Y, float("nan")]], dtype=torch.float64).expand(N, 2)  # unknown values are not read
MASK = torch.tensor([True, False])


def last(states):
    for state in states:
        pass
    return state


def recursion(process, steps):
    """Return the unknown coordinate's mean and variance under replacement without corrections; all steps are linear."""
    stops = levels(process, time_grid(ExactDenoiser(Correlated(), process), steps, "index", denoise=True))
    mu, v = 0.0, stops[0].sigma ** 2
    for t, s in zip(stops, stops[1:]):
        score = -torch.linalg.inv(t.alpha**2 * C + t.sigma**2 * torch.eye(2, dtype=C.dtype))
        if s.data:  # x0 = (x + sigma^2 score) / alpha
            own, other, noise = (1 + t.sigma**2 * score[1, 1]) / t.alpha, t.sigma**2 * score[1, 0] / t.alpha, 0.0
            shift = -(t.sigma**2 / t.alpha) * (score[1] @ (t.alpha * MEAN))
        else:
            a = (t.alpha / s.alpha) ** 2
            G2 = t.sigma**2 - a * s.sigma**2
            own, other, noise = 2 - a**0.5 + G2 * score[1, 1], G2 * score[1, 0], G2
            shift = -G2 * (score[1] @ (t.alpha * MEAN))
        mu = own * mu + other * t.alpha * Y + shift
        v = own**2 * v + other**2 * t.sigma**2 + noise
    return mu.item(), v.item()


@every
def test_replacement_is_its_own_linear_recursion(process):
    """Noise is added in every step except the one to the data, so down to sigma / alpha = 0.01."""
    model = ExactDenoiser(Correlated(), process)
    x = last(replacement(model, KNOWN, MASK, steps=40, generator=seeded(1), corrections=0)).x
    mean, variance = recursion(process, 40)
    assert_mean(x[:, 1:], mean)
    assert_mean((x[:, 1:] - mean) ** 2, variance)


@every
@pytest.mark.parametrize("way", [replacement, repaint])
def test_what_is_known_comes_back_as_it_was(process, way):
    states = list(way(ExactDenoiser(Correlated(), process), KNOWN[:8], MASK, steps=12, generator=seeded(1)))
    assert torch.equal(states[-1].x[:, 0], KNOWN[:8, 0]) and states[-1].t == 0
    assert states[-1].x.isfinite().all()


def bias(way, process, **settings):
    """Return the distance of the unknown coordinate's mean from the conditional mean, in standard deviations."""
    x = last(way(ExactDenoiser(Correlated(), process), KNOWN, MASK, generator=seeded(2), **settings)).x[:, 1]
    return abs(x.mean().item() - EXACT_MEAN) / EXACT_VARIANCE**0.5


@every
def test_repaint_comes_to_the_conditional_as_its_returns_grow(process):
    """With one pass it is replacement with ancestral steps, whose bias is many standard errors (0.007)."""
    one, four, many = (bias(repaint, process, steps=30, resamples=resamples, length=3) for resamples in (1, 4, 16))
    assert one > 0.15 and four < one and many < one / 3 and many < 0.12


def test_repaint_s_variance_comes_to_the_conditional_s_as_its_steps_grow():
    """Small-variance steps are too narrow, to first order in their length, and more repetitions do not change that."""
    errors = []
    for steps, length in ((30, 3), (120, 12)):
        model = ExactDenoiser(Correlated(), VP())
        states = repaint(model, KNOWN[:8000], MASK, generator=seeded(2), steps=steps, resamples=8, length=length)
        errors.append(abs(last(states).x[:, 1].var().item() / EXACT_VARIANCE - 1))
    assert errors[1] < errors[0] / 2 and errors[1] < 0.2


@every
def test_replacement_by_ancestral_steps_is_repaint_without_returns(process):
    model, common = ExactDenoiser(Correlated(), process), {"steps": 9}
    own = {"corrections": 0, "predictor": "ancestral sampling"}
    ours = last(replacement(model, KNOWN[:5], MASK, generator=seeded(1), **common, **own)).x
    once = last(repaint(model, KNOWN[:5], MASK, generator=seeded(1), resamples=1, **common)).x
    assert torch.equal(ours, once)


def test_few_steps_of_reverse_diffusion_leave_too_much_variance_and_ancestral_ones_do_not():
    """On VP, where the step to the data comes from sigma / alpha = 0.01; both come to the same as their steps grow."""
    model, found = ExactDenoiser(Correlated(), VP()), {}
    for predictor in PREDICTORS:
        for steps in (50, 500):
            own = {"steps": steps, "predictor": predictor, "corrections": 0}
            x = last(replacement(model, KNOWN[:6000], MASK, generator=seeded(2), **own)).x
            found[predictor, steps] = x[:, 1].var().item()
    apart = {steps: found["reverse diffusion", steps] / found["ancestral sampling", steps] for steps in (50, 500)}
    assert apart[50] > 1.2 and apart[500] < 1.1


def test_replacement_comes_to_the_conditional_as_its_corrections_grow():
    none, many = (bias(replacement, VE(sigma_max=20.0), steps=60, corrections=k, snr=0.3) for k in (0, 12))
    assert none > 0.15 and many < none / 3


@pytest.mark.parametrize("steps, resamples, length", [(7, 3, 2), (6, 2, 10), (5, 1, 1)])
def test_repaint_reports_its_evaluations_and_climbs_between_its_turns(steps, resamples, length):
    model = ExactDenoiser(Correlated(), VP())
    states = list(repaint(model, KNOWN[:4], MASK, steps=steps, generator=seeded(), resamples=resamples, length=length))
    assert states[-1].evaluations == len(states) == steps * resamples
    climbs = sum(b.t >= a.t for a, b in zip(states, states[1:]))  # equal if a stretch has one step
    assert climbs == (resamples - 1) * -(-steps // length)


def test_going_back_up_has_the_marginals_of_the_process():
    """It maps the marginal at s to that at t, so every pass over a stretch starts from the same distribution."""
    from paperlib.editing import _back
    from paperlib.sampling.walk import Walk

    process = VP()
    model = ExactDenoiser(Correlated(), process)
    x0 = torch.distributions.MultivariateNormal(MEAN, C)
    torch.manual_seed(3)
    data = x0.sample((N,))
    walk = Walk(model, data, 10, spacing="time", denoise=True, generator=seeded(4), cond=None, clip=None)
    s, t = walk.pairs[6][0], walk.pairs[2][0]
    x_s = s.alpha * data + s.sigma * torch.randn(data.shape, generator=seeded(5), dtype=data.dtype)
    x_t = _back(walk, x_s, s, t)
    assert_mean(x_t, t.alpha * MEAN)
    assert_mean((x_t - t.alpha * MEAN) ** 2, t.alpha**2 * C.diagonal() + t.sigma**2)
    assert_mean((x_t - t.alpha * MEAN).prod(1, keepdim=True), t.alpha**2 * C[0, 1])


# --- reconstruction

ISOTROPIC = 0.49


@dataclass(frozen=True)
class Isotropic:
    """N(MEAN, 0.49 I), for which the flow is a scaling about the mean."""

    def score(self, x, alpha, sigma):
        a, s = alpha.flatten()[0], sigma.flatten()[0]
        return -(x - a * MEAN) / (a**2 * ISOTROPIC + s**2)


def spread(level):
    return (level.alpha**2 * ISOTROPIC + level.sigma**2) ** 0.5


@every
def test_encoding_follows_the_flow_to_second_order(process):
    model, x = ExactDenoiser(Isotropic(), process), torch.randn(50, 2, generator=seeded(), dtype=torch.float64)
    errors = []
    for steps in (40, 80):
        first, *_, end = levels(process, time_grid(model, steps, "karras"))
        exact = first.alpha * MEAN + spread(first) / spread(end) * (x - end.alpha * MEAN)
        errors.append((encode(model, x, steps=steps) - exact).abs().max().item())
    assert errors[1] < errors[0] / 3 and errors[1] < 0.02 * spread(first)


@every
def test_an_image_reconstructed_from_t_is_pulled_to_the_mean_as_the_closed_form_says(process):
    """x_t = alpha x + sigma z, then the flow from t to the last level, then the prediction of x_0 there."""
    model, t = ExactDenoiser(Isotropic(), process), 0.4
    x = torch.tensor([[1.2, 0.7]], dtype=torch.float64).expand(N, 2)
    back = reconstruct(model, x, t, generator=seeded(6), steps=150).x
    grid = torch.tensor([t, time_grid(model, 150, "karras", denoise=True)[-2]], dtype=torch.float64)
    top, end = levels(process, grid)
    pull = end.alpha * ISOTROPIC / spread(end) ** 2  # slope of the predicted x_0 about the mean
    slope = pull * spread(end) / spread(top)
    mean = MEAN + slope * top.alpha * (x[0] - MEAN)
    error = STANDARD_ERRORS * slope * top.sigma / N**0.5
    assert ((back.mean(0) - mean).abs() < error + 2e-3 * spread(top) * slope).all()  # plus the solver's error
    assert torch.allclose(back.std(0), torch.tensor(slope * top.sigma, dtype=torch.float64), rtol=0.03)


def test_a_latent_that_is_hardly_perturbed_comes_back_as_the_image():
    """Near t = 0 the perturbation hardly changes the latent, and decoding inverts encoding."""
    model = ExactDenoiser(Isotropic(), VP())
    x = torch.randn(30, 2, generator=seeded(), dtype=torch.float64)
    back = reconstruct(model, x, 1.1e-5, way="latent", generator=seeded(), steps=200).x
    assert (back - x).abs().max() < 0.02
    far = reconstruct(model, x, 0.5, way="latent", generator=seeded(), steps=50).x
    assert (far - x).abs().max() > 0.3


# --- masks and messages


@pytest.mark.parametrize("known, inside", [("upper", (0, 3)), ("lower", (3, 0)), ("left", (3, 0)), ("right", (0, 3))])
def test_half_masks_know_their_half(known, inside):
    mask = half((1, 4, 4), known)
    assert mask.dtype == torch.bool and mask.sum() == 8 and mask.shape == (1, 4, 4)
    assert mask[0][inside]
    assert not (
        mask & half((1, 4, 4), {"upper": "lower", "lower": "upper", "left": "right", "right": "left"}[known])
    ).any()


@pytest.mark.parametrize(
    "wrong, message",
    [
        (lambda m, x: half((1, 4, 4), "top"), "known='top' is not one of upper, lower, left, right"),
        (lambda m, x: list(repaint(m, x, MASK.float(), generator=seeded())), "mask is torch.float32; torch.bool"),
        (lambda m, x: list(repaint(m, x, torch.ones(3, dtype=bool), generator=seeded())), r"mask \(3,\) does not fit"),
        (lambda m, x: list(repaint(m, x, MASK[None, None], generator=seeded())), r"mask \(1, 1, 2\) does not fit"),
        (
            lambda m, x: list(repaint(m, x, MASK, resamples=0, generator=seeded())),
            "resamples=0 is not a whole number of at least 1",
        ),
        (lambda m, x: list(replacement(m, x, MASK, snr=0.0, generator=seeded())), "snr=0.0 must be positive"),
        (lambda m, x: list(replacement(m, x, MASK, predictor="Euler", generator=seeded())), "predictor='Euler' is not"),
        (lambda m, x: reconstruct(m, x.nan_to_num(), 0.0, generator=seeded()), r"t=0.0 is not in \(1e-05, 1.0\]"),
        (
            lambda m, x: reconstruct(m, x.nan_to_num(), 0.5, way="pixels", generator=seeded()),
            "way='pixels' is not one of image, latent",
        ),
    ],
)
def test_wrong_arguments_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong(ExactDenoiser(Correlated(), VP()), KNOWN[:4])
