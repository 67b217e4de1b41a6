"""Classifier-free guidance compared with its definition, and exact samples of known guided densities."""

import pytest
import torch
from torch import nn

from paperlib.data.mixture import GaussianMixture
from paperlib.denoiser import Denoiser, ExactDenoiser
from paperlib.guidance import Guided
from paperlib.nets.unet import UNet
from paperlib.processes import VP, normal
from paperlib.sampling import dpmpp_2m, sample
from tests.oracles import assert_mean, every_process, inner_times, seeded


def unet_model(process=None):
    net = UNet(8, 1, channels=8, multipliers=(1, 2), blocks=1, classes=3)
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.2, generator=seeded())
    return Denoiser(net, process or VP(), predicts="eps").eval()


@every_process
@torch.no_grad()
def test_guidance_extrapolates_from_the_null_label_in_every_view(process):
    model, labels = unet_model(process), torch.tensor([0, 2, 1, 0])
    t, x_t = inner_times(process)[3:7].float(), normal((4, 1, 8, 8), seeded(1))
    with_label, without = model(x_t, t, labels), model(x_t, t)
    guided = Guided(model, 2.0)(x_t, t, labels)
    for view in ("x0", "eps", "score"):
        c, u = getattr(with_label, view), getattr(without, view)
        assert torch.allclose(getattr(guided, view), 3 * c - 2 * u, rtol=1e-4, atol=1e-4 * c.abs().max().item())


@torch.no_grad()
def test_weights_0_and_minus_1_are_the_two_models_and_each_row_has_its_own_label():
    model, labels = unet_model(), torch.tensor([0, 2, 1, 0])
    t, x_t = torch.tensor(0.4), normal((4, 1, 8, 8), seeded(1))
    assert torch.allclose(Guided(model, 0.0)(x_t, t, labels).eps, model(x_t, t, labels).eps, atol=1e-5)
    assert torch.allclose(Guided(model, -1.0)(x_t, t, labels).eps, model(x_t, t).eps, atol=1e-5)
    one = Guided(model, 2.0)(x_t[1:2], t, labels[1:2]).eps
    assert torch.allclose(one, Guided(model, 2.0)(x_t, t, labels).eps[1:2], atol=1e-5)


class TwoGaussians:
    """The exact denoiser of N(1, I) if cond > 0, else of N(0, I)."""

    def __init__(self, process):
        self.process = process
        self.models = [ExactDenoiser(GaussianMixture((1.0,), ((m, m),)), process) for m in (0.0, 1.0)]

    def __call__(self, x_t, t, cond=None):
        views = [model(x_t, t) for model in self.models]
        mixed = {v: torch.where(cond[:, None] > 0, getattr(views[1], v), getattr(views[0], v)) for v in vars(views[0])}
        return type(views[0])(**mixed)


def test_guided_samples_of_gaussians_are_the_extrapolated_gaussian():
    """For N(1, I) and N(0, I), p(x given c)^3 / p(x)^2 is N(3, I) at t = 0 and, on this process, at every t."""
    guided, n = Guided(TwoGaussians(VP()), 2.0, null=0), 4000
    last = sample(guided, (n, 2), generator=seeded(), cond=torch.ones(n), sampler=dpmpp_2m, steps=60)
    assert last.evaluations == 120  # two per image and step
    assert_mean(last.x, 3.0)
    assert_mean((last.x.double() - 3) ** 2, 1.0)


def test_guidance_needs_a_condition_and_a_null_one():
    with pytest.raises(ValueError, match="null=None: this model's network has no label of its own"):
        Guided(TwoGaussians(VP()), 2.0)
    with pytest.raises(ValueError, match="cond=None: guidance needs a condition"):
        Guided(unet_model(), 2.0)(torch.zeros(1, 1, 8, 8), torch.tensor(0.5))
