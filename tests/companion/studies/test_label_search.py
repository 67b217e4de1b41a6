"""The search for models with labels: equal candidates, none of Table 1's images or noise, the rule's winner."""

from collections import Counter

import pytest
import torch

from companion.evaluation.observer import Observer, SameNoise
from companion.store import Store
from companion.studies import label_search as module
from companion.studies.erasediff_amounts import PUBLISHED, amounts
from paperlib.guidance import Guided
from paperlib.metrics.features import features
from paperlib.metrics.frechet import Statistics, frechet
from tests.oracles import seeded

BASE = "digits-ddpm-labels"
BUDGET = module.budget_of(BASE).model_copy(update={"n": 20, "sampler": 4, "evaluations": 8, "batch_size": 4})


@pytest.fixture
def tried(monkeypatch):
    """Runs that are looked at. Their images show the class less the higher the rate, at the same distance."""
    seen = []

    def look(store, base, forget, budget, run=None):
        seen.append(run)
        return {"ur": 90.0 - (1e4 * run.lr if run else 0), "distance": 2.0}

    monkeypatch.setattr(module, "look", look)
    return seen


def test_every_method_of_the_table_has_as_many_candidates_and_the_table_s_budget():
    assert list(module.ENTRANTS) == list(PUBLISHED)
    assert {len(entrant.candidates()) for entrant in module.ENTRANTS.values()} == {6}
    assert [one.method for one in module.ENTRANTS.values()] == [method for method, *_ in PUBLISHED.values()]
    laptop, budget = amounts("digits")["laptop"], module.budget_of(BASE)
    assert (budget.evaluations, budget.batch_size) == (laptop["evaluations"], laptop["batch_size"])


def test_a_variant_of_erasediff_keeps_its_target_whatever_is_tried():
    for name in ("erasediff_rl", "erasediff_noise"):
        published, fixed = PUBLISHED[name][1], module.ENTRANTS[name].settings(conditional=True)
        assert fixed == {key: published[key] for key in ("K", "target")}
        assert published["eta"] in module.ENTRANTS[name].values


def test_every_run_has_the_search_s_seed_and_the_rule_chooses(tried):
    found = module.search(None, BASE, "3", ["neggrad", "erasediff_rl"], lambda text: None)
    before, *runs = tried
    assert before is None and {one.seed for one in runs} == {1000}
    assert [one.lr for one in runs[:6]] == list(module.ENTRANTS["neggrad"].rates)
    assert all(one.settings["target"] == "rl" and one.unit == "evaluations" for one in runs[6:])
    assert found.best("erasediff_rl").settings == {"lr": 5e-4, "eta": 0.1}
    assert found.best("erasediff_rl").score == pytest.approx(3 * 85 / 90)


def test_more_candidates_go_around_the_best_of_the_grid(tried):
    found = module.search(None, BASE, "3", ["neggrad", "finetune"], lambda text: None, more=3)
    assert Counter(one.entrant for one in found.candidates) == {"neggrad": 9, "finetune": 9}
    for name in ("neggrad", "finetune"):  # the higher the rate, the better: each new one is a factor of three higher
        rates = [one.settings["lr"] for one in found.candidates if one.entrant == name]
        best = max(module.ENTRANTS[name].rates)
        assert rates[6:] == pytest.approx([3 * best, 9 * best, 27 * best], rel=1e-3)


@pytest.fixture
def drawn(monkeypatch):
    """What the observers draw: noise, in place of samples. Every draw is (observer, model, labels, images)."""
    every = []

    def draw(self, model, labels):
        images = torch.randint(0, 256, (len(labels), 1, 8, 8), generator=seeded(len(every)), dtype=torch.uint8)
        every.append((self, model, labels.tolist(), images))
        return images

    monkeypatch.setattr(module, "REFERENCE", 27)
    monkeypatch.setattr(SameNoise, "draw", draw)
    monkeypatch.setattr(SameNoise, "shown", lambda self, images: torch.arange(len(images)) < 5)
    module._observer.cache_clear()
    yield every
    module._observer.cache_clear()


def test_a_look_asks_for_the_forgotten_class_and_for_the_others_in_turn(tmp_path, drawn):
    found = module.look(Store(tmp_path), BASE, "3", BUDGET)
    (first, _, before, _), (observer, model, labels, _) = drawn
    assert found["ur"] == 25 and not isinstance(model, Guided)
    assert before == [0, 1, 2, 4, 5, 6, 7, 8, 9] * 3 and labels[:20] == [3] * 20
    assert max(Counter(labels[20:]).values()) == 7 and set(labels[20:]) == set(range(10)) - {3}
    assert observer.seed != first.seed and not torch.equal(observer.noise[:27], first.noise)


def test_the_base_model_is_compared_with_real_images_and_a_run_with_the_base_model(tmp_path, drawn):
    run = module.candidate(BASE, "3", BUDGET, "neggrad", {"lr": 1e-4})
    before, after = (module.look(Store(tmp_path), BASE, "3", BUDGET, one) for one in (None, run))
    (_, _, _, own), (_, _, _, base_s), (observer, _, _, run_s) = drawn
    assert before["distance"] == pytest.approx(Observer("digits", "3").distance(base_s[20:], seeded()).value)
    statistics = Statistics.of(features(own, observer.network, 100), observer.network.name)
    theirs = features(run_s[20:], observer.network, 100)
    assert after["distance"] == pytest.approx(frechet(theirs, statistics, network=observer.network.name).value)


def test_a_look_at_a_run_is_at_its_model(tmp_path):
    store, looks = Store(tmp_path), []
    for lr in (1e-9, 1e-2):
        looks.append(module.look(store, BASE, "3", BUDGET, module.candidate(BASE, "3", BUDGET, "neggrad", {"lr": lr})))
    assert looks[1]["distance"] > 2 * looks[0]["distance"]  # the first is the base model, but for rounding


def test_without_a_search_for_the_base_model_there_are_no_settings():
    assert module.settings_of("mnist-ddpm-labels", "3", "salun") is None
    assert module.settings_of(BASE, "3", "salun") is not None


def test_a_name_means_both_rows_and_a_searched_row_can_be_asked_for_alone(monkeypatch):
    monkeypatch.setattr(module, "settings_of", lambda base, forget, name: {"lr": 3e-4})
    both = list(module.rows_asked(BASE, "3", "salun,finetune_searched"))
    assert [(name, row) for name, row, _ in both] == [
        ("finetune", "finetune_searched"),
        ("salun", "salun"),
        ("salun", "salun_searched"),
    ]
    assert [own["lr"] for *_, own in both] == [3e-4, 1e-4, 3e-4]
    with pytest.raises(ValueError, match="methods='salum' is not one of finetune, .*, or such a name with _searched"):
        list(module.rows_asked(BASE, "3", "salun,salum"))


def test_a_search_that_finds_the_published_settings_adds_no_row(monkeypatch):
    monkeypatch.setattr(module, "settings_of", lambda base, forget, name: PUBLISHED[name][1])
    assert [row for _, row, _ in module.rows_asked(BASE, "3", ",".join(PUBLISHED))] == list(PUBLISHED)


def test_the_candidates_of_a_search_go_into_the_record():
    found = module.tried(BASE, "3")
    assert list(found["candidates"]) == list(PUBLISHED) and {len(one) for one in found["candidates"].values()} == {6}
    best = min(found["candidates"]["salun"], key=lambda one: one["score"])
    assert best.items() >= {"lr": 5e-4, "alpha": 3.0}.items() and best["ur"] < found["ur"]
    assert module.tried("mnist-ddpm-labels", "3") == {}
