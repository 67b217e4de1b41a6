"""What all samplers share: evaluating the model, sampling noise, counting evaluations."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from paperlib.denoiser import Denoised, DenoisingModel
from paperlib.processes import normal
from paperlib.sampling.times import Level, levels, time_grid

__all__ = ["State", "Walk", "evaluating"]


@dataclass(frozen=True)
class State:
    """A sampler's state: x [B, ...] at time t (0 for the data), and the network evaluations per row so far."""

    x: Tensor
    t: float
    evaluations: int


@contextlib.contextmanager
def evaluating(model: DenoisingModel, modules: list[nn.Module] | None = None) -> Iterator[None]:
    """Put every module of the model into evaluation mode, which turns dropout off, and restore its mode afterwards.

    ``modules`` are the model's modules, if listed beforehand: listing them takes as long as evaluating a small layer.
    """
    training = [module for module in (_modules(model) if modules is None else modules) if module.training]
    try:
        for module in training:
            module.training = False
        yield
    finally:
        for module in training:
            module.training = True


def _modules(model: DenoisingModel) -> list[nn.Module]:
    return list(model.modules()) if isinstance(model, nn.Module) else []


class Walk:
    """One run of a sampler: its stops, and the model with this run's condition and clipping, itself a denoising model.

    ``clip`` bounds the predicted x_0 to [-clip, clip], as DDPM's code does for images in [-1, 1], and the views of
    noise and score follow from it. The default is no clipping: a sampler then samples from the model itself, whose
    density the likelihood reports, and data other than images have no such bounds.
    """

    def __init__(
        self,
        model: DenoisingModel,
        x: Tensor,
        steps: int | Tensor | None,
        *,
        spacing: str,
        denoise: bool,
        generator: torch.Generator | None,
        cond: Tensor | None,
        clip: float | None,
    ):
        if clip is not None and not clip > 0:
            raise ValueError(f"clip={clip} is not positive")
        self.model, self.process, self.generator, self.clip = model, model.process, generator, clip
        self.modules = _modules(model)
        self.cond = cond.to(x.device) if isinstance(cond, Tensor) else cond
        stops = levels(self.process, time_grid(model, steps, spacing, denoise=denoise))
        self.pairs, self.end = list(zip(stops, stops[1:])), stops[-1]
        self.evaluations = 0

    def __call__(self, x: Tensor, t: Level | Tensor, cond: None = None) -> Denoised:
        """Return the three views at x [B, ...] and one stop or time, under this run's condition."""
        t = self.time(x, t) if isinstance(t, Level) else t
        with evaluating(self.model, self.modules):
            views = self.model(x, t, self.cond)
        self.evaluations += getattr(self.model, "cost", 1)
        if self.clip is None:
            return views
        sigma = self.process.sigma(t)
        x0 = views.x0.clamp(-self.clip, self.clip)
        eps = (x - self.process.alpha(t) * x0) / sigma
        return Denoised(x0=x0, eps=eps, score=-eps / sigma)

    @staticmethod
    def time(x: Tensor, level: Level) -> Tensor:
        """Return the stop's time as a scalar tensor with the dtype and device of x."""
        return torch.tensor(level.t, dtype=x.dtype, device=x.device)

    def noise(self, x: Tensor) -> Tensor:
        """Sample standard normal noise with the shape, dtype and device of x."""
        if self.generator is None:
            raise ValueError("generator=None: this sampler draws noise at every step")
        return normal(x.shape, self.generator, x.device).to(x.dtype)

    def state(self, x: Tensor, level: Level) -> State:
        """Return the state that the caller sees."""
        return State(x, level.t, self.evaluations)
