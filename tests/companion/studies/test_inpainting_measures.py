"""Rows of inpainting: their facts, and that only the paper's sampler can match a printed cell."""

import pytest
import torch

from companion import claims
from companion.models import Model
from companion.store import Store
from companion.studies.inpainting_measures import accuracy, clean, drawn

DRAWING = {"n": 12, "steps": 4, "known": "lower", "seed": 0}
WAYS = {"replacement": {"corrections": 0}, "repaint": {"resamples": 1}}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))
    return Model("digits-ve", store=store)


@pytest.mark.parametrize("way", WAYS)
def test_a_row_says_how_it_was_drawn_and_is_the_images(way, model):
    found = accuracy(model, "3,7", "D_f", way=way, **DRAWING, **WAYS[way])
    assert found.facts["test"] == "D_f" and found.facts["evaluations"] == 4 and found.n == 12
    assert found.facts["way"] == way and WAYS[way].items() <= found.facts.items()
    assert not {"alpha", "updates"} & found.facts.keys()
    before, after = drawn(model, "3,7", "D_f", way=way, **DRAWING, **WAYS[way])
    assert torch.equal(before[..., 4:, :], after[..., 4:, :]) and not torch.equal(before, after)


def test_originals_are_the_best_that_can_be(model):
    assert clean(model, "3,7", "D_g", n=12).value > 80


@pytest.mark.parametrize(("way", "cell"), [("replacement", "sgu.tab3_accuracy/cifar10/D_f/standard"), ("repaint", "")])
def test_only_what_the_paper_draws_is_a_printed_cell(way, cell, model):
    found = accuracy(model, "3,7", "D_f", way=way, **DRAWING, **WAYS[way])
    there = {"dataset": "cifar10", "process": "vp", "forget": "automobile,dog"}
    facts = {**found.facts, "metric": found.metric, "unit": found.unit, **there}
    assert claims.join(facts, ["sgu.tab3_accuracy", "sgu.tab3_clip"]) == cell
