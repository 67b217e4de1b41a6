"""Which classes a conditional model has learned: the counts, the rule, and a committed model's card."""

import torch

from companion import bases, checkpoints, classifiers
from companion.campaign import classes
from companion.campaign.classes import ClassCheck, seen, there
from paperlib.data import sets


def test_a_class_is_there_if_twice_as_many_show_it_as_any_other():
    counts = torch.tensor([[4, 2, 2], [1, 3, 2], [0, 0, 0]])
    assert there(counts).tolist() == [True, False, False]
    assert there(torch.tensor([[1, 0], [0, 1]])).tolist() == [True, True]


def test_rows_are_what_was_asked_for_and_columns_what_is_seen():
    data = sets.load("digits", "test")
    real = data.images[:60]
    found = classifiers.predict(classifiers.classifier("digits"), real).argmax(1)
    counts = seen(real, torch.full((60,), 3), "digits", 10)
    assert counts.sum(1).tolist() == [0, 0, 0, 60, 0, 0, 0, 0, 0, 0]
    assert torch.equal(counts[3], torch.bincount(found, minlength=10))


def test_the_check_goes_to_the_card_and_is_made_once(tmp_path, monkeypatch):
    monkeypatch.setattr(classes, "EACH", 3)
    base = bases.BASES["digits-ddpm-labels"]
    checkpoints.save(bases.load(base.name), base.name, {"base": {}}, tmp_path)
    run = ClassCheck(base, torch.device("cpu"), tmp_path)
    assert run.left() == 1 and run.go_on(None) and run.left() == 0
    kept = checkpoints.card(base.name, tmp_path)["classes"]
    assert [one["guidance"] for one in kept["found"]] == [0, 1, 2] and kept["each"] == 3
    for one in kept["found"]:
        counts = torch.tensor(one["counts"])
        assert counts.sum(1).tolist() == [3] * 10 and one["right"] == counts.diagonal().sum().item() / 30
    assert kept["found"][2]["right"] >= 0.8  # the model of digits draws the requested classes
    checkpoints.save(bases.architecture(base), base.name, {"base": {}}, tmp_path)
    assert run.left() == 1
