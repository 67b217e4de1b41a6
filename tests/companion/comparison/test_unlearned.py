"""Runs without looks: their cost, their data and their length."""

import dataclasses

import pytest

from companion.comparison import unlearned as module
from companion.comparison.unlearned import cost, unlearned
from companion.models import base
from companion.store import Store
from paperlib.unlearning.erasediff import erasediff
from paperlib.unlearning.neggrad import neggrad
from paperlib.unlearning.salun import salun

RUN = {"batch_size": 4, "lr": 1e-4}


@pytest.fixture
def start(tmp_path):
    return lambda name: dataclasses.replace(base(name), store=Store(tmp_path))


def test_a_conditional_run_is_made_and_its_mask_counts_as_preparation(start):
    model = start("digits-ddpm-labels").unlearn(salun, "3", updates=3, mask_rows=8, **RUN)
    found = cost(model.made())
    assert (found["updates"], found["preparation"], found["evaluations"]) == (3, 2, 2 + 3 * 2)
    assert 0 <= found["preparation_seconds"] < found["seconds"] and found["stopped"] == ""
    assert model.checkpoint().endswith("model.safetensors") and model.facts["updates"] == 3


def test_a_budget_of_evaluations_is_never_exceeded(start):
    model = start("digits-ddpm-labels").unlearn(erasediff, "3", updates=11, unit="evaluations", **RUN)
    found = cost(model.made())
    assert (found["updates"], found["evaluations"]) == (2, 8)  # four an update: a third one would make twelve
    assert model.facts["evaluations"] == 11 and "updates" not in model.facts


def test_a_part_of_the_forgotten_images_is_all_that_a_run_sees(start, monkeypatch):
    seen = []
    monkeypatch.setattr(module, "begin", lambda run, model, forget, *_: seen.append(len(forget)) or 1 / 0)
    model = start("digits-ddpm").unlearn(neggrad, "1", updates=1, images=7, **RUN)
    with pytest.raises(ZeroDivisionError):
        model.checkpoint()
    assert seen == [7] and model.facts["images"] == 7


def test_more_images_than_there_are_are_refused(start, tmp_path):
    model = start("digits-ddpm").unlearn(neggrad, "1", updates=1, **RUN)
    with pytest.raises(ValueError, match="images=10000 is above"):
        unlearned(Store(tmp_path), model.run, images=10_000)
