"""SGU's losses by hand on two points, their minimisers on the mixture, and the behaviour of the call."""

import copy
import inspect
import math

import pytest
import torch
from scipy.integrate import quad
from torch import nn

import paperlib.losses
import paperlib.unlearning.sgu
from paperlib.data.mixture import SGU_MIXTURE
from paperlib.denoiser import Denoised, Denoiser, ExactDenoiser, reinitialise
from paperlib.losses import batch, batch_loss, condition, noised, score_matching
from paperlib.processes import DDPM, VE, VP
from paperlib.training import Training
from paperlib.unlearning.sgu import FORGET_LOSSES, forget_loss, sgu
from paperlib.unlearning.unseen import unseen
from tests.oracles import D_F, D_G, GAUSSIAN, STANDARD_ERRORS, assert_mean, every_process, network, seeded
from tests.unlearning import toys

every_loss = pytest.mark.parametrize("loss, variant", [(a, b) for a in FORGET_LOSSES for b in FORGET_LOSSES[a]])

# --- by hand: eps = w = (1, 2) everywhere, two points with z_1 = (1/2, -1) and z_2 = (2, 1)
#
# L_g: |z_1 - w|^2 = 1/4 + 9 = 9.25, |z_2 - w|^2 = 1 + 1 = 2, mean 5.625
#      gradients 2 (w - z) = (1, 6), (-2, 2), mean (-1/2, 4)
# w . z_1 = 1/2 - 2 = -3/2, w . z_2 = 2 + 2 = 4
# orthogonal, paper: squares 2.25, 16, mean 9.125; gradients 2 (w . z) z = (-1.5, 3), (16, 8), mean (7.25, 5.5)
# orthogonal, code: (1/2)^2 + (-2)^2 = 4.25, 2^2 + 2^2 = 8, mean 6.125
#      gradients 2 w z^2 = (1/2, 4), (8, 4), mean (4.25, 4)
# obtuse, paper: mean of -1.5, 4 = 1.25; gradients z, mean (1.25, 0); obtuse, code: the opposite
# Eq. 11 at alpha = 3/4: 3/4 L_g + 1/4 L_f, and the same of the gradients
BY_HAND = {
    ("orthogonal", "paper"): {"rows": [2.25, 16.0], "L_f": 9.125, "loss": 6.5, "gradient": [1.4375, 4.375]},
    ("orthogonal", "code"): {"rows": [4.25, 8.0], "L_f": 6.125, "loss": 5.75, "gradient": [0.6875, 4.0]},
    ("obtuse", "paper"): {"rows": [-1.5, 4.0], "L_f": 1.25, "loss": 4.53125, "gradient": [-0.0625, 3.0]},
    ("obtuse", "code"): {"rows": [1.5, -4.0], "L_f": -1.25, "loss": 3.90625, "gradient": [-0.6875, 3.0]},
    # the base model's eps is w too: (w . w)^2 / |w|^2 = 5 with gradient 2 w, and |w + z|^2 / 2 with gradient w + z
    ("orthogonal", "corrected"): {"rows": [5.0, 5.0], "L_f": 5.0, "loss": 5.46875, "gradient": [0.125, 4.0]},
    ("obtuse", "corrected"): {"rows": [1.625, 9.0], "L_f": 5.3125, "loss": 5.546875, "gradient": [0.1875, 3.5]},
}
Z = torch.tensor([[0.5, -1.0], [2.0, 1.0]])


class Constant(nn.Module):
    """A network whose output is always w."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.tensor([1.0, 2.0]))

    def forward(self, x, time, cond=None):
        return self.w.expand_as(x)


@pytest.fixture
def two_points(monkeypatch):
    def fixed(process, x0, generator, **_):
        t = torch.tensor([0.2, 0.7])
        return process.perturb(torch.zeros(2, 2), t, Z), t, Z

    monkeypatch.setattr(paperlib.losses, "noised", fixed)
    monkeypatch.setattr(paperlib.unlearning.sgu, "noised", fixed)
    return Denoiser(Constant(), VP(), predicts="eps")


@every_loss
def test_values_by_hand(two_points, loss, variant):
    rows = forget_loss(two_points, torch.zeros(2, 2), seeded(), loss=loss, variant=variant, given=two_points)
    assert rows.tolist() == BY_HAND[loss, variant]["rows"]


@every_loss
def test_eq_11_and_its_gradient_by_hand(two_points, loss, variant):
    data = torch.zeros(2, 2)
    run = sgu(two_points, data, data, generator=seeded(), loss=loss, variant=variant, alpha=0.75, steps=1, batch_size=2)
    losses = run.objective(run.network, run.generator, 0)
    expected = BY_HAND[loss, variant]
    assert losses["L_g"].item() == 5.625 and losses["L_f"].item() == expected["L_f"]
    assert losses["loss"].item() == expected["loss"]
    losses["loss"].backward()
    assert run.network.net.w.grad.tolist() == expected["gradient"]


@pytest.mark.parametrize("loss, weight", [("orthogonal", 4), ("obtuse", 2)])
@every_process
def test_forget_losses_are_eq_9_and_10_of_the_score(loss, weight, process):
    """They are sigma^4 (s . g)^2 and sigma^2 s . g with g = grad log p(x_t | x_0) = -z / sigma."""
    model, x0 = network(process, data_std=2.0), D_F.sample(64, seeded(1))
    rows = forget_loss(model, x0, seeded(2), loss=loss, variant="paper")
    x_t, t, z = noised(process, x0, seeded(2))
    sigma = process.sigma(t)
    product = (model(x_t, t).score * (-z / sigma[:, None])).sum(1)
    expected = sigma**weight * (product**2 if loss == "orthogonal" else product)
    assert torch.allclose(rows, expected, rtol=1e-4, atol=1e-4)  # float32


@every_loss
def test_images_are_read_as_vectors(loss, variant):
    class Eps:
        process = VP()

        def __call__(self, x_t, t, cond=None):
            return Denoised(x0=x_t, eps=x_t + 1, score=x_t)

    x0 = torch.randn(6, 3, 2, 2, generator=seeded())
    settings = {"loss": loss, "variant": variant, "given": Eps()}
    rows = forget_loss(Eps(), x0, seeded(1), **settings)
    flat = forget_loss(Eps(), x0.flatten(1), seeded(1), **settings)
    assert rows.shape == (6,) and torch.allclose(rows, flat)
    doubled = forget_loss(Eps(), x0, seeded(1), antithetic=True, **settings)
    assert doubled.shape == (12,)


# --- the losses in expectation


class Shaped:
    """A model whose eps is a given function of (x_t, t)."""

    def __init__(self, process, eps):
        self.process, self.eps = process, eps

    def __call__(self, x_t, t, cond=None):
        eps = self.eps(x_t, t)
        return Denoised(x0=eps, eps=eps, score=eps)


@every_process
@pytest.mark.parametrize("c", [-1.0, 0.0, 1.0, 2.0])
def test_the_code_s_norm_loss_falls_as_the_score_aligns_with_the_data_s(process, c):
    """For c times the true score of N(m, v I) it is -c K, and the paper's Eq. 10 is c K.

    K = E D sigma^2 / (alpha^2 v + sigma^2) > 0, so minimising the code's loss aligns the scores, and minimising the
    paper's opposes them.
    """

    def level(t):
        t = torch.tensor(t, dtype=torch.float64)
        variance = process.variance(t)
        return (2 * variance / (process.alpha(t) ** 2 * GAUSSIAN.variance + variance)).item()

    K = quad(level, process.t_min, process.t_max, limit=200, epsabs=1e-6)[0] / (process.t_max - process.t_min)
    exact, x0 = ExactDenoiser(GAUSSIAN, process), GAUSSIAN.sample(20_000, seeded(1))
    model = Shaped(process, lambda x_t, t: c * exact(x_t, t).eps)
    code = forget_loss(model, x0, seeded(2), loss="obtuse", variant="code")
    paper = forget_loss(model, x0, seeded(2), loss="obtuse", variant="paper")
    assert torch.equal(code, -paper)
    if c:
        assert_mean(code, -c * K)
        assert abs(K) > 0.5
    else:
        assert (code == 0).all()


def slopes_of_eq_11(process, alpha, shift, directions, variant="paper", n=60_000):
    """Return the derivatives of Eq. 11 along directions h at its minimiser + shift eps_g, in standard errors, [K].

    With r = p_f / p_g, the minimiser is eps_g - (1 - alpha) / (2 alpha) r eps_f for the printed obtuse loss, and
    (2 alpha eps_g - (1 - alpha) r eps_f) / (2 alpha + (1 - alpha) r) for the corrected one.
    """
    p_g, p_f = ExactDenoiser(D_G, process), ExactDenoiser(D_F, process)

    def ratio(x_t, t):
        a, s = process.alpha(t), process.sigma(t)
        return (D_F.log_density(x_t, a, s) - D_G.log_density(x_t, a, s)).exp()[:, None]

    def least(x_t, t):
        pulled = p_g(x_t, t).eps - (1 - alpha) / (2 * alpha) * ratio(x_t, t) * p_f(x_t, t).eps
        if variant == "corrected":
            pulled = pulled / (1 + (1 - alpha) / (2 * alpha) * ratio(x_t, t))
        return pulled + shift * p_g(x_t, t).eps

    terms = []
    for density, seed in ((D_G, 1), (D_F, 2)):
        coefficients = torch.zeros(n, len(directions), requires_grad=True)

        def eps(x_t, t, coefficients=coefficients):
            h = torch.stack([direction(x_t, t) for direction in directions], 2)  # [B, D, K]
            return least(x_t, t) + (h * coefficients[:, None, :]).sum(2)

        model, x0 = Shaped(process, eps), density.sample(n, seeded(seed))
        rows = (
            score_matching(model, x0, seeded(10 + seed))
            if density is D_G
            else forget_loss(model, x0, seeded(10 + seed), loss="obtuse", variant=variant)
        )
        terms.append(torch.autograd.grad(rows.sum(), coefficients)[0].double())
    L_g, L_f = terms
    mean = alpha * L_g.mean(0) + (1 - alpha) * L_f.mean(0)
    error = (alpha**2 * L_g.var(0) / n + (1 - alpha) ** 2 * L_f.var(0) / n) ** 0.5
    return mean / error


@every_process
@pytest.mark.parametrize("alpha, variant", [(0.8, "paper"), (0.5, "paper"), (0.5, "corrected")])
def test_eq_11_with_the_obtuse_loss_is_stationary_at_its_closed_form(process, alpha, variant):
    """The slope is zero at the minimiser, within standard errors, and not zero beside it."""
    p_g, p_f = ExactDenoiser(D_G, process), ExactDenoiser(D_F, process)
    directions = [
        lambda x_t, t: p_g(x_t, t).eps,
        lambda x_t, t: p_f(x_t, t).eps * torch.exp(-x_t.square().sum(1, keepdim=True) / 8),
        lambda x_t, t: torch.tanh(x_t.flip(1)),
        lambda x_t, t: t[:, None] * torch.ones_like(x_t),
    ]
    z = slopes_of_eq_11(process, alpha, 0.0, directions, variant)
    assert (z.abs() < STANDARD_ERRORS).all(), z
    assert slopes_of_eq_11(process, alpha, 0.2, directions, variant)[0] > STANDARD_ERRORS
    assert slopes_of_eq_11(process, alpha, -0.2, directions, variant)[0] < -STANDARD_ERRORS


def posterior_second_moment(density, process, x_t, t):
    """Return E[z z' | x_t] = sum_k p(k | x_t) (alpha^2 v / v_t I + m_k m_k').

    Here m_k = (sigma / v_t) (x_t - alpha mu_k).
    """
    alpha, sigma = process.alpha(t), process.sigma(t)
    log_joint, residual, variance = density.log_joint(x_t, alpha, sigma)
    m = (sigma / variance)[:, None, None] * residual
    outer = (log_joint.softmax(1)[..., None, None] * m[..., :, None] * m[..., None, :]).sum(1)
    return outer + (alpha**2 * density.variance / variance)[:, None, None] * torch.eye(2, dtype=x_t.dtype)


@every_process
def test_eq_9_vanishes_only_with_the_score(process):
    """E[(eps . z)^2 | x_t] = eps' M eps, and M = E[z z' | x_t] has full rank: all eigenvalues >= alpha^2 v / v_t > 0.

    So no direction of eps is free, and the loss is zero only for eps = 0: "orthogonal" shrinks the prediction.
    """
    n, x0 = 40_000, SGU_MIXTURE.sample(40_000, seeded(1)).double()
    model = network(process, data_std=2.0).double()
    with torch.no_grad():
        rows = forget_loss(model, x0, seeded(2), loss="orthogonal", variant="paper")
        x_t, t, _ = noised(process, x0, seeded(2))
        M, eps = posterior_second_moment(SGU_MIXTURE, process, x_t, t), model(x_t, t).eps
    assert len(rows) == n
    assert_mean(rows - (eps[:, None] @ M @ eps[:, :, None]).flatten(), 0.0)
    floor = process.alpha(t) ** 2 / (process.alpha(t) ** 2 + process.variance(t))
    assert (torch.linalg.eigvalsh(M)[:, 0] >= floor.double() * (1 - 1e-5)).all() and floor.min() > 0


@every_process
def test_the_corrected_orthogonal_loss_vanishes_at_right_angles_and_not_only_at_zero(process):
    """It is the squared component of eps along the base model's eps; a rotation by phi multiplies it by cos(phi)^2."""
    exact, x0 = ExactDenoiser(D_F, process), D_F.sample(500, seeded(1))
    for phi in (0.0, 0.7, math.pi / 2):
        turn = torch.tensor([[math.cos(phi), -math.sin(phi)], [math.sin(phi), math.cos(phi)]])
        turned = Shaped(process, lambda x_t, t, turn=turn: 3 * exact(x_t, t).eps @ turn.T)
        rows = forget_loss(turned, x0, seeded(2), loss="orthogonal", variant="corrected", given=exact)
        x_t, t, _ = noised(process, x0, seeded(2))
        expected = 9 * exact(x_t, t).eps.square().sum(1) * math.cos(phi) ** 2
        assert torch.allclose(rows, expected, rtol=1e-4, atol=1e-5)


class Told:
    """A model with eps = (label + 1) (1, b), whose length reveals the label."""

    process = VP()

    def __init__(self, b):
        self.b, self.gradients = b, []

    def __call__(self, x_t, t, cond=None):
        self.gradients.append(torch.is_grad_enabled())
        eps = (cond + 1.0)[:, None] * torch.tensor([1.0, self.b])
        return Denoised(x0=eps, eps=eps, score=eps)


@pytest.mark.parametrize("antithetic", [False, True])
@every_loss
def test_both_models_are_told_the_labels(loss, variant, antithetic):
    """Each noisy row has its own label; the base model is evaluated without gradients, at most once."""
    model, given, labels = Told(2.0), Told(-1.0), torch.arange(6)
    settings = {"loss": loss, "variant": variant, "antithetic": antithetic}
    rows = forget_loss(model, torch.zeros(6, 2), seeded(), given=given, cond=labels, **settings)
    z = noised(VP(), torch.zeros(6, 2), seeded(), antithetic=antithetic)[2]
    factor = torch.cat([labels, labels] if antithetic else [labels])[:, None] + 1.0
    eps, e = factor * torch.tensor([1.0, 2.0]), factor * torch.tensor([1.0, -1.0])
    assert torch.allclose(rows, FORGET_LOSSES[loss][variant](eps, z, e)) and len(rows) == len(factor)
    assert model.gradients == [True]
    assert given.gradients == ([False] if (loss, variant) == ("orthogonal", "corrected") else [])


def test_the_forgotten_labels_reach_the_loss_and_are_dropped_as_in_training():
    model = toys.fresh(True)
    made = sgu(model, toys.FORGET, toys.RETAIN, generator=seeded(), steps=1, batch_size=64, alpha=0.5)
    losses, draws = made.objective(model, seeded(4), 0), seeded(4)
    L_g = batch_loss(model, toys.RETAIN, 64, draws).mean()
    x_f, labels = toys.FORGET.batch(64, draws)
    cond = condition(model, labels, draws)
    assert 0 < (cond == model.net.null).sum() < 20 and (cond[cond != model.net.null] == 0).all()
    L_f = forget_loss(model, x_f, draws, loss="orthogonal", variant="paper", cond=cond).mean()
    assert losses["L_f"].item() == L_f.item() and losses["L_g"].item() == L_g.item()


def test_the_given_model_is_a_copy_without_dropout():
    """Neither the mode of the caller's model nor later changes of it matter."""
    model, settings = toys.small_unet().train(), {"loss": "orthogonal", "variant": "corrected"}
    forget, retain = toys.images(classes=(0,)), toys.images(classes=(1, 2), seed=1)
    made = sgu(model, forget, retain, generator=seeded(), steps=1, batch_size=8, alpha=0.5, **settings)
    given = copy.deepcopy(model).eval()
    network = toys.small_unet().eval()
    with torch.no_grad():
        for p in model.parameters():
            p.zero_()
        for p in network.parameters():
            p.mul_(0.5)
    losses, draws = made.objective(network, seeded(4), 0), seeded(4)
    batch_loss(network, retain, 8, draws)
    x_f, labels = forget.batch(8, draws)
    cond = condition(network, labels, draws)
    assert losses["L_f"].item() == forget_loss(network, x_f, draws, given=given, cond=cond, **settings).mean().item()


def test_a_ddpm_s_bound_weighs_both_terms_as_eq_12_to_14():
    process = DDPM.linear(T=20)
    model, data = network(process), torch.randn(40, 2, generator=seeded(1))
    t = noised(process, data, seeded(2))[1]
    k = [round(20 * value) for value in t.tolist()]
    beta, alpha = process.betas.tolist(), (1 - process.betas).tolist()
    by_hand = torch.tensor(
        [beta[i - 1] ** 2 / (2 * beta[i - 1] * alpha[i - 1] * (1 - math.prod(alpha[:i]))) for i in k]
    )
    for loss in FORGET_LOSSES:
        plain = forget_loss(model, data, seeded(2), loss=loss, variant="paper")
        bound = forget_loss(model, data, seeded(2), loss=loss, variant="paper", weighting="bound")
        assert torch.allclose(bound, by_hand * plain, rtol=1e-5)
    plain, bound = (score_matching(model, data, seeded(2), weighting=name) for name in ("simple", "bound"))
    assert torch.allclose(bound, by_hand * plain, rtol=1e-5)
    made = sgu(model, data, data, generator=seeded(3), steps=1, alpha=0.5, weighting="bound", batch_size=8)
    losses, draws = made.objective(model, seeded(4), 0), seeded(4)
    L_g = score_matching(model, batch(data, 8, draws), draws, weighting="bound").mean()
    L_f = forget_loss(model, batch(data, 8, draws), draws, loss="orthogonal", variant="paper", weighting="bound").mean()
    assert torch.allclose(losses["loss"], 0.5 * L_g + 0.5 * L_f)


# --- the call

FORGET, RETAIN = D_F.sample(300, seeded(20)), D_G.sample(300, seeded(21))


def run(model=None, forget=FORGET, retain=RETAIN, seed=0, **settings):
    defaults = {"generator": seeded(seed), "steps": 6, "batch_size": 16, "lr": 1e-2, "alpha": 0.8, "ema": 0.5}
    return sgu(model or network(VE(), data_std=2.0), forget, retain, **defaults | settings)


def equal(a, b):
    return all(torch.equal(value, b.state_dict()[name]) for name, value in a.state_dict().items())


@every_loss
@pytest.mark.parametrize("start", ["retrain", "finetune"])
def test_unlearning_is_an_iterator_that_repeats_resumes_and_leaves_its_model_alone(loss, variant, start, tmp_path):
    model, state = network(VE(), data_std=2.0), torch.get_rng_state()
    before, settings = copy.deepcopy(model), {"loss": loss, "variant": variant, "start": start}
    whole = run(model, **settings)
    losses = [step.losses for step in whole]
    assert all(set(one) == {"loss", "L_g", "L_f"} for one in losses)
    assert equal(model, before) and not equal(whole.model, before)
    cut = run(model, **settings)
    first = [next(iter(cut)).losses, next(iter(cut)).losses]
    torch.save(cut.state_dict(), tmp_path / "state.pt")
    resumed = run(model, seed=5, **settings)
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert first + [step.losses for step in resumed] == losses and equal(resumed.model, whole.model)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("antithetic", [False, True])
def test_alpha_one_is_score_matching_on_the_retained_data(antithetic):
    """The forgotten data do not matter, and every loss is plain score matching."""
    moved = run(forget=FORGET + 3.0, alpha=1.0, antithetic=antithetic)
    here = run(alpha=1.0, antithetic=antithetic)
    assert [step.losses["L_g"] for step in moved] == [step.losses["L_g"] for step in here]
    assert equal(moved.model, here.model)
    model, generator = network(VE(), data_std=2.0), seeded(0)
    plain = score_matching(model, batch(RETAIN, 16, generator), generator, antithetic=antithetic).mean()
    step = next(iter(run(model, alpha=1.0, antithetic=antithetic)))
    assert step.losses["loss"] == step.losses["L_g"] == plain.item()


def test_the_loss_is_eq_11_s_combination():
    for step in run(alpha=0.3, loss="obtuse"):
        assert step.losses["loss"] == pytest.approx(0.3 * step.losses["L_g"] + 0.7 * step.losses["L_f"], rel=1e-5)


def test_the_forget_loss_joins_at_every_so_manyth_update():
    steps = list(run(every=4, steps=9))
    assert ["L_f" in step.losses for step in steps] == [True, False, False, False, True, False, False, False, True]
    assert steps[1].losses["loss"] == pytest.approx(0.8 * steps[1].losses["L_g"])


def test_the_defaults_are_the_public_code_s_but_for_the_printed_loss():
    defaults = {"loss": "orthogonal", "alpha": 0.99, "variant": "paper", "start": "finetune", "every": 1}
    defaults |= {"batch_size": 400, "lr": 2e-4, "weighting": "simple", "antithetic": False, "shared_lambda": False}
    defaults |= {"forget_batch": 0}
    known = inspect.signature(sgu).parameters.values()
    assert {one.name: one.default for one in known if one.default is not one.empty} == defaults


def test_retraining_ignores_the_model_s_weights_and_fine_tuning_does_not():
    first, second = network(VE(), data_std=2.0, seed=1), network(VE(), data_std=2.0, seed=2)
    assert equal(run(first, start="retrain").run(), run(second, start="retrain").run())
    assert not equal(run(first, start="finetune").run(), run(second, start="finetune").run())
    fresh = copy.deepcopy(first)
    reinitialise(fresh, seeded(0))
    assert equal(run(first, start="retrain").model, fresh)
    assert equal(run(first, start="finetune").model, first)


def test_unlearning_pulls_the_forgotten_loss_down():
    def mean(losses):
        return sum(losses) / len(losses)

    for loss in FORGET_LOSSES:
        values = [step.losses["L_f"] for step in run(loss=loss, alpha=0.3, steps=150, batch_size=64)]
        assert mean(values[-30:]) < mean(values[:30]) - 0.1


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"loss": "acute"}, "loss='acute' is not one of orthogonal, obtuse"),
        ({"variant": "repaired"}, "variant='repaired' is not one of paper, code, corrected"),
        ({"weighting": "snr"}, "weighting='snr' is not one of simple, bound"),
        ({"weighting": "bound"}, "weighting='bound' is a DDPM's; VE has no steps"),
        ({"start": "scratch"}, "start='scratch' is not one of retrain, finetune"),
        ({"alpha": 0.0}, r"alpha=0.0 is not in \(0, 1\]"),
        ({"alpha": 1.5}, r"alpha=1.5 is not in \(0, 1\]"),
        ({"alpha": math.nan}, r"alpha=nan is not in \(0, 1\]"),
        ({"every": 0}, "every=0 is below 1"),
        ({"steps": -1}, "steps=-1 is negative"),
        ({"ema": 1.0}, "ema=1.0"),
    ],
)
def test_wrong_settings_are_refused_at_the_call(wrong, message):
    with pytest.raises(ValueError, match=message):
        run(**wrong)


# --- unseen


def test_unseen_is_score_matching_on_the_retained_data_from_fresh_weights():
    model, another = network(VE(), data_std=2.0), network(VE(), data_std=2.0, seed=4)
    before, state = copy.deepcopy(model), torch.get_rng_state()
    settings = {"steps": 5, "batch_size": 16, "lr": 1e-2}
    mine = unseen(model, None, RETAIN, generator=seeded(3), **settings)
    assert isinstance(mine, Training) and equal(model, before)
    fresh, generator = copy.deepcopy(model), seeded(3)
    reinitialise(fresh, generator)

    def objective(model, generator, index):
        return {"loss": score_matching(model, batch(RETAIN, 16, generator), generator).mean()}

    by_hand = Training(fresh, objective, steps=5, lr=1e-2, generator=generator).run()
    assert equal(mine.run(), by_hand) and equal(model, before)
    other = unseen(another, FORGET, RETAIN, generator=seeded(3), **settings)
    assert equal(other.run(), by_hand)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("loss", ["orthogonal", "obtuse"])
def test_one_lambda_for_eq_8_and_9_divides_eq_9_by_the_noise_s_variance(loss):
    """sigma^2 (s . z / sigma)^2 = (eps . z)^2 / sigma^2; Eq. 10 already has the lambda of Eq. 8."""
    model, data = network(VE()), torch.randn(6, 2, generator=seeded())
    own, shared = (
        forget_loss(model, data, seeded(2), loss=loss, variant="paper", shared_lambda=shared)
        for shared in (False, True)
    )
    _, t, _ = noised(model.process, data, seeded(2))
    assert torch.allclose(shared, own / (model.process.variance(t) if loss == "orthogonal" else 1), rtol=1e-5)
