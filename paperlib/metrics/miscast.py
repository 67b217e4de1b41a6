"""How a wrong cast makes every Frechet distance small.

A script for Imagenette that is public with two of the papers normalises pixels to [-1, 1], casts them to bytes, and
takes Inception's first 64 features. The cast drops fractions, and what is negative wraps::

    -1 -> 255,    (-1, 1) -> 0,    1 -> 1

so that of an image nothing is left but where it is exactly black. (Whether numbers that are printed came from that
script is not known.)
"""

import torch
from torch import Tensor

from paperlib.checks import need_finite, need_images
from paperlib.data.images import model_input

__all__ = ["cast_to_bytes", "miscast"]


def cast_to_bytes(x: Tensor) -> Tensor:
    """x as uint8 the way C does it on x86: towards zero, then modulo 256. (C leaves what is negative undefined, and on
    ARM it becomes 0: there even black vanishes.)"""
    need_finite(x=x)
    return x.trunc().to(torch.int64).remainder(256).to(torch.uint8)


def miscast(images: Tensor) -> Tensor:
    """uint8 images [N, C, H, W], brought to [-1, 1] and cast to bytes: 255 where a value was 0, 1 where it was 255, and
    0 elsewhere."""
    need_images("images", images)
    return cast_to_bytes(model_input(images))
