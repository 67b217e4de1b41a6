"""Antialiased drawing of many small images at once: signed distances to outlines, painted in torch.

A shape is given by its signed distance d(x, y), negative inside, on coordinates in [-1, 1] with y downwards. It covers
the share clamp(1/2 - d / pixel, 0, 1) of a pixel. Every argument that differs from image to image has the shape
[B, 1, 1], a colour [B, 3, 1, 1].
"""

import math

import torch
from torch import Tensor

__all__ = ["Canvas", "Draws", "capsule", "curve", "ellipse", "hsv", "polygon", "rectangle", "turned"]

Bounds = tuple[float, float]


class Draws:
    """A source of random numbers for n images; each call returns new ones.

    Args:
        n: number of images.
        generator: source of the numbers.
    """

    def __init__(self, n: int, generator: torch.Generator):
        self.n, self.generator = n, generator

    def between(self, low: float, high: float) -> Tensor:
        """Sample uniformly on [low, high), [n, 1, 1]."""
        return low + (high - low) * torch.rand(self.n, 1, 1, generator=self.generator)

    def chance(self, probability: float) -> Tensor:
        """Return True with ``probability``, [n, 1, 1]."""
        return self.between(0, 1) < probability

    def colour(self, hue: Bounds, saturation: Bounds, value: Bounds) -> Tensor:
        """Sample a colour within bounds, [n, 3, 1, 1]."""
        return hsv(self.between(*hue), self.between(*saturation), self.between(*value))

    def one_of(self, palette: tuple[str, ...]) -> Tensor:
        """Sample a colour from ``palette``, whose entries are "#rrggbb", [n, 3, 1, 1]."""
        rows = torch.tensor([[int(code[k : k + 2], 16) / 255 for k in (1, 3, 5)] for code in palette])
        return rows[self.index(len(palette))][:, :, None, None]

    def index(self, count: int) -> Tensor:
        """Sample uniformly from 0 .. count - 1, [n]."""
        return torch.randint(count, (self.n,), generator=self.generator)


class Canvas:
    """Images being drawn: ``rgb`` [B, 3, H, W] in [0, 1] and the pixels' coordinates ``x``, ``y``."""

    def __init__(self, rgb: Tensor, x: Tensor, y: Tensor, pixel: float):
        self.rgb, self.x, self.y, self.pixel = rgb, x, y, pixel

    @classmethod
    def blank(cls, n: int, size: int) -> "Canvas":
        """Create n black images of ``size`` x ``size`` pixels."""
        line = (torch.arange(size) + 0.5) * (2 / size) - 1
        return cls(torch.zeros(n, 3, size, size), line[None, None, :], line[None, :, None], 2 / size)

    def posed(self, dx: Tensor, dy: Tensor, scale: Tensor, angle: Tensor) -> "Canvas":
        """Return the same images in coordinates moved by (dx, dy), enlarged by ``scale`` and turned by ``angle``."""
        x, y = turned((self.x - dx) / scale, (self.y - dy) / scale, angle)
        return Canvas(self.rgb, x, y, self.pixel / scale)

    def window(self, left: float, top: float, right: float, bottom: float) -> "Canvas":
        """Return a part of the same images, in coordinates of the unposed canvas and cut at whole pixels, which is
        faster to paint."""
        height, width = self.rgb.shape[2:]
        rows = slice(max(0, math.floor((top + 1) / 2 * height)), math.ceil((bottom + 1) / 2 * height))
        columns = slice(max(0, math.floor((left + 1) / 2 * width)), math.ceil((right + 1) / 2 * width))
        x = self.x[:, rows if self.x.shape[1] > 1 else slice(None), columns]
        y = self.y[:, rows, columns if self.y.shape[2] > 1 else slice(None)]
        return Canvas(self.rgb[:, :, rows, columns], x, y, self.pixel)

    def paint(self, distance: Tensor, colour: Tensor, opacity: Tensor | float = 1.0) -> None:
        """Fill the inside of a shape with a colour, or with an image [B, 3, H, W]."""
        share = ((0.5 - distance / self.pixel).clamp_(0, 1) * opacity)[:, None]
        self.rgb.add_(share * (colour - self.rgb))

    def uint8(self) -> Tensor:
        """Return the finished images, uint8."""
        return self.rgb.mul(255).round_().clamp_(0, 255).to(torch.uint8)


def turned(x: Tensor, y: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
    """Return coordinates in which upright drawings appear turned clockwise by ``angle``."""
    c, s = angle.cos(), angle.sin()
    return c * x + s * y, c * y - s * x


def hsv(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """Convert hue (in turns), saturation and value, [B, 1, 1] each, to a colour [B, 3, 1, 1]."""
    k = (torch.tensor([5.0, 3.0, 1.0])[None, :, None, None] + 6 * hue[:, None]) % 6
    return value[:, None] * (1 - saturation[:, None] * torch.minimum(k, 4 - k).clamp(0, 1))


def ellipse(x: Tensor, y: Tensor, rx: Tensor | float, ry: Tensor | float) -> Tensor:
    """Return the distance to an ellipse about the origin: exact on the outline, a good approximation near it."""
    u, v = x / rx, y / ry
    radius = (u * u + v * v).sqrt_()
    return radius * (radius - 1) / ((u / rx) ** 2 + (v / ry) ** 2).sqrt_().clamp_(min=1e-6)


def rectangle(x: Tensor, y: Tensor, half_width: Tensor | float, half_height: Tensor | float, corner=0.0) -> Tensor:
    """Return the distance to a rectangle about the origin with corners rounded to the radius ``corner``."""
    u, v = x.abs() - half_width + corner, y.abs() - half_height + corner
    outside = (u.clamp(min=0) ** 2 + v.clamp(min=0) ** 2).sqrt_()
    return outside + torch.maximum(u, v).clamp(max=0) - corner


def capsule(x: Tensor, y: Tensor, ax, ay, bx, by, radius: Tensor | float) -> Tensor:
    """Return the distance to a stroke with round ends from (ax, ay) to (bx, by)."""
    ux, uy = bx - ax, by - ay
    along = (((x - ax) * ux + (y - ay) * uy) / (ux * ux + uy * uy)).clamp(0, 1)
    return ((x - ax - along * ux) ** 2 + (y - ay - along * uy) ** 2).sqrt_() - radius


def curve(x: Tensor, y: Tensor, half_width, bend, radius) -> Tensor:
    """Return the distance to a stroke along ``y = bend (1 - (x / half_width)^2)`` for x within ``half_width``: a smile
    for ``bend > 0``."""
    inside = torch.minimum(x.abs(), torch.as_tensor(half_width))
    slope = 2 * bend * inside / half_width**2
    across = (y - bend * (1 - (inside / half_width) ** 2)).abs() / (1 + slope * slope).sqrt()
    return (across**2 + (x.abs() - half_width).clamp(min=0) ** 2).sqrt_() - radius


def polygon(x: Tensor, y: Tensor, corners: list[tuple[float, float]]) -> Tensor:
    """Return the exact distance to a closed polygon, with the sign from the crossings of a ray (Quilez, "2D distance
    functions")."""
    squared, sign = torch.full_like(x, math.inf), torch.ones_like(x)
    for (ax, ay), (bx, by) in zip(corners, [corners[-1], *corners[:-1]]):
        ex, ey, wx, wy = bx - ax, by - ay, x - ax, y - ay
        along = ((wx * ex + wy * ey) / (ex * ex + ey * ey)).clamp_(0, 1)
        squared = torch.minimum(squared, (wx - along * ex) ** 2 + (wy - along * ey) ** 2)
        above, below, left = wy >= 0, y < by, ex * wy > ey * wx
        sign = torch.where((above & below & left) | ~(above | below | left), -sign, sign)
    return sign * squared.sqrt_()
