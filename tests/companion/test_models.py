"""Model recipes: their facts, and invalid ones."""

import pytest

from companion import measures
from companion.evaluation.measures import Result
from companion.measures import distance, nll, perfect, ur
from companion.models import base
from companion.rows import gather
from paperlib.unlearning.redirect import redirect
from paperlib.unlearning.sgu import sgu

RUN = {"updates": 2, "batch_size": 4, "lr": 1e-4}


@pytest.fixture(autouse=True)
def build(tmp_path, monkeypatch):
    monkeypatch.setenv("PAPERLIB_BUILD", str(tmp_path))


def test_a_model_has_the_facts_of_what_made_it_and_nobody_else_s():
    standard = base("digits-ve")
    twin = standard.retrained(without="7,3")
    orthogonal = standard.unlearn(sgu, "3,7", called="sgu_orthogonal", loss="orthogonal", alpha=0.9, **RUN)
    other = standard.unlearn(redirect, "3,7", **RUN)
    for model in (standard, twin, other):
        assert not {"alpha", "loss", "variant"} & model.facts.keys()
    for model in (standard, twin):
        assert not {"updates", "lr", "batch_size", "start"} & model.facts.keys() and model.facts["images_seen"] > 0
    assert orthogonal.facts["alpha"] == 0.9 and orthogonal.facts["loss"] == "orthogonal"
    assert [one.facts["method"] for one in (standard, twin, orthogonal, other)] == [
        "standard",
        "unseen",
        "sgu_orthogonal",
        "redirect",
    ]
    assert {one.facts["dataset"] for one in (standard, twin, orthogonal, other)} == {"digits"}
    assert twin.facts["checkpoint"] == "digits-ve-unseen-3-7" and "model_forgot" not in standard.facts
    assert "seed" not in orthogonal.facts  # rows of several seeds are one value


def test_a_model_that_cannot_be_says_why_and_so_does_all_that_would_be_made_of_it(monkeypatch):
    from companion import bases

    monkeypatch.setattr(bases, "card", lambda name, folder=None: None)
    absent = base("digits-ve")
    assert "python -m companion campaign --only digits-ve" in absent.missing
    for one in (absent, absent.retrained(without="3"), absent.unlearn(sgu, "3", **RUN)):
        assert one.missing == absent.missing
        with pytest.raises(FileNotFoundError, match="has not been trained"):
            one.checkpoint()
    assert "there is no base model 'mnist-sub'" in base("mnist-sub").missing


def test_a_twin_that_nobody_trained_is_missing():
    assert base("digits-ve").retrained(without="4").missing == "no model was trained without 4"


def test_what_is_no_method_is_refused():
    with pytest.raises(ValueError, match="len is not one of unseen, finetune"):
        base("digits-ve").unlearn(len, "3", **RUN)
    with pytest.raises(ValueError, match="batch_size=0"):
        base("digits-ve").unlearn(sgu, "3", **RUN | {"batch_size": 0})


def test_measures_of_models_are_rows_that_become_values_with_their_facts():
    standard, draw = base("digits-ve"), {"n": 40, "evaluations": 2}
    twin = standard.retrained(without="3,7")
    rows = [ur(model, "3,7", seed=seed, **draw) for model in (standard, twin) for seed in (0, 1)]
    rows += [distance(standard, "3,7", seed=0, **draw)]
    rows += nll(standard, "3,7", images=2, tolerance=0.5, seed=0)
    values = gather(rows, "example")
    assert [value.seeds for value in values] == [[0, 1], [0, 1], [0], [0], [0]]
    assert [value.protocol["metric"] for value in values] == ["ur", "ur", "rest-frechet", "nll", "nll"]
    assert [value.protocol.get("test") for value in values[3:]] == ["D_g", "D_f"]
    assert len({value.claim for value in values}) == 5
    assert all(0 <= value.value <= 100 for value in values[:2]) and values[0].protocol["floor"] >= 0


@pytest.mark.parametrize("D_f, asked, metric", [("1", "u-fid", "ufid"), ("", "fid", "fid")])
def test_a_perfect_model_has_as_many_samples_and_the_same_real_images(D_f, asked, metric, monkeypatch):
    def seen(model, metrics, forget, **protocol):
        assert (metrics, forget, protocol["n"], protocol["reference_n"]) == ((asked,), D_f, 40, 90)
        details = {"perfect_model": 7.5, "reference": "90 images"}
        return {asked: Result(name=asked, value=9.0, interval=None, unit="", n=40, details=details)}

    monkeypatch.setattr(measures, "measured", seen)
    found = perfect(base("digits-ddpm", called="pretrained"), D_f, n=40, evaluations=2, seed=0, real=90)
    (value,) = gather([found], "example", ["vdu.pretrained_fid", "vdu.tab2"])
    assert (value.value, value.n, value.protocol["metric"]) == (7.5, 40, f"perfect {metric}")
    assert value.claim.startswith("ours.") and value.protocol["reference"] == "90 images"
