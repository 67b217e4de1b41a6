"""Digits: the 1,797 handwritten digits of 8 x 8 pixels that come with scikit-learn, the embedded stand-in for MNIST.

References:
    E. Alpaydin and C. Kaynak, Optical recognition of handwritten digits, UCI Machine Learning Repository, 1998.
"""

from functools import cache

import torch
from torch import Tensor

from paperlib.data.images import Images

__all__ = ["CLASSES", "load"]

#: The classes, in the order of the labels.
CLASSES = tuple("0123456789")


def load(part: str = "train") -> Images:
    """Load the part ``"train"``, 1,352 images, or ``"test"``, 445: every fourth image of each class.

    Grey levels 0 .. 16 become 0 .. 255, rounded; only these 17 values occur, which matters for likelihoods.
    """
    if part not in ("train", "test"):
        raise ValueError(f"part={part!r} is not one of train, test")
    images, labels, is_test = _all()
    chosen = is_test == (part == "test")
    return Images(f"digits-{part}", images[chosen], classes=CLASSES, labels=labels[chosen])


@cache  # scikit-learn reads its text file each time; the selection above is a copy
def _all() -> tuple[Tensor, Tensor, Tensor]:
    """Return all images, their labels, and which of them belong to the test part."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = (torch.from_numpy(bunch.images) * (255 / 16)).round().to(torch.uint8)[:, None]
    labels = torch.from_numpy(bunch.target).long()
    place = torch.zeros_like(labels)  # index of an image within its class
    for label in labels.unique():
        place[labels == label] = torch.arange(int((labels == label).sum()))
    return images, labels, place % 4 == 3
