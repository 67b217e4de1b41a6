"""The search for the rates of forgetting by prompt: equal effort, none of the page's data, the rule's winner."""

from collections import Counter

import pytest
import torch
from torch.nn import functional as F

from companion.comparison.search import Budget, Search
from companion.seeds import generator
from companion.studies import latent_search as module
from companion.studies.latent_entrants import METHODS, SMALL
from companion.studies.latent_prompts import asked_prompts
from paperlib.data import captions
from paperlib.data.captions import KINDS, caption
from paperlib.metrics.features import Network
from paperlib.metrics.frechet import Statistics, frechet_distance
from tests.oracles import seeded

AMOUNTS = dict(gradients=48, batch_size=16, seed=0)


@pytest.fixture
def tried(monkeypatch):
    """Collect the measured runs; the share that shows the class falls with the rate, and the distance is constant."""
    seen = []

    def look(store, wanted, n, evaluations):
        seen.append((wanted, n, evaluations))
        return (90.0, 2.0) if wanted.method == "standard" else (90.0 - 1e4 * wanted.lr, 2.0)

    monkeypatch.setattr(module, "look", look)
    return seen


def test_every_method_has_as_many_tries_of_one_budget():
    searched = {name: entrant for name, entrant in METHODS.items() if entrant.call}
    assert {len(entrant.candidates()) for entrant in searched.values()} == {4}
    for entrant in searched.values():
        assert entrant.updates(48) * entrant.passes == 48


def test_smoke_has_fewer_of_the_same_settings():
    for name, fewer in SMALL.items():
        assert all(value < METHODS[name].fixed[setting] for setting, value in fewer.items())


def test_the_search_runs_every_try_under_its_own_seed_and_the_rule_chooses(tried):
    found = module.search(None, "disc", module.BUDGET, ["salun", "esd_x"], lambda text: None)
    runs = [wanted for wanted, *_ in tried]
    assert {(n, evaluations) for _, n, evaluations in tried} == {(30, 8)}
    assert {one.seed for one in runs} == {module.SEED} and module.SEED > 2
    assert [one.lr for one in runs[1:]] == [*METHODS["salun"].rates, *METHODS["esd_x"].rates]
    assert runs[1].settings == METHODS["salun"].fixed and runs[1].updates == 24
    assert found.best("salun").settings == {"lr": 4e-3}
    assert found.best("salun").score == pytest.approx(3 * 50 / 90)


def test_a_look_is_the_share_that_is_shown_by_name_and_the_distance_of_the_rest_from_the_other_classes(monkeypatch):
    n, asked = 9, {}
    images = torch.randint(0, 256, (4 * n, 3, 4, 4), generator=seeded(), dtype=torch.uint8)
    images[:n, 0, 0, 0] = torch.tensor([0, 3, 0, 0, 5, 0, 0, 0, 0])  # the classes that the classifier sees

    def drawn(store, wanted, prompts, evaluations):
        asked.update(prompts=prompts, evaluations=evaluations)
        return images

    network = Network("means", lambda images: images.float().mean((2, 3)))
    monkeypatch.setattr(module, "drawn", drawn)
    monkeypatch.setattr(module, "predict", lambda _, images: F.one_hot(images[:, 0, 0, 0].long(), 256))
    monkeypatch.setattr(module, "_network", lambda: network)
    monkeypatch.setattr(module, "_held_out", module._held_out.__wrapped__)
    wanted = module.asked("salun", "disc", settings={"lr": 1e-3}, **AMOUNTS)
    shown, distance = module.look(None, wanted, n, 8)
    assert shown == pytest.approx(100 * 7 / 9) and asked["evaluations"] == 8
    names = Counter(asked["prompts"])
    assert asked["prompts"][:n] == [caption(0)] * n and names == {caption(k): 9 if k == 0 else 3 for k in range(10)}
    real = captions.sample(1000, generator(module.SEED, "latent_search", "data"))
    others = network.extract(real.images[real.labels != 0])
    against = Statistics.of(others, "means")
    assert distance == frechet_distance(Statistics.of(network.extract(images[n:]), "means"), against)


def test_what_the_search_asks_the_page_does_not():
    prompts = {text for several, _ in asked_prompts(0, 12).values() for text in several}
    assert not prompts & {caption(label) for label in range(10)}


def test_a_row_takes_what_was_found_for_its_class_or_else_for_another(tried, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    uncached = module.committed.__wrapped__
    monkeypatch.setattr(module, "committed", uncached)
    first = {"lr": METHODS["salun"].rates[0], **METHODS["salun"].fixed}
    assert uncached("disc") is None and module.settings_of("salun", "disc") == first
    found = module.search(None, "ring", Budget(evaluations=48), ["salun"], lambda text: None)
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "captioned-vp-forget-ring.json").write_text(found.model_dump_json())
    assert isinstance(uncached("disc"), Search)
    own = found.model_copy(update={"forget": "star"})
    (tmp_path / "prompts" / "captioned-vp-forget-star.json").write_text(own.model_dump_json())
    assert [uncached(forget).forget for forget in ("ring", "star")] == ["ring", "star"]
    assert module.settings_of("salun", "disc") == {"lr": 4e-3, **METHODS["salun"].fixed}
    assert module.settings_of("esd_x", "ring")["lr"] == METHODS["esd_x"].rates[0]
    wanted = module.asked("erasediff", "ring", settings=module.settings_of("erasediff", "ring"), **AMOUNTS)
    assert (wanted.forget, wanted.updates, wanted.settings) == (5, 12, {"variant": "corrected"})


def test_the_gap_of_words_is_the_largest_of_any_method():
    shown = {("a", kind): 10.0 for kind in KINDS} | {("b", kind): 30.0 for kind in KINDS} | {("b", "german"): 50.0}
    assert module.word_gap(shown) == 5 and module.word_gap({}) == 0
