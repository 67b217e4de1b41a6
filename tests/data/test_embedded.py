"""Digits, shapes and avatars: reproducible images, classes that have to be learnt, exact attributes."""

import itertools
import math

import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from paperlib.data import avatars, digits, sets, shapes
from tests.oracles import seeded

DRAWN = {"shapes": shapes, "avatars": avatars}


@pytest.mark.parametrize("size", [16, 32])
@pytest.mark.parametrize("module", DRAWN.values(), ids=DRAWN)
def test_drawn_images_depend_on_their_generator_alone(module, size):
    state = torch.get_rng_state()
    first, again, other = (module.sample(300, seeded(k), size) for k in (1, 1, 2))
    assert first.images.shape == (300, 3, size, size) and first.images.dtype == torch.uint8
    assert torch.equal(first.images, again.images) and torch.equal(first.target, again.target)
    assert not torch.equal(first.images, other.images)
    assert torch.equal(state, torch.get_rng_state())
    assert len(first.images.flatten(1).unique(dim=0)) == 300


@pytest.mark.parametrize("name", sets.EMBEDDED)
def test_a_loaded_set_is_always_the_same_and_train_is_not_test(name):
    n = None if name == "digits" else 200
    train, test = (sets.load(name, part, n=n) for part in ("train", "test"))
    assert train.name == f"{name}-train" and test.name == f"{name}-test"
    assert torch.equal(train.images, sets.load(name, n=n).images)
    both = torch.cat([train.images, test.images]).flatten(1)
    assert len(both.unique(dim=0)) == len(both)


def test_digits_are_all_of_them_split_class_by_class():
    train, test = digits.load("train"), digits.load("test")
    assert (len(train), len(test)) == (1352, 445) and train.shape == (1, 8, 8)
    assert train.images.unique().tolist() == [round(level * 255 / 16) for level in range(17)]
    everywhere = train.labels.bincount() + test.labels.bincount()
    assert torch.equal(test.labels.bincount(), everywhere // 4)
    with pytest.raises(ValueError, match="part='valid' is not one of train, test"):
        digits.load("valid")


def accuracy(train, train_labels, test, test_labels, neighbours=5) -> float:
    model = KNeighborsClassifier(neighbours).fit(train.flatten(1).numpy(), train_labels.numpy())
    return model.score(test.flatten(1).numpy(), test_labels.numpy())


def test_neighbours_tell_digits_apart():
    train, test = digits.load("train"), digits.load("test")
    assert accuracy(train.images, train.labels, test.images, test.labels) > 0.95


def gradients(images: torch.Tensor) -> torch.Tensor:
    """Return histograms of the gradient's direction in 3 x 3 cells about the strongest edges of each image, [N, 72]."""
    grey = images.double().mean(1)
    across, down = grey[:, 1:-1, 2:] - grey[:, 1:-1, :-2], grey[:, 2:, 1:-1] - grey[:, :-2, 1:-1]
    weight, size = (across**2 + down**2).sqrt(), grey.shape[1] - 2
    weight = weight * (weight > 0.3 * weight.amax((1, 2), keepdim=True))
    line = torch.arange(size).double()
    total = weight.sum((1, 2))
    cx, cy = ((weight.sum(axis) * line).sum(1) / total for axis in (1, 2))
    x, y = line[None, None, :] - cx[:, None, None], line[None, :, None] - cy[:, None, None]
    spread = ((weight * (x**2 + y**2)).sum((1, 2)) / total).sqrt()[:, None, None]
    cell = 3 * (1 + (y / spread / 0.5).round().clamp(-1, 1)) + 1 + (x / spread / 0.5).round().clamp(-1, 1)
    direction = ((torch.atan2(down, across) / math.pi % 1) * 8).floor().clamp(max=7)
    bins = (cell * 8 + direction).long().flatten(1)
    found = torch.zeros(len(images), 72, dtype=torch.double).scatter_add_(1, bins, weight.flatten(1))
    return found / found.sum(1, keepdim=True)


def histograms(images: torch.Tensor) -> torch.Tensor:
    """Return the shares of 4 x 4 x 4 colours, [N, 64]."""
    colour = (images.long() // 64).mul(torch.tensor([16, 4, 1])[:, None, None]).sum(1).flatten(1)
    return torch.nn.functional.one_hot(colour, 64).double().mean(1)


def pixels(images: torch.Tensor) -> torch.Tensor:
    return images.float()


@pytest.mark.parametrize("size", [16, 32])
def test_shapes_are_told_by_their_outline_and_not_by_their_colours_or_pixels(size):
    train, test = shapes.sample(2000, seeded(0), size), shapes.sample(500, seeded(1), size)
    scores = {
        of.__name__: accuracy(of(train.images), train.labels, of(test.images), test.labels)
        for of in (gradients, histograms, pixels)
    }
    assert scores["gradients"] > 0.75
    assert scores["histograms"] < 0.2  # chance is 0.1
    assert scores["pixels"] < 0.4


def test_shapes_of_a_class_are_drawn_as_asked_and_classes_are_even():
    labels = torch.arange(10).repeat(3)
    assert shapes.draw(labels, seeded(), 16).shape == (30, 3, 16, 16)
    counts = shapes.sample(5000, seeded(), 16).labels.bincount(minlength=10).double()
    assert ((counts - 500) ** 2 / 500).sum() < 39.3  # chi-square with 9 degrees of freedom, P = 1e-5
    with pytest.raises(ValueError, match="outside of 0 .. 9"):
        shapes.draw(torch.tensor([10]), seeded())


def phi(values: torch.Tensor, first: int, second: int) -> float:
    return torch.corrcoef(values[:, [first, second]].double().T)[0, 1].item()


def test_attributes_are_even_and_independent():
    n = 20_000
    values = avatars.draw_attributes(n, seeded())
    assert ((values.double().mean(0) - 0.5).abs() < 4.5 * 0.5 / math.sqrt(n)).all()
    counts = (values.long() * 2 ** torch.arange(5)).sum(1).bincount(minlength=32).double()
    assert ((counts - n / 32) ** 2 / (n / 32)).sum() < 77.0  # all 32 faces; 31 degrees of freedom, P = 1e-5


@pytest.mark.parametrize("rho", [-1.0, -0.4, 0.3, 0.8, 1.0])
def test_a_correlation_is_what_was_asked_for_and_leaves_the_rest_independent(rho):
    n = 20_000
    values = avatars.draw_attributes(n, seeded(), {("bangs", "smile"): rho})
    assert ((values.double().mean(0) - 0.5).abs() < 4.5 * 0.5 / math.sqrt(n)).all()
    for first, second in itertools.combinations(range(5), 2):
        expected = rho if (first, second) == (0, 4) else 0.0
        assert abs(phi(values, first, second) - expected) <= 4.5 / math.sqrt(n) * (1 - expected**2) + 1e-12


def test_correlations_chain_whatever_their_order():
    chain = {("hat", "smile"): 0.5, ("bangs", "hat"): 0.6}
    values = avatars.draw_attributes(20_000, seeded(), chain)
    for pair, expected in {(0, 2): 0.6, (2, 4): 0.5, (0, 4): 0.3}.items():
        assert phi(values, *pair) == pytest.approx(expected, abs=0.035)


@pytest.mark.parametrize(
    "correlation, message",
    [
        ({("bangs", "nose"): 0.5}, "no attribute 'nose'; valid: bangs, glasses, hat, beard, smile"),
        ({("bangs", "hat"): 1.5}, "1.5 is not in"),
        ({("bangs", "hat"): 0.1, ("smile", "hat"): 0.1}, "hat can lean on one other attribute only"),
        ({("hat", "hat"): 0.1}, "hat can lean on one other"),
        ({("bangs", "hat"): 0.1, ("hat", "bangs"): 0.1}, "lean on each other in a circle"),
    ],
)
def test_correlations_that_cannot_be_are_refused(correlation, message):
    with pytest.raises(ValueError, match=message):
        avatars.draw_attributes(10, seeded(), correlation)


#: Where an attribute may show, as shares of the height from the top.
BANDS = {"bangs": (0.1, 0.6), "glasses": (0.35, 0.7), "hat": (0.0, 0.5), "beard": (0.55, 1.0), "smile": (0.6, 0.9)}


@pytest.mark.parametrize("name", avatars.ATTRIBUTES)
@pytest.mark.parametrize("size, least", [(32, 2), (64, 10)])
def test_an_attribute_shows_in_its_place_and_changes_nothing_else(name, size, least):
    """With and without it, the same generator gives the same face outside that band; inside, pixels clearly change."""
    values = avatars.draw_attributes(400, seeded())
    column = avatars.ATTRIBUTES.index(name)
    pair = []
    for value in (True, False):
        values[:, column] = value
        pair.append(avatars.draw(values, seeded(7), size).int())
    change = (pair[0] - pair[1]).abs().amax(1)
    top, bottom = (round(share * size) for share in BANDS[name])
    assert change[:, :top].sum() == 0 and change[:, bottom:].sum() == 0
    assert (change > 25).sum((1, 2)).min() >= least


def test_attribute_values_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="must be bool .N, 5.: bangs, glasses"):
        avatars.draw(torch.zeros(3, 4).bool(), seeded())


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"name": "shape"}, "dataset='shape' is not one of digits, shapes, avatars, mnist"),
        ({"name": "shapes", "part": "valid"}, "part='valid' of shapes is not one of train, test"),
        ({"name": "digits", "n": 5000}, "digits-train has 1352 images"),
        ({"name": "shapes", "n": 0}, "n=0 is not at least 1"),
        ({"name": "shapes", "size": -1}, "size=-1 is not at least 1"),
    ],
)
def test_sets_and_parts_that_do_not_exist_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        sets.load(**arguments)


def test_load_draws_or_resizes_to_the_size_asked_for():
    assert sets.load("shapes", size=16, n=5).images.shape == (5, 3, 16, 16)
    assert sets.load("avatars", size=64, n=5).images.shape == (5, 3, 64, 64)
    assert sets.load("digits", size=16, n=5).images.shape == (5, 1, 16, 16)
    assert sets.parts("celeba") == ("train", "valid", "test") and sets.parts("digits") == ("train", "test")
