"""Editing with a model that was not trained for it: inpainting, and reconstruction from time t.

**Inpainting.** Some pixels y, given by ``mask``, are known, and the others are to be sampled from p(x | y). Both
methods follow a sampler's chain, and at every stop insert the known pixels as they would be at that noise level,
alpha_s y + sigma_s z:

- :func:`replacement` (Song et al., 2021, Appendix I.2) uses Langevin steps at each noise level to correct what does not
  fit. It is an approximation: at every level the unknown pixels adapt to the known ones under fresh noise, and keep
  that adaptation. The bias falls with more corrections.
- :func:`repaint` (Lugmayr et al., 2022, Algorithm 1) goes back to a higher noise level and comes down again, so that
  both sides agree. The bias falls with more returns.

**Reconstruction.** How much of an image survives when it is taken to noise and back (SGU, Table 4 and Figure 5): a
model that has forgotten a class does not return to it.
"""

import math
from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from paperlib.checks import need_batch, need_positive
from paperlib.denoiser import DenoisingModel
from paperlib.processes import normal
from paperlib.sampling.ancestral import jump
from paperlib.sampling.draw import prior, sample
from paperlib.sampling.ode import heun
from paperlib.sampling.sde import langevin, reverse_step
from paperlib.sampling.times import Level, time_grid
from paperlib.sampling.walk import State, Walk

__all__ = ["PREDICTORS", "WAYS", "encode", "half", "reconstruct", "repaint", "replacement"]

WAYS = ("image", "latent")
PREDICTORS = ("reverse diffusion", "ancestral sampling")


def half(shape: tuple[int, ...], known: str = "lower") -> Tensor:
    """Return a bool mask for images [C, H, W] that is True in the ``known`` half ("upper", "lower", "left", "right").

    SGU hides the upper half, so the lower one is known.
    """
    mask = torch.zeros(shape, dtype=torch.bool)
    H, W = shape[-2:]
    sides = {
        "upper": (slice(0, H // 2), slice(None)),
        "lower": (slice(H // 2, H), slice(None)),
        "left": (slice(None), slice(0, W // 2)),
        "right": (slice(None), slice(W // 2, W)),
    }
    if known not in sides:
        raise ValueError(f"known={known!r} is not one of {', '.join(sides)}")
    mask[..., *sides[known]] = True
    return mask


def _paste(walk: Walk, x: Tensor, known: Tensor, mask: Tensor, s: Level) -> Tensor:
    """Return x with its known values as they would be at the stop s."""
    noisy = s.alpha * known + (s.sigma * walk.noise(x) if s.sigma else 0.0)
    return torch.where(mask, noisy, x)


def _check(known: Tensor, mask: Tensor) -> None:
    if mask.dtype != torch.bool:
        raise ValueError(f"mask is {mask.dtype}; torch.bool expected, True where a value is known")
    try:
        mask.expand_as(known)
    except RuntimeError:
        raise ValueError(f"mask {tuple(mask.shape)} does not fit known {tuple(known.shape)}") from None
    need_batch(known=torch.where(mask, known, 0.0))  # what is not known is not read


@torch.no_grad()
def replacement(
    model: DenoisingModel,
    known: Tensor,
    mask: Tensor,
    *,
    steps: int | Tensor | None = None,
    generator: torch.Generator,
    cond: Tensor | None = None,
    clip: float | None = None,
    spacing: str = "index",
    corrections: int = 1,
    snr: float = 0.16,
    predictor: str = "reverse diffusion",
) -> Iterator[State]:
    """Inpaint as score_sde does: with its predictor-corrector sampler, inserting the known values after every step.

    Its public code inserts them at the noise level before the predictor's step instead of after, and starts from clean
    known values at t = T; here they are noisy there too.

    Args:
        known: images [B, ...]; values where ``mask`` is False are not read.
        mask: bool, broadcasts against ``known``: True where a value is known.
        corrections: Langevin steps at each stop.
        snr: signal-to-noise ratio that sets their size (:func:`paperlib.sampling.predictor_corrector`).
        predictor: one of ``PREDICTORS``, both of score_sde. Reverse diffusion adds as much noise as the whole step
            from s to t would, which only small steps can afford; ancestral sampling adds the posterior's.
    """
    _check(known, mask)
    if corrections < 0 or not snr > 0:
        raise ValueError(f"corrections={corrections} must not be negative, and snr={snr} must be positive")
    if predictor not in PREDICTORS:
        raise ValueError(f"predictor={predictor!r} is not one of {', '.join(PREDICTORS)}")
    step = reverse_step if predictor == "reverse diffusion" else _ancestral_step
    x = prior(model, known.shape, generator).to(known)
    walk = Walk(model, x, steps, spacing=spacing, denoise=True, generator=generator, cond=cond, clip=clip)
    x = _paste(walk, x, known, mask, walk.pairs[0][0])
    for t, s in walk.pairs:
        for _ in range(corrections):
            x = _paste(walk, langevin(walk, x, t, s, snr), known, mask, t)
        x = _paste(walk, step(walk, x, t, s), known, mask, s)
        yield walk.state(x, s)


def _ancestral_step(walk: Walk, x: Tensor, t: Level, s: Level, variance: str = "small") -> Tensor:
    mean, std = jump(walk(x, t), t, s, eta=1.0, variance=variance)
    return mean + (std * walk.noise(x) if std else 0.0)


@torch.no_grad()
def repaint(
    model: DenoisingModel,
    known: Tensor,
    mask: Tensor,
    *,
    steps: int | Tensor | None = 250,
    generator: torch.Generator,
    cond: Tensor | None = None,
    clip: float | None = None,
    spacing: str = "index",
    resamples: int = 10,
    length: int = 10,
    variance: str = "small",
) -> Iterator[State]:
    """Inpaint with RePaint: ancestral sampling that repeats every stretch of ``length`` steps ``resamples`` times.

    Between two repetitions the process itself takes x back to the start of the stretch, x_t ~ q(x_t | x_s)::

        x_t = (alpha_t / alpha_s) x_s + sqrt(sigma_t^2 - (alpha_t / alpha_s)^2 sigma_s^2) z

    Evaluations: steps times resamples. The defaults are the authors' (Section 5.1: T = 250, r = 10, j = 10).
    """
    _check(known, mask)
    need_positive(resamples=resamples, length=length)
    x = prior(model, known.shape, generator).to(known)
    walk = Walk(model, x, steps, spacing=spacing, denoise=True, generator=generator, cond=cond, clip=clip)
    x = _paste(walk, x, known, mask, walk.pairs[0][0])
    for first in range(0, len(walk.pairs), length):
        stretch = walk.pairs[first : first + length]
        for turn in range(resamples):
            if turn:
                x = _back(walk, x, stretch[-1][1], stretch[0][0])
            for t, s in stretch:
                x = _paste(walk, _ancestral_step(walk, x, t, s, variance), known, mask, s)
                yield walk.state(x, s)


def _back(walk: Walk, x: Tensor, s: Level, t: Level) -> Tensor:
    """Sample x_t given x_s, from less noise to more."""
    a = t.alpha / s.alpha
    return a * x + math.sqrt(t.sigma**2 - (a * s.sigma) ** 2) * walk.noise(x)


@torch.no_grad()
def encode(
    model: DenoisingModel, x: Tensor, *, steps: int = 50, cond: Tensor | None = None, spacing: str = "karras"
) -> Tensor:
    """Return the noise x_T to which the probability-flow ODE takes x [B, ...], by Heun's method in sigma / alpha.

    x is treated as a sample at the smallest noise level; solving back from x_T returns x up to the solver's error.
    """
    need_batch(x=x)
    walk = Walk(model, x, steps, spacing=spacing, denoise=False, generator=None, cond=cond, clip=None)
    for s, t in reversed(walk.pairs):  # s has more noise than t; here we go from t up to s
        y, dr = x / t.alpha, s.sigma / s.alpha - t.sigma / t.alpha
        slope = walk(x, t).eps
        ahead = walk(s.alpha * (y + dr * slope), s).eps
        x = s.alpha * (y + dr * 0.5 * (slope + ahead))
    return x


def reconstruct(
    model: DenoisingModel,
    x: Tensor,
    t: float,
    *,
    generator: torch.Generator,
    way: str = "image",
    steps: int = 50,
    spacing: str = "karras",
    cond: Tensor | None = None,
    **settings,
) -> State:
    """Reconstruct x [B, ...]: take it to noise and back.

    With ``way="image"``, as in SGU's text, x is perturbed to time t and sampled from there. With ``way="latent"``, as
    in its public code, x is encoded to x_T, this latent is perturbed as an image would be at t, and decoded by the ODE.

    Args:
        t: a time between the process's t_min and t_max; 0.02 in the paper.
        steps: number of steps from t_max. With ``way="image"`` only those below t are taken, after a start at t.
        settings: further arguments of :func:`paperlib.sampling.sample`; the sampler is Heun's in sigma / alpha.
    """
    if way not in WAYS:
        raise ValueError(f"way={way!r} is not one of {', '.join(WAYS)}")
    need_batch(x=x)
    process = model.process
    if not process.t_min < t <= process.t_max:
        raise ValueError(f"t={t} is not in ({process.t_min}, {process.t_max}]")
    z, time = normal(x.shape, generator, x.device).to(x.dtype), torch.tensor(t, dtype=x.dtype, device=x.device)
    if way == "latent":
        noise = process.perturb(encode(model, x, steps=steps, cond=cond, spacing=spacing), time, z)
        grid = time_grid(model, steps, spacing, denoise=True)
    else:
        noise = process.perturb(x, time, z)
        grid = time_grid(model, steps, spacing, denoise=True)
        grid = torch.cat([grid.new_tensor([t]), grid[grid < t]])
    settings = {"sampler": partial(heun, variable="noise")} | settings
    return sample(model, x.shape, noise=noise, steps=grid, generator=generator, cond=cond, **settings)
