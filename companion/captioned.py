"""The book's small text-to-image model: captioned shapes at 12 x 12, trained once, committed.

``python -m companion captioned`` trains it anew and writes its checkpoint and card; with ``--measure`` it only adds to
the card of the committed one what it understands. First the text encoder learns to
tell class and colour from captions alone, and is frozen: Stable Diffusion's was trained before it, too. Then the U-Net
learns images. A snapshot in the build folder lets a run that was stopped go on, to the bit.
"""

import argparse
import copy
import math
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from companion import checkpoints
from companion.classifiers import classifier, predict
from companion.folders import build_folder
from companion.machine import say
from companion.seeds import generator
from companion.snapshots import Resumable
from paperlib.data import captions
from paperlib.data.captions import Captioned
from paperlib.data.images import to_uint8
from paperlib.denoiser import Denoiser, reinitialise
from paperlib.guidance import Guided
from paperlib.losses import condition, score_matching
from paperlib.nets.presets import unet
from paperlib.nets.text import Prompted, TextEncoder, TextToImage
from paperlib.processes import VP
from paperlib.sampling import ipndm, sample
from paperlib.training import Training

__all__ = [
    "BUDGET",
    "NAME",
    "architecture",
    "data",
    "draw",
    "load",
    "make",
    "measure",
    "prompted",
    "reader",
    "training",
    "understood",
]

NAME = "captioned-vp"
BUDGET = dict(steps=1100, batch_size=32, lr=2e-3, ema=0.995, warmup=50)  # of the U-Net: four minutes of one core
READER = dict(steps=400, lr=2e-3, ema=0.9)  # of the text encoder: seconds
IMAGES, WIDTH = 20_000, 96
GUIDANCE = 2.0  # w, of every image that a page draws
LOOK = dict(each=2, evaluations=8, seed=0)  # of the card: two images of each class in each colour and kind of words


def architecture() -> Denoiser:
    """A fresh one: a U-Net of 0.7 M and a text encoder of 0.2 M weights, preconditioned, on VP."""
    net = unet("text-12", predicts="preconditioned", text=WIDTH)
    text = TextEncoder(len(captions.INDEX) + 2, captions.LENGTH, width=WIDTH)
    return Denoiser(TextToImage(net, text), VP(), data_std=0.5)


@cache
def data(n: int = IMAGES) -> Captioned:
    """Its training images."""
    return captions.sample(n, generator(0, NAME, "data"))


class Reader(nn.Module):
    """A text encoder with two heads on the mean of its words: the class, and the colour, or none."""

    def __init__(self, text: TextEncoder):
        super().__init__()
        self.text, self.label, self.colour = text, nn.Linear(WIDTH, 10), nn.Linear(WIDTH, 7)

    def loss(self, tokens: Tensor, place: Tensor) -> Tensor:
        """The cross-entropies of captions at ``place`` of :func:`paperlib.data.captions.every`."""
        pooled = self.text(tokens).mean(1)
        return F.cross_entropy(self.label(pooled), place % 70 // 7) + F.cross_entropy(self.colour(pooled), place % 7)


def reader(text: TextEncoder, seed: int, **changes) -> Training:
    """The text encoder's training, at the start."""
    words = captions.tokens(captions.every())

    def objective(model: Reader, draws: torch.Generator, index: int) -> dict[str, Tensor]:
        place = torch.randint(len(words), (128,), generator=draws)
        return {"loss": model.loss(words[place], place)}

    model = Reader(text)
    reinitialise(model, generator(seed, f"{NAME}/text", "init"))
    return Training(model, objective, generator=generator(seed, f"{NAME}/text", "data"), **READER | changes)


def objective(
    model: Denoiser, draws: torch.Generator, index: int, *, data: Captioned, batch_size: int
) -> dict[str, Tensor]:
    """Denoising score matching of captioned images; one caption of ten is dropped."""
    x0, said = data.batch(batch_size, draws)
    losses = score_matching(model, x0, draws, cond=condition(model, said, draws), levels="lognormal", weighting="unit")
    return {"loss": losses.mean() / math.prod(model.net.shape)}


def training(whole: Denoiser, seed: int = 0, **changes) -> Training:
    """The U-Net's training, at the start; ``whole`` has the text encoder."""
    budget = BUDGET | changes
    model, size = prompted(whole, captions.every()), budget.pop("batch_size")
    reinitialise(model, generator(seed, NAME, "init"))
    draws = generator(seed, NAME, "noise")
    return Training(model, partial(objective, data=data(), batch_size=size), decay=True, generator=draws, **budget)


def load(folder: Path = checkpoints.FOLDER) -> Denoiser:
    """The committed one."""
    return checkpoints.load(architecture(), NAME, folder)


def prompted(model: Denoiser, prompts: list[str]) -> Denoiser:
    """A text-to-image model as one that knows ``prompts`` by number (:class:`paperlib.nets.text.Prompted`)."""
    with torch.no_grad():
        table = model.net.text(captions.tokens([*prompts, ""]))
    return Denoiser(Prompted(model.net.unet, table, model.net.shape), model.process, data_std=model.data_std)


def draw(model: Denoiser, prompts: Sequence[str], evaluations: int, draws: torch.Generator) -> Tensor:
    """One uint8 image a prompt, of a text-to-image model, under guidance."""
    known = list(dict.fromkeys(prompts))
    model, cond = prompted(model, known), torch.tensor([known.index(prompt) for prompt in prompts])
    noise = model.process.prior_std() * torch.randn(len(cond), *model.net.shape, generator=draws)
    parts = []
    for rows in torch.arange(len(cond)).split(100):
        asked = dict(noise=noise[rows], sampler=ipndm, steps=evaluations, cond=cond[rows], generator=draws)
        parts.append(sample(Guided(model, GUIDANCE), noise[rows].shape, **asked).x)
    return to_uint8(torch.nan_to_num(torch.cat(parts)), dequantised=True)


def understood(model: Denoiser, *, each: int, evaluations: int, seed: int) -> dict[str, float]:
    """By kind of words, the share of images in which the classifier of shapes sees the class that was asked for."""
    asked = [(label, colour) for label in range(10) for colour in captions.COLOURS for _ in range(each)]
    labels, found = torch.tensor([label for label, _ in asked]), {}
    for kind in captions.KINDS:
        prompts = [captions.caption(label, colour, kind) for label, colour in asked]
        images = draw(model, prompts, evaluations, generator(seed, f"{NAME}/{kind}", "evaluation"))
        shown = predict(classifier("shapes"), images).argmax(1)
        found[kind] = float((shown == labels).double().mean())
    return found


def measure(folder: Path = checkpoints.FOLDER) -> dict[str, float]:
    """Add to the card what the checkpoint understands, after rounding."""
    found, sha256 = understood(load(folder), **LOOK), checkpoints.card(NAME, folder)["sha256"]
    words = LOOK | dict(guidance=GUIDANCE, sampler="iPNDM", shown=found, sha256=sha256)
    checkpoints.amend(NAME, folder, words=words)
    return found


def make(seed: int = 0, folder: Path = checkpoints.FOLDER) -> Path:
    """Train, and write the checkpoint and its card."""
    whole = architecture()
    for step in (first := reader(whole.net.text, seed)):
        read = step.losses["loss"]
    whole.net.text = copy.deepcopy(first.model.text).requires_grad_(False)
    say(f"{NAME}: the text encoder's loss is {read:.4f} nats after {first.seconds:.0f} s")
    run, snapshot = training(whole, seed), build_folder() / "captioned" / f"{NAME}-{seed}.pt"
    snapshot.parent.mkdir(parents=True, exist_ok=True)
    followed = Resumable(run, snapshot)
    for step in followed:
        if step.index % 100 == 0:
            say(f"{NAME}: update {step.index} of {run.steps}, loss {step.losses['loss']:.4f}, {step.seconds:.0f} s")
    whole.net.unet.load_state_dict(run.model.net.net.state_dict())
    facts = dict(data="captioned shapes", images=len(data()), network="text-12", budget=BUDGET, reader=READER)
    facts |= dict(seed=seed, samples_seen=run.index * BUDGET["batch_size"], seconds=round(run.seconds, 1))
    file = checkpoints.save(whole, NAME, facts | dict(curve=followed.curve), folder)
    snapshot.unlink(missing_ok=True)
    measure(folder)
    return file


def main() -> None:
    """Train the small text-to-image model, or measure the committed one."""
    parser = argparse.ArgumentParser(prog="python -m companion captioned", description=main.__doc__)
    parser.add_argument("--measure", action="store_true", help="train nothing")
    say(str(measure() if parser.parse_args().measure else make()))


if __name__ == "__main__":
    main()
