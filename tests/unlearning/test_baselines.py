"""Fine-tuning, NegGrad, the multi-objective sum and BlindSpot: each loss by hand, and which data each one uses."""

import pytest
import torch

from paperlib.denoiser import reinitialise
from paperlib.losses import batch_loss, noised
from paperlib.training import Training
from paperlib.unlearning.blindspot import activations, attention, blindspot
from paperlib.unlearning.finetune import finetune
from paperlib.unlearning.multi_objective import multi_objective
from paperlib.unlearning.neggrad import neggrad
from paperlib.unlearning.prepared import flat
from tests.oracles import seeded
from tests.unlearning.toys import FORGET, RETAIN, fresh, images, small_unet

RUN = {"batch_size": 16, "lr": 1e-2, "ema": 0.5}


class Forbidden:
    """Data that must not be used."""

    labels = torch.tensor([0])

    def __len__(self):
        return 300

    def batch(self, size, generator):
        raise AssertionError("these data were drawn from")


def by_hand(loss, steps=4):
    """Train on a loss of (model, generator), and return the final weights."""

    def objective(model, generator, index):
        return {"loss": loss(model, generator)}

    run = Training(fresh(True), objective, steps=steps, lr=1e-2, ema=0.5, generator=seeded(3))
    return flat(run.run())


def test_fine_tuning_is_score_matching_on_the_retained_data_from_the_model_s_own_weights():
    made = finetune(fresh(True), Forbidden(), RETAIN, generator=seeded(3), steps=4, **RUN).run()
    assert torch.equal(flat(made), by_hand(lambda model, generator: batch_loss(model, RETAIN, 16, generator).mean()))


@pytest.mark.parametrize("variant", ["paper", "code"])
def test_neggrad_climbs_the_forgotten_data_s_loss_and_in_the_code_the_retained_s(variant):
    data, sides = (FORGET, (FORGET, Forbidden())) if variant == "paper" else (RETAIN, (Forbidden(), RETAIN))
    run = neggrad(fresh(True), *sides, generator=seeded(3), steps=4, variant=variant, **RUN)
    term = {"paper": "L_f", "code": "L_r"}[variant]
    assert all(step.losses["loss"] == -step.losses[term] for step in run)
    expected = by_hand(lambda model, generator: -batch_loss(model, data, 16, generator).mean())
    assert torch.equal(flat(run.model), expected)


@pytest.mark.parametrize("target", ["rl", "noise"])
def test_eq_3_by_hand(target):
    model = fresh(True)
    run = multi_objective(model, FORGET, RETAIN, generator=seeded(3), steps=1, target=target, lam=0.4, **RUN)
    found = run.objective(model, seeded(9), 0)
    found["loss"].backward()
    gradient = torch.cat([p.grad.flatten() for p in model.parameters()])
    model.zero_grad()
    # L_f is sampled after L_r. Record what the network was given and returned, to recover x_t and eps_f.
    asked = []
    hook = model.register_forward_hook(lambda module, given, output: asked.append((given, output.eps.detach())))
    run.objective(model, seeded(9), 0)
    hook.remove()
    (x_t, t, labels), _ = asked[-1]
    assert (labels == 0).all() and len(x_t) == 16
    if target == "rl":
        (again, _, others), eps_f = asked[1]
        assert torch.equal(again, x_t) and set(others.tolist()) == {1, 2}  # not class 0 itself
    eps = model(x_t, t, labels).eps
    L_r = batch_loss(model, RETAIN, 16, seeded(9)).mean()
    if target == "rl":
        L_f = (eps_f - eps).square().sum(1).mean()
        assert found["L_f"].item() == pytest.approx(L_f.item(), rel=1e-5)
        (L_r + 0.4 * L_f).backward()
        same = torch.cat([p.grad.flatten() for p in model.parameters()])
        torch.testing.assert_close(gradient, same, rtol=1e-3, atol=1e-4)
    else:  # uniform noise: the loss lies between those of the nearest and the farthest corner of [0, 1]^2
        nearest = (eps - eps.clamp(0, 1)).square().sum(1).mean()
        farthest = torch.maximum(eps.abs(), (1 - eps).abs()).square().sum(1).mean()
        assert nearest < found["L_f"] < farthest
    assert found["loss"].item() == pytest.approx((found["L_r"] + 0.4 * found["L_f"]).item(), rel=1e-6)
    assert found["L_r"].item() == L_r.item()


def test_uniform_noise_drawn_apart_asks_for_one_half_everywhere():
    """The gradient vanishes at eps = 1/2, within standard errors, and not at the true noise's mean."""
    bias = torch.zeros(2, requires_grad=True)

    class Biased(type(fresh(False))):
        def forward(self, x_t, t, cond=None):
            views = super().forward(x_t, t, cond)
            return type(views)(x0=views.x0, eps=bias.expand_as(x_t), score=views.score)

    model = fresh(False)
    model.__class__ = Biased
    settings = {"generator": seeded(3), "steps": 1, "target": "noise", "batch_size": 20_000}
    run = multi_objective(model, FORGET.x, RETAIN.x, **settings)
    for value, zero in ((0.5, True), (0.0, False)):
        bias.data.fill_(value)
        (slope,) = torch.autograd.grad(run.objective(model, seeded(4), 0)["L_f"], bias)
        # 2 (1/2 - u) has standard deviation 2 / sqrt(12); allow 4.5 standard errors of the mean
        assert (slope.abs() < 4.5 * 2 / (12 * 20_000) ** 0.5).all() == zero


def test_lambda_zero_leaves_the_preservation_loss():
    model = fresh(True)
    run = multi_objective(model, FORGET, RETAIN, generator=seeded(3), steps=1, lam=0.0, **RUN)
    losses = run.objective(model, seeded(9), 0)
    assert losses["loss"].item() == losses["L_r"].item()


# --- BlindSpot


def blind(model, forget=FORGET, retain=RETAIN, **settings):
    return blindspot(model, forget, retain, **{"generator": seeded(3), "steps": 2, "teacher_steps": 5} | RUN | settings)


def test_the_teacher_is_a_fresh_network_that_has_seen_the_retained_data_alone():
    run = blind(fresh(True), Forbidden(), teacher_lr=3e-3)
    prepared = run.prepare(run.network, run.generator)
    generator, teacher = seeded(3), fresh(True)
    reinitialise(teacher, generator)

    def objective(model, generator, index):
        return {"loss": batch_loss(model, RETAIN, 16, generator).mean()}

    expected = Training(teacher, objective, steps=5, lr=3e-3, ema=0.0, generator=generator).run()
    assert torch.equal(prepared["teacher"], flat(expected))
    assert run.gradient_evaluations == 5


def test_attention_maps_have_length_one_and_show_where_activations_are_large():
    x = torch.zeros(2, 3, 4, 4)
    x[0, 1, 2, 3], x[1, :, 0, 0], x[1, :, 3, 3] = -5.0, 2.0, 1.0
    maps = attention(x)
    assert torch.allclose(maps.norm(dim=1), torch.ones(2))
    assert maps[0].argmax() == 2 * 4 + 3 and maps[1, 0] == pytest.approx(4 / 17**0.5)


def test_a_u_net_s_stages_are_seen_and_an_mlp_has_none():
    model, data = small_unet(), images(2)
    eps, seen = activations(model.eval(), data.x, torch.full((6,), 0.3), data.labels)
    net = model.net
    assert len(seen) == len(net.down) + 1 + len(net.up) and all(one.ndim == 4 for one in seen)
    assert torch.equal(eps, model(data.x, torch.full((6,), 0.3), data.labels).eps)
    assert not any(module._forward_hooks for module in model.modules())
    assert activations(fresh(False), FORGET.x, torch.tensor(0.3).expand(len(FORGET)))[1] == []


@pytest.mark.parametrize("kind", ["points", "images"])
def test_blindspot_by_hand(kind):
    model = fresh(True) if kind == "points" else small_unet(dropout=0.5)
    forget, retain = (FORGET, RETAIN) if kind == "points" else (images(8, (0,)), images(8, (1, 2)))
    run = blind(model, forget, retain, beta=20.0)
    next(iter(run))
    run.network.eval()  # the teacher has its dropout off in any case
    found = run.objective(run.network, seeded(9), 1)
    teacher, generator = fresh(True) if kind == "points" else small_unet(dropout=0.0), seeded(9)
    torch.nn.utils.vector_to_parameters(run.prepared["teacher"].clone(), teacher.parameters())
    L_r = batch_loss(run.network, retain, 16, generator).mean()
    x0, labels = forget.batch(16, generator)
    kept = torch.rand(16, generator=generator) >= 0.1
    torch.rand(16, generator=generator)
    labels = torch.where(kept, labels, torch.tensor(3))
    x_t, t, _ = noised(model.process, x0, generator)
    mine, theirs = (activations(one, x_t, t, labels) for one in (run.network, teacher))
    L_f = (mine[0] - theirs[0]).square().flatten(1).sum(1).mean()
    pixels, unlike = x0[0].numel(), 0.0
    for a, b in zip(mine[1], theirs[1]):
        a, b = (one.square().mean(1).flatten(1) for one in (a, b))
        unlike += (a / a.norm(dim=1, keepdim=True) - b / b.norm(dim=1, keepdim=True)).square().mean()
    assert (unlike > 0) == (kind == "images")
    L_f = L_f + 20.0 * pixels * unlike
    assert found["L_f"].item() == pytest.approx(L_f.item(), rel=1e-4)
    assert found["L_r"].item() == pytest.approx(L_r.item(), rel=1e-5)
    expected = 2 / 3 * L_r + 1 / 3 * L_f  # a third of all rows are forgotten
    assert found["loss"].item() == pytest.approx(expected.item(), rel=1e-4)


def test_in_the_code_the_teacher_is_the_model_itself_and_nothing_is_left_but_dropped_labels(monkeypatch):
    run = blind(fresh(False), FORGET.x, RETAIN.x, variant="code")
    steps = list(run)
    assert [step.losses["L_f"] for step in steps] == [0.0, 0.0]  # an unconditional model has no labels to drop
    assert run.gradient_evaluations == 2 * 2 and run.prepared == {}
    model = fresh(True)
    found = blind(model, variant="code", batch_size=200).objective(model, seeded(9), 0)
    assert found["L_f"] > 0
    monkeypatch.setattr("paperlib.unlearning.blindspot.LABEL_DROPOUT", 0.0)
    assert blind(model, variant="code", batch_size=200).objective(model, seeded(9), 0)["L_f"] == 0.0


@pytest.mark.parametrize(
    "method, wrong, message",
    [
        (finetune, {"retain": None}, "finetune needs retained data; neggrad and vdu work without"),
        (finetune, {"batch_size": 0}, "batch_size=0 is below 1"),
        (neggrad, {"variant": "ours"}, "variant='ours' is not one of paper, code"),
        (neggrad, {"variant": "code", "retain": None}, "neggrad with variant='code' needs retained data"),
        (neggrad, {"batch_size": 0}, "batch_size=0 is below 1"),
        (multi_objective, {"target": "self"}, "target='self' is not one of rl, noise"),
        (multi_objective, {"variant": "ours"}, "variant='ours' is not one of paper, code, corrected"),
        (multi_objective, {"lam": -0.1}, "lam=-0.1"),
        (multi_objective, {"retain": None}, "multi_objective needs retained data"),
        (multi_objective, {"model": fresh(False)}, "unconditional.*target='noise' serves it"),
        (blindspot, {"variant": "ours"}, "variant='ours' is not one of paper, code"),
        (blindspot, {"beta": -1.0}, "beta=-1.0"),
        (blindspot, {"teacher_lr": -1.0}, "teacher_lr=-1.0"),
        (blindspot, {"teacher_steps": -1}, "teacher_steps=-1 is below 0"),
        (blindspot, {"retain": None}, "blindspot needs retained data"),
    ],
)
def test_wrong_settings_are_refused_at_the_call(method, wrong, message):
    settings = {"model": fresh(True), "forget": FORGET, "retain": RETAIN, "generator": seeded(3), "steps": 1}
    with pytest.raises(ValueError, match=message):
        method(**settings | wrong)
