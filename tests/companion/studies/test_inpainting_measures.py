"""Rows of inpainting: their facts, and that only the paper's sampler can match a printed cell."""

from types import SimpleNamespace

import pytest
import torch

from companion import claims
from companion.models import Model
from companion.rows import gather
from companion.store import Store
from companion.studies.inpainting_measures import accuracy, clean, drawn, replaced, restored_by

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


@pytest.mark.parametrize("process, evaluations", [("ve", 8), ("vp", 4), ("ddpm", 4)])
def test_replacement_is_score_sde_s_for_the_process(process, evaluations, model):
    found = accuracy(model, "3,7", "D_f", **DRAWING, **replaced(process))
    assert found.facts["evaluations"] == evaluations and found.metric == "accuracy"
    assert found.facts["predictor"] == ("reverse diffusion" if process == "ve" else "ancestral sampling")


def test_accuracies_are_found_by_method_and_side_with_those_of_the_originals(model):
    drawn_rows = [accuracy(model, "3,7", side, way=way, **DRAWING) for side in ("D_g", "D_f") for way in WAYS]
    values = gather([*drawn_rows, clean(model, "3,7", "D_f", n=12)], "sgu_tab3_inpainting", by=("way",))
    record = SimpleNamespace(all=lambda **facts: [one for one in values if one.has(**facts)])
    found = restored_by(record, "digits", "repaint")
    assert found.keys() == {("standard", "D_g"), ("standard", "D_f"), ("clean", "D_f")}
    assert found["standard", "D_f"].value == drawn_rows[3].value
    assert restored_by(record, "mnist") == {}


def test_originals_are_the_best_that_can_be(model):
    assert clean(model, "3,7", "D_g", n=12).value > 80


@pytest.mark.parametrize(("way", "cell"), [("replacement", "sgu.tab3_accuracy/cifar10/D_f/standard"), ("repaint", "")])
def test_only_what_the_paper_draws_is_a_printed_cell(way, cell, model):
    found = accuracy(model, "3,7", "D_f", way=way, **DRAWING, **WAYS[way])
    there = {"dataset": "cifar10", "process": "vp", "forget": "automobile,dog"}
    facts = {**found.facts, "metric": found.metric, "unit": found.unit, **there}
    assert claims.join(facts, ["sgu.tab3_accuracy", "sgu.tab3_clip"]) == cell
