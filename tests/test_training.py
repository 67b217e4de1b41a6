"""The training loop compared with one written by hand; bitwise resuming; several processes compared with one."""

import copy
import functools
import itertools
import math
import socket
from types import SimpleNamespace

import pytest
import torch
from torch import distributed, multiprocessing, nn

import paperlib.training
from paperlib.data.mixture import SGU_MIXTURE
from paperlib.denoiser import Denoiser
from paperlib.losses import batch, score_matching, share
from paperlib.nets.mlp import MLP
from paperlib.processes import VE
from paperlib.training import Training
from tests import launched
from tests.oracles import network, seeded

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
    """The rate is lr min(1, (i + 1) / warmup) (1 + cos(pi i / steps)) / 2, the decay min(ema, (1 + n) / (10 + n))."""
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
    assert [step.gradient_evaluations for step in steps] == list(range(1, 13))  # "index" costs no pass
    assert all(b.seconds > a.seconds > 0 for a, b in zip(steps, steps[1:]))


def test_a_budget_of_seconds_ends_the_run_and_counts_on_when_it_is_resumed(monkeypatch):
    """With a clock on which every update takes a second."""
    clock = itertools.count()
    monkeypatch.setattr(paperlib.training, "time", SimpleNamespace(perf_counter=lambda: float(next(clock))))
    first = training(steps=12, max_seconds=2.5)
    assert [step.seconds for step in first] == [1, 2, 3]  # the third started in time
    assert len(list(training(steps=2, max_seconds=2.5))) == 2 and not list(training(steps=12, max_seconds=0.0))
    again = training(steps=12, max_seconds=5.0)
    again.load_state_dict(first.state_dict())
    assert [step.index for step in again] == [4, 5]


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
    for seed in (98, 99):  # continuing from it does not change it either
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
        ({"max_seconds": -1.0}, "max_seconds=-1.0 is negative"),
        ({"precision": "fp8"}, "precision='fp8' is not one of float32, bf16"),
        ({"ema": 1.0}, r"ema=1.0 is not in \[0, 1\)"),
        ({"ema": -0.1}, r"ema=-0.1 is not in \[0, 1\)"),
    ],
)
def test_wrong_settings_are_refused_at_once(wrong, message):
    with pytest.raises(ValueError, match=message):
        training(**wrong)


# --- terms: gradients, cosines, and the cost of an update


def two_terms(model, generator, index):
    return {name: score_matching(model, batch(part, 16, generator), generator).mean() for name, part in SIDES.items()}


def weighted(model, generator, index):
    terms = two_terms(model, generator, index)
    return {"loss": 0.75 * terms["L_r"] + 0.25 * terms["L_f"]} | terms | {"index": torch.tensor(float(index))}


SIDES = {"L_r": DATA[:300], "L_f": DATA[300:]}


def cosine(a, b):
    return float(a @ b / (a.norm() * b.norm()))


def vector(tensors):
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])


@pytest.mark.parametrize("weigh", [False, True])
def test_asking_for_cosines_changes_neither_weights_nor_losses_nor_cost(weigh):
    settings = {"weigh": lambda gradients, values: {"L_r": 0.75, "L_f": 0.25}} if weigh else {}
    model, of = network(VE(), data_std=2.0), two_terms if weigh else weighted
    runs = [
        Training(model, of, steps=5, lr=0.01, generator=seeded(3), cosines=cosines, **settings)
        for cosines in (False, True)
    ]
    plain, asked = (list(run) for run in runs)
    for a, b in zip(plain, asked):
        assert a.losses == b.losses and a.gradient_evaluations == b.gradient_evaluations == 2 * a.index
        assert not a.cosines and not a.move_cosines and b.cosines.keys() == b.move_cosines.keys() == SIDES.keys()
    first, second = (run.model.state_dict() for run in runs)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_cosines_are_those_of_autograd_s_gradients_with_delta_and_with_the_weights_move():
    model = network(VE(), data_std=2.0)
    run = Training(model, weighted, steps=3, lr=0.01, generator=seeded(3), clip=0.1, ema=0.0, cosines=True)
    by_hand, generator = copy.deepcopy(model), seeded(3)
    for step in run:
        terms = two_terms(by_hand, generator, 0)
        weights = list(by_hand.parameters())
        g = {name: vector(torch.autograd.grad(term, weights, retain_graph=True)) for name, term in terms.items()}
        moved = vector(weights) - vector(run.model.parameters())
        for name in SIDES:
            assert step.cosines[name] == pytest.approx(cosine(g[name], 0.75 * g["L_r"] + 0.25 * g["L_f"]), abs=1e-5)
            assert step.move_cosines[name] == pytest.approx(cosine(g[name], moved), abs=1e-4)  # a small difference
        by_hand.load_state_dict(run.network.state_dict())
    assert abs(step.cosines["L_r"] - step.move_cosines["L_r"]) > 0.01  # Adam's move is not its gradient


def test_a_term_without_a_gradient_has_a_cosine_of_zero():
    def objective(model, generator, index):
        return {"loss": two_terms(model, generator, index)["L_r"], "L_f": 0 * model.net.out.weight.sum()}

    (step,) = Training(network(VE()), objective, steps=1, lr=0.01, generator=seeded(), cosines=True)
    assert step.cosines == step.move_cosines == {"L_f": 0.0}


def test_weighed_terms_are_followed_by_their_weights_sum():
    """The run equals that of the minimised sum, and each weight comes from the gradients and values of that update."""
    model, seen = network(VE(), data_std=2.0), []

    def weigh(gradients, values):
        seen.append((gradients, values))
        return {"L_r": 0.75, "L_f": 0.25}

    settings = {"steps": 8, "lr": 0.01, "ema": 0.9}
    mine = Training(model, two_terms, generator=seeded(3), weigh=weigh, **settings)
    theirs = Training(model, weighted, generator=seeded(3), **settings)
    for a, b in zip(mine, theirs):
        assert a.multipliers == {"L_r": 0.75, "L_f": 0.25} and b.multipliers == {}
        assert a.losses["loss"] == pytest.approx(b.losses["loss"], rel=1e-4)
    for p, q in zip(mine.model.parameters(), theirs.model.parameters()):
        assert torch.allclose(p, q, atol=1e-4)  # 8 updates in float32; Adam divides by small gradients' own size
    terms = two_terms(model, seeded(3), 0)
    gradients, values = seen[0]
    assert values == {name: pytest.approx(term.item()) for name, term in terms.items()}
    for name, term in terms.items():
        assert torch.allclose(gradients[name], vector(torch.autograd.grad(term, list(model.parameters()))), atol=1e-5)


def test_a_gradient_evaluation_is_a_pass_forward_that_a_gradient_needs():
    def objective(model, generator, index):
        losses = two_terms(model, generator, index)
        with torch.no_grad():
            two_terms(model, generator, index)
        penalty = sum(p.square().sum() for p in model.parameters())  # a term that needs no pass
        return {"loss": losses["L_r"] + losses["L_f"] + penalty, "penalty": penalty} | losses

    run = Training(network(VE()), objective, steps=2, lr=0.01, generator=seeded())
    assert [step.gradient_evaluations for step in run] == [2, 4]
    run.network(torch.zeros(1, 2), torch.tensor(0.5))  # not those of the run
    assert run.gradient_evaluations == 4


# --- several processes, other arithmetic


def test_two_processes_give_the_gradients_of_one_with_the_whole_batch(tmp_path):
    """Sums in another order round by 6e-8 in each of some thousand terms: 1e-4 of the largest gradient."""
    alone = launched.updates()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Forks, since new processes would need seconds to import torch.
    multiprocessing.start_processes(launched.one_of, (2, port, tmp_path), nprocs=2, start_method="fork")
    for process in range(2):
        found = torch.load(tmp_path / str(process))
        assert found.pop("processes") == 2 and found.keys() == alone.keys()
        for name, value in alone.items():
            largest = value.abs().max() if name.endswith(("loss", "weight", "bias")) else 1
            assert (found[name] - value).abs().max() <= 1e-4 * largest, name
    assert max(value.abs().max() for name, value in alone.items() if name.startswith("2 ")) > 0


def test_rows_that_the_processes_cannot_share_evenly_are_refused(monkeypatch):
    monkeypatch.setattr(distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(distributed, "get_rank", lambda: 1)
    assert share(torch.arange(6)).tolist() == [1, 3, 5]
    with pytest.raises(ValueError, match="5 rows cannot be shared evenly by 2 processes"):
        share(torch.arange(5))


def test_bf16_changes_the_arithmetic_of_the_network_alone():
    """bf16 has 8 bits of mantissa, so the first losses agree to a few 1e-3 but are not equal; weights stay float32."""
    model = network(VE(), data_std=2.0)
    exact, coarse = (training(model=model, precision=precision) for precision in ("float32", "bf16"))
    first, second = next(iter(exact)).losses["loss"], next(iter(coarse)).losses["loss"]
    assert first != second and first == pytest.approx(second, rel=0.02)
    assert all(p.dtype == p.grad.dtype == torch.float32 for p in coarse.network.parameters())
    assert next(iter(coarse.run().parameters())).dtype == torch.float32


def test_a_compiled_run_is_the_same_run_and_its_state_fits_a_plain_one(monkeypatch):
    # Everything except the C++ compiler, which is not available everywhere.
    compile = functools.partial(nn.Module.compile, backend="aot_eager")
    compiled_ones = []
    monkeypatch.setattr(nn.Module, "compile", lambda module: compiled_ones.append(module) or compile(module))
    model = network(VE(), data_std=2.0)
    plain, compiled = training(model=model, steps=3), training(model=model, steps=3, compiled=True)
    assert compiled_ones == [compiled.network.net]
    assert [s.losses["loss"] for s in compiled] == pytest.approx([s.losses["loss"] for s in plain], rel=1e-4)
    again = training(model=model, steps=3)
    again.load_state_dict(compiled.state_dict())
    assert again.index == 3
    assert compiled.model.state_dict().keys() == model.state_dict().keys()


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_weights_alone_begin_a_run_at_their_update(ema):
    weights = {name: value + 1 for name, value in training().model.state_dict().items()}
    run = training(seed=1, ema=ema)
    run.start_from(weights, 9)
    for begun in (run.model, run.network):
        assert all(torch.equal(value, weights[name]) for name, value in begun.state_dict().items())
    assert run.index == 9 and [step.index for step in run] == [10, 11, 12]
    assert not all(torch.equal(value, weights[name]) for name, value in run.network.state_dict().items())
