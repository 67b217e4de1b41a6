"""Forgetting by prompt on the small text-to-image model: each method's run, and what its model then draws.

During unlearning, the labels are the 70 prompts that name a class, with or without a colour: D_f has those of the
forgotten class, D_r all others. Afterwards the model is also prompted with synonyms, paraphrases, German and French,
which no method has seen.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from companion import captioned, checkpoints
from companion.classifiers import classifier, predict
from companion.rows import Row, row
from companion.seeds import generator
from companion.settings import Settings
from companion.store import Entry, Store
from companion.studies.latent_entrants import METHODS
from paperlib.data import captions, shapes
from paperlib.data.captions import COLOURS, KINDS, caption
from paperlib.data.images import Examples, Images
from paperlib.denoiser import Denoiser
from paperlib.intervals import wilson
from paperlib.nets.parameters import train_only
from paperlib.unlearning.forget_me_not import forget_me_not

__all__ = ["Asked", "asked_prompts", "drawn", "labelled", "neighbour", "rows_of", "unlearned"]

NAMES = [caption(label, colour) for label in range(10) for colour in (None, *COLOURS)]  # label 7 class + colour
COLOURED = list(COLOURS)


class Asked(Settings):
    """The definition of an unlearned model: the base model, made to forget a class by its name."""

    method: str
    forget: int = Field(ge=0, lt=10)
    updates: int = Field(gt=0)
    batch_size: int = Field(gt=0)
    lr: float = Field(gt=0)
    settings: dict[str, int | float | str]  # the method's own
    seed: int = Field(ge=0)


class Drawing(Settings):
    """Images to be drawn from a model, one per prompt."""

    prompts: tuple[str, ...]
    evaluations: int = Field(gt=0)
    seed: int = Field(ge=0)


def labelled(forget: int) -> tuple[Examples, Examples]:
    """Return D_f and D_r: captioned shapes, each labelled with the prompt that names its class and colour or, in one
    case out of five, its class alone."""
    data = captioned.data()
    alone = torch.rand(len(data), generator=generator(0, "latent_prompts", "data")) < 1 - captions.WITH_COLOUR
    labels = 7 * data.labels + torch.where(alone, 0, 1 + data.colours)
    every = Images("captioned shapes", data.images, classes=tuple(NAMES), labels=labels)
    chosen = data.labels == forget
    return tuple(Examples(every.only(side), dequantise=True) for side in (chosen, ~chosen))


def unlearned(store: Store, asked: Asked) -> Entry:
    """Return the entry with an unlearned model's weights, from the store or computed now."""
    return store.step("latent-forgotten", asked, _forget, inputs=[checkpoints.card(captioned.NAME)["sha256"]])


def _forget(folder: Path, asked: Asked) -> None:
    entrant, model = METHODS[asked.method], captioned.prompted(captioned.load(), NAMES)
    if entrant.call is not None:
        D_f, D_r = labelled(asked.forget)
        train_only(model, entrant.trains)
        settings: dict[str, Any] = dict(asked.settings)
        if entrant.call is forget_me_not:  # the second word of "a disc", the third of "a red disc"
            labels = range(7 * asked.forget, 7 * asked.forget + 7)
            settings["places"] = {k: [1 if k % 7 == 0 else 2] for k in labels}
        amounts = dict(steps=asked.updates, batch_size=asked.batch_size, lr=asked.lr, ema=0)
        draws = generator(asked.seed, f"latent_prompts/{asked.method}", "noise")
        model = entrant.call(model, D_f, D_r, generator=draws, **amounts, **settings).run()
    torch.save(model.net.net.state_dict(), folder / "unet.pt")


def with_weights(entry: Entry) -> Denoiser:
    """Return the text-to-image model with the unlearned U-Net of ``entry``; it takes any prompt."""
    whole = captioned.load()
    whole.net.unet.load_state_dict(torch.load(entry.path / "unet.pt", weights_only=True))
    return whole


def drawn(store: Store, asked: Asked, prompts: list[str], evaluations: int) -> Tensor:
    """Return one image per prompt under guidance, uint8 [N, 3, 12, 12], from the store or drawn now.

    All models start from the same noise.
    """
    entry = unlearned(store, asked)
    wanted = Drawing(prompts=tuple(prompts), evaluations=evaluations, seed=asked.seed)
    made = store.step("latent-drawn", wanted, partial(_draw, source=str(entry.path)), inputs=[entry])
    return torch.from_numpy(np.load(made.path / "images.npy"))


def _draw(folder: Path, wanted: Drawing, source: str) -> None:
    model, draws = with_weights(Entry(Path(source), "")), generator(wanted.seed, "latent_prompts/samples", "noise")
    np.save(folder / "images.npy", captioned.draw(model, wanted.prompts, wanted.evaluations, draws).numpy())


def neighbour(forget: int) -> int:
    """Return a class's neighbour: for the disc the ring, which looks most like it; for the others the next class."""
    return shapes.CLASSES.index("ring") if shapes.CLASSES[forget] == "disc" else (forget + 1) % 10


def asked_prompts(forget: int, n: int) -> dict[str, tuple[list[str], list[int]]]:
    """Return, for each test, ``n`` prompts and the class that each of them names: the forgotten class in each kind of
    words, its neighbour by name, and all other classes by name."""
    near = neighbour(forget)
    others = [label for label in range(10) if label not in (forget, near)]
    said = {kind: [(forget, kind)] * n for kind in KINDS}
    said |= {"neighbour": [(near, "name")] * n, "others": [(others[k % 8], "name") for k in range(n)]}
    return {
        what: ([caption(label, COLOURED[k % 6], kind) for k, (label, kind) in enumerate(one)], [x for x, _ in one])
        for what, one in said.items()
    }


def rows_of(store: Store, asked: Asked, *, n: int, evaluations: int, facts: dict[str, Any]) -> list[Row]:
    """Return one row per test of :func:`asked_prompts`: the percentage of images that show the requested class."""
    wanted = asked_prompts(asked.forget, n)
    images = drawn(store, asked, [prompt for prompts, _ in wanted.values() for prompt in prompts], evaluations)
    shown = predict(classifier("shapes"), images).argmax(1)
    own, entrant = {}, METHODS[asked.method]
    if entrant.call is not None:
        own = dict(updates=asked.updates, batch_size=asked.batch_size, lr=asked.lr, trains=entrant.trains)
        own |= asked.settings
    found = []
    for place, (what, (_, labels)) in enumerate(wanted.items()):
        hits = int((shown[n * place : n * (place + 1)] == torch.tensor(labels)).sum())
        ends = tuple(100 * end for end in wilson(hits, n))
        how = dict(metric="shown", unit="percent", n=n, interval=ends, seed=asked.seed, test=what)
        found.append(row(100 * hits / n, **how, method=asked.method, **own, **facts))
    return found
