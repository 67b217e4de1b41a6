"""The MLP for vectors."""

import pytest
import torch

from paperlib.denoiser import Denoiser
from paperlib.nets.mlp import MLP
from paperlib.processes import VP
from tests.oracles import network, seeded


@pytest.mark.parametrize("dims", [1, 2, 5])
def test_output_has_the_input_s_shape(dims):
    assert MLP(dims, width=8, depth=2)(torch.randn(7, dims), torch.rand(7)).shape == (7, dims)


def test_a_fresh_network_is_zero():
    assert (MLP(2)(torch.randn(7, 2), torch.rand(7)) == 0).all()


def test_each_row_depends_on_its_own_input_and_time_alone():
    net = network(VP()).net
    x, time = torch.randn(6, 2, generator=seeded()), torch.rand(6, generator=seeded())
    rows = torch.cat([net(x[k : k + 1], time[k : k + 1]) for k in range(6)])
    assert torch.allclose(net(x, time), rows, atol=1e-5)
    assert not torch.allclose(net(x, time), net(x, time + 0.1), atol=1e-3)
    assert not torch.allclose(net(x, time), net(x + 0.1, time), atol=1e-3)


def test_times_are_told_apart_over_four_octaves():
    """With periods 8, 4, 2 and 1, no two times in an interval of length 8 have the same features."""
    octaves = MLP(2).octaves
    assert (2 * torch.pi / octaves).tolist() == pytest.approx([8, 4, 2, 1])
    net, x = network(VP()).net, torch.randn(6, 2, generator=seeded())
    output = {time: net(x, torch.full((6,), time)) for time in (0.0, 4.0, 8.0)}
    assert torch.allclose(output[0.0], output[8.0], atol=1e-4)
    assert not torch.allclose(output[0.0], output[4.0], atol=1e-2)  # here all four sines vanish, but the cosines differ
    assert "octaves" not in MLP(2).state_dict()


def test_the_gradient_reaches_every_parameter():
    model = network(VP())
    model.net(torch.randn(5, 2), torch.rand(5)).square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in model.parameters())


def test_width_and_depth_are_those_asked_for():
    shapes = [tuple(p.shape) for p in MLP(3, width=8, depth=2, frequencies=5).parameters() if p.ndim == 2]
    assert shapes == [(8, 13), (8, 8), (3, 8)]


def test_a_condition_is_refused():
    model = Denoiser(MLP(2), VP())
    with pytest.raises(ValueError, match="unconditional"):
        model(torch.zeros(1, 2), torch.tensor(0.5), cond=torch.zeros(1))
