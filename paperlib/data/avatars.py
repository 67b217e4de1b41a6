"""Avatars: drawn faces with exact attributes, the embedded stand-in for CelebA.

Bangs, glasses, hat, beard and smile are each present with probability 1/2, and independent except for a correlation
that can be set. Everything else (skin, hair, clothes, pose, proportions) is sampled independently of them and uses the
same random numbers whatever the attributes: the same generator with one attribute changed gives the same face with and
without it.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from paperlib.data.drawing import Canvas, Draws
from paperlib.data.faces import face
from paperlib.data.images import Images

__all__ = ["ATTRIBUTES", "draw", "draw_attributes", "sample"]

#: The attributes, in the order of the columns.
ATTRIBUTES = ("bangs", "glasses", "hat", "beard", "smile")


def draw_attributes(
    n: int, generator: torch.Generator, correlation: Mapping[tuple[str, str], float] | None = None
) -> Tensor:
    """Sample attribute values, bool [n, 5], each true with probability 1/2.

    Args:
        n: number of rows.
        generator: source of the random numbers.
        correlation: such as ``{("bangs", "smile"): 0.6}``: smile has that correlation with bangs, and is otherwise
            independent. An attribute may depend on one other, without cycles.

    Raises:
        ValueError: for an unknown attribute, a correlation outside [-1, 1], a second dependence, or a cycle.
    """
    u = torch.rand(n, 2, len(ATTRIBUTES), generator=generator)
    values = u[:, 0] < 0.5
    for first, second, rho in _in_order(correlation or {}):
        # P(equal) = (1 + rho) / 2: equal with probability |rho|, or opposite for rho < 0; else independent.
        tied = u[:, 1, second] < abs(rho)
        values[:, second] = torch.where(tied, values[:, first] ^ (rho < 0), values[:, second])
    return values


def _in_order(correlation: Mapping[tuple[str, str], float]) -> list[tuple[int, int, float]]:
    """Return the pairs as columns, sorted so that each attribute is set before another depends on it."""
    pairs = {}
    for (first, second), rho in correlation.items():
        for name in (first, second):
            if name not in ATTRIBUTES:
                raise ValueError(f"correlation: no attribute {name!r}; valid: {', '.join(ATTRIBUTES)}")
        if not -1 <= rho <= 1:
            raise ValueError(f"correlation of {first} and {second}: {rho} is not in [-1, 1]")
        if second in pairs or first == second:
            raise ValueError(f"correlation: {second} can lean on one other attribute only")
        pairs[second] = (first, rho)
    order = []
    while pairs:
        ready = [second for second, (first, _) in pairs.items() if first not in pairs]
        if not ready:
            raise ValueError(f"correlation: {', '.join(pairs)} lean on each other in a circle")
        for second in ready:
            first, rho = pairs.pop(second)
            order.append((ATTRIBUTES.index(first), ATTRIBUTES.index(second), rho))
    return order


def draw(values: Tensor, generator: torch.Generator, size: int = 32) -> Tensor:
    """Draw one face for each row of attribute values, uint8 [N, 3, size, size]; designed for 32 and 64 pixels."""
    if values.dtype != torch.bool or values.shape[1:] != (len(ATTRIBUTES),):
        raise ValueError(f"attribute values must be bool [N, {len(ATTRIBUTES)}]: {', '.join(ATTRIBUTES)}")
    return torch.cat([_draw(part, generator, size) for part in values.split(128)])


def _draw(values: Tensor, generator: torch.Generator, size: int) -> Tensor:
    n = len(values)
    u, canvas = Draws(n, generator), Canvas.blank(n, size)
    face(canvas, u, {name: values[:, k, None, None] for k, name in enumerate(ATTRIBUTES)})
    grain = torch.rand(n, 3, size, size, generator=generator) - 0.5
    canvas.rgb.add_(u.between(0.01, 0.04)[:, None] * grain)
    return canvas.uint8()


def sample(
    n: int,
    generator: torch.Generator,
    size: int = 32,
    correlation: Mapping[tuple[str, str], float] | None = None,
    name: str = "avatars",
) -> Images:
    """Draw n faces with attributes from :func:`draw_attributes`."""
    values = draw_attributes(n, generator, correlation)
    return Images(name, draw(values, generator, size), attributes=ATTRIBUTES, values=values)
