import pytest
import torch

from paperlib.data import sets
from paperlib.runs import checkpoints, classifiers
from tests.oracles import seeded


@pytest.mark.parametrize(("name", "goal"), [("digits", 0.97), ("shapes", 0.97), ("avatars", 0.97)])
def test_the_committed_classifiers_reach_their_goals_on_held_out_images(name, goal):
    model = classifiers.classifier(name)
    data = sets.load(name, "test", **classifiers._drawn(name))
    table = classifiers.confusion(model, data)
    right = table.diagonal(dim1=-2, dim2=-1).sum(-1) / table.sum((-2, -1))
    assert (right >= goal).all()


def test_the_confusion_table_counts_by_hand():
    data = sets.load("digits", "test").only(torch.arange(30))

    class Always(torch.nn.Module):
        def forward(self, x):
            return torch.eye(10)[torch.full((len(x),), 3)]

    table = classifiers.confusion(Always(), data)
    assert table.sum() == 30 and table[:, 3].sum() == 30
    assert torch.equal(table[:, 3], torch.bincount(data.labels, minlength=10))


def test_a_shift_moves_whole_pixels_and_keeps_the_size():
    x = torch.randn(2, 1, 6, 6, generator=seeded(1))
    seen = {tuple(classifiers.shifted(x, 1, seeded(k))[0, 0, 2, 2:4].tolist()) for k in range(40)}
    neighbours = {tuple(x[0, 0, 2 + i, 2 + j : 4 + j].tolist()) for i in (-1, 0, 1) for j in (-1, 0, 1)}
    assert seen == neighbours
    assert torch.equal(classifiers.shifted(x, 0, seeded()), x)


def test_an_unknown_set_is_named():
    with pytest.raises(ValueError, match="no classifier of 'stl10'; there are: digits"):
        classifiers.build("stl10")


def test_training_is_repeatable_and_dropout_draws_from_the_runs_own_generator(monkeypatch):
    monkeypatch.setitem(classifiers.RECIPES, "digits", classifiers.Recipe(size=8, steps=5, width=4, shift=1))
    first = checkpoints.rounded(classifiers.training("digits").run())
    torch.manual_seed(999)  # the global generator is neither read nor moved
    before = torch.get_rng_state()
    again = checkpoints.rounded(classifiers.training("digits").run())
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(value, again[name]) for name, value in first.items())
