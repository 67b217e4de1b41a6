"""Captioned shapes: those of :mod:`paperlib.data.shapes`, drawn plainly in a colour, and words that say what they show.

What an image shows can be said in several kinds of ways: by its name, by a synonym, by a paraphrase that has no word in
common with the name, in German, in French. A model learns all of them, so that forgetting "a red disc" and still
drawing "a red dot" can be told apart. Captions are drawn anew in every batch.
"""

import re
from dataclasses import dataclass

import torch
from torch import Tensor

from paperlib.data import shapes
from paperlib.data.drawing import Canvas, Draws, hsv
from paperlib.data.images import model_input

__all__ = ["COLOURS", "KINDS", "WORDS", "Captioned", "caption", "every", "sample", "tokens", "vocabulary"]

#: Hues, a turn being 1, with their English, German and French names.
COLOURS = {
    "red": (0 / 6, "rot", "rouge"),
    "yellow": (1 / 6, "gelb", "jaune"),
    "green": (2 / 6, "grün", "vert"),
    "turquoise": (3 / 6, "türkis", "turquoise"),
    "blue": (4 / 6, "blau", "bleu"),
    "purple": (5 / 6, "lila", "violet"),
}
#: Of each class in each kind of way; of "ring" and "triangle" another language has the same word.
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
SHARES = (0.4, 0.15, 0.15, 0.15, 0.15)  # of the kinds among training captions
WITH_COLOUR = 0.8  # the share of captions that say the colour
LENGTH = 10  # tokens of a caption at most


def caption(label: int, colour: str | None = None, kind: str = "name") -> str:
    """What says ``label``, an index of :data:`paperlib.data.shapes.CLASSES`, and its colour where one is given."""
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
    """Lower-case words of a caption."""
    return re.findall(r"\w+", text.lower())


def every() -> list[str]:
    """All captions, 350 of them: by kind, by class, without a colour and with each (:meth:`Captioned.batch`)."""
    return [caption(label, colour, kind) for kind in KINDS for label in range(10) for colour in (None, *COLOURS)]


def vocabulary() -> list[str]:
    """Every word of every caption, sorted."""
    return sorted({word for text in every() for word in split_words(text)})


#: 0 is no word, 1 a word that is not known.
INDEX = {word: place for place, word in enumerate(vocabulary(), 2)}


def tokens(texts: list[str]) -> Tensor:
    """Word numbers [N, LENGTH] of captions, filled up with 0. Words that no caption of training has are 1."""
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
    """Images with what they show: uint8 [N, 3, S, S], labels [N], and colours [N], indices of :data:`COLOURS`."""

    images: Tensor
    labels: Tensor
    colours: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """``size`` images drawn with replacement, in [-1, 1], dequantised, and a caption each, its place among
        :func:`every`. Its kind, and whether it says the colour, are drawn anew."""
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
    """n images, classes and colours uniform: a plain shape on dark ground, easier than :mod:`paperlib.data.shapes`."""
    labels = torch.randint(len(shapes.CLASSES), (n,), generator=generator)
    colours = torch.randint(len(COLOURS), (n,), generator=generator)
    hues = torch.tensor([hue for hue, *_ in COLOURS.values()])[colours]
    return Captioned(_draw(labels, hues, generator, size), labels, colours)
