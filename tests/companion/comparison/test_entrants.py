"""The entrants, and that every candidate of a search can be run."""

import inspect

import pytest

from companion.comparison.entrants import ENTRANTS, Entrant
from paperlib.unlearning.methods import METHODS
from paperlib.unlearning.salun import VARIANTS
from tests.oracles import seeded
from tests.unlearning.toys import FORGET, RETAIN, fresh

every_entrant = pytest.mark.parametrize("entrant", ENTRANTS.values(), ids=ENTRANTS)
NO_PAPER = {"signed"}  # ours; its default is for the mixture


@every_entrant
def test_six_candidates_all_different(entrant):
    tried = entrant.candidates()
    assert len(tried) == 6 == len({tuple(sorted(one.items())) for one in tried})
    assert {one["lr"] for one in tried} == set(entrant.rates) and min(entrant.rates) > 0
    assert all(one.keys() == {"lr", *([entrant.dial] if entrant.dial else [])} for one in tried)
    assert list(entrant.rates) == sorted(entrant.rates)


@every_entrant
def test_a_method_takes_every_candidate(entrant):
    model, settings = fresh(False), entrant.settings(conditional=False)
    settings |= {"posterior": 0.1} if entrant.method == "vdu" else {}
    for one in entrant.candidates():
        run = entrant.of.call(model, FORGET.x, RETAIN.x, generator=seeded(), steps=1, **settings | one)
        assert run.lr == one["lr"]


@every_entrant
def test_a_dial_is_a_keyword_of_its_method_and_begins_at_its_default(entrant):
    known = inspect.signature(entrant.of.call).parameters
    for name in [*entrant.fixed, *filter(None, [entrant.dial])]:
        assert known[name].kind is inspect.Parameter.KEYWORD_ONLY
    assert bool(entrant.dial) == bool(entrant.values)
    if entrant.dial and entrant.method not in NO_PAPER:
        default = known[entrant.dial].default
        if default is None:  # SalUn's alpha depends on its variant
            default = VARIANTS[known["variant"].default]
        assert entrant.values[0] == default


def test_every_method_takes_part_and_sgu_with_both_losses():
    serving = [name for name, one in METHODS.items() if one.serving(conditional=False) is not None]
    assert list(dict.fromkeys(one.method for one in ENTRANTS.values())) == serving
    assert len({one.title for one in ENTRANTS.values()}) == len(ENTRANTS) == len(serving) + 1
    assert ENTRANTS["sgu_obtuse"].title == "SGU obtuse" and ENTRANTS["salun"].title == "SalUn"


def test_what_serves_a_model_joins_the_settings_and_fixed_ones_come_last():
    assert ENTRANTS["salun"].settings() == {"erase": "ascent"} and ENTRANTS["salun"].settings(conditional=True) == {}
    assert ENTRANTS["sgu_obtuse"].settings() == {"loss": "obtuse"}
    mine = Entrant("erasediff", (1e-4,), fixed={"target": "rl", "K": 1})
    assert mine.settings() == {"target": "rl", "K": 1} and mine.candidates() == [{"lr": 1e-4}]
