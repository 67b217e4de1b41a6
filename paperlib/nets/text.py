"""Text-conditional networks: a text encoder, a U-Net whose pixels attend to its output, and a wrapper of both for a
fixed list of prompts.

Text enters only through cross-attention, as in Stable Diffusion: all other layers are independent of the words.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from paperlib.nets.blocks import Residual
from paperlib.nets.cross_attention import CrossAttention
from paperlib.nets.unet import UNet

__all__ = ["Prompted", "TextEncoder", "TextToImage", "TextUNet"]


class _Block(nn.Module):
    """Self-attention over words and a two-layer MLP, each with a residual connection."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm1, self.qkv, self.out = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.norm2, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, L, E] -> [B, L, E]."""
        B, L, E = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(B, L, 3, self.heads, E // self.heads).permute(2, 0, 3, 1, 4)
        x = x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(B, L, E))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class TextEncoder(nn.Module):
    """A transformer of a few layers, from tokens [B, L] to [B, L, E]."""

    def __init__(self, words: int, length: int, *, width: int = 96, layers: int = 2, heads: int = 4):
        super().__init__()
        self.words, self.places = nn.Embedding(words, width), nn.Embedding(length, width)
        self.blocks = nn.Sequential(*(_Block(width, heads) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens [B, L] -> [B, L, E]."""
        places = self.places.weight[: tokens.shape[1]]
        return self.norm(self.blocks(self.words(tokens) + places))


class TextUNet(UNet):
    """An unconditional U-Net with cross-attention after every residual block at low resolutions.

    Args:
        text: features E of the context.
        attended: largest resolution with cross-attention, in the network's own pixels per side.
        settings: arguments of :class:`~paperlib.nets.unet.UNet`.
    """

    def __init__(self, *, text: int, attended: int, **settings):
        super().__init__(**settings, classes=0)
        size, per_group = self.shape[1] // self.patch, settings.get("per_group", 4)
        for layers in [*self.down, self.middle, *self.up]:  # in the order of the forward pass, to know the size
            if isinstance(layers[0], Residual):
                if size <= attended:
                    width = layers[0].conv2.out_channels
                    layers.insert(1, CrossAttention(width, text, per_group=per_group))
                size *= 2 if len(layers) > 1 and isinstance(layers[-1], nn.Conv2d) else 1
            else:
                size //= 2
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor, time: Tensor, context: Tensor) -> Tensor:
        """x [B, C, size, size], time [B], context [B, L, E] -> [B, C, size, size]."""
        return self.denoise(x, F.silu(self.embed(time, None)), context)


class TextToImage(nn.Module):
    """A U-Net with its text encoder, for training both together: ``net(x, time, tokens)``."""

    def __init__(self, unet: TextUNet, text: TextEncoder):
        super().__init__()
        self.unet, self.text, self.shape = unet, text, unet.shape

    def forward(self, x: Tensor, time: Tensor, cond: Tensor) -> Tensor:
        """x [B, C, size, size], time [B], cond: tokens [B, L] -> [B, C, size, size]."""
        return self.unet(x, time, self.text(cond))


class Prompted(nn.Module):
    """A text-to-image network with K numbered prompts: ``net(x, time, cond)`` with labels ``cond`` [B].

    Each prompt is a class, so every method of :mod:`paperlib.unlearning` works without changes: the labels of some
    prompts are forgotten, the network's predictions under others replace theirs, and the empty prompt is :attr:`null`,
    the label of no class. The text encoder is not part of the network: its output is a table, computed once.

    Args:
        net: ``net(x, time, context)``, with context [B, L, E].
        table: embeddings of the prompts and, last, of the empty one, [K + 1, L, E].
        shape: shape of the images or latents, (C, H, W).
    """

    def __init__(self, net: nn.Module, table: Tensor, shape: tuple[int, int, int]):
        super().__init__()
        if table.ndim != 3 or len(table) < 2:
            raise ValueError(f"the table of prompts must be [K + 1, L, E] with K >= 1, not {list(table.shape)}")
        self.net, self.shape = net, tuple(shape)
        self.register_buffer("table", table.detach().clone())

    @property
    def classes(self) -> int:
        """K, the number of prompts."""
        return len(self.table) - 1

    @property
    def null(self) -> int:
        """The label of the empty prompt."""
        return len(self.table) - 1

    def forward(self, x: Tensor, time: Tensor, cond: Tensor | None = None) -> Tensor:
        """x [B, C, H, W], time [B], cond [B] labels or None, the empty prompt for all -> [B, C, H, W]."""
        if cond is None:
            cond = torch.full(time.shape, self.null, device=time.device)
        return self.net(x, time, self.table[cond])
