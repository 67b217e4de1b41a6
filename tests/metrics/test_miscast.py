"""The wrong cast compared with numpy's, and its effect on distances."""

import platform

import numpy as np
import pytest
import torch

from paperlib.metrics.features import Network
from paperlib.metrics.frechet import frechet_distance, statistics
from paperlib.metrics.miscast import cast_to_bytes, miscast

DRAWS = torch.Generator().manual_seed(0)


def images(n=60):
    return torch.randint(1, 255, (n, 3, 8, 8), generator=DRAWS, dtype=torch.uint8)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="C leaves the cast of negative numbers to the processor")
def test_the_cast_is_numpys_on_this_processor():
    x = torch.linspace(-1, 1, 511)
    with np.errstate(invalid="ignore"):
        assert cast_to_bytes(x).tolist() == x.numpy().astype(np.uint8).tolist()


def test_nothing_is_left_but_black_and_white():
    ramp = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    expected = [255, *[0] * 254, 1]
    assert miscast(ramp).flatten().tolist() == expected


def test_images_without_black_have_distance_zero_whatever_they_show():
    W = torch.randn(192, 16, generator=DRAWS)
    network = Network("projection", lambda x: (x.float() / 255).flatten(1) @ W)
    a, b = images(), (images().float() * 0.2).clamp(min=1).to(torch.uint8)
    right = frechet_distance(statistics(a, network), statistics(b, network))
    wrong = frechet_distance(statistics(miscast(a), network), statistics(miscast(b), network))
    assert right > 100 and wrong == 0


def test_numbers_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="x: 1 of 2 numbers are not finite"):
        cast_to_bytes(torch.tensor([0.0, float("nan")]))
