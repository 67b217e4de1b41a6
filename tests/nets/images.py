"""Helpers shared by the tests of image networks."""

import torch
from torch import nn

from tests.oracles import seeded


def images(*shape, seed=0):
    return torch.randn(shape, generator=seeded(seed))


def randomised(net, *, seed=0, std=0.15):
    """Randomise every parameter of the network: a fresh one has layers that start at zero."""
    generator = seeded(seed)
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=std, generator=generator)
    return net


def parameters(net):
    return sum(parameter.numel() for parameter in net.parameters())
