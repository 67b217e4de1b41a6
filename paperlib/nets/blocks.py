"""Building blocks of U-Nets: residual blocks with a time embedding, attention over pixels, up- and downsampling."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["Attention", "Down", "Residual", "Up", "ZeroConv2d", "norm", "resampled"]


def norm(channels: int, per_group: int = 4) -> nn.GroupNorm:
    """Return a GroupNorm with as many groups as possible, up to 32, of at least ``per_group`` channels each.

    4 and 32 are the usual numbers. On a CPU, groups of 8 take half the time of groups of 4, forward and backward.
    """
    groups = max(g for g in range(1, min(32, channels // per_group) + 1) if channels % g == 0)
    return nn.GroupNorm(groups, channels, eps=1e-6)


def resampled(x: Tensor, how: str | None) -> Tensor:
    """Return x [B, C, H, W] at twice the size (each pixel repeated), at half (means of 2 x 2), or unchanged."""
    if how == "up":
        return F.interpolate(x, scale_factor=2, mode="nearest")
    return F.avg_pool2d(x, 2) if how == "down" else x


class ZeroConv2d(nn.Conv2d):
    """A convolution whose weight and bias start at zero."""

    def reset_parameters(self):
        """Set weight and bias to zero."""
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)


class Residual(nn.Module):
    """A residual block, shortcut(x) + conv2(dropout(silu(norm2(conv1(silu(norm1(x))) + embed(embedding))))).

    Args:
        channels_in: channels of x [B, channels_in, H, W].
        channels: channels of the result. If they differ, or the image is resampled, the shortcut is a 1 x 1
            convolution.
        embedding: features of the embedding [B, embedding] of time and class.
        dropout: probability of dropout.
        scale_shift: the embedding scales and shifts the output of norm2, instead of shifting its input.
        per_group: smallest number of channels in a group of :func:`norm`.
        resample: "up" or "down": both branches double or halve the image before their first convolution.
        rescale: divide the sum by sqrt(2), so that adding blocks preserves the variance.
    """

    listens = "embedding"

    def __init__(
        self,
        channels_in: int,
        channels: int,
        embedding: int,
        *,
        dropout: float = 0.0,
        scale_shift: bool = False,
        per_group: int = 4,
        resample: str | None = None,
        rescale: bool = False,
    ):
        super().__init__()
        self.scale_shift, self.resample, self.rescale = scale_shift, resample, rescale
        self.norm1 = norm(channels_in, per_group)
        self.conv1 = nn.Conv2d(channels_in, channels, 3, padding=1)
        self.embed = nn.Linear(embedding, 2 * channels if scale_shift else channels)
        self.norm2 = norm(channels, per_group)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = ZeroConv2d(channels, channels, 3, padding=1)
        same = channels_in == channels and resample is None
        self.shortcut = nn.Identity() if same else nn.Conv2d(channels_in, channels, 1)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """x [B, channels_in, H, W], embedding [B, E] after a SiLU -> [B, channels, H, W] (resampled if asked for)."""
        h = self.conv1(resampled(F.silu(self.norm1(x)), self.resample))
        e = self.embed(embedding)[:, :, None, None]
        if self.scale_shift:
            scale, shift = e.chunk(2, dim=1)
            h = torch.addcmul(shift, self.norm2(h), 1 + scale)
        else:
            h = self.norm2(h + e)
        h = self.shortcut(resampled(x, self.resample)) + self.conv2(self.dropout(F.silu(h)))
        return h / math.sqrt(2) if self.rescale else h


class Attention(nn.Module):
    """Self-attention over all pixels, x + project(softmax(q k' / sqrt(C / heads)) v); q, k, v are linear in norm(x)."""

    def __init__(self, channels: int, *, heads: int = 1, per_group: int = 4, rescale: bool = False):
        super().__init__()
        if channels % heads:
            raise ValueError(f"{channels} channels do not divide among {heads} heads")
        self.heads, self.rescale = heads, rescale
        self.norm = norm(channels, per_group)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.project = ZeroConv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> [B, C, H, W]."""
        B, C, H, W = x.shape
        qkv = self.qkv(self.norm(x)).permute(0, 2, 3, 1)  #                     [B, H, W, 3 C], no copy in channels_last
        qkv = qkv.reshape(B, H * W, 3, self.heads, C // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  #                                 each [B, heads, H W, C / heads]
        h = F.scaled_dot_product_attention(q, k, v)
        h = x + self.project(h.transpose(1, 2).reshape(B, H, W, C).permute(0, 3, 1, 2))
        return h / math.sqrt(2) if self.rescale else h


class Up(nn.Conv2d):
    """Upsampling to twice the size, followed by a 3 x 3 convolution."""

    def __init__(self, channels: int):
        super().__init__(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> [B, C, 2 H, 2 W]."""
        return super().forward(resampled(x, "up"))


class Down(nn.Conv2d):
    """Downsampling to half the size by a 3 x 3 convolution of stride 2.

    ``padding``: "even" pads one pixel on every side; "end", as the public DDPMs do, only below and on the right.
    """

    def __init__(self, channels: int, padding: str = "even"):
        super().__init__(channels, channels, 3, stride=2, padding=1 if padding == "even" else 0)
        self.end = padding == "end"

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, 2 H, 2 W] -> [B, C, H, W]."""
        return super().forward(F.pad(x, (0, 1, 0, 1)) if self.end else x)


class Layers(nn.ModuleList):
    """A sequence of layers, each of which gets its further input beside the image: residual blocks the embedding of
    time and class, cross-attention the words."""

    def forward(self, h: Tensor, embedding: Tensor, context: Tensor | None = None) -> Tensor:
        """Apply the layers to h [B, C, H, W], with embedding [B, E] and, if there are words, context [B, L, E]."""
        heard = {"embedding": (embedding,), "context": (context,)}
        for layer in self:
            h = layer(h, *heard.get(getattr(layer, "listens", ""), ()))
        return h
