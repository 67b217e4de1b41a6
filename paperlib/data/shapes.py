"""Shapes: ten classes of drawn colour images, the embedded stand-in for CIFAR-10, STL-10 and Imagenette.

Only the outline determines the class. Position, size, proportions, tilt, colours, filling, background and grain vary
independently of it, so a classifier has to learn outlines.
"""

import math

import torch
from torch import Tensor

from paperlib.data.drawing import Canvas, Draws, ellipse, hsv, polygon, rectangle
from paperlib.data.images import Images

__all__ = ["CLASSES", "draw", "outline", "sample"]

#: The classes, in the order of the labels.
CLASSES = ("disc", "square", "triangle", "star", "plus", "ring", "heart", "moon", "arrow", "leaf")


def _around(corners: int, *radii: float) -> list[tuple[float, float]]:
    """Return corners evenly spaced about the origin, the first at the top, with the radii used in turn."""
    angles = [2 * math.pi * k / corners for k in range(corners)]
    return [(radii[k % len(radii)] * math.sin(a), -radii[k % len(radii)] * math.cos(a)) for k, a in enumerate(angles)]


def _heart(corners: int = 28) -> list[tuple[float, float]]:
    """Return the heart curve x = 16 sin^3 t, y = 13 cos t - 5 cos 2t - 2 cos 3t - cos 4t, to scale."""
    angles = [2 * math.pi * (k + 0.5) / corners for k in range(corners)]
    y = [-13 * math.cos(t) + 5 * math.cos(2 * t) + 2 * math.cos(3 * t) + math.cos(4 * t) for t in angles]
    return [(16 * math.sin(t) ** 3 / 16, (v - 2.5) / 16) for t, v in zip(angles, y)]


TRIANGLE, STAR, HEART = _around(3, 1.1), _around(10, 1.08, 0.46), _heart()
A, B = 0.32, 0.98
PLUS = [(-A, -B), (A, -B), (A, -A), (B, -A), (B, A), (A, A), (A, B), (-A, B), (-A, A), (-B, A), (-B, -A), (-A, -A)]
ARROW = [(-1.0, -0.3), (0.05, -0.3), (0.05, -0.85), (1.05, 0.0), (0.05, 0.85), (0.05, 0.3), (-1.0, 0.3)]


def outline(label: int, x: Tensor, y: Tensor, thickness: Tensor) -> Tensor:
    """Return the signed distance to the outline of one class, about as large as the unit circle; ``thickness``
    [B, 1, 1] varies rings and moons."""
    match CLASSES[label]:
        case "disc":
            return ellipse(x, y, 0.92, 0.92)
        case "square":
            return rectangle(x, y, 0.8, 0.8)
        case "triangle":
            return polygon(x, y, TRIANGLE)
        case "star":
            return polygon(x, y, STAR)
        case "plus":
            return polygon(x, y, PLUS)
        case "ring":
            return ellipse(x, y, 0.8, 0.8).abs() - 0.2 * thickness
        case "heart":
            return polygon(x, y, HEART)
        case "moon":
            return torch.maximum(ellipse(x, y, 0.95, 0.95), -ellipse(x - 0.54 / thickness, y, 0.8, 0.8))
        case "arrow":
            return polygon(x, y, ARROW)
        case "leaf":  # where two discs overlap
            return torch.maximum(ellipse(x - 0.95, y, 1.4, 1.4), ellipse(x + 0.95, y, 1.4, 1.4))


def _background(canvas: Canvas, u: Draws, hue: Tensor, value: Tensor) -> None:
    """Paint a gradient with soft waves, in colours about one hue."""
    one, two = (hsv(hue + u.between(-0.1, 0.1), u.between(0.1, 0.8), value + u.between(-0.1, 0.1)) for _ in range(2))
    angle, waves, phase = u.between(0, 2 * math.pi), u.between(0, 9), u.between(0, 2 * math.pi)
    along = angle.cos() * canvas.x + angle.sin() * canvas.y
    mix = 0.5 + 0.3 * along + u.between(0, 0.3) * (waves * along + phase).sin()
    canvas.rgb.copy_(one + mix.clamp_(0, 1)[:, None] * (two - one))


def _filling(canvas: Canvas, u: Draws, hue: Tensor, value: Tensor) -> Tensor:
    """Return a filling of one colour, a gradient, or stripes: [B, 3, H, W]."""
    one, two = (hsv(hue + u.between(-0.06, 0.06), u.between(0.35, 1), value + u.between(-0.12, 0.12)) for _ in range(2))
    angle, stripes = u.between(0, 2 * math.pi), u.between(6, 11)
    along = angle.cos() * canvas.x + angle.sin() * canvas.y
    kind = u.between(0, 1)
    mix = torch.where(kind < 0.7, 0.5 + along, 0.5 + 2 * (stripes * along).sin()).clamp_(0, 1) * (kind > 0.35)
    return one + mix[:, None] * (two - one)


def _draw(labels: Tensor, generator: torch.Generator, size: int) -> Tensor:
    n = len(labels)
    u, canvas = Draws(n, generator), Canvas.blank(n, size)
    hue, dark = u.between(0, 1), u.chance(0.5)
    low, high = u.between(0.15, 0.45), u.between(0.7, 0.95)
    _background(canvas, u, hue, torch.where(dark, low, high))
    filling = _filling(canvas, u, hue + u.between(0.2, 0.8), torch.where(dark, high, low))
    scale = u.between(0.42, 0.75)
    room = 0.95 - scale
    posed = canvas.posed(room * u.between(-1, 1), room * u.between(-1, 1), scale, u.between(-0.45, 0.45))
    stretch = u.between(-0.1, 0.1).exp()
    mirror = 1 - 2 * u.chance(0.5).float()
    x, y, thickness = mirror * posed.x * stretch, posed.y / stretch, u.between(0.75, 1.35)
    distance = torch.empty(n, size, size)
    for label in range(len(CLASSES)):
        chosen = labels == label
        distance[chosen] = outline(label, x[chosen], y[chosen], thickness[chosen])
    rim = u.chance(0.35) * u.between(0.06, 0.14)  # a third have a rim
    rim_colour = u.colour((0, 1), (0, 0.6), (0, 1))
    posed.paint(distance - rim, rim_colour, u.between(0.6, 1))
    posed.paint(distance, filling)
    grain = torch.rand(n, 3, size, size, generator=generator) - 0.5
    canvas.rgb.add_(u.between(0.01, 0.08)[:, None] * grain)
    return canvas.uint8()


def draw(labels: Tensor, generator: torch.Generator, size: int = 32) -> Tensor:
    """Draw one image for each label, uint8 [N, 3, size, size]; designed for 16 and 32 pixels."""
    if len(labels) and not 0 <= labels.min() <= labels.max() < len(CLASSES):
        raise ValueError(f"labels lie outside of 0 .. {len(CLASSES) - 1}")
    return torch.cat([_draw(part, generator, size) for part in labels.split(256)])


def sample(n: int, generator: torch.Generator, size: int = 32, name: str = "shapes") -> Images:
    """Draw n images with uniformly sampled classes."""
    labels = torch.randint(len(CLASSES), (n,), generator=generator)
    return Images(name, draw(labels, generator, size), classes=CLASSES, labels=labels)
