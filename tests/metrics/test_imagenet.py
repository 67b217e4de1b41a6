"""UA by a stub ImageNet classifier with given answers."""

import pytest
import torch

from paperlib.metrics.imagenet import IMAGENETTE, unlearning_accuracy
from paperlib.metrics.intervals import wilson

IMAGES = torch.zeros(8, 3, 16, 16, dtype=torch.uint8)


def test_it_is_the_share_in_percent_of_images_that_are_not_the_forgotten_class():
    seen = torch.tensor([IMAGENETTE["tench"]] * 3 + [IMAGENETTE["church"]] * 5)
    found = unlearning_accuracy(IMAGES, "tench", lambda images: seen)
    assert found.value == 62.5 and found.n == 8
    assert found.interval == pytest.approx([100 * end for end in wilson(5, 8)])


def test_a_class_that_imagenette_lacks_is_named():
    with pytest.raises(ValueError, match="forgotten='cat' is not one of tench, "):
        unlearning_accuracy(IMAGES, "cat", lambda images: torch.zeros(8))
