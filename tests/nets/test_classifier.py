"""Classifiers: shapes and counts, both losses, and that they learn."""

import pytest
import torch

from paperlib.nets.classifier import CifarResNet, SmallCNN, classification_loss
from tests.nets.images import images, parameters, randomised
from tests.oracles import seeded

NETS = {"small": lambda: SmallCNN(1, 5, width=8), "resnet": lambda: CifarResNet(1, 5, depth=8, width=8)}
every_net = pytest.mark.parametrize("make", NETS.values(), ids=NETS.keys())


@every_net
@pytest.mark.parametrize("size", [4, 8, 28, 33])
def test_logits_are_one_an_output_at_every_size(make, size):
    net, x = make().eval(), images(3, 1, size, size)
    assert net(x).shape == (3, 5)
    assert net.features(x).shape == (3, 32)
    assert torch.equal(net.head(net.features(x)), net(x))


def test_the_numbers_of_parameters_are_those_stated():
    """ResNet-20 of He et al. has 269,722 parameters; two 1 x 1 shortcuts with BatchNorm are added."""
    assert parameters(SmallCNN(1, 10)) == 288_170
    shortcuts = 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64
    assert parameters(CifarResNet()) == 269_722 + shortcuts == 272_474


@pytest.mark.parametrize("depth", [8, 20, 32, 56])
def test_depth_counts_the_layers_with_weights(depth):
    net = CifarResNet(depth=depth, width=4)
    weights = [name for name, p in net.named_parameters() if p.ndim > 1 and "shortcut" not in name]
    assert len(weights) == depth


@every_net
def test_in_evaluation_each_image_stands_alone(make):
    net, x = randomised(make(), std=0.3).eval(), images(4, 1, 8, 8)
    assert torch.allclose(net(x), torch.cat([net(x[k : k + 1]) for k in range(4)]), atol=1e-4)


@every_net
def test_the_gradient_reaches_every_parameter(make):
    net = make()
    classification_loss(net(images(8, 1, 8, 8)), torch.arange(8) % 5).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


@every_net
def test_it_learns(make):
    """The class is the index of the bright row, out of five; every image has its own noise."""
    torch.manual_seed(0)
    generator, net = seeded(), make()
    labels = torch.randint(5, (256,), generator=generator)
    x = 0.3 * torch.randn(256, 1, 8, 8, generator=generator)
    x[torch.arange(256), 0, labels + 1] += torch.linspace(0.2, 1.5, 8)
    x[:, 0] += labels[:, None, None] / 5
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(40):
        optimizer.zero_grad()
        classification_loss(net(x[:192]), labels[:192]).mean().backward()
        optimizer.step()
    assert (net.eval()(x[192:]).argmax(1) == labels[192:]).float().mean() > 0.9


def test_integer_targets_are_exclusive_classes():
    logits, targets = images(6, 5), torch.tensor([0, 1, 2, 3, 4, 0])
    expected = -logits.softmax(1)[torch.arange(6), targets].log()
    assert torch.allclose(classification_loss(logits, targets), expected)


def test_floating_targets_are_attributes_of_their_own():
    logits, targets = images(6, 5), (images(6, 5, seed=1) > 0).float()
    p = logits.sigmoid()
    expected = -(targets * p.log() + (1 - targets) * (1 - p).log()).sum(1)
    assert torch.allclose(classification_loss(logits, targets), expected, atol=1e-5)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="depth=21 is not 6n"):
        CifarResNet(depth=21)
    for shape in [(2, 3, 8, 8), (2, 1, 3, 8), (1, 8, 8)]:
        with pytest.raises(ValueError, match=r"images must be \[B, 1, H, W\]"):
            SmallCNN(1, 10)(torch.zeros(shape))
