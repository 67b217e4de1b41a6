"""The book's page about the committed models, generated from their cards."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from companion import checkpoints
from companion.bases import BASES as BASE_MODELS
from paperlib.data import captions, shapes

__all__ = ["models_page"]

SHOWN = (0.1, 0.5, 1.0, 2.0, 5.0)  # noise levels in the table of noisy classifiers

INTRODUCTION = """\
# The committed models

The pages start from these models. Each is an fp16 file in the repository's `checkpoints/`, with a card beside it: data,
budget, commit, machine. Everything reported about a model here was measured after rounding.

`companion.classifiers.classifier("mnist")` and `companion.bases.load("mnist-ve")` load one;
`python -m companion classifier mnist` and `python -m companion campaign --only mnist-ve` train it again.
"""

CLASSIFIERS = """\
## Classifiers

The classifiers decide what a sample shows. Accuracy is on held-out real images; for the avatars, per attribute. An
unlearning ratio is only as reliable as the classifier is on that class: the card has the whole confusion matrix.

"""

NOISY = """\

## Classifiers of noisy images

For {ref}`ours-negation`, these predict the class that a noisy image $x_t$ came from. One classifier serves every
process, since its inputs are $x_t / \\alpha_t$ and $\\sigma_t / \\alpha_t$; `python -m companion noisy-classifier NAME`
trains it again. Accuracy is on test images at several $\\sigma_t / \\alpha_t$; in brackets, the temperature that would
calibrate its logits: near 1, it is well calibrated. The card has more levels.

"""

BASES = """\
## Base models

These are the models that forget, and their twins, which were trained without the data to forget. As a first check, the
last two columns say what the classifier sees in {n} samples: its mean confidence, and the smallest and largest share of
a class. This says little about quality and nothing about variety. Hours are wall-clock time on busy machines, which the
card names (*and earlier*: only the last of several machines is counted); `--plan` estimates them for an idle one.

"""

TRAINING = """
Still in training, and not used by any page: {found}.
"""

FACES = """
`cifar10-vp-labels` is one network for all of CIFAR-10's pages. Without labels it is `cifar10-vp`; on DDPM's grid,
matched by signal-to-noise ratio, it is `cifar10-ddpm-labels` and `cifar10-ddpm`. Its twins have the same faces.
"""

CLASSES = """
## Conditional models: is the class there?

A model can forget only what it can generate. Each conditional model was asked for each class, with the same noise for
every guidance weight. *As asked* is the share of samples in which the classifier sees the requested class. A class is
*there*, so that unlearning it is meaningful, if at least twice as many of its samples show it as show any other
class.

"""

EVALUATIONS = """\

## Base models, measured

Quality, variety and likelihood of the models above, by `python -m companion campaign --only NAME-evaluation`; the
card has every setting. {protocol} In brackets: 95 % intervals over other samples of the same model, or other test
images. A distance is FID only with Inception features; *perfect* is what a perfect model would get with as many
samples. *u-* marks twins, which are compared with images without the data they have never seen.
{{ref}}`foundations-measuring` explains what each measure detects and what fools it.

"""

WORDS = """\

## Text to image

The model of {{ref}}`compare-prompts`: captioned shapes at 12 x 12, with the caption entering through cross-attention;
`python -m companion captioned` trains it again. The columns for the kinds of words give the share of {n} images in
which the classifier of shapes sees the requested class: two of each class in each colour, sampled with {evaluations}
evaluations of {sampler} under guidance {guidance:g}.

"""


def models_page(folder: Path = checkpoints.FOLDER, pictures: str = "_models") -> str:
    """Return MyST Markdown about every checkpoint in ``folder``; links to grids of samples point to ``pictures``."""
    cards = {file.stem: checkpoints.card(file.stem, folder) for file in sorted(folder.glob("*.json"))}
    classifiers = {name: card for name, card in cards.items() if card and "accuracy" in card}
    bases = {name: card for name, card in _in_order(cards) if card and "base" in card}
    text = INTRODUCTION
    if classifiers:
        head = ("data set", "network", "parameters", "images seen", "accuracy")
        text += "\n" + CLASSIFIERS + _table(head, (_classifier(name, card) for name, card in classifiers.items()))
    if noisy := {name: card for name, card in cards.items() if card and "levels" in card}:
        head = ("data set", "network", "parameters", "images seen", *(f"{level:g}" for level in SHOWN))
        text += NOISY + _table(head, (_noisy(name, card) for name, card in noisy.items())) + "\n"
    if bases:
        n = max(card.get("samples", {}).get("n", 0) for card in bases.values())
        head = ("model", "parameters", "images seen", "hours", "confidence", "class shares")
        text += "\n" + BASES.format(n=f"{n:,}") + _table(head, (_base(name, card) for name, card in bases.items()))
        text += FACES * ("cifar10-vp-labels" in bases)
        if begun := ", ".join(_begun(folder / "unfinished")):
            text += TRAINING.format(found=begun)
        if asked := {name: card["classes"] for name, card in bases.items() if _current(card, "classes")}:
            head = ("model", "samples of each", "guidance", "as asked", "there", "not there")
            text += CLASSES + _table(head, (row for name, found in asked.items() for row in _classes(name, found)))
        text += "".join(
            f"\n```{{figure}} {pictures}/{name}.png\n:width: 60%\n\nSamples of `{name}`, not selected.\n```\n"
            for name in bases
            if (folder / f"{name}.png").is_file()
        )
    for name, card in cards.items():
        if card and _current(card, "words"):
            text += _text_to_image(name, card)
    measured = {name: card["evaluation"] for name, card in bases.items() if _current(card)}
    if measured:
        text += EVALUATIONS.format(protocol=_protocol(measured)) + _measures(measured)
    return text


def _in_order(cards: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return the cards of base models by data set, each model before its twins, and then all others."""
    known = {name: k for k, name in enumerate(BASE_MODELS)}
    return sorted(cards.items(), key=lambda item: (known.get(item[0], len(known)), item[0]))


def _begun(folder: Path) -> Iterator[str]:
    """Yield, for each model with unfinished weights, how far its training is."""
    for file in sorted(folder.glob("*.json")):
        card = checkpoints.card(file.stem, folder)
        whole = card["budget"]["steps"] * card["budget"]["batch_size"]
        yield f"`{file.stem}`, {card['samples_seen']:,} of {whole:,} images"


def _current(card: dict[str, Any], what: str = "evaluation") -> bool:
    """Return whether a card has measures that belong to its own checkpoint."""
    return card.get(what, {}).get("sha256", "") == card["sha256"]


def _protocol(measured: dict[str, dict[str, Any]]) -> str:
    """Describe the models' common protocol in words; if protocols differ, each with its models."""
    words: dict[str, list[str]] = {}
    for name, one in measured.items():
        p = one["protocol"]
        reference = f"the first {p['reference_n']:,}" if p["reference_n"] else "all"
        text = f"{p['n']:,} samples by {p['sampler']} with {p['evaluations']} evaluations, guidance {p['guidance']:g}; "
        text += f"distances to {reference} {p['reference']} images of the set (all, where it has fewer); k = {p['k']}; "
        text += f"likelihoods of {p['images']} test images; seed {p['seed']}."
        words.setdefault(text, []).append(name)
    if len(words) == 1:
        return f"All: {text}"
    return " ".join(f"{', '.join(f'`{name}`' for name in names)}: {text}" for text, names in words.items())


def _measures(measured: dict[str, dict[str, Any]]) -> str:
    """Return a table with a row per model and a column per measure; twins share the columns of the others."""
    rows: dict[str, dict[str, str]] = {}
    for name, one in measured.items():
        for found in one["results"]:
            measure, unlearned = found["name"].partition(" in ")[0], found["name"].startswith("u-")
            column = measure.removeprefix("u-") + {"bits/dim": ", bits/dim", "%": ", %"}.get(found["unit"], "")
            text = f"{'u- ' * unlearned}{found['value']:.4g}"
            text += " [{:.4g}, {:.4g}]".format(*found["interval"]) if found["interval"] else ""
            text += f"; perfect {perfect:.3g}" if (perfect := found["details"].get("perfect_model")) else ""
            rows.setdefault(name, {})[column] = text
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    return _table(
        ["model", *columns], ([f"`{name}`", *(row.get(c, "") for c in columns)] for name, row in rows.items())
    )


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


def _noisy(name: str, card: dict[str, Any]) -> list[str]:
    at = {one["sigma_over_alpha"]: one for one in card["levels"]}
    seen = [f"{at[level]['accuracy']:.1%} ({at[level]['temperature']:.2f})" for level in SHOWN]
    numbers = f"{card['parameters']:,}", f"{card['samples_seen']:,}"
    return [name.removeprefix("noisy-classifier-"), card["network"], *numbers, *seen]


def _classes(name: str, found: dict[str, Any]) -> Iterable[list[str]]:
    for one in found["found"]:
        lacking = ", ".join(word for word in found["names"] if word not in one["there"])
        count = f"{len(one['there'])} of {len(found['names'])}"
        yield [f"`{name}`", str(found["each"]), f"{one['guidance']:g}", f"{one['right']:.1%}", count, lacking]


def _text_to_image(name: str, card: dict[str, Any]) -> str:
    words = card["words"]
    head = ("model", "network", "parameters", "images seen", "minutes", *words["shown"])
    numbers = f"{card['parameters']:,}", f"{card['samples_seen']:,}", f"{card['seconds'] / 60:.0f}"
    row = [
        f"`{name}`",
        card["network"],
        *numbers,
        *(f"{share:.1%}" for share in words["shown"].values()),
    ]
    return WORDS.format(n=len(shapes.CLASSES) * len(captions.COLOURS) * words["each"], **words) + _table(head, [row])


def _base(name: str, card: dict[str, Any]) -> list[str]:
    samples = card.get("samples")
    seen = ["", ""]
    if samples:
        seen = [f"{samples['confidence']:.3f}", f"{100 * min(samples['shares']):.1f}–{max(samples['shares']):.1%}"]
    hours = f"{card['seconds'] / 3600:.1f}" + " and earlier" * (len(card.get("machines", [])) > 1)
    numbers = f"{card['parameters']:,}", f"{card['samples_seen']:,}", hours
    return [f"`{name}`", *numbers, *seen]
