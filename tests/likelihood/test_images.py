"""Bits per dimension of 8-bit images: exact for levels with known probabilities, with the variances told apart."""

import math

import pytest
import torch
from scipy import stats

from paperlib.data import sets
from paperlib.data.images import model_input
from paperlib.denoiser import Denoised, Denoiser
from paperlib.likelihood.bound import chain
from paperlib.likelihood.fast import fast_log_likelihood
from paperlib.likelihood.images import ImageNLL, image_bound, image_nll, mean_interval
from paperlib.likelihood.units import LEVELS_OFFSET, bits_per_dim
from paperlib.processes import DDPM, VE, VP
from tests.likelihood.test_bound import GaussianDenoiser
from tests.oracles import STANDARD_ERRORS, assert_mean, seeded


def every_level():
    """Return images of one pixel, one for each level."""
    return torch.arange(256, dtype=torch.uint8).reshape(256, 1, 1, 1)


def level_bits(mean, spread):
    """Return -log2 of the probability of each level, a bin of width 1 / 128, under N(mean, spread^2)."""
    edges = (torch.arange(257, dtype=torch.float64) / 128 - 1 - mean) / spread
    return -torch.special.ndtr(edges).diff().log2()


class Scaled(torch.nn.Module):
    """A network with one weight."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor(0.1))

    def forward(self, x, time, cond=None):
        return self.scale * x


class Mixed:
    """A denoiser with a full Jacobian: every pixel depends on its neighbour, so that probes matter."""

    def __init__(self, process):
        self.process, self.exact = process, GaussianDenoiser(process, 0.0, 0.5)

    def __call__(self, x_t, t, cond=None):
        found = self.exact(x_t, t)
        eps = found.eps + 0.3 * torch.tanh(x_t.flip(3).roll(1, 2))
        return Denoised(x0=found.x0, eps=eps, score=found.score)


# --- the ODE


def test_a_model_in_float64_is_given_images_in_float64():
    """As in sampling; the values agree up to float32's rounding."""
    images, found = every_level()[::32], {}
    for kind in (torch.float32, torch.float64):
        model = Denoiser(Scaled(), VP(), data_std=0.5).to(kind)
        nll = image_nll(model, images, generator=seeded(), divergence="exact", steps=4)
        bound = image_bound(model, images, generator=seeded(), grid=chain(VP(), 4))
        found[kind] = torch.cat([nll.per_image, bound.per_image])
    assert torch.allclose(*found.values(), rtol=1e-3)


@pytest.mark.parametrize("process", [VP(), VE(sigma_min=1e-3)], ids=["VP", "VE"])
def test_levels_have_the_probabilities_of_their_bins(process):
    """A Gaussian of spread 0.3 is nearly constant across a bin of 1 / 128, so Jensen's gap is negligible, and the mean
    over dequantisations is the bin's probability.

    The gap is (slope * width)^2 / 24 nats, 1e-3 within two spreads; the noise at t_min, 1e-3, widens 0.3 by 2e-6.
    """
    model, images = GaussianDenoiser(process, 0.1, 0.3), every_level()
    settings = {"dequantisations": 20, "divergence": "exact", "steps": 16, "batch_size": len(images)}
    nll = image_nll(model, images, generator=seeded(), **settings)
    inside = (model_input(images).flatten() - 0.1).abs() < 0.6
    exact = level_bits(0.1, 0.3)[inside]
    errors = nll.values[inside].mean(2).std(1) / 20**0.5
    bound = stats.t.isf(stats.norm.sf(STANDARD_ERRORS), 19)  # the error is itself an estimate, from 20 draws
    assert ((nll.per_image[inside] - exact).abs() < bound * errors + 2e-3).all()
    # The misfit of the prior, and the bins beyond the ends: Phi(-3) = 0.001
    assert torch.exp2(-nll.per_image).sum().item() == pytest.approx(1, abs=5e-3)


def test_an_image_s_value_is_its_density_plus_seven_bits():
    """By hand with the same draws: one dequantisation, then the probes, batch by batch."""
    images, model = torch.randint(256, (5, 1, 4, 4), generator=seeded(1), dtype=torch.uint8), Mixed(VP())
    nll = image_nll(model, images, generator=seeded(), probes=2, batch_size=3, steps=4)
    generator, rows = seeded(), []
    for part in images.split(3):
        x = model_input(part, generator, dequantise=True)
        log_p = fast_log_likelihood(model, x, probes=2, generator=generator, steps=4).log_p
        rows.append(-log_p.T / (16 * math.log(2)) + 7)
    assert torch.allclose(nll.values[:, 0], torch.cat(rows), rtol=1e-12)
    assert nll.values.shape == (5, 1, 2) and nll.evaluations == 17 and nll.derivatives == 13
    assert LEVELS_OFFSET == 7 == math.log2(128)


def test_the_offset_makes_an_even_density_cost_eight_bits():
    """A density of 1/2 on [-1, 1] costs log 2 nats per dimension."""
    assert bits_per_dim(torch.tensor([math.log(2)]), 1, LEVELS_OFFSET).item() == pytest.approx(8)


def test_variances_are_those_that_went_in():
    """For made-up values with known variances of images, dequantisations and probes: 4, 1 and 0.25."""
    n, k, p = 3000, 3, 4
    draws = [torch.randn(shape, generator=seeded(i)) for i, shape in enumerate([(n, 1, 1), (n, k, 1), (n, k, p)])]
    nll = ImageNLL((2 * draws[0] + draws[1] + 0.5 * draws[2]).double(), 1.0, 1.0)
    # the relative error of a variance from f draws is below 4.5 sqrt(2 / f)
    assert nll.variances["probes"] == pytest.approx(0.25, rel=4.5 * (2 / (n * k * (p - 1))) ** 0.5)
    assert nll.variances["dequantisations"] == pytest.approx(1, rel=1.1 * 4.5 * (2 / (n * (k - 1))) ** 0.5)
    assert nll.variances["images"] == pytest.approx(4, rel=1.2 * 4.5 * (2 / n) ** 0.5)
    low, high = nll.interval
    assert (high - low) / 2 == pytest.approx(1.96 * ((4 + 1 / 3 + 0.25 / 12) / n) ** 0.5, rel=0.06)
    low, high = nll.repeat_interval
    assert (high - low) / 2 == pytest.approx(1.96 * ((1 + 0.25 / 4) / (n * k)) ** 0.5, rel=0.06)
    assert low < nll.mean < high


def test_what_was_not_repeated_has_no_variance_of_its_own():
    one = ImageNLL(torch.randn(50, 1, 1, generator=seeded()).double(), 1.0, 1.0)
    assert one.variances["probes"] is None and one.variances["dequantisations"] is None
    assert one.variances["images"] == pytest.approx(one.values.var().item())
    assert one.repeat_interval is None and one.interval is not None
    assert ImageNLL(torch.zeros(1, 1, 1), 1.0, 1.0).interval is None


def test_repeats_leave_the_mean_where_it_is_and_shrink_its_repeat_interval():
    images, model = torch.randint(256, (24, 1, 4, 4), generator=seeded(1), dtype=torch.uint8), Mixed(VP())
    few = image_nll(model, images, generator=seeded(2), dequantisations=2, steps=4)
    many = image_nll(model, images, generator=seeded(3), dequantisations=8, probes=4, steps=4)
    widths = [(high - low) / 2 for low, high in (few.repeat_interval, many.repeat_interval)]
    assert widths[1] < widths[0]
    assert abs(few.mean - many.mean) < STANDARD_ERRORS / 1.96 * (widths[0] ** 2 + widths[1] ** 2) ** 0.5
    assert many.variances["probes"] > 0 and many.variances["images"] > 0


def test_intervals_cover_the_mean_as_often_as_they_say():
    """Of 4,000 intervals from 5 normal draws, 95 % cover, within 4.5 standard errors of a share."""
    draws = torch.randn(4000, 5, generator=seeded()).double()
    hits = torch.tensor([low < 0 < high for low, high in map(mean_interval, draws)]).double()
    assert_mean(hits, 0.95)


# --- the bound


def test_the_bound_of_levels_is_just_above_their_entropy():
    """A chain that knows its data, a Gaussian of spread 0.3, cannot beat their entropy. A DDPM of 1000 steps with the
    large variance, correct for data wider than the noise, comes to within a twentieth of a bit: its first noise level,
    0.01, is wider than a bin of 1 / 128. The small variance costs about (r - 1 - log r) / 2 nats more at a step that
    multiplies the noise-to-signal variance by r: half a bit in all, most of it at the first step, where r = 2.2."""
    model = GaussianDenoiser(DDPM.linear(), 0.0, 0.3)
    edges = torch.arange(257, dtype=torch.float64) * 2 / 255 - 1 - 1 / 255  # for the decoder's levels
    probability = torch.special.ndtr(edges / 0.3).diff()
    entropy = -(probability * probability.log2()).sum().item()
    copies, mean, error = 16, {}, {}
    for variance in ("large", "small"):
        images = every_level().repeat(copies, 1, 1, 1)
        bound = image_bound(model, images, generator=seeded(), variance=variance, batch_size=len(images))
        means = bound.per_image.reshape(copies, 256) @ probability
        mean[variance], error[variance] = means.mean().item(), STANDARD_ERRORS * means.std().item() / copies**0.5
    assert entropy - error["large"] < mean["large"] < entropy + 0.05
    ratio = torch.expm1(2 * model.process.log_ratio(chain(model.process)).diff())  # r - 1
    more = 0.5 * (ratio - torch.log1p(ratio)).sum().item() / math.log(2)
    assert mean["small"] - mean["large"] == pytest.approx(more, abs=0.1 * more + error["small"] + error["large"])


def test_the_bound_s_terms_are_in_bits_a_dimension_and_add_up():
    data, model = sets.load("digits", "test", n=12), GaussianDenoiser(DDPM.linear(50), -0.4, 0.75)
    bound = image_bound(model, data.images, generator=seeded(), batch_size=5, variance="large")
    assert bound.steps.shape == (12, 49) and bound.prior.shape == bound.decoder.shape == (12,)
    assert bound.times.shape == (12, 49) and bound.evaluations == 50
    assert torch.allclose(bound.per_image, bound.prior + bound.steps.sum(1) + bound.decoder)
    parts = bound.terms
    assert bound.mean == pytest.approx(sum(mean for mean, _ in parts.values()))
    low, high = bound.interval
    assert low < bound.mean < high and parts["decoder"][1][0] < parts["decoder"][0]
    # the prior's term in closed form is alpha^2 |x|^2 / 2 alone, since the prior's spread is sigma_T
    x0 = model_input(data.images).double().flatten(1)
    alpha, sigma = model.process.abar[-1].sqrt().item(), model.process.prior_std()
    assert torch.allclose(bound.prior, alpha**2 * x0.square().sum(1) / (2 * sigma**2) / (64 * math.log(2)), rtol=1e-5)


def test_conditions_follow_their_images():
    class Labelled:
        process = DDPM.linear(10)

        def __call__(self, x_t, t, cond=None):
            assert cond.shape == (len(x_t),)
            return GaussianDenoiser(self.process, 0.1, 0.3)(x_t - cond[:, None, None, None], t)

    images, labels = every_level()[:7], torch.arange(7).float()
    settings = {"cond": labels, "batch_size": 3}
    assert len(image_bound(Labelled(), images, generator=seeded(), **settings).per_image) == 7
    assert len(image_nll(Labelled(), images, generator=seeded(), steps=2, **settings).per_image) == 7
    tight = image_nll(Labelled(), images, generator=seeded(), tolerance=1e-2, **settings)
    assert len(tight.per_image) == 7


# --- errors


@pytest.mark.parametrize("function", [image_nll, image_bound])
def test_only_8_bit_images_have_bits(function):
    for wrong in (torch.zeros(2, 1, 4, 4), torch.zeros(2, 4, 4, dtype=torch.uint8), every_level()[:0]):
        with pytest.raises(ValueError, match="images must be uint8"):
            function(Mixed(VP()), wrong, generator=seeded())
    with pytest.raises(ValueError, match="batch_size=0 is not a whole number of at least 1"):
        function(Mixed(VP()), every_level(), generator=seeded(), batch_size=0)


def test_numbers_of_repeats_and_levels_are_checked():
    with pytest.raises(ValueError, match="dequantisations=0 is not a whole number of at least 1"):
        image_nll(Mixed(VP()), every_level(), generator=seeded(), dequantisations=0)
    with pytest.raises(ValueError, match="probes=0 is not a whole number of at least 1"):
        image_nll(Mixed(VP()), every_level(), generator=seeded(), probes=0)
    with pytest.raises(ValueError, match="levels=None: uint8 images have 256"):
        image_bound(Mixed(VP()), every_level(), generator=seeded(), levels=None)
