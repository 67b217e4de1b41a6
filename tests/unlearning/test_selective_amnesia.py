"""Selective Amnesia: the Fisher diagonal by brute force per sample, the loss by hand, replay, refused arguments."""

import copy

import pytest
import torch
from torch.func import functional_call, grad, vmap

from paperlib.guidance import Guided
from paperlib.losses import draw, score_matching
from paperlib.processes import DDPM
from paperlib.sampling import sample
from paperlib.training import Training
from paperlib.unlearning.fisher import T, fisher_diagonal
from paperlib.unlearning.prepared import flat
from paperlib.unlearning.replay import Samples, replay
from paperlib.unlearning.selective_amnesia import selective_amnesia
from tests.oracles import seeded
from tests.unlearning.toys import FORGET, RETAIN, fresh, images, points, small_unet


def per_sample(model, x, labels, z, t):
    """Return F by vmap, flat: gradients of each sample and time, summed over times, squared, averaged over samples."""
    weights = dict(model.named_parameters())

    def loss(weights, x, label, z, t):
        x_t = model.process.perturb(x[None], t[None], z[None])
        return (z - functional_call(model, weights, (x_t, t[None], label[None])).eps[0]).square().sum()

    rows = vmap(grad(loss), in_dims=(None, 0, 0, 0, 0))
    n, k = z.shape[:2]
    found = rows(
        weights, x.repeat_interleave(k, 0), labels.repeat_interleave(k), z.flatten(0, 1), t.repeat(n)
    )  # [n k, ...] for each weight
    summed = torch.cat([found[name].reshape(n, k, -1).sum(1) for name in weights], dim=1)
    return summed.square().mean(0)


@pytest.mark.parametrize("kind", ["points", "images"])
def test_the_fisher_diagonal_is_that_of_per_sample_gradients(kind):
    if kind == "points":
        model, data = fresh(True).double(), points(1, (0, 1, 2), seed=5)
        data = Samples(data.x.double(), data.labels)
    else:
        model, data = small_unet(dropout=0.5), images(1, seed=5)  # dropout has to be turned off
    times, size = 6, 4
    found = fisher_diagonal(model, data.x, data.labels, generator=seeded(1), times=times, batch_size=size)
    generator, z = seeded(1), []
    for x in data.x:
        parts = [torch.randn(n, *x.shape, generator=generator) for n in (4, 2)]
        z.append(torch.cat(parts).to(x))
    t = torch.linspace(model.process.t_min, model.process.t_max, times).to(data.x)
    expected = (T / times) ** 2 * per_sample(copy.deepcopy(model).eval(), data.x, data.labels, torch.stack(z), t)
    tight = kind == "points"
    torch.testing.assert_close(found.double(), expected.double(), rtol=1e-6 if tight else 1e-3, atol=1e-3)
    assert found.max() > 1.0


def test_a_thousand_times_are_a_ddpm_s_grid():
    process = DDPM.linear()
    steps = torch.linspace(process.t_min, process.t_max, T).double() * T
    assert (steps - torch.arange(1, T + 1)).abs().max() < 1e-3


def amnesia(model, retain=RETAIN, forget=FORGET, **settings):
    defaults = {"generator": seeded(3), "steps": 3, "batch_size": 8, "lr": 1e-2, "ema": 0.0, "clip": 0.0}
    small = {"replays": 5, "fisher_samples": 3, "fisher_times": 4, "sampling": {"steps": 3}}
    return selective_amnesia(model, forget, retain, **small | defaults | settings)


def undropped(model, x0, labels, generator):
    """Compute score matching without dropping labels."""
    torch.rand(len(labels), generator=generator)  # the random numbers that a dropout of probability 0 uses
    return score_matching(model, x0, generator, cond=labels).mean()


def data_terms(model, generator, gamma=1.0, retain=RETAIN, forget=FORGET):
    x_f, labels = forget.batch(8, generator)
    noise = 2 * torch.rand(x_f.shape, generator=generator) - 1
    L_f = undropped(model, noise, labels, generator)
    return L_f, undropped(model, *retain.batch(8, generator), generator)


def test_with_lambda_zero_it_is_fine_tuning_on_the_surrogate_and_the_retained_data():
    model = fresh(True)
    found = amnesia(model, lam=0.0, gamma=0.7)
    losses = [step.losses["loss"] for step in found]

    def objective(model, generator, index):
        L_f, L_r = data_terms(model, generator)
        return {"loss": L_f + 0.7 * L_r}

    plain = Training(model, objective, steps=3, lr=1e-2, ema=0.0, clip=0.0, generator=seeded(3))
    assert [step.losses["loss"] for step in plain] == losses
    assert torch.equal(flat(plain.model), flat(found.model))
    assert "fisher" not in found.prepared


@pytest.mark.parametrize("variant, half", [("paper", 0.5), ("code", 1.0)])
def test_the_penalty_is_the_fisher_weighted_distance_from_the_start(variant, half):
    model = fresh(True)
    run = amnesia(model, variant=variant, lam=1e-3)
    first = next(iter(run))
    assert first.losses["EWC"] == 0.0
    assert torch.equal(run.prepared["anchor"], flat(model))
    L_f, L_r = data_terms(run.network, seeded(8))
    losses = run.objective(run.network, seeded(8), 1)
    weights, start = dict(run.network.named_parameters()), dict(model.named_parameters())
    parts = run.prepared["fisher"].split([p.numel() for p in weights.values()])
    moved = zip(parts, weights.values(), start.values())
    ewc = sum((F * (p - p0).flatten().square()).sum().item() for F, p, p0 in moved)
    assert losses["EWC"].item() == pytest.approx(half * 1e-3 * ewc, rel=1e-4) and ewc > 0
    total = L_f + L_r + half * 1e-3 * ewc
    assert losses["loss"].item() == pytest.approx(total.item(), rel=1e-5)
    assert losses["L_f"].item() == L_f.item() and losses["L_r"].item() == L_r.item()


def test_a_large_lambda_holds_the_weights():
    model = fresh(True)

    def moved(lam):
        return (flat(amnesia(model, lam=lam, steps=8).run()) - flat(model)).norm().item()

    assert moved(1e4) < 0.7 * moved(0.0)


@pytest.mark.parametrize("variant", ["paper", "code"])
def test_fisher_s_images_are_on_the_scale_of_training_but_in_the_code(variant, monkeypatch):
    seen = []

    def spy(model, x, cond, **settings):
        seen.append((x, cond))
        return torch.zeros_like(flat(model))

    monkeypatch.setattr("paperlib.unlearning.selective_amnesia.fisher_diagonal", spy)
    forget, retain = images(8, (0,), seed=1), images(8, (1, 2), seed=2)
    next(iter(amnesia(small_unet(), retain, forget, variant=variant, fisher_samples=12, batch_size=2)))
    x, cond = seen[0]
    assert len(x) == 12 and (cond == 0).sum() == 4  # from both sides in proportion to size; no labels are dropped
    known = torch.cat([retain.x, forget.x])
    known = (known + 1) / 2 if variant == "code" else known
    assert all((known == one).flatten(1).all(1).any() for one in x)


def test_without_retained_data_the_model_s_samples_of_the_other_classes_are_replayed():
    model = fresh(True)
    run = amnesia(model, retain=None, replays=4)
    next(iter(run))
    assert run.prepared["labels"].tolist() == [1] * 4 + [2] * 4  # class 0 is forgotten
    labels = torch.arange(3).repeat_interleave(4)
    generator = seeded(3)
    FORGET.batch(1, generator)  # the run does so for its shape
    expected = sample(Guided(model, 2.0), (12, 2), generator=generator, steps=3, cond=labels).x[4:]
    torch.testing.assert_close(run.prepared["replay"], expected)
    drawn = Samples(run.prepared["replay"], run.prepared["labels"])
    L_f, L_r = data_terms(run.network, seeded(8), retain=drawn)
    assert run.objective(run.network, seeded(8), 1)["L_r"].item() == L_r.item()


def test_replay_of_an_unconditional_model_has_no_labels():
    drawn = replay(fresh(False), (2,), None, n=7, generator=seeded(1), steps=3, batch=4)
    assert drawn.x.shape == (7, 2) and drawn.labels is None and draw(drawn, 3, seeded(2))[1] is None
    assert drawn.only(torch.tensor([2, 5])).x.tolist() == drawn.x[[2, 5]].tolist()
    for labels, n in ((None, None), (torch.tensor([1]), 3)):
        with pytest.raises(ValueError, match="replay needs labels, or n"):
            replay(fresh(True), (2,), labels, n=n, generator=seeded(1))
    with pytest.raises(ValueError, match="unconditional: it cannot be asked for labels"):
        replay(fresh(False), (2,), torch.tensor([1]), generator=seeded(1))


def test_a_surrogate_of_one_s_own_takes_the_noise_s_place_under_the_forgotten_label():
    surrogate = points(20, (1,), seed=9)
    losses = amnesia(fresh(True), lam=0.0, gamma=0.0, surrogate=surrogate).objective(fresh(True), seeded(4), 0)
    generator = seeded(4)
    _, labels = FORGET.batch(8, generator)
    x_f, _ = surrogate.batch(8, generator)
    expected = undropped(fresh(True), x_f, labels, generator)
    assert losses["loss"].item() == losses["L_f"].item() == expected.item() and "L_r" not in losses


def test_the_preparation_s_passes_are_counted_and_not_done_again():
    run = amnesia(fresh(True), fisher_samples=3, fisher_times=10, batch_size=8)
    evaluations = [step.gradient_evaluations for step in run]
    assert evaluations == [3 * 2 + 2, 3 * 2 + 4, 3 * 2 + 6]  # ten times take two passes for each of three samples


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"lam": -1.0}, "lam=-1.0"),
        ({"lam": float("nan")}, "lam=nan"),
        ({"gamma": -0.5}, "gamma=-0.5"),
        ({"variant": "corrected"}, "variant='corrected' is not one of paper, code"),
        ({"replays": 0}, "replays=0 is below 1"),
        ({"fisher_samples": 0}, "fisher_samples=0 is below 1"),
        ({"fisher_times": 1}, "fisher_times=1 is below 2"),
        ({"batch_size": 0}, "batch_size=0 is below 1"),
        ({"forget": FORGET.x}, "no labels"),
        ({"forget": points(4, (0, 1, 2))}, "all 3 classes are among the forgotten"),
    ],
)
def test_wrong_settings_are_refused_at_the_call(wrong, message):
    with pytest.raises(ValueError, match=message):
        amnesia(fresh(True), **wrong)


def test_an_unconditional_model_is_told_what_it_needs():
    with pytest.raises(ValueError, match="unconditional.*hand in retain.*neggrad and vdu"):
        amnesia(fresh(False), retain=None, forget=FORGET.x)
