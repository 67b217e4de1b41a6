"""Measures of a VDU run, computed from its weights."""

import dataclasses

import pytest

from companion import bases
from companion.models import base
from companion.store import Store
from companion.studies import vdu_runs
from companion.studies.vdu_runs import both_terms, moved
from paperlib.unlearning.vdu import vdu


def test_one_update_of_adam_moves_no_weight_by_more_than_its_rate_and_some_by_all_of_it(tmp_path):
    start = dataclasses.replace(base("digits-ddpm"), store=Store(tmp_path))
    run = dict(updates=1, batch_size=4, lr=1e-4, apart=1)
    model = start.unlearn(vdu, "1", gamma=0.5, **run)
    farthest, mean = moved(model)
    assert farthest == pytest.approx(1e-4, rel=0.01) and 0 < mean <= farthest
    assert moved(start) == (0, 0)
    assert model.facts["posterior"] == "5 snapshots" and model.facts["apart"] == 1
    assert "posterior" not in start.facts


def test_a_rate_is_scored_by_the_same_run_on_held_out_images(monkeypatch):
    """UR from 10 to 2 % is three fifths of what the rule allows; a distance of 4 after 2 is too far by a third."""
    asked = []
    monkeypatch.setattr(vdu_runs, "course", lambda store, run: asked.append(run))
    monkeypatch.setattr(vdu_runs, "looks", lambda entry: [{"ur": 10, "distance": 2}, {"ur": 2, "distance": 4}])
    model = base("digits-ddpm").unlearn(vdu, "1", gamma=0.1, updates=3, batch_size=4, lr=1e-4)
    assert vdu_runs.held_out_score(model, n=50) == pytest.approx(4 / 3)
    assert asked == [model.run.model_copy(update={"held_out": True, "n": 50})] and not model.run.held_out


def test_sums_grow_with_the_data_and_the_network_and_means_do_not():
    """Every weight is one sigma from the mean: half a unit of B each."""
    terms = both_terms(base("digits-ddpm"), "1", seed=0)
    weights = sum(p.numel() for p in bases.load("digits-ddpm").parameters())
    for data in ("all of D_f", "a quarter"):
        assert terms[f"{data}, sums"][1] == pytest.approx(weights / 2, rel=1e-3)
        assert terms[f"{data}, means"][1] == pytest.approx(0.5, rel=1e-3)
    ratio = {kind: terms[f"all of D_f, {kind}"][0] / terms[f"a quarter, {kind}"][0] for kind in ("sums", "means")}
    assert 3 < ratio["sums"] < 5 and 0.8 < ratio["means"] < 1.25
