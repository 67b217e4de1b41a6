"""SalUn: the mask by brute force, the weights it leaves unchanged, and the three readings of its loss by hand."""

import copy
import math

import pytest
import torch

from paperlib.guidance import Guided
from paperlib.losses import batch_loss, noised, score_matching
from paperlib.training import Training
from paperlib.unlearning.prepared import flat
from paperlib.unlearning.requirements import other_labels
from paperlib.unlearning.salun import saliency, saliency_mask, salun
from tests.oracles import STANDARD_ERRORS, seeded
from tests.unlearning.toys import FORGET, RETAIN, fresh, images, points, small_unet


def run(model, forget=FORGET, retain=RETAIN, **settings):
    defaults = {"generator": seeded(3), "steps": 4, "batch_size": 16, "lr": 1e-2, "ema": 0.5}
    return salun(model, forget, retain, **defaults | settings)


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.5, 1.0])
def test_the_mask_keeps_the_largest_gradients(kept):
    gradient = torch.randn(1001, generator=seeded(1))
    gradient[::3] = 0.0  # ties
    mask = saliency_mask(gradient, kept)
    assert mask.sum() == int(kept * 1001)
    if 0 < kept < 1:
        assert gradient[mask].abs().min() >= gradient[~mask].abs().max()


@pytest.mark.parametrize("variant", ["paper", "code"])
def test_the_mask_is_of_the_sum_of_the_forgotten_batches_gradients(variant):
    model, forget = fresh(True), points(20, (0,), seed=4)
    forget.x.mul_(8)  # large gradients, which the code clips
    steps = run(model, forget, variant=variant, batch_size=16, steps=1)
    next(iter(steps))
    total, generator = 0.0, seeded(3)
    asked = Guided(model, 2.0) if variant == "code" else model
    for _ in range(2):  # 20 rows in batches of 16
        x0, labels = forget.batch(16, generator)
        torch.rand(16, generator=generator)  # label dropout of probability 0
        model.zero_grad()
        score_matching(asked, x0, generator, cond=labels).mean().backward()
        if variant == "code":
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            assert norm > 1  # otherwise clipping would have no effect
        total = total + torch.cat([p.grad.flatten() for p in model.parameters()])
    settings = {"guidance": 2.0, "clip": 1.0} if variant == "code" else {"guidance": 0.0, "clip": 0.0}
    found = saliency(model, forget, seeded(3), rows=len(forget), size=16, **settings)
    torch.testing.assert_close(found, total, rtol=1e-3, atol=1e-5)
    mask = steps.prepared["mask"]
    assert mask.sum() == len(mask) // 2
    assert (mask != saliency_mask(total, 0.5)).float().mean() < 0.002  # float32 rounding at the median


@pytest.mark.parametrize("erase", ["relabel", "ascent"])
@pytest.mark.parametrize("kind", ["points", "images"])
def test_only_masked_weights_change(kind, erase):
    model = fresh(True) if kind == "points" else small_unet()
    sides = (FORGET, RETAIN) if kind == "points" else (images(classes=(0,)), images(classes=(1, 2)))
    steps = run(model, *sides, erase=erase, kept=0.3, batch_size=8)
    changed = flat(steps.run()) != flat(model)
    mask = steps.prepared["mask"]
    assert not (changed & ~mask).any()
    assert (changed & mask).sum() > 0.9 * mask.sum()
    assert not ((flat(steps.network) != flat(model)) & ~mask).any()  # nor in the weights before averaging


def test_no_weight_kept_gives_the_same_bits_and_all_kept_the_run_without_a_mask():
    model = fresh(True)
    assert torch.equal(flat(run(model, kept=0.0).run()), flat(model))
    masked = run(model, kept=1.0)
    plain = Training(model, masked.objective, steps=4, lr=1e-2, ema=0.5, generator=seeded(3))
    masked.prepare(copy.deepcopy(model), plain.generator)  # the mask is sampled first
    assert torch.equal(flat(plain.run()), flat(masked.run()))


@pytest.mark.parametrize("variant, alpha", [("paper", 1e-3), ("code", 1e-3), ("corrected", 3.0)])
def test_relabelling_by_hand(variant, alpha, monkeypatch):
    monkeypatch.setattr("paperlib.unlearning.salun.LABEL_DROPOUT", 0.0)  # the code drops both labels
    forget = points(30, (0, 2), seed=5)
    retain = points(30, (1,), seed=6)
    model = fresh(True)
    found = run(model, forget, retain, variant=variant).objective(model, seeded(9), 0)
    found["loss"].backward()
    gradient = torch.cat([p.grad.flatten() for p in model.parameters()])
    model.zero_grad()
    generator = seeded(9)
    L_r = batch_loss(model, retain, 16, generator).mean()
    x0, labels = forget.batch(16, generator)
    if variant == "code":
        others = (labels + 1) % 3  # 0 -> 1, and 2 -> 0, which is also forgotten
    elif variant == "paper":
        others = other_labels(labels, torch.arange(3), generator)
    else:
        others = torch.ones_like(labels)  # the only retained class
        torch.rand(16, 1, generator=generator)
    for _ in range(2):
        torch.rand(16, generator=generator)  # label dropout of probability 0
    x_t, t, _ = noised(model.process, x0, generator)
    target = model(x_t, t, others).eps.detach()
    squares = (target - model(x_t, t, labels).eps).square().sum(1)
    expected = squares.mean() / (2 if variant == "code" else 1) + alpha * L_r
    assert found["L_f"].item() == pytest.approx(squares.mean().item(), rel=1e-5)
    assert found["loss"].item() == pytest.approx(expected.item(), rel=1e-5)
    expected.backward()
    torch.testing.assert_close(
        gradient, torch.cat([p.grad.flatten() for p in model.parameters()]), rtol=1e-3, atol=1e-4
    )


def test_ascent_by_hand():
    model = fresh(False)
    found = run(model, FORGET.x, RETAIN.x, erase="ascent", alpha=0.5).objective(model, seeded(9), 0)
    generator = seeded(9)
    L_r, L_f = (batch_loss(model, data, 16, generator).mean() for data in (RETAIN.x, FORGET.x))
    assert found["L_f"].item() == L_f.item()
    assert found["loss"].item() == pytest.approx((0.5 * L_r - L_f).item(), rel=1e-5)


def test_another_label_is_uniform_over_those_allowed_but_one_s_own():
    labels = torch.arange(4).repeat_interleave(4000)
    drawn = other_labels(labels, torch.tensor([0, 2, 3]), seeded(2))
    for label in range(4):
        others = [k for k in (0, 2, 3) if k != label]
        counts = torch.bincount(drawn[labels == label], minlength=4)
        assert counts.sum() == counts[others].sum()
        p = 1 / len(others)
        error = math.sqrt(4000 * p * (1 - p))
        assert ((counts[others] - 4000 * p).abs() < STANDARD_ERRORS * error).all()


def test_the_mask_s_passes_are_counted():
    evaluations = [step.gradient_evaluations for step in run(fresh(True), batch_size=128, steps=2)]
    assert evaluations == [3 + 2, 3 + 4]  # 300 forgotten rows in batches of 128


@pytest.mark.parametrize("rows", [1, 16, 17, 40])
def test_a_mask_of_fewer_rows_takes_as_many_batches_as_hold_them(rows):
    model, passed = fresh(False), []
    steps = run(model, FORGET.x, RETAIN.x, erase="ascent", mask_rows=rows, batch_size=16, steps=1)
    batches = math.ceil(rows / 16)
    steps.network.register_forward_hook(lambda *_: passed.append(torch.is_grad_enabled()))
    assert next(iter(steps)).gradient_evaluations == batches + 2 == sum(passed)
    found = saliency(model, FORGET.x, seeded(3), rows=16 * batches, size=16, guidance=0.0, clip=0.0)
    assert torch.equal(steps.prepared["mask"], saliency_mask(found, 0.5))


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"erase": "noise"}, "erase='noise' is not one of relabel, ascent"),
        ({"variant": "fixed"}, "variant='fixed' is not one of paper, code, corrected"),
        ({"alpha": -1.0}, "alpha=-1.0"),
        ({"kept": 1.5}, r"kept=1.5 is not in \[0, 1\]"),
        ({"kept": math.nan}, r"kept=nan is not in \[0, 1\]"),
        ({"retain": None}, "salun needs retained data; neggrad and vdu"),
        ({"batch_size": 0}, "batch_size=0 is below 1"),
        ({"mask_rows": 0}, "mask_rows=0 is below 1"),
        ({"forget": points(4, (0, 1, 2))}, "all 3 classes are among the forgotten"),
    ],
)
def test_wrong_settings_are_refused_at_the_call(wrong, message):
    with pytest.raises(ValueError, match=message):
        run(fresh(True), **wrong)


def test_an_unconditional_model_is_told_what_serves_it():
    with pytest.raises(ValueError, match="unconditional.*erase='ascent' serves it"):
        run(fresh(False), FORGET.x, RETAIN.x)
