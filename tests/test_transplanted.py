"""A trained network on another noise process: as the same model of the data, or at the same index or fraction."""

import copy

import pytest
import torch
from torch import nn

from paperlib.data.mixture import GaussianMixture
from paperlib.denoiser import PREDICTIONS, Denoiser, ExactDenoiser, Transplanted
from paperlib.nets.mlp import MLP
from paperlib.processes import DDPM, VE, VP, normal
from paperlib.sampling import ddpm, sample
from tests.oracles import PROCESSES, assert_mean, every_process, inner_times, network, seeded
from tests.sampling.affine import moments

every_prediction = pytest.mark.parametrize("predicts", PREDICTIONS)
CENTRED = GaussianMixture((1.0,), ((0.0, 0.0),), 0.49)


class Knowing(nn.Module):
    """The exact network for CENTRED on one process, for any kind of prediction; its time is 1000 t."""

    null = 7

    def __init__(self, process, predicts):
        super().__init__()
        self.exact, self.predicts, self.asked = ExactDenoiser(CENTRED, process), predicts, []

    def forward(self, x, time, cond):
        self.asked.append(time / 1000)
        return getattr(self.exact(x, time / 1000), self.predicts)


def trained(process, predicts):
    """Return an exact model in float64; a fresh preconditioned one is exact for its own data_std."""
    net = MLP(2) if predicts == "preconditioned" else Knowing(process, predicts)
    return Denoiser(net, process, predicts=predicts, data_std=0.7).double()


@every_process
def test_the_time_of_a_ratio_is_its_inverse_and_stops_at_the_ends(process):
    t = inner_times(process)
    assert torch.allclose(process.time_of(process.log_ratio(t)), t, rtol=1e-9)
    ends = process.time_of(torch.tensor([-20.0, 20.0], dtype=torch.float64)).tolist()
    assert ends == pytest.approx([process.t_min, process.t_max], rel=1e-12)


@every_process
@every_prediction
@pytest.mark.parametrize("other", PROCESSES.values(), ids=PROCESSES.keys())
def test_at_equal_noise_an_exact_model_stays_exact(process, other, predicts):
    model, exact = trained(process, predicts).with_process(other), ExactDenoiser(CENTRED, other)
    t = inner_times(other)
    s, seen = other.log_ratio(t), process.log_ratio(torch.tensor([process.t_min, process.t_max]).double())
    t = t[(s > seen[0]) & (s < seen[1])]
    assert len(t) > 2
    x_t = torch.randn(len(t), 2, generator=seeded(), dtype=torch.float64)
    views, expected = model(x_t, t), exact(x_t, t)
    for view in ("x0", "eps", "score"):
        assert torch.allclose(getattr(views, view), getattr(expected, view), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("predicts", ["preconditioned", "x0"])
def test_beyond_the_training_s_noise_the_nearest_is_asked_and_the_views_agree(predicts):
    """Trained for sigma from 0.1 to 10, evaluated also at 0.01 and 50, where x0 is x_t or nearly the data's mean, 0."""
    model = trained(VE(0.1, 10.0), predicts).with_process(VE(0.01, 50.0))
    t, x_t = torch.tensor([1e-5, 1.0]).double(), torch.tensor([[0.5, -0.3], [40.0, -60.0]]).double()
    views, sigma = model(x_t, t), model.process.sigma(t)[:, None]
    assert torch.allclose(views.x0 + sigma * views.eps, x_t, rtol=1e-12)
    assert (views.x0[0] - x_t[0]).abs().max() < 0.02 and views.x0[1].abs().max() < 0.1


@every_prediction
def test_on_its_own_process_nothing_changes(predicts):
    for process in PROCESSES.values():
        model = network(process, predicts=predicts, data_std=1.7).double()
        t, x_t = inner_times(process), torch.randn(9, 2, generator=seeded(), dtype=torch.float64)
        expected = model(x_t, t)
        for match in ("snr", "index", "fraction") if isinstance(process, DDPM) else ("snr", "fraction"):
            views = model.with_process(process, match=match)(x_t, t)
            for view in ("x0", "eps", "score"):
                assert torch.allclose(getattr(views, view), getattr(expected, view), rtol=1e-6, atol=1e-6)


def test_index_and_fraction_ask_at_the_same_step_and_at_the_same_time():
    """At step 250 of VDU's setting: a cosine grid with T = 4000, then a linear one, T = 500, from 2e-4 to 0.04."""
    new, old = DDPM.linear(500, 2e-4, 0.04), DDPM.cosine(4000)
    model, x_t = trained(old, "eps"), torch.randn(3, 2, generator=seeded(), dtype=torch.float64)
    t = torch.tensor(250 / 500).double()
    alpha, sigma = new.alpha(t), new.sigma(t)
    for match, u in (("index", 250 / 4000), ("fraction", 0.5)):
        views = model.with_process(new, match=match)(x_t, t)
        assert model.net.asked[-1].tolist() == pytest.approx([u] * 3)
        assert torch.equal(views.eps, ExactDenoiser(CENTRED, old)(x_t, model.net.asked[-1]).eps)
        assert torch.allclose(alpha * views.x0 + sigma * views.eps, x_t) and torch.equal(
            views.score, -views.eps / sigma
        )
        x0_model = trained(old, "x0").with_process(new, match=match)
        views = x0_model(x_t, t)
        assert torch.equal(views.x0, ExactDenoiser(CENTRED, old)(x_t, x0_model.net.asked[-1]).x0)
        assert torch.allclose(alpha * views.x0 + sigma * views.eps, x_t)


def test_weights_are_shared_and_names_kept_and_copies_go_their_own_way():
    model = network(VP())
    moved = model.with_process(DDPM.linear())
    assert isinstance(moved, Denoiser) and moved.net is model.net
    assert moved.state_dict().keys() == model.state_dict().keys()
    again = moved.with_process(VE())
    assert isinstance(again, Transplanted) and again.trained is model.process
    with torch.no_grad():
        copied = copy.deepcopy(moved)
        copied.net.out.weight.add_(1)
    assert not torch.equal(copied.net.out.weight, model.net.out.weight)


def test_a_transplanted_model_is_sampled_on_its_new_grid(monkeypatch):
    """Compared with the exact moments of the sampler with the exact model on that grid."""
    process = DDPM.linear(T=200, beta_1=5e-4, beta_T=0.1)
    _, variance = moments(ddpm, process, 200, monkeypatch, data=CENTRED)
    model = trained(VP(), "preconditioned").float().with_process(process)
    last = sample(model, (4000, 2), generator=seeded(), sampler=ddpm)
    assert last.evaluations == 200
    assert_mean(last.x, 0.0)
    assert_mean(last.x.double() ** 2, variance)


def test_gradients_pass_through_to_the_input_and_the_weights():
    model, x_t = network(VP()).with_process(VE()), normal((3, 2), seeded()).requires_grad_()
    model(x_t, torch.tensor(0.5)).score.sum().backward()
    assert (x_t.grad != 0).all() and all(p.grad is not None for p in model.net.out.parameters())


def test_wrong_matches_are_refused():
    with pytest.raises(ValueError, match="match='time' is not one of snr, index, fraction"):
        network(VP()).with_process(VE(), match="time")
    with pytest.raises(ValueError, match="match='index' is for two DDPMs"):
        network(VP()).with_process(DDPM.linear(), match="index")
    with pytest.raises(ValueError, match="match='index': T=1000 exceeds the training's 500"):
        network(DDPM.linear(500)).with_process(DDPM.linear(), match="index")
