"""Captioned shapes: plain coloured versions of those of :mod:`paperlib.data.shapes`, with captions that describe them.

There are several kinds of caption: the name, a synonym, a paraphrase that shares no word with the name, German and
French. A model learns all of them, so one can test whether it forgets "a red disc" but still generates "a red dot".
Captions are sampled again for every batch.
"""

import re
from dataclasses import dataclass

import torch
from torch import Tensor

from paperlib.data import shapes
from paperlib.data.drawing import Canvas, Draws, hsv
from paperlib.data.images import model_input

__all__ = ["COLOURS", "KINDS", "WORDS", "Captioned", "caption", "every", "sample", "tokens", "vocabulary"]

#: Hues, in turns, with their English, German and French names.
COLOURS = {
    "red": (0 / 6, "rot", "rouge"),
    "yellow": (1 / 6, "gelb", "jaune"),
    "green": (2 / 6, "grün", "vert"),
    "turquoise": (3 / 6, "türkis", "turquoise"),
    "blue": (4 / 6, "blau", "bleu"),
    "purple": (5 / 6, "lila", "violet"),
}
#: Words for each class, by kind of caption; "ring" and "triangle" are the same in another language.
WORDS = {
    "name": shapes.CLASSES,
    "synonym": ("dot", "box", "wedge", "pentagram", "cross", "hoop", "valentine", "crescent", "pointer", "petal"),
    "paraphrase": (
        "round thing",
        "thing with four equal sides",
        "thing with three corners",
        "thing with five points",
        "thing of two bars",
        "round thing with a hole",
        "thing that stands for love",
        "thing that shines at night",
        "thing that shows the way",
        "thing that grows on trees",
    ),
    "german": ("Scheibe", "Quadrat", "Dreieck", "Stern", "Kreuz", "Ring", "Herz", "Mond", "Pfeil", "Blatt"),
    "french": ("disque", "carré", "triangle", "étoile", "croix", "anneau", "cœur", "lune", "flèche", "feuille"),
}
KINDS = tuple(WORDS)
SHARES = (0.4, 0.15, 0.15, 0.15, 0.15)  # shares of the kinds among training captions
WITH_COLOUR = 0.8  # share of captions that name the colour
LENGTH = 10  # largest number of tokens in a caption


def caption(label: int, colour: str | None = None, kind: str = "name") -> str:
    """Return a caption for ``label``, an index of :data:`paperlib.data.shapes.CLASSES`, and for its colour if given."""
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r} is not one of {', '.join(KINDS)}")
    if colour is not None and colour not in COLOURS:
        raise ValueError(f"colour={colour!r} is not one of {', '.join(COLOURS)}")
    word = WORDS[kind][label]
    if kind in ("german", "french"):  # "in rot" and "en rouge" need no gender
        place = {"german": 1, "french": 2}[kind]
        between = {"german": "in", "french": "en"}[kind]
        return word if colour is None else f"{word} {between} {COLOURS[colour][place]}"
    said = word if colour is None else f"{colour} {word}"
    return f"{'an' if said[0] in 'aeiou' else 'a'} {said}"


def split_words(text: str) -> list[str]:
    """Split a caption into lower-case words."""
    return re.findall(r"\w+", text.lower())


def every() -> list[str]:
    """Return all 350 captions: by kind, by class, without a colour and with each (see :meth:`Captioned.batch`)."""
    return [caption(label, colour, kind) for kind in KINDS for label in range(10) for colour in (None, *COLOURS)]


def vocabulary() -> list[str]:
    """Return all words of all captions, sorted."""
    return sorted({word for text in every() for word in split_words(text)})


#: Numbers of the words; 0 is no word, 1 an unknown word.
INDEX = {word: place for place, word in enumerate(vocabulary(), 2)}


def tokens(texts: list[str]) -> Tensor:
    """Return the word numbers [N, LENGTH] of captions, padded with 0. Words of no training caption are 1."""
    found = torch.zeros(len(texts), LENGTH, dtype=torch.long)
    for row, text in enumerate(texts):
        words = split_words(text)
        if len(words) > LENGTH:
            raise ValueError(f"{text!r} has {len(words)} words; a caption has {LENGTH} at most")
        for place, word in enumerate(words):
            found[row, place] = INDEX.get(word, 1)
    return found


@dataclass(frozen=True, eq=False)
class Captioned:
    """Images and what they show: uint8 [N, 3, S, S], labels [N], and colours [N], indices of :data:`COLOURS`."""

    images: Tensor
    labels: Tensor
    colours: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Sample ``size`` images with replacement, in [-1, 1], dequantised, and a caption for each, given by its index
        in :func:`every`. Its kind, and whether it names the colour, are sampled again each time."""
        rows = torch.randint(len(self), (size,), generator=generator)
        kinds = torch.multinomial(torch.tensor(SHARES), size, replacement=True, generator=generator)
        coloured = torch.rand(size, generator=generator) < WITH_COLOUR
        said = 70 * kinds + 7 * self.labels[rows] + coloured * (1 + self.colours[rows])
        return model_input(self.images[rows], generator, dequantise=True), said


def _draw(labels: Tensor, hues: Tensor, generator: torch.Generator, size: int) -> Tensor:
    u, canvas = Draws(len(labels), generator), Canvas.blank(len(labels), size)
    canvas.rgb.copy_(hsv(u.between(0, 1), u.between(0, 0.3), u.between(0.05, 0.3)).expand_as(canvas.rgb))
    filling = hsv(hues[:, None, None] + u.between(-0.03, 0.03), u.between(0.7, 1), u.between(0.75, 1))
    scale = u.between(0.75, 0.95)
    room = 0.97 - scale
    posed = canvas.posed(room * u.between(-1, 1), room * u.between(-1, 1), scale, u.between(-0.2, 0.2))
    thickness, distance = u.between(0.8, 1.2), torch.empty(len(labels), size, size)
    for label in range(len(shapes.CLASSES)):
        chosen = labels == label
        distance[chosen] = shapes.outline(label, posed.x[chosen], posed.y[chosen], thickness[chosen])
    posed.paint(distance, filling)
    return canvas.uint8()


def sample(n: int, generator: torch.Generator, size: int = 12) -> Captioned:
    """Draw n images with uniform classes and colours: a plain shape on a dark background, easier than
    :mod:`paperlib.data.shapes`."""
    labels = torch.randint(len(shapes.CLASSES), (n,), generator=generator)
    colours = torch.randint(len(COLOURS), (n,), generator=generator)
    hues = torch.tensor([hue for hue, *_ in COLOURS.values()])[colours]
    return Captioned(_draw(labels, hues, generator, size), labels, colours)
