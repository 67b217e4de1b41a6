"""Denoising score matching against closed forms; the loop against one written out by hand; resuming to the bit."""

import copy
import math

import pytest
import torch
from scipy.integrate import quad
from scipy.stats import kstest

from paperlib.data.mixture import SGU_MIXTURE
from paperlib.denoiser import Denoised, Denoiser, ExactDenoiser
from paperlib.nets.mlp import MLP
from paperlib.processes import VE, VP
from paperlib.training import Training, batch, noised, score_matching, times
from tests.oracles import GAUSSIAN, STANDARD_ERRORS, assert_mean, every_process, network, seeded


class Scaled:
    """The exact denoiser with its eps multiplied."""

    def __init__(self, density, process, factor):
        self.exact, self.process, self.factor = ExactDenoiser(density, process), process, factor

    def __call__(self, x_t, t, cond=None):
        eps = self.factor * self.exact(x_t, t).eps
        return Denoised(x0=eps, eps=eps, score=eps)


def pairs(rows):
    """Antithetic rows k and B + k averaged: these are independent."""
    return rows.reshape(2, len(rows) // 2, *rows.shape[1:]).mean(0)


# --- denoising score matching


def residuals(process, factor, antithetic, n=40_000):
    """d/dc |z - c eps|^2 = -2 eps . (z - c eps) and the same derivative along other directions, a noisy row each."""
    x0 = SGU_MIXTURE.sample(n, seeded(1))
    model = Scaled(SGU_MIXTURE, process, factor)
    c = torch.tensor([1.0, 0.0, 0.0, 0.0], requires_grad=True)

    class Family:
        def __init__(self):
            self.process = process

        def __call__(self, x_t, t, cond=None):
            scale = process.sigma(t)[:, None] / (1 + process.variance(t)[:, None])
            directions = [model(x_t, t).eps, scale * x_t, torch.tanh(x_t.flip(1)), t[:, None].expand_as(x_t)]
            self.directions = torch.stack(directions, 2)  # [B, D, 4]
            self.eps = self.directions @ c
            return Denoised(x0=self.eps, eps=self.eps, score=self.eps)

    family = Family()
    loss = score_matching(family, x0, seeded(2), antithetic=antithetic)
    (rows,) = torch.autograd.grad(loss.sum(), family.eps)  # -2 (z - eps), one row each: rows do not mix
    slopes = (rows[..., None] * family.directions).sum(1).detach()
    return pairs(slopes) if antithetic else slopes


@every_process
@pytest.mark.parametrize("antithetic", [False, True])
def test_score_matching_is_stationary_at_the_exact_score(process, antithetic):
    assert_mean(residuals(process, 1.0, antithetic), 0.0)


@every_process
@pytest.mark.parametrize("factor", [0.9, 1.1, -1.0])
def test_score_matching_is_not_stationary_at_another_multiple_of_it(process, factor):
    """d/dc along factor * eps is 2 factor (factor - 1) E |eps|^2: its sign points back to one."""
    slope = residuals(process, factor, False)[:, 0]
    error = slope.std() / len(slope) ** 0.5
    assert slope.mean() / error * math.copysign(1, factor * (factor - 1)) > STANDARD_ERRORS


@every_process
@pytest.mark.parametrize("antithetic", [False, True])
def test_score_matching_s_least_value_is_the_closed_form_for_gaussian_data(process, antithetic):
    """E |z - eps|^2 = D (1 - sigma^2 / (alpha^2 v + sigma^2)), averaged over t; D = 2."""

    def least(t):
        t = torch.tensor(t, dtype=torch.float64)
        signal = (process.alpha(t) ** 2 * GAUSSIAN.variance).item()
        return 2 * signal / (signal + process.variance(t).item())

    n, span = 20_000, process.t_max - process.t_min
    expected = quad(least, process.t_min, process.t_max, limit=200, epsabs=1e-6)[0] / span
    rows = score_matching(
        ExactDenoiser(GAUSSIAN, process), GAUSSIAN.sample(n, seeded(1)), seeded(2), antithetic=antithetic
    )
    assert rows.shape == ((2 if antithetic else 1) * n,)
    assert_mean(pairs(rows) if antithetic else rows, expected)  # strata of t only make the true error smaller


def test_score_matching_is_the_weighted_error_of_the_score():
    """Eq. 5 and 8: sigma^2 |s - grad log p(x_t | x_0)|^2 row by row, the gradient being (alpha x_0 - x_t) / sigma^2."""
    model, x0 = network(VP(), data_std=2.0).double(), SGU_MIXTURE.sample(64, seeded(1)).double()
    rows = score_matching(model, x0, seeded(2))
    x_t, t, z = noised(model.process, x0, seeded(2))
    alpha, variance = model.process.alpha(t)[:, None], model.process.variance(t)[:, None]
    target = (alpha * x0 - x_t) / variance
    expected = (variance * (model(x_t, t).score - target) ** 2).sum(1)
    assert torch.allclose(rows, expected, rtol=1e-3)  # times are float32: near t_min, x_t - alpha x_0 has few digits


def test_score_matching_reads_images():
    def double(x_t, t, cond=None):
        return Denoised(x0=x_t, eps=0 * x_t, score=x_t)

    double.process = VP()
    rows = score_matching(double, torch.zeros(6, 3, 4, 4), seeded())
    _, _, z = noised(VP(), torch.zeros(6, 3, 4, 4), seeded())
    assert torch.allclose(rows, z.square().sum((1, 2, 3)))


# --- random times and antithetic noise


@every_process
def test_times_are_each_uniform_between_t_min_and_t_max(process):
    generator = seeded(4)
    t = torch.stack([times(7, process, generator) for _ in range(3000)])
    assert t.min() >= process.t_min and t.max() <= process.t_max
    u = (t - process.t_min) / (process.t_max - process.t_min)
    for k in (0, 3, 6):
        assert kstest(u[:, k].numpy(), "uniform").pvalue > 1e-4


@every_process
def test_times_are_evenly_spaced(process):
    u = (times(50, process, seeded()) - process.t_min) / (process.t_max - process.t_min)
    assert torch.allclose(u.sort().values.diff(), torch.tensor(1 / 50), atol=1e-5)  # float32, a few roundings of 1


@every_process
def test_stratified_times_are_unbiased_and_vary_less(process):
    """Means of t, sigma_t and cos(9 t): as from independent uniform draws, with a smaller spread over batches."""
    generator, span = seeded(5), process.t_max - process.t_min
    for h in (lambda t: t, process.sigma, lambda t: torch.cos(9 * t)):
        stratified = torch.stack([h(times(16, process, generator)).mean() for _ in range(800)])
        plain = h(process.t_min + span * torch.rand(800, 16, generator=generator)).mean(1)
        error = ((stratified.var() + plain.var()) / 800) ** 0.5
        assert (stratified.mean() - plain.mean()).abs() < STANDARD_ERRORS * error
        assert stratified.std() < plain.std() / 2


def test_antithetic_noise_is_unbiased_and_varies_less_at_low_noise():
    """Up to noise of a tenth of the data's scale E[z | x_t] is of the order 0.1 |x|, and the pair's z cancel."""
    process, x0 = VE(sigma_min=1e-3, sigma_max=0.1), SGU_MIXTURE.sample(20_000, seeded(1))
    model = ExactDenoiser(SGU_MIXTURE, process)

    def slopes(antithetic):  # the loss's derivative with respect to a constant shift of eps
        x_t, t, z = noised(process, x0, seeded(2), antithetic=antithetic)
        return -2 * (z - model(x_t, t).eps)

    plain, antithetic = slopes(False), pairs(slopes(True))
    error = (plain.var(0) / len(plain)) ** 0.5
    assert ((plain - antithetic).mean(0).abs() < STANDARD_ERRORS * error).all()
    assert (antithetic.std(0) < plain.std(0) / 5).all()


def test_antithetic_rows_share_data_and_time_and_oppose_their_noise():
    x0 = SGU_MIXTURE.sample(8, seeded(1))
    x_t, t, z = noised(VP(), x0, seeded(2), antithetic=True)
    assert len(x_t) == len(t) == len(z) == 16
    assert torch.equal(z[:8], -z[8:]) and torch.equal(t[:8], t[8:])
    assert torch.allclose(x_t[:8] + x_t[8:], 2 * VP().alpha(t[:8])[:, None] * x0, atol=1e-5)


def test_batches_are_drawn_with_replacement_from_all_rows():
    data = torch.arange(5.0)[:, None].expand(5, 2)
    rows = batch(data, 20_000, seeded())
    assert rows.shape == (20_000, 2) and torch.equal(rows[:, 0], rows[:, 1])
    assert_mean((rows[:, :1] == torch.arange(5.0)).double(), 0.2)


# --- the loop

DATA = SGU_MIXTURE.sample(500, seeded(7))


def objective(model, generator, index):
    loss = score_matching(model, batch(DATA, 32, generator), generator).mean()
    return {"loss": loss, "index": torch.tensor(float(index))}


def training(seed=0, **settings):
    defaults = {"steps": 12, "lr": 0.01, "generator": seeded(seed), "ema": 0.9, "warmup": 3, "decay": True}
    model = settings.pop("model", None) or Denoiser(MLP(2, width=8, depth=2), VE())
    return Training(model, objective, **defaults | settings)


@pytest.mark.parametrize("clip", [0.0, 0.05])
@pytest.mark.parametrize("ema", [0.0, 0.5, 0.999])
def test_the_loop_is_adam_with_warm_up_decay_clipping_and_averaging(clip, ema):
    """Rate lr min(1, (i + 1) / warmup) (1 + cos(pi i / steps)) / 2; averaging with min(ema, (1 + n) / (10 + n))."""
    model, steps, lr = network(VE()), 12, 0.01
    reference, generator = copy.deepcopy(model), seeded(3)
    adam = torch.optim.Adam(reference.parameters(), lr=lr)
    average = None
    for i in range(steps):
        adam.param_groups[0]["lr"] = lr * min(1, (i + 1) / 3) * 0.5 * (1 + math.cos(math.pi * i / steps))
        adam.zero_grad()
        score_matching(reference, batch(DATA, 32, generator), generator).mean().backward()
        if clip:
            norm = sum(p.grad.square().sum() for p in reference.parameters()).sqrt()
            for p in reference.parameters():
                p.grad *= min(1, clip / norm)
        adam.step()
        weights = [p.detach().clone() for p in reference.parameters()]
        decay = min(ema, (1 + i) / (10 + i))
        average = weights if i == 0 else [decay * a + (1 - decay) * w for a, w in zip(average, weights)]
    trained = training(model=model, steps=steps, lr=lr, generator=seeded(3), ema=ema, clip=clip).run()
    expected = average if ema else weights
    for mine, theirs in zip(trained.parameters(), expected):
        assert torch.allclose(
            mine, theirs, atol=2e-5
        )  # 12 updates in float32; Adam divides by small gradients' own size


def test_steps_report_index_losses_seconds_and_gradient_evaluations():
    steps = list(training())
    assert [step.index for step in steps] == list(range(1, 13))
    assert [step.losses["index"] for step in steps] == list(range(12))
    assert [step.gradient_evaluations for step in steps] == list(range(1, 13))  # one term beside the loss
    assert all(b.seconds > a.seconds > 0 for a, b in zip(steps, steps[1:]))


def test_training_learns():
    losses = [step.losses["loss"] for step in training(model=network(VE(), data_std=2.0), steps=200)]
    assert sum(losses[-50:]) < 0.5 * sum(losses[:50])


def test_the_same_generator_gives_the_same_weights_and_the_global_one_is_left_alone():
    model = network(VE())
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = training(model=model).run().state_dict()
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(2)
    second = training(model=model).run().state_dict()
    third = training(model=model, seed=1).run().state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], third[name]) for name in first)


def test_the_model_given_is_left_untouched():
    model = network(VE())
    before = copy.deepcopy(model.state_dict())
    trained = training(model=model).run()
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not torch.equal(trained.net.out.weight, model.net.out.weight)


@pytest.mark.parametrize("ema", [0.0, 0.9])
@pytest.mark.parametrize("cut", torch.randint(1, 12, (2,), generator=seeded(11)).tolist() + [0])
def test_a_resumed_run_equals_an_uninterrupted_one_to_the_bit(tmp_path, cut, ema):
    model = network(VE())
    whole = training(model=model, ema=ema)
    losses = [step.losses for step in whole]
    first, resumed = training(model=model, ema=ema), training(model=network(VE(), seed=9), seed=99, ema=ema)
    steps = iter(first)
    cut_losses = [next(steps).losses for _ in range(cut)]
    torch.save(first.state_dict(), tmp_path / "state.pt")
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    rest = list(resumed)
    assert cut_losses + [step.losses for step in rest] == losses
    assert [step.index for step in rest] == list(range(cut + 1, 13))
    mine, theirs = resumed.model.state_dict(), whole.model.state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)


def test_a_state_in_memory_stays_what_it_was():
    model = network(VE())
    run = training(model=model)
    steps = iter(run)
    next(steps)
    state = run.state_dict()
    rest = [step.losses for step in steps]
    for seed in (98, 99):  # a run that goes on from it does not alter it either
        resumed = training(model=model, seed=seed)
        resumed.load_state_dict(state)
        assert [step.losses for step in resumed] == rest


def test_a_loss_that_is_not_finite_stops_the_run_at_its_update_and_keeps_the_weights():
    def explodes(model, generator, index):
        loss = objective(model, generator, index)["loss"]
        return {"loss": loss / 0 if index == 4 else loss}

    run = Training(network(VE()), explodes, steps=12, lr=0.01, generator=seeded())
    steps = iter(run)
    for _ in range(4):
        next(steps)
    before = copy.deepcopy(run.model.state_dict())
    with pytest.raises(FloatingPointError, match="the loss is inf at update 5; the weights are those before it"):
        next(steps)
    assert run.index == 4
    assert all(torch.equal(before[name], value) for name, value in run.model.state_dict().items())


def test_the_iterator_can_be_left_and_taken_up_again():
    model = network(VE())
    run, whole = training(model=model), training(model=model)
    for step in run:
        if step.index == 5:
            break
    assert [step.index for step in run] == [6, 7, 8, 9, 10, 11, 12]
    expected = whole.run().state_dict()
    assert all(torch.equal(expected[name], value) for name, value in run.model.state_dict().items())
    assert list(run) == []


def test_no_steps_leave_the_weights_as_they_are():
    model = network(VE())
    trained = training(model=model, steps=0).run()
    assert all(torch.equal(value, trained.state_dict()[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"steps": -1}, "steps=-1 is negative"),
        ({"lr": -0.1}, "lr=-0.1 is negative"),
        ({"clip": -1.0}, "clip=-1.0 is negative"),
        ({"warmup": -5}, "warmup=-5 is negative"),
        ({"ema": 1.0}, r"ema=1.0 is not in \[0, 1\)"),
        ({"ema": -0.1}, r"ema=-0.1 is not in \[0, 1\)"),
    ],
)
def test_wrong_settings_are_refused_at_once(wrong, message):
    with pytest.raises(ValueError, match=message):
        training(**wrong)
