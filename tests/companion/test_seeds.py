import pytest
import torch

from companion.seeds import STREAMS, generator


def draw(*arguments):
    return torch.randn(4, generator=generator(*arguments))


def test_same_name_draws_the_same_numbers():
    assert torch.equal(draw(0, "train", "noise"), draw(0, "train", "noise"))


def test_seed_step_and_stream_each_change_the_numbers():
    base = draw(0, "train", "noise")
    others = [draw(1, "train", "noise"), draw(0, "sample", "noise")]
    others += [draw(0, "train", stream) for stream in STREAMS if stream != "noise"]
    assert not any(torch.equal(base, other) for other in others)


def test_a_stream_is_the_same_on_every_machine():
    assert generator(3, "train", "noise").initial_seed() == 5025322075657419672


def test_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    draw(0, "train", "data")
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("arguments", [(0, "a", "nois"), (-1, "a", "noise"), (True, "a", "noise"), (0.5, "a", "noise")])
def test_wrong_arguments_are_named(arguments):
    with pytest.raises(ValueError, match="nois|seed="):
        generator(*arguments)
