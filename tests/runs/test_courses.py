"""The course of a run: what every look sees, the same noise for all, and a run that breaks."""

import pytest
import torch

from paperlib.data.images import to_uint8
from paperlib.runs import bases, courses
from paperlib.runs.courses import Course, course, images, looks, stopped, window
from paperlib.runs.store import Store
from paperlib.sampling import ipndm, prior, sample

TINY = {"base": "digits-ve", "forget": "3", "batch_size": 4, "lr": 1e-3, "n": 40, "evaluations": 4}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def test_every_look_starts_from_the_same_noise_and_the_first_is_the_base_model(store):
    wanted = Course(**TINY, method="finetune", looks=(1, 3))
    entry = course(store, wanted)
    seen = looks(entry)
    assert [one["update"] for one in seen] == [0, 1, 3] and not stopped(entry)
    assert [one["gradient_evaluations"] for one in seen] == [0, 1, 3]
    assert images(entry).shape == (3, courses.KEPT, 1, 8, 8)
    model = bases.load("digits-ve")
    noise = prior(model, (40, 1, 8, 8), courses.generator(0, "course", "noise"))
    drawn = sample(model, noise.shape, noise=noise, sampler=ipndm, steps=4, generator=torch.Generator()).x
    assert torch.equal(images(entry)[0], to_uint8(drawn[: courses.KEPT], dequantised=True))


def test_a_rate_of_nearly_zero_changes_nothing_that_is_seen(store):
    first, last = looks(course(store, Course(**TINY | {"lr": 1e-12}, method="finetune", looks=(2,))))
    for name in ("ur", "floor"):
        assert first[name] == last[name]
    for name in ("distance", "L_g", "L_f"):
        assert first[name] == pytest.approx(last[name], rel=1e-4)


def test_losses_tell_the_sides_apart(store):
    """NegGrad on 3 with large steps: what it was trained to lose is lost more than the rest."""
    wanted = Course(**TINY | {"lr": 1e-4, "batch_size": 64}, method="neggrad", looks=(5,))
    first, last = looks(course(store, wanted))
    assert last["L_f"] - first["L_f"] > last["L_g"] - first["L_g"] > 0


def test_a_run_whose_loss_is_no_number_ends_there(store, monkeypatch):
    def breaks(*arguments, **settings):
        run = courses.METHODS["neggrad"].call(*arguments, **settings)
        whole = run.objective

        def objective(model, generator, index):
            losses = whole(model, generator, index)
            return losses if index < 3 else losses | {"loss": losses["loss"] * torch.nan}

        run.objective = objective
        return run

    method = courses.METHODS["finetune"]
    monkeypatch.setitem(courses.METHODS, "finetune", type(method)(breaks, *("",) * 3, passes=1))
    entry = course(store, Course(**TINY, method="finetune", looks=(1, 2, 9)))
    assert [one["update"] for one in looks(entry)] == [0, 1, 2] and "nan at update 4" in stopped(entry)


def test_the_window_needs_both():
    first = {"update": 0, "ur": 9.0, "distance": 2.0}
    both = [(1, 3.0, 3.0), (2, 3.1, 2.0), (3, 0.0, 3.1), (4, 0.0, None), (5, 0.0, 1.0)]
    rest = [{"update": update, "ur": ur, "distance": distance} for update, ur, distance in both]
    assert window([first, *rest]) == [1, 5]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"method": "magic"}, "method='magic' is not one of unseen, finetune"),
        ({"looks": (3, 2)}, "are not ascending numbers of updates from 1 on"),
        ({"looks": (0, 2)}, "are not ascending numbers of updates from 1 on"),
    ],
)
def test_wrong_settings_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        Course.checked(**TINY | {"method": "finetune", "looks": (1,)} | wrong)


def test_a_conditional_base_is_refused_before_anything_is_drawn(store):
    with pytest.raises(ValueError, match="base='digits-ve-labels' is conditional"):
        course(store, Course(**TINY | {"base": "digits-ve-labels"}, method="finetune", looks=(1,)))
