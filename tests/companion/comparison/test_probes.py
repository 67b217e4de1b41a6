"""The direction of an update relative to both gradients: closed forms, brute force, and an unaffected run."""

import copy
import math

import pytest
import torch

from companion.comparison.probes import Probe, conflict
from paperlib.losses import batch_loss
from paperlib.training import Training
from paperlib.unlearning.methods import METHODS
from paperlib.unlearning.prepared import flat
from tests.oracles import seeded
from tests.unlearning.toys import FORGET, RETAIN, fresh, images, small_unet

ROWS = 16
G, F = RETAIN.x, FORGET.x
SETTINGS = {"batch_size": ROWS, "lr": 1e-3, "ema": 0.0}


def gradient(model, data, generator):
    """Compute the gradient by backward on a copy."""
    model = copy.deepcopy(model)
    batch_loss(model, data, ROWS, generator).mean().backward()
    return torch.cat([p.grad.flatten() for p in model.parameters()]).double()


def cosine(a, b):
    return (torch.dot(a, b) / (a.norm() * b.norm())).item()


@pytest.mark.parametrize("found, data, sign", [("keeps", G, 1), ("erases", F, -1)])
def test_the_first_move_of_adam_is_the_gradients_sign(found, data, sign):
    """On the batch of the objective, cos(sign g, g) = |g|_1 / (|g|_2 sqrt n)."""

    def objective(model, generator, index):
        retained = batch_loss(model, G, ROWS, generator).mean()  # sampled first, as the probe does
        return {"loss": retained if sign > 0 else -batch_loss(model, F, ROWS, generator).mean()}

    model, draws = fresh(False), seeded(3)
    run = Training(model, objective, steps=1, lr=1e-3, ema=0.0, clip=0.0, generator=seeded(3))
    with Probe(run, G, F, ROWS, seeded(3)) as probe:
        next(iter(run))
    own = gradient(model, G, draws)
    own = own if data is G else gradient(model, F, draws)
    closed = own.abs().sum() / (own.norm() * math.sqrt(int((own != 0).sum())))
    assert probe.found[0][found] == pytest.approx(closed.item(), rel=1e-3)


def test_every_cosine_is_that_of_brute_force():
    run = METHODS["signed"].call(fresh(False), F, G, generator=seeded(1), steps=3, **SETTINGS)
    probe, draws, steps = Probe(run, G, F, ROWS, seeded(5)), seeded(5), iter(run)
    for index in range(3):
        before = copy.deepcopy(run.network)
        with probe:
            next(steps)
        keep, erase = -gradient(before, G, draws), gradient(before, F, draws)
        move = (flat(run.network) - flat(before)).detach().double()
        found = probe.found[index]
        assert (found["update"], found["evaluations"]) == (index + 1, 2 * (index + 1))
        for name, pair in {"keeps": (move, keep), "erases": (move, erase), "agree": (keep, erase)}.items():
            assert found[name] == pytest.approx(cosine(*pair), abs=1e-4), name


@pytest.mark.parametrize("name", ["finetune", "salun", "erasediff"])
def test_the_run_is_the_same_to_the_bit_with_a_probe_and_without(name):
    method, model = METHODS[name], small_unet(classes=0, dropout=0.1)
    kept, lost = images(classes=(1, 2)).x, images(classes=(0,)).x
    settings = {"steps": 3, **SETTINGS, **method.serving(conditional=False)}
    plain, probed = (method.call(model, lost, kept, generator=seeded(2), **settings) for _ in range(2))
    probe, steps = Probe(probed, kept, lost, ROWS, seeded(5)), iter(probed)
    for _ in range(3):
        with probe:
            next(steps)
    assert len(probe.found) == 3 and torch.equal(flat(plain.run()), flat(probed.model))
    assert plain.gradient_evaluations == probed.gradient_evaluations


def test_an_update_that_raises_leaves_nothing_behind():
    def objective(model, generator, index):
        loss = batch_loss(model, G, ROWS, generator).mean()
        return {"loss": loss if index < 1 else loss * math.nan}

    run = Training(fresh(False), objective, steps=3, lr=1e-3, generator=seeded(1))
    probe, steps = Probe(run, G, F, ROWS, seeded(5)), iter(run)
    with probe:
        next(steps)
    with pytest.raises(FloatingPointError, match="nan at update 2"), probe:
        next(steps)
    assert [one["update"] for one in probe.found] == [1]


def test_weights_that_do_not_move_have_no_direction():
    run = METHODS["finetune"].call(fresh(False), None, G, generator=seeded(1), steps=1, **SETTINGS | {"lr": 0.0})
    with Probe(run, G, F, ROWS, seeded(5)) as probe:
        next(iter(run))
    assert probe.found[0]["keeps"] == probe.found[0]["erases"] == 0.0 != probe.found[0]["agree"]


def test_descent_and_ascent_move_as_their_names_say():
    for name, rises in {"finetune": "keeps", "neggrad": "erases"}.items():
        settings = SETTINGS | {"batch_size": 4000}
        run = METHODS[name].call(fresh(False), F, G, generator=seeded(1), steps=1, **settings)
        with Probe(run, G, F, 4000, seeded(5)) as probe:
            next(iter(run))
        assert probe.found[0][rises] > 0.2


def test_conflict_counts_negative_cosines():
    signs = [(-1, 1, 0), (1, -1, 0.5), (1, -0.2, -0.5), (0, 1, -1)]
    found = [{"agree": agree, "keeps": keeps, "erases": erases} for agree, keeps, erases in signs]
    assert conflict(found) == {"gradients": 25, "harms": 50, "restores": 50}
