import math

import pytest
import torch

from paperlib.nets.noisy_classifier import NoisyClassifier, NoisyPoints
from tests.oracles import seeded


def test_logits_have_a_row_an_image_and_a_level_may_be_shared():
    net, y = NoisyClassifier(3, 5, channels=16), torch.randn(4, 3, 16, 16, generator=seeded())
    log_s = torch.tensor(-1.0)
    assert net(y, log_s).shape == (4, 5)
    torch.testing.assert_close(net(y, log_s), net(y, log_s.expand(4)))


def test_levels_beyond_those_of_training_are_asked_at_the_nearest_one():
    net, y = NoisyClassifier(1, 3, channels=16, multipliers=(1, 2), levels=(0.1, 10.0)), torch.zeros(2, 1, 8, 8)
    for p in net.parameters():  # a fresh network's blocks are zero at every level
        torch.nn.init.normal_(p, std=0.3, generator=seeded(1))
    far, near = (net(y, torch.tensor(s).log()) for s in (1e4, 10.0))  # the scale does not affect a zero image
    assert torch.equal(far, near) and not torch.equal(net(y, torch.tensor(5.0).log()), near)


def test_wrong_images_are_refused():
    net = NoisyClassifier(1, 3, channels=16)
    for shape in ((2, 3, 28, 28), (2, 1, 4, 28), (2, 28, 28)):
        with pytest.raises(ValueError, match=r"images must be \[B, 1, H, W\] of at least 8 x 8"):
            net(torch.zeros(shape), torch.tensor(0.0))


def test_by_itself_it_halves_28_pixels_three_times_and_knows_levels_from_0_005_to_200():
    net = NoisyClassifier(1, 10)
    assert (net.channels, net.least) == (32, 8)
    assert (math.exp(net.low), math.exp(net.high)) == pytest.approx((0.005, 200.0))
    assert [block.conv1.out_channels for block in net.blocks] == [32, 64, 128]


def test_points_enter_scaled_by_the_spread_of_noisy_data_with_half_the_log_level():
    net, y, log_s = NoisyPoints(2, 3, data_std=2.0), torch.randn(5, 2, generator=seeded()), torch.linspace(-2, 2, 5)
    scaled = y / (4 + log_s.exp().square()).sqrt()[:, None]
    torch.testing.assert_close(net(y, log_s), net.layers(torch.cat([scaled, log_s[:, None] / 2], dim=1)))
