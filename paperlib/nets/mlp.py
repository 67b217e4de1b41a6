"""A multilayer perceptron for vectors."""

import math

import torch
from torch import Tensor, nn

__all__ = ["MLP"]


class MLP(nn.Module):
    """An MLP with SiLU over the input and the sin and cos of the time at ``frequencies`` octaves; x [B, D], time [B] ->
    [B, D].

    The last layer starts at zero, so an untrained preconditioned denoiser is the best linear one for Gaussian data of
    its ``data_std``. The network is unconditional: ``cond`` is accepted but must be None.
    """

    def __init__(self, dims: int, *, width: int = 128, depth: int = 3, frequencies: int = 4):
        super().__init__()
        self.register_buffer("octaves", math.pi * 2.0 ** torch.arange(-2, frequencies - 2), persistent=False)
        sizes = [dims + 2 * frequencies] + [width] * depth
        hidden = [layer for a, b in zip(sizes, sizes[1:]) for layer in (nn.Linear(a, b), nn.SiLU())]
        self.hidden = nn.Sequential(*hidden)
        self.out = ZeroLinear(width, dims)

    def forward(self, x: Tensor, time: Tensor, cond: Tensor | None = None) -> Tensor:
        """x [B, D], time [B] -> [B, D]."""
        if cond is not None:
            raise ValueError("this MLP is unconditional, but cond was given")
        phase = time[:, None] * self.octaves  #              [B, F]
        return self.out(self.hidden(torch.cat([x, phase.sin(), phase.cos()], dim=1)))


class ZeroLinear(nn.Linear):
    """A linear layer whose weight and bias start at zero."""

    def reset_parameters(self):
        """Set weight and bias to zero."""
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)
