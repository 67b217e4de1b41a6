"""Which images changed their class: none for the same model; the share is of images that did not show D_f."""

import dataclasses

import pytest
import torch

from companion.evaluation.observer import Observer
from companion.models import base
from companion.page import recorded
from companion.store import Store
from companion.studies.sgu_samples import changed, counts, drawn_by

DRAW = {"n": 30, "evaluations": 4, "seed": 0}


@pytest.fixture(scope="module")
def standard(tmp_path_factory):
    return dataclasses.replace(base("digits-ve"), store=Store(tmp_path_factory.mktemp("store")))


def test_a_model_changes_none_of_its_own_images(standard):
    found = changed(standard, standard, "3,7", **DRAW)
    assert found.value == 0 and found.n == 30 and found.facts["forget"] == "3,7"
    assert torch.equal(drawn_by(standard, **DRAW), drawn_by(standard, **DRAW))


def test_images_that_showed_it_do_not_count(standard, monkeypatch):
    """Of four images a 3, a 1, a 2 and a 5 the 3 and the 2 change: of the three others than the 3 one, a third."""
    seen = iter([torch.eye(10)[[3, 1, 2, 5]], torch.eye(10)[[8, 1, 0, 5]]])
    monkeypatch.setattr(Observer, "logits", lambda *_: next(seen))
    assert changed(standard, standard, "3,7", **DRAW).value == pytest.approx(100 / 3)


def test_counts_are_those_of_one_data_set():
    record = recorded("sgu_fig3_samples")
    ur, moved = counts(record, "mnist")
    assert ur["standard"] == record.find(metric="ur", method="standard", dataset="mnist").value
    assert "standard" not in moved and moved.keys() < ur.keys() and counts(record, "stl10") == ({}, {})
