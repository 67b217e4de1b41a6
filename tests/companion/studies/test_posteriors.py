"""Both Gaussians of VDU, compared with the models behind them."""

import statistics

import pytest
import torch

from companion import bases, checkpoints
from companion.store import Store
from companion.studies import posteriors
from companion.studies.posteriors import Study, study

TINY = {"base": "digits-ddpm", "forget": "1", "models": 3, "steps": 3, "apart": 1, "batch_size": 4}
TINY |= {"n": 20, "sampler": 3, "images": 10}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))
    return store, study(store, Study(**TINY))


def test_the_pull_is_the_stability_term_by_hand(found):
    """sum (theta* - mu)^2 / (2 sigma^2) over all weights, the variance never below 1e-8."""
    store, ways = found
    models = [
        checkpoints.load(bases.architecture(bases.BASES["digits-ddpm"]), "model", folder)
        for folder in sorted(store.folder.glob("seed-*[!k]"))
    ]
    assert len(models) == 3
    flat = torch.stack([torch.cat([p.flatten() for p in model.parameters()]) for model in models]).double()
    here = torch.cat([p.flatten() for p in bases.load("digits-ddpm").parameters()]).double()
    pull = ((here - flat.mean(0)).square() / (2 * flat.var(0).clamp(min=1e-8))).mean().item()
    assert ways["seeds"]["pull"] == pytest.approx(pull, rel=1e-3)
    assert ways["seeds"]["floored"] == pytest.approx((flat.var(0) < 1e-8).double().mean().item(), abs=1e-6)


def test_seeds_are_far_from_each_other_and_snapshots_near(found):
    _, ways = found
    wide, narrow = ([layer["std"] for layer in ways[way]["layers"]] for way in ("seeds", "snapshots"))
    assert statistics.median(a / b for a, b in zip(wide, narrow)) > 10  # biases begin alike whatever the seed
    assert [layer["name"] for layer in ways["seeds"]["layers"]] == [
        name for name, _ in bases.load("digits-ddpm").named_parameters()
    ]


def test_the_mean_of_snapshots_is_a_model_and_that_of_seeds_is_none(found):
    """The base model's loss is below 0.2 a pixel, that of a model that answers 0 is 1."""
    _, ways = found
    assert ways["snapshots"]["mean"]["loss"] < 0.2 < 0.5 < ways["seeds"]["mean"]["loss"]


def test_a_second_study_trains_nothing(found, monkeypatch):
    store, ways = found
    monkeypatch.setattr(posteriors.bases, "training", None)
    assert study(store, Study(**TINY)) == ways


def test_a_model_of_another_seed_is_trained_at_the_rate_that_is_asked_for(found, monkeypatch):
    store, _ = found
    rates = []
    monkeypatch.setattr(
        posteriors.bases, "training", lambda kind, budget, seed, **device: rates.append(budget.lr) or 1 / 0
    )
    with pytest.raises(ZeroDivisionError):
        study(store, Study(**TINY | {"lr": 1e-4}))
    assert rates == [1e-4]
