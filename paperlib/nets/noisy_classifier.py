"""Classifiers of noisy images, which estimate the class behind x_t at every noise level.

Such a classifier is a function of y = x_t / alpha_t = x_0 + s z and of log s, with s = sigma_t / alpha_t: at equal s
all processes give the same noisy image, so one network works for VE, VP and DDPM. It is called as
``classifier(y, log_s) -> logits [B, K]``; their softmax is P(class | x_t).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from paperlib.nets.blocks import Layers, Residual, norm
from paperlib.nets.unet import time_features
from paperlib.processes import expand, normal

__all__ = ["NoisyClassifier", "NoisyPoints", "noisy_loss"]

# log s in training is normal with mean 0: from levels at which every image is clear to those at which none is left.
SPREAD = 1.5


class NoisyClassifier(nn.Module):
    """The downward half of a U-Net, a mean over pixels and a linear layer (after Dhariwal and Nichol, 2021, Section 4).

    The first convolution already halves the image, since three quarters of the work would be at full resolution.

    Args:
        image_channels: C.
        outputs: K classes.
        channels: features of the first convolution.
        multipliers: features at each resolution, in units of ``channels``: half the image's, a quarter, and so on.
        data_std: standard deviation of a pixel; inputs are scaled by 1 / sqrt(data_std^2 + s^2).
        levels: the smallest and the largest s; outside this range the network gets the nearest one.
    """

    def __init__(
        self,
        image_channels: int,
        outputs: int,
        *,
        channels: int = 32,
        multipliers: tuple[int, ...] = (1, 2, 4),
        data_std: float = 1.0,
        levels: tuple[float, float] = (0.005, 200.0),
    ):
        super().__init__()
        self.image_channels, self.least = image_channels, 2 ** len(multipliers)  # pixels per side, one halving each
        self.channels, self.data_std = channels, data_std
        self.low, self.high = (math.log(level) for level in levels)
        self.embed = nn.Sequential(nn.Linear(channels, 4 * channels), nn.SiLU(), nn.Linear(4 * channels, 4 * channels))
        self.first = nn.Conv2d(image_channels, channels, 4, stride=2, padding=1)
        blocks, c = [], channels
        for level, multiplier in enumerate(multipliers):
            width, how = channels * multiplier, {"per_group": 8, "resample": "down" if level else None}
            blocks.append(Residual(c, width, 4 * channels, **how))
            c = width
        self.blocks, self.norm, self.head = Layers(blocks), norm(c, 8), nn.Linear(c, outputs)
        self.to(memory_format=torch.channels_last)

    def forward(self, y: Tensor, log_s: Tensor) -> Tensor:
        """y [B, C, H, W], log_s [B] or a scalar tensor -> logits [B, K]."""
        if y.ndim != 4 or y.shape[1] != self.image_channels or min(y.shape[2:]) < self.least:
            asked = f"[B, {self.image_channels}, H, W] of at least {self.least} x {self.least}"
            raise ValueError(f"images must be {asked}, not {tuple(y.shape)}")
        scale = (self.data_std**2 + (2 * log_s).exp()).rsqrt().expand(len(y))
        level = log_s.clamp(self.low, self.high).expand(len(y))
        embedding = F.silu(self.embed(time_features(level / 4, self.channels, 16.0)))
        h = self.blocks(self.first(expand(scale, y) * y), embedding)
        return self.head(F.silu(self.norm(h)).mean((2, 3)))


class NoisyPoints(nn.Module):
    """A classifier of noisy vectors: an MLP with SiLU over y / sqrt(data_std^2 + s^2) and log s; y [B, D] -> logits
    [B, K]."""

    def __init__(self, dims: int, outputs: int, *, width: int = 64, data_std: float = 1.0):
        super().__init__()
        self.data_std = data_std
        hidden = [nn.Linear(dims + 1, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()]
        self.layers = nn.Sequential(*hidden, nn.Linear(width, outputs))

    def forward(self, y: Tensor, log_s: Tensor) -> Tensor:
        """y [B, D], log_s [B] or a scalar tensor -> logits [B, K]."""
        log_s = log_s.expand(len(y))[:, None]
        scale = (self.data_std**2 + (2 * log_s).exp()).rsqrt()
        return self.layers(torch.cat([scale * y, log_s / 2], dim=1))


def noisy_loss(model: nn.Module, x0: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Return the cross-entropy at y = x_0 + s z, one value per row, for x0 [B, ...] and labels [B].

    The rows' log s are evenly spread over the quantiles of a normal distribution with mean 0 (s = 1).
    """
    device = generator.device
    u = (torch.rand((), generator=generator, device=device) + torch.arange(len(x0), device=device) / len(x0)) % 1
    log_s = (SPREAD * torch.special.ndtri(u.double().clamp(1e-6, 1 - 1e-6))).float().to(x0.device)
    y = x0 + expand(log_s.exp(), x0) * normal(x0.shape, generator, x0.device)
    y = y.contiguous(memory_format=torch.channels_last) if y.ndim == 4 else y
    return F.cross_entropy(model(y, log_s), labels, reduction="none")
