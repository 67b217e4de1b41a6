"""Cross-attention, through which pixels attend to words.

Our layers (:class:`CrossAttention`) and diffusers' (the modules named ``attn2``) are found and read in the same way, so
methods that use cross-attention apply to Stable Diffusion too.
"""

import contextlib
from collections.abc import Iterator

import torch.nn.functional as F
from torch import Tensor, nn

from paperlib.nets.blocks import ZeroConv2d, norm

__all__ = ["CrossAttention", "attention_maps", "cross_attentions"]


class CrossAttention(nn.Module):
    """Cross-attention, x + to_out(softmax(q k' / sqrt(C / heads)) v), with queries q from the pixels, keys k and values
    v from the words."""

    listens = "context"

    def __init__(self, channels: int, text: int, *, heads: int = 4, per_group: int = 8):
        super().__init__()
        self.heads = heads
        self.norm = norm(channels, per_group)
        self.to_q = nn.Conv2d(channels, channels, 1)
        self.to_k, self.to_v = nn.Linear(text, channels), nn.Linear(text, channels)
        self.to_out = ZeroConv2d(channels, channels, 1)

    def query(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> q [B, H W, C]."""
        return self.to_q(self.norm(x)).flatten(2).transpose(1, 2)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """x [B, C, H, W], context [B, L, E] -> [B, C, H, W]."""
        B, C, H, W = x.shape
        q, k, v = (split(one, self.heads) for one in (self.query(x), self.to_k(context), self.to_v(context)))
        h = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(B, H, W, C)
        return x + self.to_out(h.permute(0, 3, 1, 2))


def split(x: Tensor, heads: int) -> Tensor:
    """[B, N, C] -> [B, heads, N, C / heads]."""
    return x.reshape(len(x), -1, heads, x.shape[2] // heads).transpose(1, 2)


def cross_attentions(model: nn.Module) -> dict[str, nn.Module]:
    """Return the cross-attention layers of a network by name: ours, and diffusers' ``attn2``."""
    every = model.named_modules()
    return {name: one for name, one in every if isinstance(one, CrossAttention) or name.split(".")[-1] == "attn2"}


@contextlib.contextmanager
def attention_maps(model: nn.Module) -> Iterator[list[Tensor]]:
    """Collect the maps softmax(q k' / sqrt(d)) of every cross-attention layer, [B, heads, pixels, L] each and
    differentiable, in all forward passes inside the block::

        with attention_maps(model) as maps:
            model(x_t, t, cond)
    """
    layers, maps = cross_attentions(model), []
    if not layers:
        raise ValueError("this network has no cross-attention: nothing in it listens to words")

    def seen(layer: nn.Module, arguments: tuple, named: dict) -> None:
        x = arguments[0] if arguments else named["hidden_states"]
        context = named.get("encoder_hidden_states", arguments[1] if len(arguments) > 1 else None)
        q = layer.query(x) if isinstance(layer, CrossAttention) else layer.to_q(x)
        q, k = split(q, layer.heads), split(layer.to_k(context), layer.heads)
        maps.append((q @ k.transpose(2, 3) / q.shape[3] ** 0.5).softmax(3))

    hooks = [layer.register_forward_pre_hook(seen, with_kwargs=True) for layer in layers.values()]
    try:
        yield maps
    finally:
        for hook in hooks:
            hook.remove()
