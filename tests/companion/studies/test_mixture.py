"""The mixture's steps: computed once, reproducible from a seed, and unaffected by a kill."""

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch

from companion.seeds import generator
from companion.store import Store
from companion.studies import mixture, mixture_measures
from companion.studies.mixture import BUDGETS, SHARED, Method, MixtureSettings, data, facts, load, losses, train
from companion.studies.mixture_measures import nll
from paperlib.data.mixture import SGU_MIXTURE
from paperlib.likelihood import log_likelihood
from tests.oracles import D_F, D_G, assert_mean

TINY = MixtureSettings(steps=12, test_points=4, draws=400, batch_size=16, width=8, tolerance=1e-2)
METHODS = {
    "standard": Method(name="standard"),
    "unseen": Method(name="unseen"),
    "orthogonal": Method(name="orthogonal"),
    "obtuse": Method(name="obtuse", variant="code", alpha=0.5, every=2),
    "fine-tuned": Method(name="orthogonal", start="finetune"),
}
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS.keys())


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def weights(entry):
    return (entry.path / "model.safetensors").read_bytes()


# --- settings


def test_wrong_numbers_are_refused_in_one_line():
    with pytest.raises(ValueError, match=r"^steps=-1 is not allowed: greater than 0 expected$"):
        MixtureSettings.checked(steps=-1, test_points=4)


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"variant": "corrected"}, "variant='corrected' is not one of paper, code"),
        ({"name": "acute"}, "name='acute' is not one of standard, unseen, orthogonal, obtuse"),
        ({"start": "scratch"}, "start='scratch' is not one of retrain, finetune"),
        ({"alpha": 0.0}, "alpha=0.0 is not allowed: greater than 0 expected"),
        ({"alpha": 1.5}, "alpha=1.5 is not allowed: less than or equal to 1 expected"),
        ({"every": 0}, "every=0 is not allowed: greater than or equal to 1 expected"),
        ({"gamma": 1.0}, "gamma is not a parameter; there are name"),
    ],
)
def test_wrong_methods_are_refused_in_one_line(wrong, message):
    with pytest.raises(ValueError) as error:
        Method.checked(**{"name": "orthogonal"} | wrong)
    assert str(error.value).startswith(message) and "\n" not in str(error.value)


def test_profiles_grow():
    amounts = [BUDGETS[name] for name in ("smoke", "laptop", "paper")]
    for name in ("steps", "test_points", "seeds"):
        smoke, laptop, paper = (of[name] for of in amounts)
        assert smoke < laptop < paper
    assert BUDGETS["laptop"]["seeds"] >= 3  # an ordering needs three


def test_a_models_facts_are_its_own():
    found = {name: facts(TINY, method) for name, method in SHARED.items()}
    assert not found["standard"].keys() & {"alpha", "lam", "variant"} and found["obtuse"]["alpha"] == 0.8
    assert found["redirect"]["lam"] == 20.0 and found["redirect"]["updates"] == TINY.steps // 4
    assert {one["method"] for one in found.values()} >= {"sgu_orthogonal", "sgu_obtuse", "unseen"}


def test_the_shared_step_trains_what_the_pages_ask_for(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(mixture, "train", lambda store, *what: asked.append(what))
    monkeypatch.setenv("PAPERLIB_BUILD", str(tmp_path))
    for profile in ("recorded", "laptop"):
        monkeypatch.setattr(sys, "argv", ["mixture", "--profile", profile])
        mixture.main()
    amounts = {name: value for name, value in BUDGETS["laptop"].items() if name != "seeds"}
    assert asked == [(MixtureSettings(**amounts), method, seed) for seed in (0, 1, 2) for method in SHARED.values()]


# --- data


def test_data_are_split_by_component_and_fixed_by_the_seed():
    settings = TINY.model_copy(update={"draws": 20_000})
    first, again, other = data(settings, 0), data(settings, 0), data(settings, 1)
    assert [len(side) for side in first] == [16_000, 4000]
    assert all(torch.equal(a, b) for a, b in zip(first, again))
    assert torch.equal(first[1], D_F.sample(4000, generator(0, "mixture/D_f", "data")))  # from its own stream
    assert not torch.equal(first[0], other[0]) and not torch.equal(first[1], other[1])
    for side, density in zip(first, (D_G, D_F)):
        assert_mean(side, 0.0)
        assert_mean(side.double().square().mean(1), density.std() ** 2)
    assert_mean(D_G.log_joint(first[0].double())[0].softmax(1)[:, 0], 0.5)
    assert len(torch.cat(first)) * SGU_MIXTURE.weights[1] == len(first[1])


# --- steps of the store


@every_method
def test_a_model_is_trained_once(store, monkeypatch, method):
    first = train(store, TINY, method, 0)
    monkeypatch.setattr(mixture.Training, "__iter__", lambda self: pytest.fail("trained again"))
    assert train(store, TINY, method, 0) == first
    measured = TINY.model_copy(update={"test_points": 9, "tolerance": 1e-4})
    assert train(store, measured, method, 0) == first  # settings of the measures do not matter
    model = load(first, TINY)
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())


@every_method
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(store, tmp_path, method):
    first = train(store, TINY, method, 0)
    torch.manual_seed(1)
    torch.randn(17)  # nothing uses the global generator
    again = train(Store(tmp_path / "elsewhere"), TINY, method, 0)
    assert first.sha256 == again.sha256 and first.path.name == again.path.name
    assert weights(train(store, TINY, method, 1)) != weights(first)


def test_methods_and_their_settings_each_make_their_own_model(store):
    methods = [*METHODS.values(), Method(name="orthogonal", alpha=0.9), Method(name="orthogonal", variant="code")]
    assert len({weights(train(store, TINY, method, 0)) for method in methods}) == len(methods)


def test_fine_tuning_starts_from_the_standard_model_of_the_seed(store):
    still = TINY.model_copy(update={"lr": 1e-12})
    base, tuned = (train(store, still, METHODS[name], 3) for name in ("standard", "fine-tuned"))
    model, start = load(tuned, still).state_dict(), load(base, still).state_dict()
    assert all(torch.allclose(model[name], start[name], atol=1e-9) for name in start)
    anew = load(train(store, still, METHODS["orthogonal"], 3), still).state_dict()
    assert not torch.equal(start["net.hidden.0.weight"], anew["net.hidden.0.weight"])


def test_the_losses_along_the_run_are_kept(store):
    curve = losses(train(store, TINY, METHODS["obtuse"], 0))
    assert list(curve) == list(range(1, 13))
    assert set(curve[1]) == {"loss", "L_g", "L_f"} and set(curve[2]) == {"loss", "L_g"}


def test_of_a_long_run_a_hundred_losses_are_kept(store):
    curve = losses(train(store, TINY.model_copy(update={"steps": 200}), METHODS["standard"], 0))
    assert list(curve) == list(range(2, 201, 2))


def test_likelihoods_are_measured_once_on_the_same_points_for_every_method(store, monkeypatch):
    settings = TINY.model_copy(update={"tolerance": 1e-5})
    first = nll(store, settings, METHODS["standard"], 0)
    assert first["D_g"].shape == first["D_f"].shape == (TINY.test_points,)
    assert all(torch.isfinite(values).all() for values in first.values())
    model = load(train(store, TINY, METHODS["standard"], 0), TINY)
    for side in ("D_g", "D_f"):  # step sizes depend on the batch; they agree to within a few hundred times 1e-5
        points = mixture_measures.test_data(TINY, side, 0)
        alone = -log_likelihood(model, points, rtol=1e-5, atol=1e-5).log_p
        assert torch.allclose(first[side], alone, atol=5e-3)
    monkeypatch.setattr(mixture_measures, "log_likelihood", lambda *_, **__: pytest.fail("measured again"))
    again = nll(store, settings, METHODS["standard"], 0)
    assert all(torch.equal(first[name], again[name]) for name in first)


# --- kills

KILLED = """
    import os, signal, sys
    import torch
    torch.set_num_threads(1)
    from companion.studies import mixture
    from companion.store import Store
    mixture.SNAPSHOT = 5
    settings, method, cut = mixture.MixtureSettings.model_validate_json(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    update, done = mixture.Training._update, [0]
    def killing(self):
        step = update(self)
        done[0] += 1
        if done[0] == cut:
            os.kill(os.getpid(), signal.SIGKILL)
        return step
    mixture.Training._update = killing
    mixture.train(Store(sys.argv[1]), settings, mixture.Method.model_validate_json(method), 0)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name, cut", [("obtuse", 8), ("fine-tuned", 12 + 2)])
def test_a_killed_training_run_goes_on_and_gives_the_same_bits(store, tmp_path, monkeypatch, name, cut):
    """One run is killed after a snapshot; fine-tuning, before its first one, so it starts from the base model again."""
    method = METHODS[name]
    folder = tmp_path / "killed"
    command = [sys.executable, "-c", textwrap.dedent(KILLED), folder, TINY.model_dump_json(), method.model_dump_json()]
    killed = subprocess.run([*command, str(cut)], cwd=Path(mixture.__file__).parents[2], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    partials = list(folder.glob("*.partial"))
    assert len(partials) == 1
    assert (partials[0] / "resume.pt").exists() == (name == "obtuse")

    monkeypatch.setattr(mixture, "SNAPSHOT", 5)
    updates, update = [], mixture.Training._update
    monkeypatch.setattr(mixture.Training, "_update", lambda self: updates.append(1) or update(self))
    resumed = train(Store(folder), TINY, method, 0)
    first_run = len(updates)
    undisturbed = train(store, TINY, method, 0)
    assert resumed.sha256 == undisturbed.sha256 and resumed.path.name == undisturbed.path.name
    assert weights(resumed) == weights(undisturbed) and losses(resumed) == losses(undisturbed)
    assert not list(folder.glob("*.partial")) and not list(resumed.path.glob("*resume*"))
    if name == "obtuse":
        assert first_run == 12 - 5  # from the snapshot at 5, not from the start


def test_snapshots_change_nothing(store, tmp_path, monkeypatch):
    entry = train(store, TINY, METHODS["orthogonal"], 0)
    monkeypatch.setattr(mixture, "SNAPSHOT", 1)
    assert train(Store(tmp_path / "other"), TINY, METHODS["orthogonal"], 0).sha256 == entry.sha256
