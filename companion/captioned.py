"""The book's small text-to-image model of captioned shapes, 12 x 12 pixels: trained once and committed.

``python -m companion captioned`` trains it and writes its checkpoint and card; ``--measure`` trains nothing, but
measures the committed model and adds the result to its card. The text encoder is trained first, to recognise class and
colour from captions alone, and is then frozen; Stable Diffusion's text encoder was also trained beforehand. Then the
U-Net is trained on the images. A snapshot in the build folder lets an interrupted run continue, with bitwise the same
result.
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
BUDGET = dict(steps=1100, batch_size=32, lr=2e-3, ema=0.995, warmup=50)  # U-Net: four minutes on one core
READER = dict(steps=400, lr=2e-3, ema=0.9)  # text encoder: seconds
IMAGES, WIDTH = 20_000, 96
GUIDANCE = 2.0  # weight w for all images drawn for pages
LOOK = dict(each=2, evaluations=8, seed=0)  # for the card: two images per class, colour and kind of caption


def architecture() -> Denoiser:
    """Return a fresh model on VP: a preconditioned U-Net of 0.7 M weights and a text encoder of 0.2 M."""
    net = unet("text-12", predicts="preconditioned", text=WIDTH)
    text = TextEncoder(len(captions.INDEX) + 2, captions.LENGTH, width=WIDTH)
    return Denoiser(TextToImage(net, text), VP(), data_std=0.5)


@cache
def data(n: int = IMAGES) -> Captioned:
    """Return its ``n`` training images, the same in every call."""
    return captions.sample(n, generator(0, NAME, "data"))


class Reader(nn.Module):
    """A text encoder with two linear heads on its mean output: one for the class, one for the colour or its absence."""

    def __init__(self, text: TextEncoder):
        super().__init__()
        self.text, self.label, self.colour = text, nn.Linear(WIDTH, 10), nn.Linear(WIDTH, 7)

    def loss(self, tokens: Tensor, place: Tensor) -> Tensor:
        """Return the sum of both heads' mean cross-entropies in nats, a scalar.

        Args:
            tokens: the captions, [B, L].
            place: their indices in :func:`paperlib.data.captions.every`, [B].
        """
        pooled = self.text(tokens).mean(1)
        return F.cross_entropy(self.label(pooled), place % 70 // 7) + F.cross_entropy(self.colour(pooled), place % 7)


def reader(text: TextEncoder, seed: int, **changes) -> Training:
    """Return the training run of the text encoder, before its first update; ``changes`` override ``READER``."""
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
    """Return the denoising loss per pixel on captioned images; one caption in ten is dropped."""
    x0, said = data.batch(batch_size, draws)
    losses = score_matching(model, x0, draws, cond=condition(model, said, draws), levels="lognormal", weighting="unit")
    return {"loss": losses.mean() / math.prod(model.net.shape)}


def training(whole: Denoiser, seed: int = 0, **changes) -> Training:
    """Return the training run of the U-Net, before its first update, with the text encoder of ``whole`` held fixed."""
    budget = BUDGET | changes
    model, size = prompted(whole, captions.every()), budget.pop("batch_size")
    reinitialise(model, generator(seed, NAME, "init"))
    draws = generator(seed, NAME, "noise")
    return Training(model, partial(objective, data=data(), batch_size=size), decay=True, generator=draws, **budget)


def load(folder: Path = checkpoints.FOLDER) -> Denoiser:
    """Load the committed model."""
    return checkpoints.load(architecture(), NAME, folder)


def prompted(model: Denoiser, prompts: list[str]) -> Denoiser:
    """Return a text-to-image model as one whose labels are ``prompts`` (:class:`paperlib.nets.text.Prompted`)."""
    with torch.no_grad():
        table = model.net.text(captions.tokens([*prompts, ""]))
    return Denoiser(Prompted(model.net.unet, table, model.net.shape), model.process, data_std=model.data_std)


def draw(model: Denoiser, prompts: Sequence[str], evaluations: int, draws: torch.Generator) -> Tensor:
    """Draw one image per prompt under guidance, uint8 [N, 3, 12, 12], by iPNDM in ``evaluations`` steps."""
    known = list(dict.fromkeys(prompts))
    model, cond = prompted(model, known), torch.tensor([known.index(prompt) for prompt in prompts])
    noise = model.process.prior_std() * torch.randn(len(cond), *model.net.shape, generator=draws)
    parts = []
    for rows in torch.arange(len(cond)).split(100):
        asked = dict(noise=noise[rows], sampler=ipndm, steps=evaluations, cond=cond[rows], generator=draws)
        parts.append(sample(Guided(model, GUIDANCE), noise[rows].shape, **asked).x)
    return to_uint8(torch.nan_to_num(torch.cat(parts)), dequantised=True)


def understood(model: Denoiser, *, each: int, evaluations: int, seed: int) -> dict[str, float]:
    """Return, for each kind of caption, the share of images in which the classifier of shapes sees the requested class.

    Each class is drawn ``each`` times in every colour.
    """
    asked = [(label, colour) for label in range(10) for colour in captions.COLOURS for _ in range(each)]
    labels, found = torch.tensor([label for label, _ in asked]), {}
    for kind in captions.KINDS:
        prompts = [captions.caption(label, colour, kind) for label, colour in asked]
        images = draw(model, prompts, evaluations, generator(seed, f"{NAME}/{kind}", "evaluation"))
        shown = predict(classifier("shapes"), images).argmax(1)
        found[kind] = float((shown == labels).double().mean())
    return found


def measure(folder: Path = checkpoints.FOLDER) -> dict[str, float]:
    """Measure the checkpoint as stored, after rounding; add the shares of :func:`understood` to its card."""
    found, sha256 = understood(load(folder), **LOOK), checkpoints.card(NAME, folder)["sha256"]
    words = LOOK | dict(guidance=GUIDANCE, sampler="iPNDM", shown=found, sha256=sha256)
    checkpoints.amend(NAME, folder, words=words)
    return found


def make(seed: int = 0, folder: Path = checkpoints.FOLDER) -> Path:
    """Train the text encoder and the U-Net, write the checkpoint and its card, and return the checkpoint's path."""
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
