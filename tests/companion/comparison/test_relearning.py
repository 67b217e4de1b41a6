"""Relearning: what it sees, when it stops, and what it refuses. Looks are scripted if they do not matter."""

import pytest
import torch

from companion import bases
from companion.comparison import relearning
from companion.comparison.relearning import Relearning, back, relearn
from companion.evaluation.observer import SameNoise
from companion.store import Store
from paperlib.data import sets
from paperlib.data.splits import split
from paperlib.unlearning.finetune import finetune

TINY = {"forget": "1", "batch_size": 2, "lr": 1e-4, "n": 20, "evaluations": 3, "enough": 50.0}
RETAIN, FORGET = split(sets.load("digits", "train"), "1")


def wanted(**changes):
    return Relearning.checked(**TINY | {"images": 4, "looks": (1, 3, 6)} | changes)


@pytest.fixture
def runs(monkeypatch):
    """Collect the arguments and runs of fine-tuning."""
    seen = []

    def recorded(model, forget, data, **settings):
        seen.append((data.images, settings, finetune(model, forget, data, **settings)))
        return seen[-1][-1]

    monkeypatch.setattr(relearning, "finetune", recorded)
    return seen


@pytest.fixture
def script(monkeypatch):
    """Make the looks return these ratios, one after the other."""

    def scripted(*ratios):
        left = list(ratios)
        monkeypatch.setattr(
            relearning, "_look", lambda observer, model, update: {"update": update, "ur": left.pop(0), "distance": None}
        )

    return scripted


def rows(data):
    return [bytes(one.flatten().tolist()) for one in data.images]


def test_without_images_it_sees_all_retained_ones_and_nothing_else(tmp_path, runs, script):
    script(0, 0, 0, 0)
    seen = relearn(Store(tmp_path), "digits-ddpm", wanted(images=0))
    assert torch.equal(runs[0][0].images, RETAIN.images) and 1 not in runs[0][0].labels
    assert [one["update"] for one in seen] == [0, 1, 3, 6] and runs[0][2].index == 6
    assert runs[0][1]["batch_size"] == 2 and runs[0][1]["lr"] == 1e-4 and runs[0][1]["ema"] == 0


def test_it_sees_so_many_forgotten_images_alone_and_more_include_fewer(tmp_path, runs, script):
    script(*[0] * 20)
    store = Store(tmp_path)
    for settings in ({"images": 3}, {"images": 5}, {"images": 5, "seed": 1}, {"images": len(FORGET)}):
        relearn(store, "digits-ddpm", wanted(looks=(1,), **settings))
    three, five, other, every = (rows(data) for data, *_ in runs)
    assert three == five[:3] and len(set(five)) == 5 == len(set(other)) and set(five) != set(other)
    assert set(five) | set(other) <= set(rows(FORGET)) and sorted(every) == sorted(rows(FORGET))
    assert all((data.labels == 1).all() for data, *_ in runs)


def test_the_look_that_sees_the_class_back_ends_the_run(tmp_path, runs, script):
    script(0, 49.9, 50.0)
    seen = relearn(Store(tmp_path), "digits-ddpm", wanted())
    assert [one["update"] for one in seen] == [0, 1, 3] and runs[0][2].index == 3
    assert back(seen, 50.0) == 3


def test_a_class_that_had_not_left_is_back_before_any_update(tmp_path, runs):
    """Nine of the ten classes are to be forgotten, and nearly all samples of the base model show one of them."""
    seen = relearn(Store(tmp_path), "digits-ddpm", wanted(forget="1,2,3,4,5,6,7,8,9"))
    assert not runs and [one["update"] for one in seen] == [0] and back(seen, 50.0) == 0
    assert seen[0]["ur"] > 80 and seen[0]["ur_interval"][0] < seen[0]["ur"]


def test_looks_are_those_of_the_taught_weights_and_are_found_again(tmp_path, runs, monkeypatch):
    """Compare with a separate observer of the weights after fine-tuning."""
    setting, store = wanted(enough=100.0, lr=1e-2, looks=(1, 4)), Store(tmp_path)
    seen = relearn(store, "digits-ddpm", setting)
    model = bases.load("digits-ddpm")
    observer = SameNoise(model, bases.BASES["digits-ddpm"], "1", n=20, evaluations=3, seed=0, stream="relearning")
    for look, network in zip((seen[0], seen[2]), (model, runs[0][2].network)):
        drawn = observer.draw(network)
        shown = observer.shown(drawn)
        assert (
            look["ur"] == 100 * shown.float().mean().item()
            and look["distance"] == observer.distance(drawn[~shown]).value
        )
    assert [one["update"] for one in seen] == [0, 1, 4] and seen[0]["distance"] != seen[2]["distance"]
    monkeypatch.setattr(relearning, "finetune", None)
    monkeypatch.setattr(relearning, "SameNoise", None)
    assert relearn(store, "digits-ddpm", setting) == seen


def test_back_is_the_first_update_at_which_it_is_enough():
    seen = [{"update": update, "ur": ur} for update, ur in ((0, 1.0), (2, 3.0), (4, 2.0), (8, 9.0))]
    assert [back(seen, enough) for enough in (1.0, 2.5, 3.0, 3.5, 9.1)] == [0, 2, 2, 8, None]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"looks": (3, 2)}, r"looks=\(3, 2\) are not ascending numbers of updates from 1 on"),
        ({"looks": (2, 2)}, "are not ascending"),
        ({"looks": (0, 2)}, "are not ascending"),
        ({"looks": ()}, "looks=.* is not allowed"),
        ({"images": -1}, "images=-1 is not allowed"),
        ({"enough": 0.0}, "enough=0.0 is not allowed"),
        ({"enough": 101.0}, "enough=101.0 is not allowed"),
        ({"n": 19}, "n=19 is not allowed"),
    ],
)
def test_wrong_settings_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        wanted(**wrong)


def test_more_images_than_there_are_are_refused(tmp_path, runs):
    with pytest.raises(ValueError, match=f"images={len(FORGET) + 1}: there are {len(FORGET)} images to forget"):
        relearn(Store(tmp_path), "digits-ddpm", wanted(images=len(FORGET) + 1))
    assert not runs
