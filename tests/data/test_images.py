"""A uint8 tensor of images, and the network's input made from it."""

import pytest
import torch

from paperlib.data.images import Images, model_input, to_uint8
from tests.oracles import assert_mean, seeded

EVERY_LEVEL = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
SET = Images(
    "numbers",
    torch.arange(20, dtype=torch.uint8)[:, None, None, None].expand(20, 1, 2, 2).contiguous(),
    classes=("even", "odd"),
    labels=torch.arange(20) % 2,
)


def test_model_input_spans_minus_one_to_one_and_goes_back_exactly():
    x = model_input(EVERY_LEVEL)
    assert x.dtype == torch.float32 and x.min() == -1 and x.max() == 1
    assert torch.equal(to_uint8(x), EVERY_LEVEL)
    assert torch.equal(to_uint8(torch.tensor([-3.0, 3.0])), torch.tensor([0, 255], dtype=torch.uint8))


def test_dequantised_pixels_go_back_to_the_level_whose_interval_they_are_in():
    for k in range(50):
        x = model_input(EVERY_LEVEL, seeded(k), dequantise=True)
        assert torch.equal(to_uint8(x, dequantised=True), EVERY_LEVEL)
    outside = torch.tensor([-1.01, 1.0, 3.0])
    assert to_uint8(outside, dequantised=True).tolist() == [0, 255, 255]


def test_dequantisation_is_uniform_within_each_level_s_bin():
    x = torch.cat([model_input(EVERY_LEVEL, seeded(k), dequantise=True) for k in range(200)]).double()
    u = (x + 1) * 128 - EVERY_LEVEL
    assert x.min() >= -1 and x.max() < 1
    assert u.min() >= -1e-4 and u.max() <= 1 + 1e-4
    assert_mean(u.flatten()[:, None], torch.tensor([0.5], dtype=torch.float64))
    assert_mean((u.flatten()[:, None] - 0.5) ** 2, torch.tensor([1 / 12], dtype=torch.float64))


def test_the_largest_draw_stays_in_the_last_level_s_bin(monkeypatch):
    monkeypatch.setattr(torch, "rand", lambda shape, **settings: torch.full(shape, 1 - 2**-24))
    x = model_input(EVERY_LEVEL, seeded(), dequantise=True)
    assert x.max() < 1 and torch.equal(to_uint8(x, dequantised=True).max(), EVERY_LEVEL.max())


def test_flips_mirror_whole_images_half_of_the_time():
    images = torch.randint(256, (2000, 3, 4, 4), generator=seeded(), dtype=torch.uint8)
    x, plain = model_input(images, seeded(1), flip=True), model_input(images)
    mirrored = (x == plain.flip(3)).flatten(1).all(1)
    assert torch.equal(x[~mirrored], plain[~mirrored])
    assert abs(mirrored.double().mean() - 0.5) < 4.5 * 0.5 / 2000**0.5


def test_flips_and_dequantisation_ask_for_a_generator():
    for option in ({"flip": True}, {"dequantise": True}):
        with pytest.raises(ValueError, match="need a generator"):
            model_input(EVERY_LEVEL, **option)


def test_a_batch_depends_on_its_generator_alone_and_keeps_labels_with_images():
    state = torch.get_rng_state()
    first = SET.batch(64, seeded(1), flip=True, dequantise=True)
    again = SET.batch(64, seeded(1), flip=True, dequantise=True)
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    assert not torch.equal(first[0], SET.batch(64, seeded(2), flip=True, dequantise=True)[0])
    assert torch.equal(state, torch.get_rng_state())
    x, y = SET.batch(64, seeded(1))
    assert x.shape == (64, 1, 2, 2) and torch.equal(to_uint8(x)[:, 0, 0, 0] % 2, y)


def test_an_epoch_holds_every_image_once_in_a_random_order():
    batches = list(SET.epoch(8, seeded()))
    assert [len(x) for x, _ in batches] == [8, 8, 4]
    order = torch.cat([to_uint8(x)[:, 0, 0, 0] for x, _ in batches])
    assert torch.equal(order.sort().values, torch.arange(20, dtype=torch.uint8))
    assert not torch.equal(order, order.sort().values)
    assert all(torch.equal(to_uint8(x)[:, 0, 0, 0] % 2, y) for x, y in batches)


def test_only_and_resized_keep_what_is_known():
    some = SET.only(SET.labels == 1, "odd ones")
    assert some.name == "odd ones" and len(some) == 10 and some.images[0, 0, 0, 0] == 1 and some.labels.unique() == 1
    large = SET.resized(6)
    assert large.shape == (1, 6, 6) and torch.equal(large.labels, SET.labels)
    assert torch.equal(large.images[:, 0, 3, 3], SET.images[:, 0, 0, 0])  # a constant image stays constant
    assert SET.resized(2) is SET


@pytest.mark.parametrize(
    "images, known, message",
    [
        (torch.zeros(2, 1, 4, 4), {"labels": torch.zeros(2).long()}, "must be uint8"),
        (torch.zeros(2, 4, 4).byte(), {"labels": torch.zeros(2).long()}, "must be uint8"),
        (torch.zeros(2, 1, 4, 4).byte(), {}, "either labels or attribute values"),
        (torch.zeros(2, 1, 4, 4).byte(), {"labels": torch.zeros(3).long()}, "2 images, but labels or values of 3"),
        (torch.zeros(2, 1, 4, 4).byte(), {"labels": torch.tensor([0, 5])}, "outside of its 2 classes"),
        (torch.zeros(2, 1, 4, 4).byte(), {"labels": torch.tensor([-1, 1])}, "outside of its 2 classes"),
        (torch.zeros(2, 1, 4, 4).byte(), {"values": torch.zeros(2, 3).bool()}, "one column for each of 1 names"),
    ],
)
def test_parts_that_do_not_belong_together_are_refused(images, known, message):
    with pytest.raises(ValueError, match=message):
        Images("odd", images, classes=("a", "b"), attributes=("hat",), **known)


def test_an_unknown_attribute_names_the_known_ones():
    with pytest.raises(ValueError, match="no attribute 'hat'; it has none"):
        SET.attribute("hat")
