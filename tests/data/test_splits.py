"""Splits into D_g and D_f by class and by attribute."""

import pytest
import torch

from paperlib.data import sets
from paperlib.data.images import Images
from paperlib.data.splits import class_indices, forgotten, forgotten_classes, forgotten_parts, parted, split, validation

N = 12
IMAGES = torch.arange(N, dtype=torch.uint8)[:, None, None, None].expand(N, 3, 2, 2)
ANIMALS = Images("animals", IMAGES, classes=("cat", "Golden Retriever", "cow", "emu"), labels=torch.arange(N) % 4)
DIGITS = Images("digits", IMAGES, classes=tuple("0123456789"), labels=torch.arange(N) % 10)
HATS = torch.arange(N) % 3 == 0
FACES = Images(
    "faces", IMAGES, attributes=("Bangs", "Wearing_Hat"), values=torch.stack([torch.arange(N) % 2 == 0, HATS], 1)
)


def numbers(images: Images) -> list[int]:
    return images.images[:, 0, 0, 0].tolist()


@pytest.mark.parametrize(
    "dataset, forget, classes",
    [
        (DIGITS, 3, [3]),
        (DIGITS, "3", [3]),
        (DIGITS, "3,7", [3, 7]),
        (DIGITS, "7, 3", [3, 7]),
        (DIGITS, [7, "3", 3], [3, 7]),
        (ANIMALS, "cat", [0]),
        (ANIMALS, "Cat,golden_retriever", [0, 1]),
        (ANIMALS, 2, [2]),
        (ANIMALS, "2,emu", [2, 3]),
    ],
)
def test_classes_are_named_by_name_or_index(dataset, forget, classes):
    assert forgotten_classes(dataset, forget) == classes
    sides = split(dataset, forget)
    expected = [k for k in range(N) if dataset.labels[k] in classes]
    assert numbers(sides.forget) == expected
    assert numbers(sides.retain) == [k for k in range(N) if k not in expected]
    assert sides.forget.classes == dataset.classes
    assert torch.equal(sides.forget.labels, dataset.labels[expected])
    assert sides.forget.name == f"{dataset.name} forget" and sides.retain.name == f"{dataset.name} retain"


@pytest.mark.parametrize(
    "forget, expected",
    [
        ("bangs", [0, 2, 4, 6, 8, 10]),
        ("Bangs", [0, 2, 4, 6, 8, 10]),
        ("not bangs", [1, 3, 5, 7, 9, 11]),
        ("wearing hat", [0, 3, 6, 9]),
        ("Wearing_Hat,Bangs", [0, 2, 3, 4, 6, 8, 9, 10]),
    ],
)
def test_attributes_are_named_with_their_value(forget, expected):
    sides = split(FACES, forget)
    assert numbers(sides.forget) == expected
    assert sorted(numbers(sides.forget) + numbers(sides.retain)) == list(range(N))


@pytest.mark.parametrize(
    "dataset, forget, message",
    [
        (ANIMALS, "dog", "forget='dog': animals has no class 'dog'; valid: cat, Golden Retriever, cow, emu"),
        (ANIMALS, "cat,dog", "no class 'dog'"),
        (ANIMALS, 4, "no class '4'"),
        (ANIMALS, -1, "no class '-1'"),
        (ANIMALS, "bangs", "no class 'bangs'"),
        (ANIMALS, "0,1,2,3", "every class of animals is forgotten"),
        (ANIMALS, "", "a name or an index is missing"),
        (ANIMALS, "cat,", "a name or an index is missing"),
        (ANIMALS, [], "a name or an index is missing"),
        (ANIMALS, 3.7, "3.7 is neither a name nor an index"),
        (ANIMALS, True, "True is neither a name nor an index"),
        (ANIMALS, None, "None is neither a name nor an index"),
        (FACES, "smile", "faces has no attribute 'smile'; valid: Bangs, Wearing_Hat"),
        (FACES, 0, "faces has no attribute '0'"),
        (FACES, "bangs,not bangs", "every image of faces is forgotten, D_g would be empty"),
        (ANIMALS.only(torch.tensor([0, 1])), "emu", "no image of animals is forgotten, D_f would be empty"),
        (ANIMALS.only(torch.tensor([0, 4])), "cat", "every image of animals is forgotten"),
    ],
)
def test_what_makes_no_split_is_refused_with_the_reason(dataset, forget, message):
    with pytest.raises(ValueError) as raised:
        split(dataset, forget)
    assert message in str(raised.value)


def test_attributes_have_no_classes():
    with pytest.raises(ValueError, match="faces has attributes, not classes; valid: Bangs"):
        forgotten_classes(FACES, 0)
    with pytest.raises(ValueError, match="forget='bangs': faces has attributes, not classes"):
        class_indices("faces", (), "bangs")


def test_the_names_of_classes_are_those_of_the_images_and_need_none(monkeypatch):
    known = {name: sets.load(name, "test", n=1).classes for name in sets.EMBEDDED}
    monkeypatch.setattr(sets, "load", None)
    assert {name: sets.classes(name) for name in known} == known
    assert sets.classes("cifar10")[3] == "cat" and sets.classes("celeba") == ()
    with pytest.raises(ValueError, match="dataset='cifar' is not one of digits, shapes"):
        sets.classes("cifar")


@pytest.mark.parametrize("dataset", [DIGITS, FACES], ids=["labels", "attributes"])
def test_every_fifth_image_is_held_out(dataset):
    used, held = validation(dataset)
    assert numbers(held) == [4, 9] and numbers(used) == [0, 1, 2, 3, 5, 6, 7, 8, 10, 11]
    assert torch.equal(held.target, dataset.target[[4, 9]]) and len(used.target) == 10
    assert held.name == f"{dataset.name} held-out" and used.name == f"{dataset.name} less the held-out"


@pytest.mark.parametrize("forget", ["bangs", "not bangs", "bangs,smile", "glasses,not hat", "beard"])
def test_what_is_forgotten_is_a_union_of_parts(forget):
    data = sets.load("avatars", "test", n=300)
    parts = parted(data)
    assert torch.equal(torch.isin(parts.labels, torch.tensor(forgotten_parts(data, forget))), forgotten(data, forget))


def test_parts_are_the_combinations_of_attributes_by_name():
    data = sets.load("avatars", "test", n=300)
    parts = parted(data)
    assert len(parts.classes) == len(set(parts.classes)) == 32 and torch.equal(parts.images, data.images)
    for label, values in zip(parts.labels.tolist(), data.values):
        had = [name for name, value in zip(data.attributes, values.tolist()) if value]
        assert parts.classes[label] == ("+".join(had) or "none")


def test_a_set_with_classes_is_parted_already():
    data = sets.load("digits", "test")
    assert parted(data) is data and forgotten_parts(data, "3,7") == [3, 7]
