"""What is to be forgotten and what is to be kept: D_f and D_g of a set.

``forget`` has the form of a page's parameter: an index (3), a class's name ("dog"), several of either separated by
commas ("3,7", "dog,automobile"), or an attribute ("bangs"). "not bangs" is the attribute's other value. If several are
named, D_f is their union.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from paperlib.checks import need_positive
from paperlib.data.images import Images

__all__ = [
    "Sides",
    "class_indices",
    "evenly",
    "forgotten",
    "forgotten_attributes",
    "forgotten_classes",
    "forgotten_parts",
    "parted",
    "split",
    "validation",
]

HELD_OUT = 5  # every fifth training image, for choosing settings


class Sides(NamedTuple):
    """Both sides of a set: ``retain`` is D_g, ``forget`` is D_f."""

    retain: Images  # D_g
    forget: Images  # D_f


def split(dataset: Images, forget: int | str | Iterable[int | str]) -> Sides:
    """Split ``dataset`` into D_g and D_f; use it for the training part and the test part alike.

    Raises:
        ValueError: if ``forget`` names something unknown, or either side would be empty.
    """
    chosen = forgotten(dataset, forget)
    sides = Sides(dataset.only(~chosen, f"{dataset.name} retain"), dataset.only(chosen, f"{dataset.name} forget"))
    if not len(sides.forget):
        raise ValueError(f"{forget=}: no image of {dataset.name} is forgotten, D_f would be empty")
    if not len(sides.retain):
        raise ValueError(f"{forget=}: every image of {dataset.name} is forgotten, D_g would be empty")
    return sides


def forgotten(dataset: Images, forget: int | str | Iterable[int | str]) -> Tensor:
    """Return which images ``forget`` names, bool [N]."""
    if dataset.labels is not None:
        classes = torch.tensor(forgotten_classes(dataset, forget), device=dataset.labels.device)
        return torch.isin(dataset.labels, classes)
    chosen = torch.zeros(len(dataset), dtype=torch.bool, device=dataset.values.device)
    for column, value in forgotten_attributes(dataset, forget):
        chosen |= dataset.values[:, column] == value
    return chosen


def forgotten_attributes(dataset: Images, forget: int | str | Iterable[int | str]) -> list[tuple[int, bool]]:
    """Return the columns of the attributes that ``forget`` names, each with the value that is to be forgotten."""
    columns = {_plain(name): column for column, name in enumerate(dataset.attributes)}
    found = []
    for word in _words(forget):
        positive = _plain(word).removeprefix("not ")
        if positive not in columns:
            raise ValueError(f"{forget=}: {dataset.name} has no attribute {word!r}; {_valid(dataset.attributes)}")
        found.append((columns[positive], positive == _plain(word)))
    return found


def forgotten_classes(dataset: Images, forget: int | str | Iterable[int | str]) -> list[int]:
    """Return the indices of the classes that ``forget`` names, sorted."""
    if dataset.labels is None:
        raise ValueError(f"{dataset.name} has attributes, not classes; {_valid(dataset.attributes)}")
    return class_indices(dataset.name, dataset.classes, forget)


def class_indices(name: str, classes: Sequence[str], forget: int | str | Iterable[int | str]) -> list[int]:
    """Return the indices of the classes that ``forget`` names, sorted, for a set of this name with these classes; the
    set's images are not needed."""
    if not classes:
        raise ValueError(f"{forget=}: {name} has attributes, not classes")
    indices = {_plain(one): index for index, one in enumerate(classes)}
    indices |= {str(index): index for index in range(len(classes))}
    found = set()
    for word in _words(forget):
        if _plain(word) not in indices:
            raise ValueError(f"{forget=}: {name} has no class {word!r}; {_valid(classes)}")
        found.add(indices[_plain(word)])
    if len(found) == len(classes):
        raise ValueError(f"{forget=}: every class of {name} is forgotten, nothing would be left")
    return sorted(found)


def parted(dataset: Images) -> Images:
    """Return the same images with disjoint parts as classes: their classes or, for A attributes, the 2^A combinations
    of values.

    Part k has the attributes given by the binary digits of k, and is named after them: "none", "bangs", "glasses",
    "bangs+glasses", and so on. Whatever is to be forgotten is then a union of parts (:func:`forgotten_parts`), and one
    classifier of the parts is enough.
    """
    if dataset.labels is not None:
        return dataset
    digits = 2 ** torch.arange(len(dataset.attributes), device=dataset.values.device)
    labels = (dataset.values * digits).sum(1)
    return Images(dataset.name, dataset.images, tuple(map("+".join, _combinations(dataset))), labels)


def forgotten_parts(dataset: Images, forget: int | str | Iterable[int | str]) -> list[int]:
    """Return the numbers of the parts (:func:`parted`) whose union is what ``forget`` names, sorted."""
    if dataset.labels is not None:
        return forgotten_classes(dataset, forget)
    asked = [(dataset.attributes[column], value) for column, value in forgotten_attributes(dataset, forget)]
    parts = _combinations(dataset)
    return [k for k, part in enumerate(parts) if any((name in part) == value for name, value in asked)]


def _combinations(dataset: Images) -> list[tuple[str, ...]]:
    several = range(2 ** len(dataset.attributes))
    held = [tuple(name for bit, name in enumerate(dataset.attributes) if k >> bit & 1) for k in several]
    return [part or ("none",) for part in held]


def _words(forget: int | str | Iterable[int | str]) -> list[str]:
    parts = forget.split(",") if isinstance(forget, str) else [forget] if not isinstance(forget, Iterable) else forget
    words = []
    for part in parts:
        if isinstance(part, bool) or not isinstance(part, int | str):
            raise ValueError(f"{forget=}: {part!r} is neither a name nor an index")
        words.append(str(part).strip())
    if not words or "" in words:
        raise ValueError(f"{forget=}: a name or an index is missing")
    return words


def _plain(name: str) -> str:
    """Normalise a name for comparison: case is ignored, and an underscore is a space."""
    return name.casefold().replace("_", " ")


def _valid(names: tuple[str, ...]) -> str:
    return f"valid: {', '.join(names)}"


def evenly(data: Images, n: int) -> Images:
    """Return the first ``n`` images, taken from all classes in turn, or all if there are fewer. Without classes, the
    first ``n``."""
    need_positive(n=n)
    if data.labels is None:
        return data.only(torch.arange(min(n, len(data))))
    rank = torch.empty_like(data.labels)
    for label in range(len(data.classes)):
        where = data.labels == label
        rank[where] = torch.arange(int(where.sum()))
    order = torch.argsort(rank * len(data.classes) + data.labels)
    return data.only(order[:n])


def validation(train: Images) -> tuple[Images, Images]:
    """Return a training part without every fifth image, and those images: settings are chosen on them, never on the
    test part."""
    held = torch.arange(len(train)) % HELD_OUT == HELD_OUT - 1
    return train.only(~held, f"{train.name} less the held-out"), train.only(held, f"{train.name} held-out")
