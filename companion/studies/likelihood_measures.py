"""Likelihoods and inpaintings of base models, each computed once and stored."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from companion import bases
from companion.machine import pick_device
from companion.seeds import generator
from companion.settings import Settings
from companion.store import Entry, Store
from paperlib.data import sets
from paperlib.data.images import Images, model_input, to_uint8
from paperlib.data.splits import evenly
from paperlib.editing import half, repaint, replacement
from paperlib.likelihood.images import ImageBound, ImageNLL, image_bound, image_nll
from paperlib.likelihood.recipes import posterior_trace

__all__ = ["Inpainting", "Measured", "bound", "inpaint", "nll", "per_image", "step_terms", "test_images", "traces"]

RATIOS = (0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)  # sigma / alpha


class Measured(Settings):
    """The likelihood of ``n`` test images under a base model."""

    base: str
    n: int = Field(gt=1)
    seed: int = Field(0, ge=0)
    repeats: int = Field(1, gt=0)  # dequantisations per image, one probe each
    tolerance: float = Field(1e-3, gt=0)  # of the ODE's solver
    recipe: Literal["flow", "noised flow"] = "flow"  # where the ODE starts
    strata: int = Field(64, gt=0)  # for the bound's sum


class Inpainting(Settings):
    """``n`` test images whose upper half is inpainted."""

    base: str
    way: Literal["replacement", "RePaint"]
    n: int = Field(gt=0)
    steps: int = Field(gt=0)
    turns: int = Field(gt=0)  # corrections at a level, or returns of a stretch
    seed: int = Field(0, ge=0)


def test_images(base: str, n: int) -> Images:
    """Return the ``n`` test images that every measure of a base model uses, taking the classes in turn."""
    return evenly(sets.load(bases.BASES[base].dataset, "test"), n)


def nll(store: Store, measured: Measured) -> ImageNLL:
    """Return bits per dimension of every image by the probability-flow ODE."""
    found = _arrays(store.step("nll", measured, _nll, inputs=_pinned(measured.base)))
    return ImageNLL(found["values"], float(found["evaluations"]), float(found["derivatives"]))


def _nll(folder: Path, measured: Measured) -> None:
    draws = generator(measured.seed, f"nll/{measured.base}", "evaluation")
    found = image_nll(
        bases.load(measured.base).to(pick_device()),
        test_images(measured.base, measured.n).images.to(pick_device()),
        generator=draws,
        recipe=measured.recipe,
        dequantisations=measured.repeats,
        tolerance=measured.tolerance,
    )
    spent = {"evaluations": found.evaluations, "derivatives": found.derivatives}
    np.savez(folder / "values.npz", values=found.values.cpu().numpy(), **spent)


def bound(store: Store, measured: Measured) -> ImageBound:
    """Return the variational bound of every image, with its steps sampled by strata."""
    found = _arrays(store.step("bound", measured, _bound, inputs=_pinned(measured.base)))
    return ImageBound(**found | {"evaluations": int(found["evaluations"])})


def _bound(folder: Path, measured: Measured) -> None:
    draws = generator(measured.seed, f"bound/{measured.base}", "evaluation")
    images = test_images(measured.base, measured.n).images.to(pick_device())
    found = image_bound(bases.load(measured.base).to(pick_device()), images, generator=draws, strata=measured.strata)
    parts = {"prior": found.prior, "steps": found.steps, "times": found.times, "decoder": found.decoder}
    arrays = {name: part.cpu().numpy() for name, part in parts.items()}
    np.savez(folder / "values.npz", **arrays, evaluations=found.evaluations)


def per_image(results: Sequence[ImageNLL | ImageBound]) -> Tensor:
    """Return bits per dimension of each image, [n], averaged over the seeds' results."""
    return torch.stack([one.per_image for one in results]).mean(0)


def step_terms(results: Sequence[ImageBound]) -> Tensor:
    """Return the time and the bits per dimension of each stratum of the chain's steps, [strata, 2], averaged over
    images and seeds."""
    means = [torch.stack([one.times.mean(0), one.steps.mean(0)], 1) for one in results]
    return torch.stack(means).mean(0)


def traces(base: str, n: int, seed: int) -> dict[str, list[tuple[float, float]]]:
    """Return tr(dx0 / dy) / D of test images, clean and noised as in training: (sigma / alpha, the mean over images)
    for a few noise levels. For an exact denoiser it is never below 0."""
    model, draws = bases.load(base), generator(seed, f"traces/{base}", "evaluation")
    x0 = model_input(test_images(base, n).images, draws, dequantise=True)
    found: dict[str, list[tuple[float, float]]] = {"the image": [], "noised": []}
    for ratio in RATIOS:
        t = model.process.time_of(torch.tensor([ratio], dtype=torch.float64).log()).float().expand(n)
        z = torch.randn(x0.shape, generator=draws)
        for where, noise in {"the image": torch.zeros_like(z), "noised": z}.items():
            x_t = model.process.perturb(x0, t, noise)
            trace = torch.cat([
                posterior_trace(model, part, t[: len(part)], generator=draws) for part in x_t.split(64)
            ])  # fmt: skip
            found[where].append((ratio, trace.mean().item()))
    return found


def inpaint(store: Store, inpainting: Inpainting) -> Tensor:
    """Return the images with a new upper half, uint8 [n, C, H, W]."""
    return _arrays(store.step("inpainting", inpainting, _inpaint, inputs=_pinned(inpainting.base)))["images"]


def _inpaint(folder: Path, wanted: Inpainting) -> None:
    model, base = bases.load(wanted.base).to(pick_device()), bases.BASES[wanted.base]
    draws = generator(wanted.seed, f"inpainting/{wanted.base}/{wanted.way}", "noise")
    images = test_images(wanted.base, wanted.n).images.to(pick_device())
    known = model_input(images, draws, dequantise=base.dequantised)
    turns = {"replacement": {"corrections": wanted.turns}, "RePaint": {"resamples": wanted.turns}}[wanted.way]
    way = {"replacement": replacement, "RePaint": repaint}[wanted.way]
    for state in way(model, known, half(model.net.shape), steps=wanted.steps, generator=draws, **turns):
        pass
    np.savez(folder / "values.npz", images=to_uint8(state.x, dequantised=base.dequantised).cpu().numpy())


def _arrays(entry: Entry) -> dict[str, Tensor]:
    """Return the arrays that a step has stored."""
    with np.load(entry.path / "values.npz") as stored:
        return {name: torch.from_numpy(stored[name]) for name in stored.files}


def _pinned(base: str) -> list[str]:
    card = bases.card(base)
    return [card["sha256"]] if card else []
