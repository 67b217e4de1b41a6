"""EraseDiff's update compared with a solver of Eq. 6, its inner loop with closed forms; the behaviour of the call."""

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls
from torch import nn

from paperlib.denoiser import Denoiser
from paperlib.losses import score_matching
from paperlib.processes import VP
from paperlib.training import Training
from paperlib.unlearning.erasediff import erasediff, erasing, multiplier
from tests.oracles import assert_mean, every_process, network, seeded
from tests.unlearning.toys import FORGET, RETAIN, fresh, images, points, share_of, small_unet, trained

COORDINATES = st.floats(-3, 3).map(lambda x: round(x, 3))
VECTORS = st.integers(2, 6).flatmap(lambda n: st.tuples(*[st.lists(COORDINATES, min_size=n, max_size=n)] * 2))

# --- Theorem 3.1


def least_distance(G, h):
    """Return the shortest x with G x >= h, by non-negative least squares (Lawson and Hanson, 1974, Chapter 23)."""
    E = np.vstack([G.T, h])
    target = np.append(np.zeros(len(G.T)), 1.0)
    u, _ = nnls(E, target)
    residual = E @ u - target
    return -residual[:-1] / residual[-1]


@given(VECTORS, st.floats(0, 5))
@example(([0.0, -2.441, 0.0, 2.0, 0.0, 1.0], [1.25, 1.0, 0.0, -1.0, 1.125, -2.441]), 3.0)  # where SLSQP gives up
@settings(max_examples=80, deadline=None)
def test_the_update_solves_eq_6(vectors, a):
    """Minimise 1/2 |r - delta|^2 subject to f . delta >= a."""
    r, f = (np.array(v) for v in vectors)
    if np.linalg.norm(f) < 0.1:  # no such delta exists, or it is too far away for the solver
        return
    delta = r + least_distance(f[None], np.array([a - f @ r]))
    by = multiplier(torch.tensor(r), torch.tensor(f), a)
    assert by >= 0
    np.testing.assert_allclose(r + by * f, delta, atol=1e-9 * (1 + a / np.linalg.norm(f)))


def test_without_a_gradient_of_g_there_is_no_multiplier():
    assert multiplier(torch.ones(3), torch.zeros(3), 1.0) == 0.0


# --- by hand: eps = w everywhere, so that L_r = |z - w|^2 and L_f = |u - w|^2, with gradients 2 (w - mean)


class Constant(nn.Module):
    def __init__(self, w, classes=0):
        super().__init__()
        self.w, self.classes, self.null = nn.Parameter(torch.tensor(w)), classes, classes

    def forward(self, x, time, cond=None):
        return self.w + torch.zeros_like(x)


def constant(w=(300.0, -400.0)):
    return Denoiser(Constant(w), VP(), predicts="eps")


def first(model=None, **changed):
    defaults = {"generator": seeded(), "steps": 1, "target": "noise", "batch_size": 16, "K": 1, "xi": 0.01}
    data = torch.zeros(50, 2)
    return next(iter(erasediff(model or constant(), data, data, **defaults | changed)))


@pytest.mark.parametrize("eta", [0.5, 3.0])
def test_the_paper_s_lambda_where_both_gradients_are_one(eta):
    """Both are 2 w to within 1 / |w|, so grad g . grad L_r = |grad g|^2 and lambda = max(0, eta - 1)."""
    assert first(eta=eta).multipliers["L_f"] == pytest.approx(max(0.0, eta - 1), abs=0.02)


def test_a_constant_a_t_takes_the_place_of_eta_times_the_squared_norm():
    """Here |grad g|^2 = 4 |w|^2 = 10^6."""
    assert first(a=3e6).multipliers["L_f"] == pytest.approx(2.0, abs=0.02)


@pytest.mark.parametrize("K, xi", [(1, 1e-5), (1, 0.1), (4, 0.1)])
def test_g_is_what_the_inner_steps_gain_and_the_corrected_a_t_is_made_of_it(K, xi):
    """w shrinks by 1 - 2 xi per step, so g = |w|^2 (1 - (1 - 2 xi)^(2 K)) and lambda = eta g / (xi 4 |w|^2) - 1. For
    K = 1 and small xi this is the paper's eta - 1."""
    gained = 1 - (1 - 2 * xi) ** (2 * K)
    step = first(
        K=K,
        xi=xi,
        eta=3.0,
        variant="corrected",
        model=Denoiser(Constant((300.0, -400.0)), VP(), predicts="eps").double(),
    )
    assert step.losses["g"] == pytest.approx(25e4 * gained, rel=0.02)
    assert step.multipliers["L_f"] == pytest.approx(3.0 * gained / (4 * xi) - 1, abs=0.06)
    if xi == 1e-5:
        assert step.multipliers["L_f"] == pytest.approx(2.0, abs=0.06)


def test_the_corrected_method_stops_erasing_where_nothing_is_left_to_gain():
    """At the minimum of L_f, w = 1/2, the apparent gain of the inner steps is noise. L_r, whose minimum is w = 0, pulls
    away from there; lambda removes that component, and nothing more is demanded."""
    chosen = [
        first(constant((0.5, 0.5)), variant="corrected", eta=1.0, batch_size=4000, generator=seeded(i))
        for i in range(5)
    ]
    assert max(step.losses["g"] for step in chosen) < 1e-3


@pytest.mark.parametrize("lam, expected", [(0.3, 0.3), (2, 2.0), ("cosine", 0.0)])
def test_the_code_weighs_by_a_constant_or_by_a_cosine(lam, expected):
    assert first(variant="code", lam=lam).multipliers["L_f"] == expected
    if lam == "cosine":  # max(eta - cos, 0) with a cosine of 1
        assert first(variant="code", lam=lam, eta=1.25).multipliers["L_f"] == pytest.approx(0.25, abs=1e-3)


def test_descending_what_k_steps_gain_can_raise_the_loss():
    """This is why gradients are not taken through the inner loop. L = (x^2 - 1)^2 / 4 has a maximum at 0, where no step
    gains anything. At 0.1, descending g_K leads towards it, and descending L away from it."""
    x = torch.tensor(0.1, requires_grad=True)
    L = lambda x: (x**2 - 1) ** 2 / 4  # noqa: E731
    phi = x
    for _ in range(3):
        phi = phi - 0.1 * phi * (phi**2 - 1)
    through, plain = torch.autograd.grad(L(x) - L(phi), x)[0], torch.autograd.grad(L(x), x)[0]
    assert through > 0 > plain


# --- the targets


@every_process
def test_the_noise_target_is_uniform_and_apart_from_the_image_s_noise(process):
    model, x0 = network(process), points(4000, (0,)).x
    batch = erasing(model, x0, None, seeded(1), target="noise")
    z = (batch.x_t - process.alpha(batch.t)[:, None] * x0) / process.sigma(batch.t)[:, None]
    assert batch.eps_f.min() >= 0 and batch.eps_f.max() <= 1 and batch.cond is None
    assert_mean(batch.eps_f, 0.5)
    assert_mean((batch.eps_f - 0.5) * z, 0.0)
    rough = process.sigma(batch.t) > 0.05  # below that, cancellation in float32 spoils z
    assert_mean(z[rough].square(), 1.0)


def test_the_code_s_noise_target_is_the_noise_in_the_image():
    process, x0 = VP(), points(400, (0,)).x
    batch = erasing(network(process), x0, None, seeded(1), target="noise", variant="code")
    again = process.perturb(x0, batch.t, batch.eps_f)
    assert torch.equal(batch.x_t, again) and batch.eps_f.min() >= 0


def classes_asked(variant, labels, others=None, n=600, seed=2):
    """Return the labels of a batch, and the labels under which the model was evaluated for its target."""
    asked = []

    class Recording(Constant):
        def forward(self, x, time, cond=None):
            asked.append(cond)
            return super().forward(x, time, cond)

    model = Denoiser(Recording((0.0, 0.0), classes=5), VP(), predicts="eps")
    labels = torch.tensor(labels).repeat(n)
    batch = erasing(model, torch.zeros(len(labels), 2), labels, seeded(seed), variant=variant, others=others)
    assert torch.equal(batch.cond, labels) and len(asked) == 1 and not batch.eps_f.requires_grad
    return labels, asked[0]


def test_the_paper_s_other_class_is_any_but_the_row_s_own():
    labels, c_m = classes_asked("paper", [0, 3])
    for own in (0, 3):
        counts = torch.bincount(c_m[labels == own], minlength=5).double()
        assert counts[own] == 0
        expected = torch.tensor([150.0] * 5).double()  # 600 / 4, with standard deviation sqrt(600 3 / 16) = 10.6
        expected[own] = 0
        assert ((counts - expected).abs() <= 48).all()


def test_the_code_s_other_class_is_one_a_batch_never_0_and_may_be_the_forgotten_one():
    asked = [classes_asked("code", [3], n=6, seed=seed)[1] for seed in range(40)]
    assert all(len(c_m.unique()) == 1 for c_m in asked)
    assert {c_m[0].item() for c_m in asked} == {1, 2, 3, 4}


def test_the_corrected_other_class_is_a_retained_one_in_their_shares():
    labels, c_m = classes_asked("corrected", [0, 3], others=torch.tensor([1, 1, 1, 2]))
    assert set(c_m.tolist()) == {1, 2}
    assert_mean((c_m == 1).float(), 0.75)
    labels, c_m = classes_asked("corrected", [0, 3], others=torch.tensor([1, 3]))  # class 3 is only partly forgotten
    assert (c_m != labels).all() and set(c_m[labels == 0].tolist()) == {1, 3}
    with pytest.raises(ValueError, match=r"the retained batch has no other class than \[3\]"):
        classes_asked("corrected", [3], others=torch.tensor([3]))


# --- the call


def run(model=None, conditional=True, seed=0, **changed):
    defaults = {"generator": seeded(seed), "steps": 5, "batch_size": 16, "lr": 1e-3, "K": 2, "xi": 1e-3, "ema": 0.5}
    defaults |= {} if conditional else {"target": "noise"}
    return erasediff(model or fresh(conditional), FORGET, RETAIN, **defaults | changed)


def alike(a, b):
    return all(torch.equal(value, b.state_dict()[name]) for name, value in a.state_dict().items())


@pytest.mark.parametrize("variant", ["paper", "code", "corrected"])
@pytest.mark.parametrize("conditional", [False, True], ids=["unconditional", "conditional"])
def test_unlearning_repeats_resumes_and_leaves_its_model_alone(conditional, variant, tmp_path):
    model, state = fresh(conditional), torch.get_rng_state()
    before, chosen = copy.deepcopy(model), {"conditional": conditional, "variant": variant}
    whole = run(model, **chosen)
    steps = list(whole)
    for step in steps:
        assert step.losses.keys() == {"loss", "L_r", "L_f", "g"} and step.multipliers.keys() == {"L_r", "L_f"}
        total = step.losses["L_r"] + step.multipliers["L_f"] * step.losses["L_f"]
        assert step.losses["loss"] == pytest.approx(total, rel=1e-6)
        assert step.gradient_evaluations == 4 * step.index  # one per side and one per inner step
    assert alike(model, before) and not alike(whole.model, before)
    cut = run(model, **chosen)
    first = [next(iter(cut)).losses, next(iter(cut)).losses]
    torch.save(cut.state_dict(), tmp_path / "state.pt")
    resumed = run(model, seed=5, **chosen)
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert first + [step.losses for step in resumed] == [step.losses for step in steps]
    assert alike(resumed.model, whole.model)
    assert torch.equal(state, torch.get_rng_state())
    assert alike(run(model, steps=0, **chosen).run(), before)


@pytest.mark.parametrize("variant", ["paper", "code", "corrected"])
def test_what_the_inner_loop_changes(variant):
    """Compare K = 1 with K = 3: bitwise equal in the paper's algorithm. In its code only Adam's moments differ, so with
    plain gradient descent nothing does. In the corrected variant the update differs."""
    one, three = (run(trained(True), variant=variant, K=K, ema=0.0, eta=1.0) for K in (1, 3))
    gained = [[step.losses["g"] for step in each] for each in (one, three)]
    assert gained[0] != gained[1]
    assert alike(one.model, three.model) == (variant == "paper")
    if variant == "code":
        one, three = (run(variant=variant, K=K, ema=0.0) for K in (1, 3))
        for each in (one, three):
            each.optimizer = torch.optim.SGD(each.network.parameters(), lr=1e-3)
            each.run()
        assert alike(one.model, three.model)


def test_the_code_s_inner_steps_are_not_clipped_and_its_updates_are():
    """If both were clipped to c, Adam's first moment after one of each would be at most (0.9 + 1) 0.1 c long."""
    clip = 1e-4
    one = run(trained(True), variant="code", K=1, steps=1, clip=clip)
    one.run()
    moments = [state["exp_avg"].flatten() for state in one.optimizer.state.values()]
    assert torch.cat(moments).norm() > 10 * (0.9 + 1) * 0.1 * clip
    assert math.isclose(torch.cat([p.grad.flatten() for p in one.network.parameters()]).norm(), clip, rel_tol=1e-3)


def test_the_inner_loop_gains_on_unseen_data_and_a_longer_one_gains_more():
    model = trained(True)
    few, many = (run(model, variant="paper", K=K, xi=1e-3, batch_size=256, steps=5) for K in (1, 20))
    for a, b in zip(few, many):
        assert 0 < a.losses["g"] < b.losses["g"]


def test_a_weight_of_zero_is_fine_tuning_to_the_bit():
    """For one update only: the retained draws come first, but the forgotten ones shift those of the next update."""
    model = trained(True)
    mine = run(model, variant="code", lam=0.0, K=0, steps=1, ema=0.0)
    losses = next(iter(mine)).losses

    def objective(model, generator, index):
        return {"loss": retained_loss(model, generator)}

    def retained_loss(model, generator):
        x0, labels = RETAIN.batch(16, generator)
        cond = torch.where(torch.rand(16, generator=generator) < 0.1, model.net.null, labels)
        erasing(model, *FORGET.batch(16, generator), generator, variant="code")
        torch.randint(2**62, (), generator=generator)
        return score_matching(model, x0, generator, cond=cond).mean()

    theirs = Training(model, objective, steps=1, lr=1e-3, generator=seeded(), ema=0.0)
    assert next(iter(theirs)).losses["loss"] == losses["L_r"]
    assert alike(mine.model, theirs.model)


def test_the_constraint_holds_for_every_update_s_delta():
    """Since grad g . delta >= a_t = eta |grad g|^2, delta never opposes grad L_f, as the reported cosines show."""
    asked, plain = (run(trained(True), steps=8, eta=0.1, cosines=cosines) for cosines in (True, False))
    steps = list(asked)
    assert all(step.cosines["L_f"] > 0 and step.cosines.keys() == {"L_r", "L_f"} for step in steps)
    assert [step.losses for step in steps] == [step.losses for step in plain] and alike(asked.model, plain.model)


def test_a_network_with_dropout_serves():
    data = images()
    forget, retain = (type(data)(data.x[part], data.labels[part]) for part in (data.labels == 0, data.labels > 0))
    model = small_unet()
    unlearning = erasediff(model, forget, retain, generator=seeded(), steps=2, batch_size=4, variant="corrected")
    assert [step.index for step in unlearning] == [1, 2]


@pytest.mark.parametrize("variant", ["paper", "corrected"])
@pytest.mark.parametrize("conditional", [False, True], ids=["unconditional", "conditional"])
def test_three_clusters_so_far_apart_that_it_must_forget_one(conditional, variant):
    model, label = trained(conditional), 0 if conditional else None
    chosen = {"variant": variant, "eta": 1.0 if conditional else 0.1, "steps": 100, "batch_size": 64, "K": 1}
    unlearned = run(model, conditional, lr=2e-3, ema=0.0, **chosen).run()
    before, after = share_of(model, 0, label), share_of(unlearned, 0, label)
    assert before > (0.9 if conditional else 0.2) and after < before / 3
    kept = share_of(unlearned, 1, 1) if conditional else share_of(unlearned, 1) + share_of(unlearned, 2)
    assert kept > 0.4


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"target": "image"}, "target='image' is not one of rl, noise"),
        ({"variant": "public"}, "variant='public' is not one of paper, code, corrected"),
        ({"eta": 0.0}, "eta=0.0 is not positive"),
        ({"xi": -1.0}, "xi=-1.0 is not positive"),
        ({"lam": -1.0}, "lam=-1.0 is neither a number from 0 nor 'cosine'"),
        ({"lam": "sine"}, "lam='sine' is neither"),
        ({"a": -1.0}, "a=-1.0 must be positive"),
        ({"a": 1.0, "variant": "code"}, "is for variant='paper' alone, not 'code'"),
        ({"K": -1}, "K=-1 inner steps are too few for variant='paper'"),
        ({"K": 0, "variant": "corrected"}, "K=0 inner steps are too few for variant='corrected'"),
        ({"model": fresh(False)}, "target='rl' needs a model of 2 classes or more, this one has 0; 'noise' serves it"),
        ({"steps": -1}, "steps=-1 is negative"),
    ],
)
def test_wrong_settings_are_refused_at_the_call(wrong, message):
    with pytest.raises(ValueError, match=message):
        run(**wrong)


def test_data_without_labels_are_refused_at_the_call():
    with pytest.raises(ValueError, match="a model of 3 classes needs data with labels"):
        erasediff(fresh(True), FORGET.x, RETAIN, generator=seeded(), steps=1)


def test_the_one_class_to_turn_to_is_asked_for_whatever_the_variant():
    model, asked = trained(True), []
    hook = model.register_forward_hook(lambda _, given, out: asked.append(given[2]))
    for variant in ("paper", "code", "corrected"):
        erasing(model, *FORGET.batch(40, seeded()), seeded(1), variant=variant, others=None, instead=2)
    hook.remove()
    assert all((cond == 2).all() for cond in asked) and len(asked) == 3


@pytest.mark.parametrize("wrong", [{"instead": 3}, {"instead": -1}, {"instead": 1, "target": "noise"}])
def test_a_class_to_turn_to_that_is_none_is_refused(wrong):
    with pytest.raises(ValueError, match=f"instead={wrong['instead']} is for target='rl', and one of the classes"):
        erasediff(fresh(True), FORGET, RETAIN, generator=seeded(), steps=1, **wrong)
