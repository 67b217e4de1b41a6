"""The candidates after the grid: where they go, that they are new, and that every method takes them."""

import math
import random
from types import SimpleNamespace

import pytest

from companion.comparison.entrants import ENTRANTS, Entrant
from companion.comparison.refine import STEP, neighbours, next_settings
from tests.oracles import seeded
from tests.unlearning.toys import FORGET, RETAIN, fresh

BOTH = Entrant("erasediff", (2e-5, 1e-4, 5e-4), "eta", (0.1, 1e-4))


def tried(settings, score):
    return SimpleNamespace(settings=settings, score=score)


def searched(entrant, score, more):
    """Return all candidates of a search with a known score."""
    found = [tried(one, score(one)) for one in entrant.candidates()]
    for _ in range(more):
        one = next_settings(found, entrant)
        found.append(tried(one, score(one)))
    return found


@pytest.mark.parametrize("best", [(3e-4, 1e-3), (2e-5, 0.03), (1e-3, 0.5)])
def test_it_comes_as_near_as_half_a_step_to_the_minimum_of_a_bowl(best):
    def bowl(one):
        return math.hypot(math.log(one["lr"] / best[0]), math.log(one["eta"] / best[1]))

    grid, long = searched(BOTH, bowl, 0), searched(BOTH, bowl, 30)
    assert min(one.score for one in long) < min(STEP / 2, min(one.score for one in grid))


def test_neighbours_are_three_times_apart_and_nearer_once_all_were_tried():
    centre = {"lr": 1e-4, "eta": 0.01}
    around = list(neighbours(centre, BOTH, STEP))
    assert [one["eta"] / 0.01 for one in around[:2]] == pytest.approx([3, 1 / 3], rel=1e-3)
    assert [one["lr"] / 1e-4 for one in around[2:]] == pytest.approx([3, 1 / 3], rel=1e-3)
    found = [tried(centre, 1.0), *(tried(one, 2.0) for one in around)]
    assert next_settings(found, BOTH) == {"lr": 1e-4, "eta": pytest.approx(0.01 * math.sqrt(3), rel=1e-3)}


def test_a_share_moves_by_its_odds():
    share = Entrant("sgu", (1e-4,), "alpha", (0.99,), (0.0, 1.0))
    up, down, *_ = neighbours({"lr": 1e-4, "alpha": 0.99}, share, STEP)
    assert (up["alpha"], down["alpha"]) == pytest.approx((297 / 298, 33 / 34), abs=1e-6)


def test_a_dial_at_its_lower_end_stays_and_the_rate_moves():
    centre = {"lr": 1e-4, "beta": 0.0}
    assert {one["beta"] for one in neighbours(centre, ENTRANTS["blindspot"], STEP)} == {0.0}
    found = searched(ENTRANTS["blindspot"], lambda one: one["beta"], 6)
    assert {one.settings["beta"] for one in found[6:]} == {0.0}


def test_broken_runs_are_never_the_centre():
    found = [tried({"lr": 1e-4, "eta": 0.1}, None), tried({"lr": 1e-5, "eta": 0.1}, 9.0)]
    assert next_settings(found, BOTH)["lr"] == 1e-5


@pytest.mark.parametrize("name", ENTRANTS)
@pytest.mark.parametrize("seed", [0, 1])
def test_whatever_the_scores_all_candidates_are_new_and_the_method_takes_them(name, seed):
    entrant, draw = ENTRANTS[name], random.Random(seed)
    found = searched(entrant, lambda one: draw.choice([None, draw.random()]), 12)
    settings = [one.settings for one in found]
    assert len({tuple(sorted(one.items())) for one in settings}) == 18
    fixed = entrant.settings(conditional=False) | ({"posterior": 0.1} if entrant.method == "vdu" else {})
    for one in settings[6:]:
        entrant.of.call(fresh(False), FORGET.x, RETAIN.x, generator=seeded(), steps=1, **fixed | one)
