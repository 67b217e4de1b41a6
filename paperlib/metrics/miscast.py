"""How a wrong cast makes every Frechet distance small.

A script for Imagenette in the public code of two of the papers normalises pixels to [-1, 1], casts them to bytes, and
takes Inception's first 64 features. The cast drops fractions, and negative values wrap around::

    -1 -> 255,    (-1, 1) -> 0,    1 -> 1

so all that is left of an image is where it is exactly black. (Whether any printed numbers came from that script is not
known.)
"""

import torch
from torch import Tensor

from paperlib.checks import need_finite, need_images
from paperlib.data.images import model_input

__all__ = ["cast_to_bytes", "miscast"]


def cast_to_bytes(x: Tensor) -> Tensor:
    """Cast x to uint8 as C does on x86: round towards zero, then take it modulo 256. (C leaves negative values
    undefined, and on ARM they become 0: there even black vanishes.)"""
    need_finite(x=x)
    return x.trunc().to(torch.int64).remainder(256).to(torch.uint8)


def miscast(images: Tensor) -> Tensor:
    """Scale uint8 images [N, C, H, W] to [-1, 1] and cast them to bytes: 255 where a value was 0, 1 where it was 255,
    and 0 elsewhere."""
    need_images("images", images)
    return cast_to_bytes(model_input(images))
