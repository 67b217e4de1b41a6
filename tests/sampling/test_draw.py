"""Properties of every sampler on every process: costs, ends, randomness, conditions, modes; and sampling in batches."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Normal

from paperlib.data.mixture import SGU_MIXTURE
from paperlib.denoiser import Denoiser, ExactDenoiser
from paperlib.processes import VE, VP, normal
from paperlib.sampling import ddim, ddpm, heun, prior, sample, sample_batches
from paperlib.sampling.walk import evaluating
from tests.oracles import GAUSSIAN, PROCESSES, assert_mean, every_process, network, seeded
from tests.sampling.affine import COST, ODE, SAMPLERS, STOCHASTIC, Counting, every_sampler, moments


@every_process
@pytest.mark.parametrize("name", [name for name in SAMPLERS if name != "predictor-corrector"])
def test_samples_of_gaussian_data_have_the_moments_within_standard_errors(process, name, monkeypatch):
    """Draws are compared with the sampler's own exact moments at this number of steps, with default settings."""
    steps = 60
    mean, variance = moments(SAMPLERS[name], process, steps, monkeypatch)
    model, n = ExactDenoiser(GAUSSIAN, process), 4000
    x = sample(model, (n, 2), generator=seeded(1), sampler=SAMPLERS[name], steps=steps).x.double()
    assert_mean(x, mean)
    assert_mean((x - mean) ** 2, variance)


@every_process
@every_sampler
def test_the_mixture_s_regions_are_hit_in_their_exact_shares(process, name):
    """Along u = (x1 + x2) / sqrt 2 the means are at -2 sqrt 2, 0 and 2 sqrt 2, with borders half way between.

    Binomial standard errors are 0.015 at n = 1000; the bias of first-order samplers at 200 steps is below 0.01.
    """
    n, steps = 1000, 200 if name in STOCHASTIC or name == "DDIM" else 100
    model = ExactDenoiser(SGU_MIXTURE, process)
    x = sample(model, (n, 2), generator=seeded(2), sampler=SAMPLERS[name], steps=steps).x
    assert torch.isfinite(x).all()
    u, half = x.sum(1) / math.sqrt(2), math.sqrt(2)
    below, above = u < -half, u > half
    standard = Normal(0.0, 1.0)
    right = sum(
        w * (1 - standard.cdf(torch.tensor(half - centre))).item()
        for w, centre in zip(SGU_MIXTURE.weights, (-2 * half, 0.0, 2 * half))
    )
    for share, expected in ((below, right), (above, right), (~below & ~above, 1 - 2 * right)):
        error = math.sqrt(expected * (1 - expected) / n)
        assert abs(share.double().mean().item() - expected) < 4.5 * error


@every_process
@every_sampler
@pytest.mark.parametrize("denoise", [False, True])
def test_evaluations_and_times_are_reported(process, name, denoise):
    model = Counting(network(process))
    start = process.prior_std() * normal((3, 2), seeded())
    states = list(SAMPLERS[name](model, start, steps=7, generator=seeded(), denoise=denoise))
    cost = COST.get(name, 1)
    expected = [cost * k for k in range(1, 8)]
    if name.startswith("Heun") and denoise:
        expected[-1] -= 1  # one in the step to the data
    assert [state.evaluations for state in states] == expected
    assert len(model.times) == expected[-1]
    assert max(model.times) == pytest.approx(process.t_max)
    assert states[-1].t == (0 if denoise else pytest.approx(process.t_min))
    assert all(a.t > b.t for a, b in zip(states, states[1:]))
    assert min(model.times) >= process.t_min * (1 - 1e-6)
    assert all(not state.x.requires_grad for state in states)


@every_process
@every_sampler
def test_the_way_to_the_data_ends_in_the_prediction_of_x0(process, name):
    model, start = network(process), process.prior_std() * normal((3, 2), seeded())
    corrected = {"corrections": 0} if name == "predictor-corrector" else {}
    *_, before, last = SAMPLERS[name](model, start, steps=5, generator=seeded(), denoise=True, **corrected)
    with torch.no_grad():
        assert torch.allclose(last.x, model(before.x, torch.tensor(before.t)).x0, rtol=1e-5, atol=1e-5)


@every_sampler
def test_noise_given_is_where_sampling_starts(name):
    sampler, model, noise = SAMPLERS[name], network(VE()), normal((5, 2), seeded(3))
    kept = noise.clone()
    first = sample(model, (9, 9), generator=seeded(1), sampler=sampler, steps=4, noise=noise)
    *_, last = sampler(model, noise, steps=4, generator=seeded(1))
    assert torch.equal(first.x, last.x) and first.evaluations == last.evaluations
    assert torch.equal(noise, kept)
    other = sample(model, (5, 2), generator=seeded(1), sampler=sampler, steps=4, noise=noise + 1)
    assert not torch.equal(first.x, other.x)


@every_process
@every_sampler
def test_chance_comes_from_the_generator_alone_and_the_ode_reads_none(process, name):
    sampler, model, noise = SAMPLERS[name], network(process), normal((5, 2), seeded(3))
    state = torch.get_rng_state()

    def last(seed):
        return sample(model, (5, 2), generator=seeded(seed), sampler=sampler, steps=5, noise=noise).x

    assert torch.equal(last(1), last(1))
    assert torch.equal(last(1), last(2)) == (name in ODE)
    assert torch.equal(state, torch.get_rng_state())
    if name in ODE:
        assert len(list(sampler(model, noise, steps=5))) == 5
    else:
        with pytest.raises(ValueError, match="generator=None: this sampler draws noise"):
            list(sampler(model, noise, steps=5))


@every_process
def test_the_prior_has_the_spread_of_sigma_at_t_max(process):
    x = prior(network(process), (5000, 2), seeded())
    assert_mean(x, 0.0)
    assert_mean(x.double() ** 2, process.prior_std() ** 2)
    double = prior(network(process).double(), (5000, 2), seeded())
    assert x.dtype == torch.float32 and double.dtype == torch.float64 and torch.equal(double, x.double())


@every_sampler
def test_precision_is_the_model_s_and_the_numbers_agree(name):
    """With the same noise in both, float32 roundings of 6e-8 add up to 1e-3 over some steps of a curved network."""
    single, process = network(VP()), VP()
    settings = {"sampler": SAMPLERS[name], "steps": 5, "generator": seeded(1)}
    x = sample(single, (6, 2), **settings)
    settings["generator"] = seeded(1)
    y = sample(network(process).double(), (6, 2), **settings)
    assert x.x.dtype == torch.float32 and y.x.dtype == torch.float64
    assert torch.allclose(x.x.double(), y.x, rtol=1e-3, atol=1e-3 * y.x.abs().max().item())
    half = sample(single, (6, 2), noise=y.x, **settings)
    assert half.x.dtype == torch.float32


class Labelled(nn.Module):
    """A network that returns its condition, and has dropout in training mode."""

    def __init__(self):
        super().__init__()
        self.scale, self.drop, self.frozen = nn.Parameter(torch.ones(())), nn.Dropout(0.5), nn.BatchNorm1d(2).eval()
        self.seen = []

    def forward(self, x, time, cond):
        self.seen.append((self.training, self.drop.training, self.frozen.training, cond))
        return self.drop(self.scale * torch.tanh(x) + (0 if cond is None else cond[:, None]))


@every_sampler
def test_a_network_with_dropout_is_asked_in_evaluation_mode_and_left_in_its_own(name):
    model = Denoiser(Labelled(), VP(), predicts="eps")
    model.train()
    model.net.frozen.eval()
    assert model.net.training and not model.net.frozen.training
    run = SAMPLERS[name](model, normal((4, 2), seeded()), steps=3, generator=seeded())
    for _ in run:  # also between two states, since the caller may train in between
        assert model.training and model.net.drop.training and not model.net.frozen.training
    assert all(seen[:3] == (False, False, False) for seen in model.net.seen)
    assert model.net.scale.grad is None


def test_the_mode_is_put_back_after_an_error():
    model = network(VE()).train()
    with pytest.raises(RuntimeError, match="broken"), evaluating(model):
        assert not model.training
        raise RuntimeError("broken")
    assert all(module.training for module in model.modules())


@every_sampler
def test_the_condition_reaches_the_network_and_changes_what_comes_out(name):
    model, labels = Denoiser(Labelled(), VP(), predicts="eps"), torch.tensor([0.0, 1.0, 2.0, 3.0])
    settings = {"sampler": SAMPLERS[name], "steps": 3, "noise": normal((4, 2), seeded(3))}
    x = sample(model, (4, 2), generator=seeded(), cond=labels, **settings).x
    assert all(torch.equal(seen[3], labels) for seen in model.net.seen)
    unconditional = sample(model, (4, 2), generator=seeded(), **settings).x
    assert model.net.seen[-1][3] is None
    if name == "predictor-corrector":  # whose step size depends on the batch
        assert (x[1:] != unconditional[1:]).all()
    else:
        assert torch.equal(x[0], unconditional[0]) and (x[1:] != unconditional[1:]).all()


@every_process
@every_sampler
def test_clipping_bounds_the_prediction_that_a_step_is_made_of(process, name):
    model, start = network(process), process.prior_std() * normal((50, 2), seeded())
    settings = {"steps": 6, "generator": seeded(), "denoise": True}
    *_, free = SAMPLERS[name](model, start, **settings)
    *_, clipped = SAMPLERS[name](model, start, clip=0.5, **settings)
    assert free.x.abs().max() > 0.5 and clipped.x.abs().max() <= 0.5
    *_, wide = SAMPLERS[name](model, start, clip=1e9, **(settings | {"generator": seeded(0)}))
    settings["generator"] = seeded(0)
    *_, free = SAMPLERS[name](model, start, **settings)
    assert torch.allclose(wide.x, free.x, rtol=1e-2, atol=1e-2 * free.x.abs().max().item())  # cancellation in float32
    with pytest.raises(ValueError, match="clip=0 is not positive"):
        next(SAMPLERS[name](model, start, clip=0, **settings))


@pytest.mark.parametrize("batch", [1, 4, 10, 64])
def test_batches_are_the_whole_in_pieces(batch):
    """A deterministic sampler's results do not depend on the batch size, except for float32's rounding."""
    model, labels = Denoiser(Labelled(), VP(), predicts="eps"), torch.arange(10.0)
    settings = {"generator": seeded(1), "sampler": ddim, "steps": 4, "cond": labels}
    whole = sample(model, (10, 2), **settings)
    settings["generator"] = seeded(1)
    states = list(sample_batches(model, (10, 2), batch=batch, **settings))
    assert [len(state.x) for state in states] == [min(batch, 10 - k) for k in range(0, 10, batch)]
    assert all(state.evaluations == 4 for state in states)
    assert torch.allclose(torch.cat([state.x for state in states]), whole.x, atol=1e-5)


def test_batches_take_noise_and_any_sampler_and_refuse_none():
    model = network(VP())
    noise = prior(model, (6, 2), seeded(1))
    given = sample_batches(model, (6, 2), batch=4, generator=seeded(2), noise=noise, sampler=heun, steps=3)
    whole = sample(model, (6, 2), generator=seeded(3), noise=noise, sampler=heun, steps=3)
    assert torch.allclose(torch.cat([state.x for state in given]), whole.x, atol=1e-5)
    drawn = sample_batches(model, (6, 2), batch=4, generator=seeded(2), sampler=ddpm, steps=3)
    assert torch.isfinite(torch.cat([state.x for state in drawn])).all()
    with pytest.raises(ValueError, match="batch=0 is not a whole number of at least 1"):
        next(sample_batches(model, (6, 2), batch=0, generator=seeded(2)))


@every_sampler
@pytest.mark.parametrize("steps", [0, -3])
def test_no_steps_are_refused(name, steps):
    with pytest.raises(ValueError, match=f"steps={steps}: a sampler needs at least one"):
        sample(network(VE()), (5, 2), generator=seeded(), sampler=SAMPLERS[name], steps=steps)


@pytest.mark.slow
@every_sampler
def test_a_sampler_s_own_default_of_steps_is_sample_s(name):
    process = PROCESSES["DDPM cosine"] if name in STOCHASTIC else VP()
    model = ExactDenoiser(GAUSSIAN, process)
    states = list(SAMPLERS[name](model, normal((2, 2), seeded()), generator=seeded()))
    assert sample(model, (2, 2), generator=seeded(), sampler=SAMPLERS[name]).evaluations == states[-1].evaluations
    if name.startswith("DDPM"):
        assert len(states) == 999
