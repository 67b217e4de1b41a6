"""Likelihoods and inpaintings of base models, each a stored step."""

from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from companion import bases, checkpoints
from companion.seeds import generator
from companion.settings import Settings
from companion.store import Entry, Store
from paperlib.data import sets
from paperlib.data.images import Images, model_input, to_uint8
from paperlib.data.splits import evenly
from paperlib.editing import half, repaint, replacement
from paperlib.likelihood.images import image_bound, image_nll

__all__ = ["Inpainting", "Measured", "array", "bound", "inpaint", "nll", "test_images"]


class Measured(Settings):
    """A likelihood of ``n`` test images under a base model."""

    base: str
    n: int = Field(gt=1)
    seed: int = Field(0, ge=0)
    repeats: int = Field(1, gt=0)  # dequantisations of each image, one probe each
    tolerance: float = Field(1e-3, gt=0)  # of the ODE's solver
    strata: int = Field(64, gt=0)  # of the bound's sum


class Inpainting(Settings):
    """``n`` test images whose upper half is drawn anew."""

    base: str
    way: Literal["replacement", "RePaint"]
    n: int = Field(gt=0)
    steps: int = Field(gt=0)
    turns: int = Field(gt=0)  # corrections at a level, or returns of a stretch
    seed: int = Field(0, ge=0)


def test_images(base: str, n: int) -> Images:
    """The ``n`` test images that every measure of a base model looks at, one class after the other."""
    return evenly(sets.load(bases.BASES[base].dataset, "test"), n)


def nll(store: Store, measured: Measured) -> Entry:
    """Bits a dimension of every image by the probability-flow ODE."""
    return store.step("nll", measured, _nll, inputs=_pinned(measured.base))


def _nll(folder: Path, measured: Measured) -> None:
    draws = generator(measured.seed, f"nll/{measured.base}", "evaluation")
    found = image_nll(
        bases.load(measured.base),
        test_images(measured.base, measured.n).images,
        generator=draws,
        dequantisations=measured.repeats,
        tolerance=measured.tolerance,
    )
    np.savez(folder / "values.npz", values=found.values.numpy(), evaluations=found.evaluations)


def bound(store: Store, measured: Measured) -> Entry:
    """The variational bound of every image, its steps by strata."""
    return store.step("bound", measured, _bound, inputs=_pinned(measured.base))


def _bound(folder: Path, measured: Measured) -> None:
    draws = generator(measured.seed, f"bound/{measured.base}", "evaluation")
    images = test_images(measured.base, measured.n).images
    found = image_bound(bases.load(measured.base), images, generator=draws, strata=measured.strata)
    parts = {"prior": found.prior, "steps": found.steps, "times": found.times, "decoder": found.decoder}
    np.savez(folder / "values.npz", **{name: part.numpy() for name, part in parts.items()})


def inpaint(store: Store, inpainting: Inpainting) -> Entry:
    """The images with a new upper half."""
    return store.step("inpainting", inpainting, _inpaint, inputs=_pinned(inpainting.base))


def _inpaint(folder: Path, wanted: Inpainting) -> None:
    model, base = bases.load(wanted.base), bases.BASES[wanted.base]
    draws = generator(wanted.seed, f"inpainting/{wanted.base}/{wanted.way}", "noise")
    images = test_images(wanted.base, wanted.n).images
    known = model_input(images, draws, dequantise=base.dequantised)
    turns = {"replacement": {"corrections": wanted.turns}, "RePaint": {"resamples": wanted.turns}}[wanted.way]
    way = {"replacement": replacement, "RePaint": repaint}[wanted.way]
    for state in way(model, known, half(model.net.shape), steps=wanted.steps, generator=draws, **turns):
        pass
    np.savez(folder / "values.npz", images=to_uint8(state.x, dequantised=base.dequantised).numpy())


def array(entry: Entry, name: str) -> Tensor:
    """One array of a stored measure."""
    with np.load(entry.path / "values.npz") as stored:
        return torch.from_numpy(stored[name])


def _pinned(base: str) -> list[str]:
    card = checkpoints.card(base)
    return [card["sha256"]] if card else []
