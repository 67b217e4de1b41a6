import json

import pytest
import torch

from companion import checkpoints, classifier_training, classifiers
from companion.folders import build_folder
from companion.snapshots import Resumable
from paperlib.data import sets
from tests.oracles import seeded


@pytest.mark.parametrize(("name", "goal"), [("digits", 0.97), ("shapes", 0.97), ("avatars", 0.97)])
def test_the_committed_classifiers_reach_their_goals_on_held_out_images(name, goal):
    model = classifiers.classifier(name)
    data = sets.load(name, "test", **classifiers._drawn(name))
    table = classifier_training.confusion(model, data)
    right = table.diagonal(dim1=-2, dim2=-1).sum(-1) / table.sum((-2, -1))
    assert (right >= goal).all()


def test_the_confusion_table_counts_by_hand():
    data = sets.load("digits", "test").only(torch.arange(30))

    class Always(torch.nn.Module):
        def forward(self, x):
            return torch.eye(10)[torch.full((len(x),), 3)]

    table = classifier_training.confusion(Always(), data)
    assert table.sum() == 30 and table[:, 3].sum() == 30
    assert torch.equal(table[:, 3], torch.bincount(data.labels, minlength=10))


def test_a_shift_moves_whole_pixels_and_keeps_the_size():
    x = torch.randn(2, 1, 6, 6, generator=seeded(1))
    seen = {tuple(classifier_training.shifted(x, 1, seeded(k))[0, 0, 2, 2:4].tolist()) for k in range(40)}
    neighbours = {tuple(x[0, 0, 2 + i, 2 + j : 4 + j].tolist()) for i in (-1, 0, 1) for j in (-1, 0, 1)}
    assert seen == neighbours
    assert torch.equal(classifier_training.shifted(x, 0, seeded()), x)


def test_each_image_may_be_shifted_by_its_own_displacement():
    x = torch.randn(300, 3, 5, 6, generator=seeded(1))
    moved = classifier_training.shifted(x, 1, seeded(2), each=True)
    padded = torch.nn.functional.pad(x, [1] * 4, mode="replicate")
    windows = torch.stack([padded[:, :, i : i + 5, j : j + 6] for i in range(3) for j in range(3)], 1)
    matches = (windows == moved[:, None]).flatten(2).all(2)
    assert (matches.sum(1) == 1).all()  # each image is exactly one of its shifted windows
    # each shift is expected 300 / 9 = 33 times, with a standard deviation of 5.4: allow five of these
    assert ((matches.sum(0) - 300 / 9).abs() < 5 * 5.4).all()


def test_sgd_takes_the_step_of_its_formula(monkeypatch):
    """With Nesterov momentum m the first step is 1 + m times that of plain SGD, including the weight decay."""
    decay, momentum = 0.5, 0.9
    few = dict(size=8, steps=5, width=8, network="CifarResNet")
    recipe = classifiers.Recipe(optimizer="SGD", lr=0.1, clip=0, weight_decay=decay, **few)
    monkeypatch.setitem(classifiers.RECIPES, "digits", recipe)
    run = classifier_training.training("digits")
    start, rate = [p.clone() for p in run.network.parameters()], run.rate(0)
    next(iter(run))
    for before, p in zip(start, run.network.parameters()):
        assert torch.allclose(p, before - rate * (1 + momentum) * (p.grad + decay * before), atol=1e-7)


def test_statistics_are_the_means_over_fresh_batches():
    recipe = classifiers.Recipe(size=8, steps=1, batch_size=20, width=8, shift=1, each=True, statistics=3)
    data, model = sets.load("digits", "test"), classifiers.build("digits")
    before = {name: p.clone() for name, p in model.named_parameters()}
    draws = seeded(3)
    with torch.no_grad():
        seen = [model.layers[0][0](classifier_training.drawn(data, recipe, draws)[0]) for _ in range(3)]
    classifier_training.take_statistics(model, data, recipe, seeded(3))
    norm = model.layers[0][1]
    assert torch.allclose(norm.running_mean, torch.stack([h.mean((0, 2, 3)) for h in seen]).mean(0), atol=1e-6)
    assert torch.allclose(norm.running_var, torch.stack([h.var((0, 2, 3)) for h in seen]).mean(0), rtol=1e-4)
    assert norm.momentum == 0.1 and not model.training
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())


def test_a_run_that_was_stopped_ends_in_the_checkpoint_of_one_that_was_not(monkeypatch, tmp_path):
    few = dict(size=8, steps=6, statistics=2, batch_size=16, width=8, network="CifarResNet")
    recipe = classifiers.Recipe(optimizer="SGD", shift=1, each=True, flip=True, weight_decay=0.1, **few)
    monkeypatch.setitem(classifiers.RECIPES, "digits", recipe)
    whole = classifier_training.make("digits", folder=tmp_path / "whole")

    stopped = Resumable(classifier_training.training("digits"), classifier_training.snapshot_file("digits", 0))
    for _ in zip(range(3), stopped):
        pass
    stopped.save()
    again = classifier_training.make("digits", folder=tmp_path / "again")
    assert again.read_bytes() == whole.read_bytes()
    assert list((build_folder() / "classifiers").iterdir()) == []

    card = json.loads(again.with_suffix(".json").read_text())
    model = checkpoints.load(classifiers.build("digits"), "classifier-digits", tmp_path / "again")
    table = classifier_training.confusion(model, sets.load("digits", "test"))
    assert card["confusion"] == table.tolist() and card["recipe"] == recipe.model_dump()
    assert card["samples_seen"] == 6 * 16
    assert card["accuracy"] == pytest.approx((table.diagonal().sum() / table.sum()).item())


@pytest.mark.parametrize(("name", "parameters"), [("mnist", 72_666), ("cifar10", 272_474)])
def test_the_networks_of_the_real_sets_can_be_had_without_their_images(name, parameters, monkeypatch, tmp_path):
    monkeypatch.setenv("PAPERLIB_DATA", str(tmp_path))
    assert sum(p.numel() for p in classifiers.build(name).parameters()) == parameters


@pytest.mark.realdata
@pytest.mark.parametrize(("name", "goal"), [("mnist", 0.993), ("cifar10", 0.90), ("cifar10-judge", 0.80)])
def test_the_classifiers_of_the_real_sets_reach_their_goals_and_what_their_cards_say(name, goal):
    data = sets.load(classifiers.dataset(name), "test")
    table = classifier_training.confusion(classifiers.classifier(name), data)
    right = (table.diagonal().sum() / table.sum()).item()
    assert right >= goal
    # on another machine, rounding may change the class of an image on a boundary
    assert right == pytest.approx(checkpoints.card(f"classifier-{name}")["accuracy"], abs=5e-4)


def test_an_unknown_set_is_named():
    with pytest.raises(ValueError, match="no classifier of 'svhn'; there are: digits"):
        classifiers.build("svhn")


def test_training_is_repeatable_and_dropout_draws_from_the_runs_own_generator(monkeypatch):
    monkeypatch.setitem(classifiers.RECIPES, "digits", classifiers.Recipe(size=8, steps=5, width=8, shift=1))
    first = checkpoints.rounded(classifier_training.training("digits").run())
    torch.manual_seed(999)  # the global generator is neither used nor advanced
    before = torch.get_rng_state()
    again = checkpoints.rounded(classifier_training.training("digits").run())
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(value, again[name]) for name, value in first.items())
