"""The book's small text-to-image model: captioned shapes at 12 x 12, trained once, committed.

``python -m companion captioned`` trains it anew and writes its checkpoint and card. A snapshot in the build folder lets
a run that was stopped go on, to the bit.
"""

import math
from functools import cache, partial
from pathlib import Path

import torch
from torch import Tensor

from companion import checkpoints
from companion.folders import build_folder
from companion.machine import say
from companion.seeds import generator
from companion.snapshots import Resumable
from paperlib.data import captions
from paperlib.data.captions import Captioned
from paperlib.denoiser import Denoiser, reinitialise
from paperlib.losses import score_matching
from paperlib.nets.presets import unet
from paperlib.nets.text import Prompted, TextEncoder, TextToImage
from paperlib.processes import VP
from paperlib.training import Training

__all__ = ["BUDGET", "NAME", "data", "load", "make", "prompted", "training"]

NAME = "captioned-vp"
# A quarter of an hour of one core, a caption is dropped as often as a label of other base models.
BUDGET = dict(steps=3200, batch_size=32, lr=1.5e-3, ema=0.998, warmup=100)
IMAGES, DROPPED, WIDTH = 20_000, 0.1, 96


def architecture() -> Denoiser:
    """A fresh one: a U-Net of 1.2 M and a text encoder of 0.2 M weights, preconditioned, on VP."""
    net = unet("text-12", predicts="preconditioned", text=WIDTH)
    text = TextEncoder(len(captions.INDEX) + 2, captions.LENGTH, width=WIDTH)
    return Denoiser(TextToImage(net, text), VP(), data_std=0.5)


@cache
def data(n: int = IMAGES) -> Captioned:
    """Its training images."""
    return captions.sample(n, generator(0, NAME, "data"))


def objective(
    model: Denoiser, draws: torch.Generator, index: int, *, data: Captioned, batch_size: int
) -> dict[str, Tensor]:
    """Denoising score matching of captioned images; one caption of ten is dropped."""
    x0, tokens = data.batch(batch_size, draws)
    dropped = torch.rand(batch_size, generator=draws) < DROPPED
    cond = tokens.masked_fill(dropped[:, None], 0)
    losses = score_matching(model, x0, draws, cond=cond, levels="lognormal", weighting="unit")
    return {"loss": losses.mean() / math.prod(model.net.shape)}


def training(seed: int = 0, **changes) -> Training:
    """Its training, at the start."""
    budget = BUDGET | changes
    model, size = architecture(), budget.pop("batch_size")
    reinitialise(model, generator(seed, NAME, "init"))
    return Training(
        model,
        partial(objective, data=data(), batch_size=size),
        decay=True,
        generator=generator(seed, NAME, "noise"),
        **budget,
    )


def load() -> Denoiser:
    """The committed one."""
    return checkpoints.load(architecture(), NAME)


def prompted(model: Denoiser, prompts: list[str]) -> Denoiser:
    """A text-to-image model as one that knows ``prompts`` by number (:class:`paperlib.nets.text.Prompted`)."""
    with torch.no_grad():
        table = model.net.text(captions.tokens([*prompts, ""]))
    return Denoiser(Prompted(model.net.unet, table, model.net.shape), model.process, data_std=model.data_std)


def make(seed: int = 0, folder: Path = checkpoints.FOLDER) -> Path:
    """Train, and write the checkpoint and its card."""
    run, snapshot = training(seed), build_folder() / "captioned" / f"{NAME}-{seed}.pt"
    snapshot.parent.mkdir(parents=True, exist_ok=True)
    curve = []
    for step in Resumable(run, snapshot):
        if step.index % 100 == 0:
            curve.append((step.index, round(step.losses["loss"], 4)))
            say(f"{NAME}: update {step.index} of {run.steps}, loss {curve[-1][1]}, {step.seconds:.0f} s")
    facts = dict(data="captioned shapes", images=len(data()), network="text-12", budget=BUDGET, seed=seed)
    facts |= dict(samples_seen=run.index * BUDGET["batch_size"], seconds=round(run.seconds, 1), curve=curve)
    file = checkpoints.save(run.model, NAME, facts, folder)
    snapshot.unlink(missing_ok=True)
    return file


def main() -> None:
    """Train the small text-to-image model."""
    say(str(make()))


if __name__ == "__main__":
    main()
