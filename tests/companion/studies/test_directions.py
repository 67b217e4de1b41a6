"""EraseDiff's directions: identities, the effect of the inner loop, and refused settings."""

import math

import pytest

from companion.store import Store
from companion.studies import directions
from companion.studies.directions import Run, apart, conflict, follow, look, updates

TINY = {"base": "digits-ddpm-labels", "forget": "3", "steps": 3, "batch_size": 4, "lr": 1e-4, "n": 20, "evaluations": 4}


def asked(method="erasediff", **more):
    return Run.checked(**TINY | {"method": method} | more)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))
    return lambda method="erasediff", **more: follow(store, asked(method, **more))


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_no_inner_step_reaches_the_update_of_the_paper(run, optimizer):
    assert apart(*(run(variant="paper", K=K, optimizer=optimizer) for K in (0, 3))) == 0.0


def test_in_the_public_code_only_adam_s_memory_does(run):
    def gap(optimizer):
        return apart(*(run(variant="code", K=K, optimizer=optimizer) for K in (0, 2)))

    assert gap("sgd") == 0.0 and gap("adam") > 0.05


def test_the_corrected_constraint_asks_the_inner_loop(run):
    assert apart(*(run(variant="corrected", K=K) for K in (1, 3))) > 0


def test_the_theorem_s_delta_never_crosses_the_erasing_gradient(run):
    """delta . grad g >= eta |grad g|^2 (Theorem 3.1)."""
    assert all(one["delta_f"] > 0 for one in updates(run(variant="paper")))


def test_the_plain_sum_s_cosines_are_those_of_two_vectors(run):
    """delta = r + lam f lies between both gradients, and never opposes both of them."""
    for one in updates(run("multi_objective", lam=0.5)):
        a, b = math.acos(one["delta_r"]), math.acos(one["delta_f"])
        assert 0 < a < math.pi and 0 < b < math.pi and max(one["delta_r"], one["delta_f"]) > 0
        assert one["by"] == 0.5


def test_the_model_before_shows_what_it_is_asked_for(run):
    before = run("unscrubbed")
    assert look(before)["asked"] > 50 and updates(before) == []


def test_conflicts_count_signs():
    found = [{"delta_r": r, "delta_f": f} for r, f in ((-1, 1), (1, -1), (-1, -1), (1, 1))]
    assert [conflict(found, "delta", side) for side in ("L_r", "L_f", "either")] == [50.0, 50.0, 75.0]


def test_a_run_s_facts_are_its_own():
    assert not {"K", "eta", "variant"} & asked("multi_objective").facts.keys()
    assert "lam" not in asked(variant="paper").facts and "eta" not in asked(variant="code").facts
    assert not {"lr", "updates", "optimizer"} & asked("unscrubbed").facts.keys()


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"base": "digits-ddpm"}, "base='digits-ddpm' is unconditional"),
        ({"base": "cifar100-ddpm-labels"}, "there is no base model 'cifar100-ddpm-labels'"),
        ({"variant": "corrected", "K": 0}, "K=0 inner steps are too few"),
        ({"variant": "printed"}, "variant='printed' is not one of paper, code, corrected"),
    ],
)
def test_what_cannot_be_is_refused_before_it_is_run(more, why):
    with pytest.raises(ValueError, match=why):
        asked(**more)


def test_a_base_model_that_was_not_trained_is_refused(monkeypatch):
    monkeypatch.setattr(directions.bases, "card", lambda name: None)
    with pytest.raises(ValueError, match="digits-ddpm-labels has not been trained"):
        asked()
