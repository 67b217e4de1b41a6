"""Shared argument checks: finite numbers, images, batches and positive integers. Errors name the argument."""

import math
from collections.abc import Iterable, Mapping
from numbers import Integral

import torch
from torch import Tensor

__all__ = ["need_batch", "need_finite", "need_images", "need_positive", "need_rows"]


def need_finite(**given: Tensor | Iterable[float]) -> None:
    """Raise a ValueError that names any tensor or sequence with a nan or infinite number. A measure of such values is
    meaningless, but a nearest neighbour, a maximum or a comparison would still return something."""
    for name, values in given.items():
        if isinstance(values, Tensor):
            bad = 0 if not values.is_floating_point() else int((~values.isfinite()).sum())
            total = values.numel()
        else:
            values = list(values)
            bad, total = sum(not math.isfinite(value) for value in values), len(values)
        if bad:
            raise ValueError(f"{name}: {bad} of {total} numbers are not finite")


def need_images(name: str, images: Tensor) -> None:
    """Raise a ValueError unless ``images`` are uint8 [N, C, H, W] with N >= 1. Floats are not accepted because ranges
    such as [0, 1] and [-1, 1] cannot be told apart."""
    if images.dtype != torch.uint8 or images.ndim != 4 or not len(images):
        raise ValueError(f"{name} must be uint8 [N, C, H, W] with N >= 1, not {images.dtype} {list(images.shape)}")


def need_batch(**given: Tensor) -> None:
    """Raise a ValueError that names any tensor that is not a batch of finite floats [B, ...] with B >= 1."""
    for name, x in given.items():
        if not x.is_floating_point() or x.ndim < 2 or not len(x):
            raise ValueError(f"{name} must be floats [B, ...] with B >= 1, not {x.dtype} {list(x.shape)}")
        need_finite(**{name: x})


def need_positive(given: Mapping[str, int] | None = None, **counts: int) -> None:
    """Raise a ValueError that names any value that is not a whole number of at least 1."""
    for name, value in {**(given or {}), **counts}.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
            raise ValueError(f"{name}={value!r} is not a whole number of at least 1")


def need_rows(name: str, given: Tensor | None, x: Tensor) -> None:
    """Raise a ValueError that names ``given`` if it is not None and does not have one row for each row of x."""
    if given is not None and (not given.ndim or len(given) != len(x)):
        raise ValueError(f"{name} has {len(given) if given.ndim else 'no'} rows for {len(x)} images: one each")
