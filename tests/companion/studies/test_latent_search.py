"""The search for the rates of forgetting by prompt: equal tries, nothing of the page's, and the rule's winner."""

import pytest

from companion.comparison.search import Budget, Search
from companion.studies import latent_search as module
from companion.studies.latent_entrants import METHODS, SMALL
from companion.studies.latent_prompts import asked_prompts
from paperlib.data.captions import KINDS, caption

AMOUNTS = dict(gradients=48, batch_size=16, seed=0)


@pytest.fixture
def tried(monkeypatch):
    """Runs that are looked at; what they draw shows the class less the higher the rate, at the same distance."""
    seen = []

    def look(store, wanted, n, evaluations):
        seen.append(wanted)
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
    found = module.search(None, "disc", Budget(evaluations=48), ["salun", "esd_x"], lambda text: None)
    assert {one.seed for one in tried} == {module.SEED} and module.SEED > 2
    assert [one.lr for one in tried[1:]] == [*METHODS["salun"].rates, *METHODS["esd_x"].rates]
    assert tried[1].settings == METHODS["salun"].fixed and tried[1].updates == 24
    assert found.best("salun").settings == {"lr": 4e-3}
    assert found.best("salun").score == pytest.approx(3 * 50 / 90)


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
    assert module.settings_of("salun", "disc") == {"lr": 4e-3, **METHODS["salun"].fixed}
    assert module.settings_of("esd_x", "ring")["lr"] == METHODS["esd_x"].rates[0]
    wanted = module.asked("erasediff", "ring", settings=module.settings_of("erasediff", "ring"), **AMOUNTS)
    assert (wanted.forget, wanted.updates, wanted.settings) == (5, 12, {"variant": "corrected"})


def test_the_gap_of_words_is_the_largest_of_any_method():
    shown = {("a", kind): 10.0 for kind in KINDS} | {("b", kind): 30.0 for kind in KINDS} | {("b", "german"): 50.0}
    assert module.word_gap(shown) == 5 and module.word_gap({}) == 0
