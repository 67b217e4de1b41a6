"""The book's page about the committed models, made from their cards."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from paperlib.runs import checkpoints

__all__ = ["models_page"]

INTRODUCTION = """\
# The committed models

Pages start from these. Each is a file of the repository's `checkpoints/`, in fp16, with a card beside it: data, budget,
commit, machine. What is said of a model here was measured after rounding.

`paperlib.runs.classifiers.classifier("mnist")` and `paperlib.runs.bases.load("mnist-ve")` load one;
`python -m paperlib.runs.classifiers mnist` and `python -m paperlib.runs.campaign --only mnist-ve` train it again.
"""

CLASSIFIERS = """\
## Classifiers

They say what a sample shows. Accuracy is on held-out real images; of the avatars, an attribute each. No ratio of
forgotten samples means more than the row of its class allows: the card has the whole confusion matrix.

"""

BASES = """\
## Base models

The models that forget, and the twins that have never seen what is to be forgotten. The classifier's look at {n} samples
is a first one: confidence, and the smallest and largest share of a class. It says little of quality and nothing of
variety; a later chapter measures those.

"""


def models_page(folder: Path = checkpoints.FOLDER, pictures: str = "_models") -> str:
    """MyST Markdown about every checkpoint in ``folder``; its grids of samples are looked for in ``pictures``."""
    cards = {file.stem: checkpoints.card(file.stem, folder) for file in sorted(folder.glob("*.json"))}
    classifiers = {name: card for name, card in cards.items() if card and "accuracy" in card}
    bases = {name: card for name, card in cards.items() if card and "base" in card}
    text = INTRODUCTION
    if classifiers:
        head = ("set", "network", "parameters", "images seen", "accuracy")
        text += "\n" + CLASSIFIERS + _table(head, (_classifier(name, card) for name, card in classifiers.items()))
    if bases:
        n = max(card.get("samples", {}).get("n", 0) for card in bases.values())
        head = ("model", "network", "parameters", "images seen", "hours", "on", "confidence", "shares")
        text += "\n" + BASES.format(n=f"{n:,}") + _table(head, (_base(name, card) for name, card in bases.items()))
        text += "".join(
            f"\n```{{figure}} {pictures}/{name}.png\n:width: 60%\n\nSamples of `{name}`, not chosen.\n```\n"
            for name in bases
            if (folder / f"{name}.png").is_file()
        )
    return text


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _classifier(name: str, card: dict[str, Any]) -> list[str]:
    accuracy = card["accuracy"]
    low, high = (min(accuracy), max(accuracy)) if isinstance(accuracy, list) else (accuracy, accuracy)
    text = f"{high:.2%}" if low == high else f"{low:.2%} to {high:.2%}"
    numbers = f"{card['parameters']:,}", f"{card['samples_seen']:,}"
    return [name.removeprefix("classifier-"), card["network"], *numbers, text]


def _base(name: str, card: dict[str, Any]) -> list[str]:
    samples = card.get("samples")
    seen = ["", ""]
    if samples:
        seen = [f"{samples['confidence']:.3f}", f"{min(samples['shares']):.1%} to {max(samples['shares']):.1%}"]
    numbers = f"{card['parameters']:,}", f"{card['samples_seen']:,}", f"{card['seconds'] / 3600:.1f}"
    return [f"`{name}`", card["network"], *numbers, card["device"], *seen]
