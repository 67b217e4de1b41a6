"""The drawing of an avatar, from back to front: what each part looks like, and where an attribute shows.

In the head's coordinates the face is an ellipse about the origin with half axes 0.5 and 0.62, y downwards. Every random
number is sampled whether its part is shown or not, so that an attribute never changes the other parts.
"""

import torch
from torch import Tensor

from paperlib.data.drawing import Canvas, Draws, capsule, curve, ellipse, hsv, rectangle

__all__ = ["face"]

SKIN = ("#f8d9c4", "#f1c6a5", "#e6b08a", "#d3976d", "#b97a50", "#96602f", "#75472a", "#643b27")
HAIR = ("#1d1a1c", "#33221b", "#5a3a22", "#86552b", "#b4803e", "#e0b95f", "#a63a20", "#8f8f94", "#e9e4da", "#3f4f92")
IRIS = ("#4a2f1b", "#6b4a26", "#3d6b8f", "#4b7f57", "#30303a")
INK = torch.tensor([0.12, 0.08, 0.10])[None, :, None, None]
WHITE = torch.tensor([1.0, 1.0, 1.0])[None, :, None, None]
LIPS = torch.tensor([0.72, 0.22, 0.26])[None, :, None, None]
PINK = torch.tensor([0.96, 0.55, 0.55])[None, :, None, None]
MOUTH = torch.tensor([0.42, 0.08, 0.12])[None, :, None, None]


def face(canvas: Canvas, u: Draws, has: dict[str, Tensor]) -> None:
    """Paint a portrait; ``has`` gives a bool [B, 1, 1] for each attribute."""
    _backdrop(canvas, u)
    skin = u.one_of(SKIN)
    hair = _apart(u.one_of(HAIR), skin)
    wide, style = u.between(0.94, 1.06), u.index(4)[:, None, None]
    dx, dy = u.between(-0.06, 0.06), u.between(0.05, 0.13)
    head = canvas.posed(dx, dy, u.between(0.92, 1.03), u.between(-0.11, 0.11))
    head.x = head.x / wide
    _back_hair(head, u, hair, style)
    _shoulders(canvas, u, skin, dx)
    _head(head, u, skin)
    _beard(head, u, _apart(hair * 0.72 + 0.02, skin), has["beard"])
    _mouth(head.window(-0.45, 0.2, 0.45, 0.85), u, skin, has["smile"])
    _eyes(head.window(-0.6, -0.45, 0.6, 0.4), u, hair)
    _nose(head.window(-0.35, -0.1, 0.35, 0.55), u, skin)
    _top_hair(head.window(-0.9, -1, 0.9, 0.5), hair, style)
    _bangs(head.window(-0.8, -0.8, 0.8, 0.3), u, hair, has["bangs"])
    _glasses(head.window(-0.8, -0.4, 0.8, 0.5), u, has["glasses"])
    _hat(head.window(-1, -1, 1, 0.1), u, has["hat"])


def _apart(hair: Tensor, skin: Tensor) -> Tensor:
    """Return the colour of hair, darkened where it is about as light as the skin, so that bangs and beards are always
    visible."""
    own, other = hair.mean(1, keepdim=True), skin.mean(1, keepdim=True)
    return torch.where((own - other).abs() < 0.15, 0.45 * other / own * hair, hair)


def _backdrop(canvas: Canvas, u: Draws) -> None:
    hue, saturation, value = u.between(0, 1), u.between(0.15, 0.6), u.between(0.55, 0.95)
    top, below = hsv(hue, saturation, value), hsv(hue + u.between(-0.12, 0.12), saturation, value * u.between(0.7, 1))
    mix = (0.5 + 0.5 * canvas.y)[:, None] + torch.zeros_like(canvas.x)[:, None]
    canvas.rgb.copy_(top + mix * (below - top))
    canvas.paint(ellipse(canvas.x, canvas.y - 0.1, 0.95, 0.95), WHITE, u.chance(0.5) * u.between(0.1, 0.3))


def _shoulders(canvas: Canvas, u: Draws, skin: Tensor, dx: Tensor) -> None:
    part = canvas.window(-1, 0.3, 1, 1)
    x, shirt = part.x - dx, u.colour((0, 1), (0.2, 0.9), (0.3, 0.95))
    part.paint(rectangle(x, part.y - 0.75, 0.17, 0.35), skin * 0.86)
    part.paint(rectangle(x, part.y - 1.28, u.between(0.62, 0.82), 0.45, 0.28), shirt)
    part.paint(ellipse(x, part.y - 0.84, 0.2, u.between(0.06, 0.2)), skin * 0.9)


def _back_hair(head: Canvas, u: Draws, hair: Tensor, style: Tensor) -> None:
    """Short, long, curly, or in a bun."""
    x, y = head.x, head.y
    length = u.between(0.55, 0.85)
    long = rectangle(x, y - (length - 0.62) / 2, 0.6, (length + 0.62) / 2 + 0.06, 0.45)
    curly = ellipse(x, y + 0.2, 0.68, 0.6) - 0.03 * (9 * torch.atan2(y + 0.2, x)).sin()
    bun = torch.minimum(ellipse(x, y + 0.1, 0.55, 0.6), ellipse(x, y + 0.78, 0.2, 0.17))
    distance = torch.where(style == 1, long, torch.where(style == 2, curly, bun))
    head.paint(torch.where(style == 0, ellipse(x, y + 0.14, 0.56, 0.58), distance), hair * 0.8)


def _head(head: Canvas, u: Draws, skin: Tensor) -> None:
    x, y = head.x, head.y
    ears = torch.minimum(ellipse(x - 0.5, y - 0.04, 0.1, 0.14), ellipse(x + 0.5, y - 0.04, 0.1, 0.14))
    head.paint(ears, skin * 0.88)
    head.paint(_outline(x, y), skin)
    blush = torch.minimum(ellipse(x - 0.3, y - 0.22, 0.12, 0.09), ellipse(x + 0.3, y - 0.22, 0.12, 0.09))
    head.paint(blush, LIPS, u.between(0, 0.3))


def _outline(x: Tensor, y: Tensor) -> Tensor:
    """The face: an ellipse whose jaw is a little narrower."""
    return ellipse(x * (1 + 0.1 * y), y, 0.5, 0.62)


def _beard(head: Canvas, u: Draws, colour: Tensor, shown: Tensor) -> None:
    """A full beard or a goatee, each with a moustache; shaven for no beard."""
    part = head.window(-0.8, 0, 0.8, 1)
    x, y, full = part.x, part.y, u.chance(0.6)
    edge = 0.24 + 0.12 * (3.2 * x).cos()  # highest at the ears
    jaw = torch.maximum(ellipse(x * (1 + 0.1 * y), y - 0.02, 0.52, u.between(0.66, 0.74)), edge - y)
    goatee = ellipse(x, y - 0.5, 0.22, 0.24)
    moustache = ellipse(x, y - 0.29, 0.2, 0.055)
    part.paint(torch.minimum(torch.where(full, jaw, goatee), moustache), colour, shown * u.between(0.85, 1))


def _mouth(part: Canvas, u: Draws, skin: Tensor, smiling: Tensor) -> None:
    """Smiling: corners up, with teeth or without. Not smiling: straight, a little down, or a small o."""
    x, y = part.x, part.y - 0.36
    width, teeth, down, kind = u.between(0.17, 0.23), u.chance(0.6), u.between(-0.05, 0.01), u.between(0, 1)
    lips = torch.where(skin.mean(1, keepdim=True) > 0.5, LIPS, PINK)  # seen on every skin
    grin = torch.maximum(ellipse(x, y, width, 0.17), -y)
    part.paint(grin, MOUTH, smiling & teeth)
    part.paint(torch.maximum(grin + 0.012, y - 0.055), WHITE, smiling & teeth)
    part.paint(curve(x, y, width, 0.11, 0.028), lips, smiling & ~teeth)
    part.paint(curve(x, y - 0.05, 0.75 * width, down, 0.028), lips, ~smiling & (kind < 0.8))
    part.paint(ellipse(x, y - 0.05, 0.06, 0.07), MOUTH, ~smiling & (kind >= 0.8))


def _eyes(part: Canvas, u: Draws, hair: Tensor) -> None:
    iris, apart, look = u.one_of(IRIS), u.between(0.2, 0.24), u.between(-0.02, 0.02)
    height, tilt, lift = u.between(0.075, 0.105), u.between(-0.05, 0.05), u.between(0, 0.04)
    x, y = part.x.abs() - apart, part.y + 0.02
    part.paint(ellipse(x, y, 0.105, height), WHITE)
    gaze = (part.x - look).abs() - apart
    part.paint(ellipse(gaze, y, 0.066, 0.072), iris)
    part.paint(ellipse(gaze, y, 0.036, 0.04), INK)
    light = part.x - look - 0.02  # falls from one side into both eyes
    part.paint(ellipse(torch.minimum((light + apart).abs(), (light - apart).abs()), y + 0.028, 0.02, 0.02), WHITE)
    part.paint(capsule(x, y, -0.1, -0.17 - lift + tilt, 0.1, -0.17 - lift - tilt, u.between(0.018, 0.034)), hair * 0.6)


def _nose(part: Canvas, u: Draws, skin: Tensor) -> None:
    part.paint(ellipse(part.x, part.y - 0.17, u.between(0.045, 0.075), u.between(0.04, 0.07)), skin * 0.82)


def _top_hair(part: Canvas, hair: Tensor, style: Tensor) -> None:
    """The hair above a high hairline: the forehead stays free."""
    x, y = part.x, part.y
    cap = ellipse(x, y + 0.06, 0.54, 0.62 + 0.04 * (style == 2))
    hairline = ellipse(x, y - 0.1, 0.47, 0.52)
    part.paint(torch.maximum(torch.maximum(cap, -hairline), y - 0.02), hair)


def _bangs(part: Canvas, u: Draws, hair: Tensor, shown: Tensor) -> None:
    """A fringe down to the brows: straight, in strands, or swept to one side."""
    x, y, kind, side = part.x, part.y, u.between(0, 1), 1 - 2 * u.chance(0.5).float()
    edge = -0.12 + torch.where(kind < 0.33, 0.1 * x * x, 0.0 * x)
    edge = torch.where((kind >= 0.33) & (kind < 0.66), -0.12 + 0.045 * (u.between(14, 20) * x).cos(), edge)
    edge = torch.where(kind >= 0.66, -0.15 + 0.18 * side * x, edge)
    fringe = torch.maximum(ellipse(x, y + 0.06, 0.54, 0.63), y - edge)
    part.paint(fringe, hair * u.between(0.95, 1.12)[:, None], shown)


def _glasses(part: Canvas, u: Draws, shown: Tensor) -> None:
    """Round or square frames, dark or in colour."""
    frame = torch.where(u.chance(0.6)[:, None], INK, u.colour((0, 1), (0.6, 0.9), (0.5, 0.9)))
    x, y, square, thick = part.x.abs() - 0.225, part.y + 0.01, u.chance(0.5), u.between(0.024, 0.036)
    lens = torch.where(square, rectangle(x, y, 0.165, 0.13, 0.05), ellipse(x, y, 0.165, 0.165))
    tint, glare = hsv(u.between(0.5, 0.65), u.between(0.1, 0.4), torch.ones_like(thick)), u.between(0.1, 0.35)
    part.paint(lens, tint, shown * glare)
    bridge = rectangle(part.x, y + 0.02, 0.07, thick)
    temples = rectangle(x - 0.24, y + 0.02, 0.09, thick)
    part.paint(torch.minimum(torch.minimum(lens.abs() - thick, bridge), temples), frame, shown)


def _hat(part: Canvas, u: Draws, shown: Tensor) -> None:
    """A woollen hat with a bobble, a cap, or a tall hat; the brim leaves room for bangs."""
    x, y, kind = part.x, part.y, u.between(0, 1)
    cloth, trim = u.colour((0, 1), (0.4, 0.95), (0.25, 0.9)), u.colour((0, 1), (0.1, 0.9), (0.3, 1))
    woollen, cap, tall = kind < 0.4, (kind >= 0.4) & (kind < 0.75), kind >= 0.75
    dome = torch.maximum(ellipse(x, y + 0.3, 0.6, 0.52), y + 0.34)
    crown = rectangle(x, y + 0.68, 0.42, 0.36, 0.05)
    part.paint(ellipse(x, y + 0.84, 0.13, 0.13), trim, shown & woollen)
    part.paint(torch.where(tall, crown, dome), cloth, shown)
    part.paint(rectangle(x, y + 0.38, 0.61, 0.08, 0.06), trim, shown & woollen)
    stripe = (26 * x).sin().abs() * 0.05
    part.paint(rectangle(x, y + 0.38, 0.61, 0.08, 0.06) + stripe, trim * 0.85, shown & woollen)
    side = 1 - 2 * u.chance(0.5).float()
    part.paint(rectangle(x - 0.3 * side, y + 0.36, 0.52, 0.06, 0.05), cloth * 0.7, shown & cap)
    part.paint(rectangle(x, y + 0.45, 0.42, 0.07), trim, shown & tall)
    part.paint(rectangle(x, y + 0.36, 0.74, 0.055, 0.05), cloth * 0.85, shown & tall)
