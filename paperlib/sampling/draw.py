"""Sampling in one call, all at once or in batches."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from paperlib.checks import need_positive
from paperlib.denoiser import DenoisingModel, beside
from paperlib.processes import normal
from paperlib.sampling.ode import heun
from paperlib.sampling.walk import State

__all__ = ["prior", "sample", "sample_batches"]


def prior(model: DenoisingModel, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Sample initial noise, N(0, sigma_1^2 I), of ``shape`` [B, ...], on the model's device.

    The noise is sampled in float32; a float64 model gets the same numbers in float64.
    """
    return beside(model, model.process.prior_std() * normal(shape, generator))


def sample(
    model: DenoisingModel,
    shape: tuple[int, ...],
    *,
    generator: torch.Generator,
    sampler: Callable[..., Iterator[State]] = heun,
    steps: int | Tensor | None = None,
    noise: Tensor | None = None,
    cond: Tensor | None = None,
    **settings,
) -> State:
    """Run ``sampler`` to its end and return the last state.

    It starts from ``noise`` [B, ...] if given, else from fresh noise of ``shape``. Given noise must already have the
    prior's standard deviation, as that of :func:`prior` has. ``steps`` and ``settings`` are passed to the sampler,
    whose defaults apply.
    """
    x = prior(model, shape, generator) if noise is None else beside(model, noise)
    if steps is not None:
        settings["steps"] = steps
    state = State(x, model.process.t_max, 0)
    for state in sampler(model, x, generator=generator, cond=cond, **settings):
        pass
    return state


def sample_batches(
    model: DenoisingModel,
    shape: tuple[int, ...],
    *,
    batch: int,
    generator: torch.Generator,
    noise: Tensor | None = None,
    cond: Tensor | None = None,
    **settings,
) -> Iterator[State]:
    """Run :func:`sample` for ``shape`` [N, ...], ``batch`` rows at a time, and yield the last state of each batch.

    All initial noise is sampled first, so the result of a deterministic sampler does not depend on ``batch``. Wrap the
    iterator in a progress bar, or keep only the images: ``torch.cat([state.x.cpu() for state in ...])``.
    """
    need_positive(batch=batch)
    noise = model.process.prior_std() * normal(shape, generator) if noise is None else noise
    for start in range(0, len(noise), batch):
        rows = slice(start, start + batch)
        here = cond[rows] if isinstance(cond, Tensor) else cond
        yield sample(model, noise[rows].shape, generator=generator, noise=noise[rows], cond=here, **settings)
