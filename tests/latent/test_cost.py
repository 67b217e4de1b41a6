"""Stable Diffusion's size compared with published numbers."""

import pytest

pytest.importorskip("diffusers")

from paperlib.latent.cost import GIB, architecture, cost, counts, operations, saved_bytes


@pytest.fixture(scope="module")
def unet():
    return architecture()


def test_the_weights_are_as_many_as_published(unet):
    found = counts(unet)
    assert found["full"] == 859_520_964  # as in the public checkpoint
    assert found["xattn"] < found["noxattn"] < found["notime"] < found["full"]


def test_a_pass_has_the_operations_that_are_known(unet):
    """A pass at 64 x 64 takes about 400 billion multiplications and as many additions."""
    assert 750e9 < operations(unet) < 850e9


def test_checkpointing_keeps_a_fraction_and_memory_grows_with_the_batch(unet):
    plain, less = (saved_bytes(unet, 1, checkpointing=one) for one in (False, True))
    assert 0 < less < plain / 3
    assert saved_bytes(unet, 2, checkpointing=True) == pytest.approx(2 * less, rel=0.01)


def test_the_sum_is_the_arithmetic_that_it_says():
    found = cost(
        total=GIB, trained=GIB, held=1, passes=2, batch=4, updates=450, activations=GIB, forward=1e12, rate=1e12
    )
    assert (found.weights, found.training, found.activations) == (8, 16, 2)
    assert found.memory == 26 and found.hours == pytest.approx(4)


@pytest.mark.parametrize(("half", "frozen"), [(True, 2), (False, 4)])
def test_weights_that_are_not_trained_stand_there_twice_in_their_own_precision(half, frozen):
    run = dict(held=0, passes=1, batch=1, updates=1, activations=0, forward=1.0, rate=1.0)
    assert cost(total=3 * GIB, trained=GIB, half=half, **run).weights == 2 * frozen * 2 + 2 * 4
