"""The search for SGU's alpha: equal effort on one axis, its winner, and c for models without a search."""

import dataclasses

import pytest

from companion.comparison.search import Budget, write
from companion.models import base
from companion.store import Store
from companion.studies import sgu_models, sgu_search, sgu_sweep
from companion.studies.sgu_search import ANSWERS, LOSSES, alpha_of, dims, entrants, searched
from paperlib.unlearning.shrinkage import shrinkage
from tests.companion.comparison.test_search import PROVENANCE

TINY = Budget(evaluations=8, batch_size=4, n=60, sampler=6)


@pytest.fixture
def known(tmp_path, monkeypatch):
    """A search of the digits' VE model: the second c wins for Eq. 9, the last for Eq. 10."""
    monkeypatch.setattr(sgu_search, "FOLDER", tmp_path)
    tried = []
    for name in ("sgu_orthogonal_paper", "sgu_obtuse_paper", "control"):
        for k, one in enumerate(entrants("digits-ve")[name].candidates()):
            score = {"sgu_orthogonal_paper": abs(k - 1), "sgu_obtuse_paper": 9 - k, "control": 2.0}[name]
            tried.append(dict(entrant=name, settings=one, ur=5.0, distance=3.0, score=score))
    facts = dict(base="digits-ve", forget="3,7", budget=TINY, ur=20.0, distance=2.0, provenance=PROVENANCE)
    return write(sgu_search.Search(candidates=tried, **facts), tmp_path / "sgu")


@pytest.mark.parametrize("base", ["digits-ve", "shapes-vp"])
def test_every_loss_has_as_many_tries_at_the_same_places(base):
    for name, reading in LOSSES.items():
        tried = [one["alpha"] for one in entrants(base)[name].candidates()]
        left = [shrinkage(alpha, dims=dims(base), **reading) for alpha in tried]
        assert [1 - c for c in left] == pytest.approx([1 - c for c in ANSWERS], rel=0.06)  # alpha as a person writes it
    assert [one["alpha"] for one in entrants(base)["control"].candidates()] == [1.0]


def test_the_winner_is_found_again_and_another_model_takes_its_c(known, monkeypatch):
    assert searched("digits-ve", "7,3").of("control")
    tried = [one["alpha"] for one in entrants("digits-ve")["sgu_orthogonal_paper"].candidates()]
    assert alpha_of("digits-ve", "3,7", "orthogonal", "paper") == tried[1]
    monkeypatch.setattr(sgu_search, "KNOWN", ("digits-ve", "3,7"))
    monkeypatch.setattr(sgu_search, "KNOWN_DIMS", 64)
    for loss, c in {"orthogonal": ANSWERS[1], "obtuse": ANSWERS[-1]}.items():
        alpha = alpha_of("shapes-vp", "arrow", loss, "paper")
        found = shrinkage(alpha, loss=loss, variant="paper", dims=dims("shapes-vp"))
        assert 1 - found == pytest.approx(1 - c, rel=0.06)


def test_a_search_of_one_loss_keeps_the_others_with_their_provenance(known):
    before = searched("digits-ve", "3,7")
    own, run = before.of("control"), PROVENANCE | {"commit": "later"}
    now = sgu_search.Search.model_validate(before.model_dump() | {"candidates": own, "provenance": run})
    found = sgu_search.joined(now, before)
    assert found.entrants == before.entrants and found.of("control") == own
    assert found.earlier.keys() == before.entrants - {"control"}
    assert {one.commit for one in found.earlier.values()} == {before.provenance.commit} != {found.provenance.commit}
    again = sgu_search.joined(now.model_copy(update={"candidates": tuple(before.of("sgu_obtuse_paper"))}), found)
    assert again.earlier["control"].commit == "later" and again.earlier["sgu_orthogonal_paper"] == before.provenance


@pytest.mark.parametrize("change", [{"distance": 2.0001}, {"ur": 20.05}, {"budget": TINY.model_copy(update={"n": 61})}])
def test_a_search_that_is_not_comparable_is_not_kept(known, change):
    before = searched("digits-ve", "3,7")
    now = before.model_copy(update={"candidates": tuple(before.of("control"))} | change)
    assert sgu_search.joined(now, before) == now == sgu_search.joined(now, None)


def test_a_search_from_a_machine_that_rounds_differently_is_kept(known):
    before = searched("digits-ve", "3,7")
    now = before.model_copy(update={"candidates": tuple(before.of("control")), "distance": 2.000001})
    found = sgu_search.joined(now, before)
    assert found.entrants == before.entrants and found.distance == now.distance


def test_candidates_that_would_not_be_tried_now_are_not_kept(known, monkeypatch):
    before = searched("digits-ve", "3,7")
    monkeypatch.setattr(sgu_search, "LR", 1e-3)
    now = before.model_copy(update={"candidates": tuple(before.of("control"))})
    assert sgu_search.joined(now, before).entrants == {"control"}


def test_where_nothing_was_searched_a_c_is_supposed(tmp_path, monkeypatch):
    monkeypatch.setattr(sgu_search, "FOLDER", tmp_path)
    c = shrinkage(alpha_of("digits-ve", "3,7", "obtuse", "paper"), loss="obtuse", variant="paper", dims=64)
    assert c == pytest.approx(sgu_search.SUPPOSED, abs=0.005)
    aligned = shrinkage(alpha_of("digits-ve", "3,7", "obtuse", "code"), loss="obtuse", variant="code", dims=64)
    assert aligned == pytest.approx(2 - sgu_search.SUPPOSED, abs=0.005)  # as far on the other side of 1


def test_the_models_of_a_search_are_its_own_runs_with_their_facts(known):
    found = {model.method: model for model in sgu_models.found(base("digits-ve"), "3,7")}
    assert list(found) == ["standard", "sgu_orthogonal", "sgu_obtuse", "finetune", "negate", "unseen"]
    assert "no search has negate" in found["negate"].missing and not found["unseen"].missing
    facts = found["sgu_obtuse"].facts
    assert (facts["evaluations"], facts["batch_size"], facts["held_out"]) == (8, 4, True)
    assert facts["alpha"] == alpha_of("digits-ve", "3,7", "obtuse", "paper")


def test_each_model_has_its_own_settings_and_nobody_else_s():
    run = dict(updates=2, batch_size=4, lr=1e-4)
    made = {one.method: one.facts for one in sgu_models.unlearnt(base("digits-ve"), "3,7", **run)}
    printed = [one.method for one in sgu_models.unlearnt(base("digits-ve"), "3,7", others=False, **run)]
    assert printed == ["standard", "sgu_orthogonal", "sgu_obtuse", "unseen"]
    assert list(made) == ["standard", "sgu_orthogonal", "sgu_obtuse", "sgu_code", "finetune", "unseen", "negate"]
    assert (made["sgu_code"]["alpha"], made["sgu_code"]["every"], made["sgu_code"]["variant"]) == (0.99, 4, "code")
    assert "alpha" not in made["finetune"].keys() | made["standard"].keys() | made["negate"].keys()
    known = searched(*sgu_search.KNOWN).best("negate").settings  # digits-ve has no search of its own
    assert made["negate"]["w"] == known["w"] and made["sgu_orthogonal"]["alpha"] != made["sgu_obtuse"]["alpha"]
    assert len([*sgu_models.weighted(base("digits-ddpm"), "1", **run)]) == 2
    assert not [*sgu_models.weighted(base("digits-ve"), "1", **run)]


def test_a_sweep_has_every_run_of_the_readings_that_were_searched(known, tmp_path, monkeypatch):
    standard = dataclasses.replace(base("digits-ve"), store=Store(tmp_path / "store"))
    monkeypatch.setattr(sgu_sweep, "base", lambda name: standard)
    monkeypatch.setattr(sgu_sweep, "_bits", lambda *_, **__: {"D_g": 1.0, "D_f": 2.0})
    found = sgu_sweep.sweep("digits-ve", "3,7", ANSWERS[-1:], budget=TINY, images=2, tolerance=1.0)
    names = ["sgu_orthogonal_paper", "sgu_obtuse_paper", "control"]
    assert [one["entrant"] for one in found["runs"]] == names
    assert [one["c"] for one in found["runs"][:2]] == pytest.approx([ANSWERS[-1]] * 2, abs=0.01)
    assert found["runs"][2]["alpha"] == 1.0 and {"ur", "distance", "D_g", "D_f"} <= found["before"].keys()
    assert (found["dataset"], found["process"], found["forget"]) == ("digits", "ve", "3,7")


def test_a_face_without_a_search_takes_that_of_its_network(known, monkeypatch):
    """CIFAR-10's DDPM has the weights of its VP model: the c that was found on one is taken for the other."""
    search = searched("digits-ve", "3,7")
    monkeypatch.setattr(sgu_search, "dims", lambda name: 64)
    monkeypatch.setattr(sgu_search, "searched", lambda base, forget: search if base == "cifar10-vp" else None)
    tried = entrants("digits-ve")["sgu_orthogonal_paper"].candidates()[1]["alpha"]
    assert alpha_of("cifar10-ddpm", "dog", "orthogonal", "paper") == tried


def test_an_unseen_model_in_training_says_how_far_it_is(monkeypatch):
    standard = base("digits-ve")
    card = {"budget": {"steps": 10, "batch_size": 4}, "samples_seen": 12}
    lacking = dataclasses.replace(standard, method="unseen", missing="not trained")
    monkeypatch.setattr(type(standard), "retrained", lambda self, without: lacking)
    monkeypatch.setattr(sgu_models.checkpoints, "card", lambda name, folder=None: card)
    assert sgu_models._unseen(standard, "3,7").missing == "digits-ve is in training: 12 of 40 images"
    monkeypatch.setattr(sgu_models.checkpoints, "card", lambda name, folder=None: None)
    assert sgu_models._unseen(standard, "3,7").missing == "not trained"
