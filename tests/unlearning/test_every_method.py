"""Properties of every unlearning method in the table of methods; and adding a method takes one file and one line."""

import contextlib
import copy
import importlib.util
import inspect
import math
import re
import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
import torch

from companion.comparison import entrants
from companion.comparison.entrants import ENTRANTS
from paperlib.denoiser import Denoiser
from paperlib.losses import noised
from paperlib.training import Training
from paperlib.unlearning import methods
from paperlib.unlearning.methods import METHODS, Method, rows
from paperlib.unlearning.unseen import unseen
from tests.oracles import seeded
from tests.unlearning.toys import FORGET, RETAIN, fresh, images, share_of, small_unet, trained

SIDES = {  # (model, forget, retain) of a kind
    "labels": lambda: (fresh(True), FORGET, RETAIN),
    "plain": lambda: (fresh(False), FORGET.x, RETAIN.x),
    "images": lambda: (small_unet(), images(classes=(0,)), images(classes=(1, 2), seed=1)),
}


def call(method, kind="labels", seed=0, **settings):
    model, forget, retain = SIDES[kind]()
    model = settings.pop("model", model)
    forget, retain = settings.pop("forget", forget), settings.pop("retain", retain)
    settings = {"steps": 3, "batch_size": 6, "lr": 1e-2, "ema": 0.5, "generator": seeded(seed)} | settings
    return method.call(model, forget, retain, **method.small | method.serving(kind != "plain") | settings)


def equal(a, b):
    return all(torch.equal(value, b.state_dict()[name]) for name, value in a.state_dict().items())


def leaves_the_model_and_the_global_generator_alone(method):
    model, state = fresh(True), torch.get_rng_state()
    before = copy.deepcopy(model)
    run = call(method, model=model)
    trained = run.run()
    assert isinstance(run, Training) and equal(model, before) and not equal(trained, before)
    assert torch.equal(state, torch.get_rng_state())


def gives_the_same_bits_back_after_no_update(method):
    model = fresh(True)
    run = call(method, model=model, steps=0)
    assert equal(run.run(), model) or method.call is unseen  # it starts from fresh weights
    assert run.gradient_evaluations == 0


def takes_a_budget_of_seconds(method):
    assert not list(call(method, max_seconds=0.0)) and len(list(call(method, max_seconds=1e6))) == 3


def resumes_to_the_bit(method, kind="labels"):
    whole = call(method, kind)
    losses = [step.losses for step in whole]
    assert len(losses) == 3
    cut = call(method, kind)
    first = [next(iter(cut)).losses]
    state = cut.state_dict()
    resumed = call(method, kind, seed=5)
    resumed.load_state_dict(state)
    assert first + [step.losses for step in resumed] == losses and equal(resumed.model, whole.model)
    assert resumed.gradient_evaluations == whole.gradient_evaluations


def resumes_to_the_bit_on_images_with_dropout(method):
    resumes_to_the_bit(method, "images")


def refuses_wrong_settings_at_once(method):
    for wrong in ({"steps": -1}, {"ema": 1.0}, {"lr": -1.0}, {"clip": -1.0}):
        (name,) = wrong
        with pytest.raises(ValueError, match=name):
            call(method, **wrong)
    with pytest.raises(TypeError):
        call(method, lamda=1.0)


def refuses_wrong_settings_of_its_own_at_once(method):
    wrong = {str: ("nonsense",), int: (-1,), float: (-1.0, math.nan, math.inf)}
    for setting in inspect.signature(method.call).parameters.values():
        for value in wrong.get(type(setting.default), ()):
            with pytest.raises(ValueError, match=f"{setting.name}.*{value}"):
                call(method, **{setting.name: value})


# Losses that never use pairs: SalUn's for its mask, and Redirect's on D_f, whose target is not the noise.
SINGLE = {"salun": len(FORGET.x) // 6, "redirect": 1}


def noises_every_row_twice_where_antithetic_noise_is_asked_for(method):
    if "antithetic" not in inspect.signature(method.call).parameters:
        return
    asked = []

    def spied(*arguments, antithetic=False, **settings):
        asked.append(antithetic)
        return noised(*arguments, antithetic=antithetic, **settings)

    users = [name for name, module in sys.modules.items() if getattr(module, "noised", None) is noised]
    for value in (True, False):
        run, before = call(method, steps=1, antithetic=value), len(asked)
        with contextlib.ExitStack() as patched:
            for name in users:
                if name.startswith("paperlib."):
                    patched.enter_context(patch(f"{name}.noised", spied))
            list(run)
        found = asked[before:]
        assert found.count(not value) == (SINGLE.get(method.call.__name__, 0) if value else 0) < len(found)


def refuses_empty_data_and_a_batch_of_no_rows_at_once(method):
    none = FORGET.x[:0]
    for wrong, message in (
        ({"forget": none}, "forget is empty"),
        ({"retain": none}, "retain is empty"),
        ({"batch_size": 0}, "batch_size=0 is below 1"),
        ({"batch_size": -3}, "batch_size=-3 is below 1"),
    ):
        if "retain" in wrong and method.retained == "unused":
            continue
        with pytest.raises(ValueError, match=message):
            call(method, **wrong)


def counts_its_gradient_evaluations(method):
    evaluations = [step.gradient_evaluations for step in call(method)]
    assert {after - before for before, after in zip(evaluations, evaluations[1:])} == {method.passes}


def counts_the_same_for_images_and_for_an_unconditional_model(method):
    for kind in ("images", "plain"):
        if method.serving(kind != "plain") is None:
            continue
        evaluations = [step.gradient_evaluations for step in call(method, kind)]
        assert evaluations[2] - evaluations[1] == evaluations[1] - evaluations[0] == method.passes


# Passes per update without a gradient; EraseDiff has the targets of its three batches, and g.
WITHOUT_GRADIENT = {"blindspot": 1, "salun": 1, "multi_objective": 1, "erasediff": 4, "negate": 1, "esd": 2}


def says_what_it_computes_besides(method):
    """Check that the table lists every pass of every network, including the method's own copies, and nothing else."""
    passes = {True: 0, False: 0}

    def passed(module, arguments, output):
        passes[torch.is_grad_enabled()] += isinstance(module, Denoiser)

    hook = torch.nn.modules.module.register_module_forward_hook(passed)
    try:
        run = call(method)
        counts = [dict(passes) for _ in run]
    finally:
        hook.remove()
    each = {kind: counts[2][kind] - counts[1][kind] for kind in passes}
    assert each == {True: method.passes, False: WITHOUT_GRADIENT.get(method.call.__name__, 0)}
    assert ("every update" in method.extra) == (each[False] > 0)
    before = {kind: counts[0][kind] - each[kind] for kind in passes}
    assert ("before the first update" in method.extra) == any(before.values())
    assert before[True] == run.gradient_evaluations - 3 * method.passes  # the run counts these too


def serves_an_unconditional_model_or_names_a_method_that_does(method):
    if method.serving(conditional=False) is not None:
        assert len(list(call(method, "plain"))) == 3
    if method.unconditional:  # its default settings do not
        with pytest.raises(ValueError, match="unconditional|model of") as caught:
            call(replace(method, unconditional={}), "plain")
        assert any(name in str(caught.value) for name in [*METHODS, "serves it"])


def needs_the_retained_data_that_it_says(method):
    if method.retained in ("unused", "optional"):
        assert len(list(call(method, retain=None))) == 3
        return
    name = method.call.__name__
    with pytest.raises(ValueError, match=f"retain=None: {name} needs retained data; neggrad and vdu work without"):
        call(method, retain=None)


def a_state_holds_tensors_and_numbers_only(method):
    run = call(method, steps=1)
    list(run)
    torch.save(run.state_dict(), "state.pt")
    torch.load("state.pt", weights_only=True)


CHECKS = [
    leaves_the_model_and_the_global_generator_alone,
    gives_the_same_bits_back_after_no_update,
    takes_a_budget_of_seconds,
    resumes_to_the_bit,
    resumes_to_the_bit_on_images_with_dropout,
    refuses_wrong_settings_at_once,
    refuses_wrong_settings_of_its_own_at_once,
    noises_every_row_twice_where_antithetic_noise_is_asked_for,
    refuses_empty_data_and_a_batch_of_no_rows_at_once,
    counts_its_gradient_evaluations,
    counts_the_same_for_images_and_for_an_unconditional_model,
    says_what_it_computes_besides,
    serves_an_unconditional_model_or_names_a_method_that_does,
    needs_the_retained_data_that_it_says,
    a_state_holds_tensors_and_numbers_only,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", METHODS)
def test_a_method(name, check, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check(METHODS[name])


@pytest.mark.slow
def test_adding_a_method_is_as_the_book_says(tmp_path, monkeypatch):
    page = (Path(__file__).parents[2] / "book" / "adding_a_method.md").read_text()
    file, trial, method, entrant = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ceiling.py").write_text(file)
    spec = importlib.util.spec_from_file_location("ceiling", tmp_path / "ceiling.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(methods, "METHODS", dict(METHODS))
    monkeypatch.setattr(entrants, "METHODS", methods.METHODS)
    monkeypatch.setattr(entrants, "ENTRANTS", dict(ENTRANTS))
    names = vars(entrants) | {"Method": Method, "ceiling": module.ceiling}
    exec(method + entrant, names)

    for check in CHECKS:
        check(methods.METHODS["ceiling"])
    assert [row["method"] for row in rows()] == [*METHODS, "ceiling"]
    assert rows()[-1]["gradient evaluations per update"] == "2" and rows()[-1]["conditional model"] == "either"
    assert len(entrants.ENTRANTS["ceiling"].candidates()) == 6

    exec(trial, names)
    assert len(names["run"].model.state_dict()) and names["step"].index == 20
    assert names["step"].losses["loss"] == pytest.approx(
        names["step"].losses["L_r"] + max(0.0, 64 - names["step"].losses["L_f"]), rel=1e-5
    )


def test_the_table_has_a_row_a_method_and_no_empty_cell():
    table = {row["method"]: row for row in rows()}
    assert list(table) == list(METHODS) and all(all(row.values()) for row in table.values())
    assert table["neggrad"]["retained data"] == "unused"
    assert table["salun"]["conditional model"] == "needed, but for erase='ascent'"


# Settings with which every method must forget the first of three well-separated classes in a few updates: kind of
# model, updates, settings, and the smallest share of samples that a retained class must keep (0: none is promised).
EASY = {
    "unseen": ("plain", 120, {"lr": 2e-2, "decay": True}, 0.2),
    "finetune": ("plain", 80, {"lr": 5e-3}, 0.2),
    "neggrad": ("labels", 100, {"lr": 1e-3}, 0.0),
    "blindspot": ("labels", 80, {"lr": 5e-3, "teacher_steps": 80, "teacher_lr": 2e-2}, 0.7),
    "selective_amnesia": (
        "labels",
        80,
        # lambda for a few thousand weights, which do not move at the paper's 10 (see ``lam``)
        {"lr": 5e-3, "lam": 1e-3, "replays": 100, "fisher_samples": 10, "fisher_times": 20, "sampling": {"steps": 8}},
        0.25,
    ),
    "salun": ("labels", 60, {"lr": 2e-3}, 0.7),
    "multi_objective": ("labels", 40, {"lr": 5e-3}, 0.7),
    "erasediff": ("labels", 60, {"lr": 5e-3, "eta": 1.0}, 0.5),
    "sgu": ("labels", 90, {"lr": 3e-3, "alpha": 0.9}, 0.3),
    "vdu": ("labels", 100, {"lr": 1e-3, "posterior": 1.0}, 0.0),
    "signed": ("labels", 60, {"lr": 2e-3}, 0.4),
    "redirect": ("labels", 60, {"lr": 5e-3, "references": 128}, 0.7),
    "siss": ("labels", 60, {"lr": 2e-3, "variant": "paper", "superfactor": 0.5}, 0.0),
    "retrack": ("labels", 60, {"lr": 5e-3, "pool": 128}, 0.0),  # so far apart that z* is mostly 1 / sigma_t
    "negate": ("labels", 60, {"lr": 5e-3, "classifier_steps": 200}, 0.7),
    "esd": ("labels", 60, {"lr": 5e-3}, 0.0),
}


@pytest.mark.parametrize("name", EASY)
def test_a_method_forgets_what_is_easy_to_forget(name):
    kind, steps, settings, least = EASY[name]
    labels = (0, 1, 2) if kind == "labels" else (None,) * 3
    before = trained(kind == "labels")
    assert all(share_of(before, k, label) > (0.9 if kind == "labels" else 0.2) for k, label in enumerate(labels))
    run = call(METHODS[name], kind, model=before, steps=steps, batch_size=64, **{"ema": 0.9} | settings)
    after = run.run()
    found = [share_of(after, k, label) for k, label in enumerate(labels)]
    assert found[0] < 0.1 and min(found[1:]) >= least, found


def test_every_method_is_asked_to_forget():
    assert list(EASY) == list(METHODS)


# The sources' numbers, if they print any, as in the methods' docstrings.
OWN = {
    "blindspot": {"beta": 50.0, "teacher_steps": 500, "teacher_lr": 1e-3},
    "selective_amnesia": {"lam": 10.0, "gamma": 1.0, "replays": 500, "fisher_samples": 500, "fisher_times": 100},
    "salun": {"kept": 0.5},
    "multi_objective": {"lam": 0.1},
    "erasediff": {"eta": 0.1, "lam": 0.1, "K": 2, "xi": 1e-4},
    "sgu": {"alpha": 0.99, "every": 1, "forget_batch": 0},
    "vdu": {"gamma": 0.1},
    "signed": {"lam": 60.0},
    "redirect": {"mu": 0.2, "reach": 2.0, "sigma_min": 0.02, "references": 1024},
    "siss": {"lam": 0.5, "fraction": 0.1, "superfactor": 0.0},
    "retrack": {"k": 10, "mu": 1.0, "pool": 4096},
    "negate": {"w": 1.0, "mu": 1.0, "reach": 1.0, "own": 500, "evaluations": 10, "classifier_steps": 1000},
    "esd": {"eta": 1.0, "guidance": 2.0, "evaluations": 50},
}
RATES = {"sgu": (400, 2e-4), "siss": (64, 5e-6), "retrack": (64, 5e-6), "vdu": (128, 1e-6), "esd": (1, 1e-5)}
RATES |= dict.fromkeys(("unseen", "signed", "redirect"), RATES["sgu"])


@pytest.mark.parametrize("name", METHODS)
def test_what_nobody_sets_is_the_source_s(name):
    size, lr = RATES.get(name, (128, 1e-4))
    settings = inspect.signature(METHODS[name].call).parameters.values()
    found = {one.name: one.default for one in settings if type(one.default) in (int, float)}
    assert found == OWN.get(name, {}) | {"batch_size": size, "lr": lr}
