"""Networks that are told words: a text encoder, a U-Net whose pixels attend to its output, and the face of both that
knows a list of prompts.

Text enters through cross-attention alone, as in Stable Diffusion: what is not a cross-attention layer never hears a
word.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from paperlib.nets.blocks import Residual
from paperlib.nets.cross_attention import CrossAttention
from paperlib.nets.unet import UNet

__all__ = ["Prompted", "TextEncoder", "TextToImage", "TextUNet"]


class _Block(nn.Module):
    """Self-attention over words and two layers, each added to what it took."""

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
    """Tokens [B, L] -> [B, L, E]: a transformer of a few layers."""

    def __init__(self, words: int, length: int, *, width: int = 96, layers: int = 2, heads: int = 4):
        super().__init__()
        self.words, self.places = nn.Embedding(words, width), nn.Embedding(length, width)
        self.blocks = nn.Sequential(*(_Block(width, heads) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens [B, L]."""
        places = self.places.weight[: tokens.shape[1]]
        return self.norm(self.blocks(self.words(tokens) + places))


class TextUNet(UNet):
    """An unconditional U-Net with cross-attention after every residual block whose image has at most ``attended``
    of its own pixels a side.

    Args:
        text: E, of the context.
        attended: as said.
        settings: :class:`~paperlib.nets.unet.UNet`'s.
    """

    def __init__(self, *, text: int, attended: int, **settings):
        super().__init__(**settings, classes=0)
        size, per_group = self.shape[1] // self.patch, settings.get("per_group", 4)
        for layers in [*self.down, self.middle, *self.up]:  # in the order of the way, so that the size is known
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
    """A U-Net with its text encoder, as they are trained together: ``net(x, time, tokens)``."""

    def __init__(self, unet: TextUNet, text: TextEncoder):
        super().__init__()
        self.unet, self.text, self.shape = unet, text, unet.shape

    def forward(self, x: Tensor, time: Tensor, cond: Tensor) -> Tensor:
        """x [B, C, size, size], time [B], cond: tokens [B, L]."""
        return self.unet(x, time, self.text(cond))


class Prompted(nn.Module):
    """A text-to-image network as one that knows K prompts by number: ``net(x, time, cond)`` with labels ``cond`` [B].

    A prompt is a class, so that every method of :mod:`paperlib.unlearning` takes it as it is: what is forgotten are the
    labels of some prompts, what is put in their place is what the network says under others, and the empty prompt is
    :attr:`null`, the label of no class. The text encoder is not part of it: its output is a table, computed once.

    Args:
        net: ``net(x, time, context)``, context [B, L, E].
        table: of the prompts and, last, of the empty one, [K + 1, L, E].
        shape: of what it denoises, (C, H, W).
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
        """x [B, C, H, W], time [B], cond [B] labels; None is the empty prompt everywhere."""
        if cond is None:
            cond = torch.full(time.shape, self.null, device=time.device)
        return self.net(x, time, self.table[cond])
