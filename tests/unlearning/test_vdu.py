"""VDU's weights compared with the printed formula and the variational bound, its estimate with the full sum."""

import copy

import pytest
import torch
from torch import nn

from paperlib.denoiser import Denoised, Denoiser
from paperlib.likelihood.bound import variational_bound
from paperlib.processes import DDPM, VE, VP, SubVP
from paperlib.unlearning.posterior import Posterior, posterior
from paperlib.unlearning.vdu import plasticity, step_weights, vdu
from tests.oracles import D_F, assert_mean, every_process, network, seeded
from tests.unlearning.toys import FORGET, fresh, share_of, trained

GRIDS = {"linear": DDPM.linear(1000), "cosine": DDPM.cosine(200), "VDU's CIFAR-10": DDPM.linear(500, 2e-4, 0.04)}
FORGOTTEN = D_F.sample(40, seeded(20))


class Shrinking:
    """A model with eps = c x_t, whose expected squared error at a data point is known."""

    def __init__(self, process, c=0.3):
        self.process, self.c = process, c

    def __call__(self, x_t, t, cond=None):
        eps = self.c * x_t
        return Denoised(x0=eps, eps=eps, score=eps)

    def error(self, x0, t):
        """Return E|z - c (alpha x_0 + sigma z)|^2 = (1 - c sigma)^2 D + c^2 alpha^2 |x_0|^2."""
        alpha, sigma = self.process.alpha(t), self.process.sigma(t)
        return (1 - self.c * sigma) ** 2 * x0[0].numel() + (self.c * alpha) ** 2 * x0.double().square().sum()


class Untouchable:
    """Retained data that must not be used."""

    def __getattribute__(self, name):
        raise AssertionError(f"retained data were asked for {name}")

    def __len__(self):
        raise AssertionError("retained data were counted")

    __iter__ = __getitem__ = __len__


# --- the weights


@pytest.mark.parametrize("process", GRIDS.values(), ids=GRIDS)
def test_the_weights_are_eq_3_s_from_t_2(process):
    """They are (1 - alpha_t) / (alpha_t (1 - abar_{t-1})) from the grid's own numbers, and half of that."""
    last = round(process.t_max * process.T)
    k = torch.arange(2, last + 1)
    beta, abar = process.betas[k - 1], torch.cumprod(1 - process.betas, 0)[k - 2]
    times, weights = step_weights(process)
    torch.testing.assert_close(times, k.double() / process.T, rtol=1e-12, atol=0)
    torch.testing.assert_close(weights, beta / ((1 - beta) * (1 - abar)), rtol=1e-8, atol=0)
    assert torch.equal(step_weights(process, variant="corrected")[1], weights / 2)


@pytest.mark.parametrize("process", [VE(), VP(), SubVP()], ids=["VE", "VP", "sub-VP"])
def test_another_process_has_a_grid_where_every_step_weighs_the_same(process):
    times, weights = step_weights(process, T=50)
    assert len(times) == len(weights) == 49 and times[-1].item() == pytest.approx(process.t_max)
    torch.testing.assert_close(weights, weights[:1].expand(49), rtol=1e-6, atol=0)
    snr = torch.exp(-2 * process.log_ratio(torch.cat([torch.tensor([process.t_min]).double(), times])))
    torch.testing.assert_close(weights, snr[:-1] / snr[1:] - 1, rtol=1e-6, atol=0)
    assert len(step_weights(process)[0]) == 999


@pytest.mark.parametrize("process", [DDPM.linear(6, 0.01, 0.3), VP()], ids=["DDPM", "VP"])
def test_the_corrected_sum_is_the_steps_part_of_the_variational_bound(process):
    """The bound's steps are KL divergences, from another formula; both sums have the same expectation."""
    T = None if isinstance(process, DDPM) else 6
    times, weights = step_weights(process, variant="corrected", T=T)
    model, x0 = network(process, data_std=2.0), FORGOTTEN[:1].expand(20_000, 2)
    grid = torch.cat([torch.tensor([process.t_min]).double(), times])
    bound = variational_bound(model, x0, generator=seeded(1), grid=grid, levels=None, clip=False).steps.sum(1)
    with torch.no_grad():
        mine = plasticity(model, x0, seeded(2), times=times, weights=weights)
    error = (bound.var() / len(bound) + mine.double().var() / len(mine)).sqrt()
    assert abs(mine.double().mean() - bound.mean()) < 4.5 * error
    assert error < 0.03 * bound.mean()  # a factor of 2 would show


# --- the estimate


@pytest.mark.parametrize("sampling", ["weights", "uniform"])
@every_process
def test_the_estimate_is_unbiased_for_the_sum_over_data_and_steps(process, sampling):
    """The sum over a batch of all data, averaged over 300 batches, equals the closed form."""
    T = None if isinstance(process, DDPM) else 100
    times, weights = step_weights(process, T=T)
    model = Shrinking(process)
    expected = sum((weights * model.error(x[None], times)).sum() for x in FORGOTTEN)
    generator, settings = seeded(3), {"times": times, "weights": weights, "sampling": sampling}
    draws = [plasticity(model, FORGOTTEN, generator, **settings).double().sum() for _ in range(300)]
    assert_mean(torch.stack(draws), expected)


def test_each_row_of_a_batch_is_unbiased():
    """The times of a batch are evenly spaced, but each row's time still has the right distribution."""
    process = GRIDS["linear"]
    times, weights = step_weights(process)
    model, x0 = Shrinking(process), FORGOTTEN[:1].expand(16, 2)
    expected = (weights * model.error(x0[:1], times)).sum()
    generator = seeded(4)
    rows = torch.stack([plasticity(model, x0, generator, times=times, weights=weights) for _ in range(600)])
    assert_mean(rows, expected)  # 16 comparisons


def run(model=None, forget=FORGOTTEN, retain=None, seed=0, **settings):
    defaults = {"generator": seeded(seed), "steps": 6, "batch_size": 16, "lr": 1e-3, "posterior": 0.1, "ema": 0.5}
    return vdu(model or network(GRIDS["linear"], predicts="eps"), forget, retain, **defaults | settings)


@pytest.mark.parametrize("normalised", [False, True])
def test_the_loss_is_eq_3_of_its_two_terms(normalised):
    model, prior = network(VP(), seed=1), posterior([network(VP(), seed=seed) for seed in (2, 3)])
    _, weights = step_weights(VP(), T=30)
    for variant, factor in (("paper", 1), ("corrected", 1 if normalised else 0.5)):
        settings = {"posterior": prior, "T": 30, "variant": variant, "normalised": normalised, "gamma": 0.3}
        losses = run(model, **settings).objective(model, seeded(5), 0)
        torch.testing.assert_close(losses["loss"], 0.3 * losses["stability"] - 0.7 * losses["plasticity"])
        x0 = FORGOTTEN[torch.randint(len(FORGOTTEN), (16,), generator=(generator := seeded(5)))]
        rows = plasticity(model, x0, generator, times=step_weights(VP(), T=30)[0], weights=weights)
        A, B = len(FORGOTTEN) * rows.mean() * factor, prior.like(model).stability(model)
        if normalised:
            A, B = A / (len(FORGOTTEN) * weights.sum() * 2), B / sum(p.numel() for p in model.parameters())
        torch.testing.assert_close(losses["plasticity"], A, check_dtype=False)
        torch.testing.assert_close(losses["stability"], B)


def test_normalised_terms_do_not_grow_with_data_steps_pixels_or_weights():
    """With w = 0, |z - w|^2 is 1 per pixel; one standard deviation per weight gives 1/2."""

    class Nothing(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.zeros(7))

        def forward(self, x, time, cond=None):
            return 0 * self.w.sum() + torch.zeros_like(x)

    for shape, T in (((50, 3), 20), ((900, 1, 8, 8), 400)):
        model = Denoiser(Nothing(), VP(), predicts="eps")
        prior = Posterior({"net.w": torch.ones(7)}, {"net.w": torch.ones(7)}, 2, 0.0)
        settings = {"posterior": prior, "T": T, "normalised": True, "batch_size": 4000}
        losses = run(model, torch.zeros(shape), **settings).objective(model, seeded(6), 0)
        assert losses["plasticity"].item() == pytest.approx(1, abs=0.1)  # 4.5 sqrt(2 / 12,000) = 0.06
        assert losses["stability"].item() == 0.5


# --- the call


@pytest.mark.parametrize("conditional", [False, True], ids=["unconditional", "conditional"])
def test_unlearning_repeats_resumes_leaves_its_model_alone_and_looks_at_no_retained_data(conditional, tmp_path):
    model, state = fresh(conditional), torch.get_rng_state()
    before, settings = copy.deepcopy(model.state_dict()), {"forget": FORGET, "retain": Untouchable(), "T": 20}
    whole = run(model, **settings)
    losses = [step.losses for step in whole]
    assert all(step.keys() == {"loss", "plasticity", "stability"} for step in losses)
    assert whole.gradient_evaluations == 6  # the stability term needs no pass
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    cut = run(model, **settings)
    first = [next(iter(cut)).losses, next(iter(cut)).losses]
    torch.save(cut.state_dict(), tmp_path / "state.pt")
    resumed = run(model, seed=5, **settings)
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert first + [step.losses for step in resumed] == losses
    mine, theirs = resumed.model.state_dict(), whole.model.state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    assert not all(torch.equal(mine[name], before[name]) for name in before)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("settings", [{"steps": 0}, {"gamma": 1.0}], ids=["no steps", "only stay"])
def test_nothing_to_do_leaves_the_same_bits(settings):
    model = network(GRIDS["linear"], predicts="eps")
    trained = run(model, **settings).run()
    assert all(torch.equal(value, trained.state_dict()[name]) for name, value in model.state_dict().items())


def test_a_transplanted_model_unlearns_on_its_new_grid():
    """As in VDU's CIFAR-10 setting: trained with T = 4000 on a cosine grid, unlearned with 500 on a linear one."""
    model = network(DDPM.cosine(4000), predicts="eps").with_process(GRIDS["VDU's CIFAR-10"], match="index")
    assert [step.index for step in run(model, steps=2)] == [1, 2]


def test_a_conditional_model_unlearns_under_the_forgotten_label():
    """Only that label's embedding moves, since with gamma 0 there is no stability term."""
    model = fresh(True)
    trained = run(model, FORGET, gamma=0.0, T=20, ema=0.0).run()
    moved = (trained.net.labels.weight != model.net.labels.weight).any(1)
    assert moved.tolist() == [True, False, False, False]


@pytest.mark.parametrize("conditional", [False, True], ids=["unconditional", "conditional"])
def test_three_clusters_so_far_apart_that_it_must_forget_one(conditional):
    model, label = trained(conditional), 0 if conditional else None
    settings = {"posterior": 0.02, "gamma": 0.5, "T": 50, "steps": 60, "batch_size": 64, "lr": 2e-3, "ema": 0.0}
    unlearned = run(model, FORGET, normalised=True, **settings).run()
    before, after = share_of(model, 0, label), share_of(unlearned, 0, label)
    assert before > (0.9 if conditional else 0.2) and after < before / 4
    if conditional:
        assert share_of(unlearned, 1, 1) > 0.5


def test_the_stability_holds_the_weights_back():
    model = trained(False)

    def distance(gamma):
        settings = {"posterior": 0.02, "T": 50, "steps": 30, "lr": 2e-3, "ema": 0.0, "normalised": True}
        unlearned = run(model, FORGET, gamma=gamma, **settings).run()
        return sum((p - q).square().sum() for p, q in zip(unlearned.parameters(), model.parameters())).item()

    assert distance(0.9) < 0.5 * distance(0.0)


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"gamma": -0.1}, r"gamma=-0.1 is not in \[0, 1\]"),
        ({"gamma": 1.1}, r"gamma=1.1 is not in \[0, 1\]"),
        ({"variant": "code"}, "variant='code' is not one of paper, corrected"),
        ({"sampling": "all"}, "sampling='all' is not one of weights, uniform"),
        ({"posterior": 0.0}, "sigma=0.0 is not positive"),
        ({"posterior": posterior([network(VP(), width=8, seed=s) for s in (0, 1)])}, "is of another network"),
        ({"T": 500}, "T=500: this DDPM's grid has its own 1000 steps; model.with_process"),
        ({"model": network(VP()), "T": 1}, "T=1 is below 2"),
        ({"lr": -1.0}, "lr=-1.0 is negative"),
    ],
)
def test_wrong_settings_are_refused_at_the_call(wrong, message):
    with pytest.raises(ValueError, match=message):
        run(**wrong)
