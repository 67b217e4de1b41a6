"""What every sampler does between two states: ask the model, draw noise, count."""

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
    """x [B, ...] at time t (0 for the data), and the network evaluations spent on each row so far."""

    x: Tensor
    t: float
    evaluations: int


@contextlib.contextmanager
def evaluating(model: DenoisingModel, modules: list[nn.Module] | None = None) -> Iterator[None]:
    """Dropout off while the model is asked, and every module back in its own mode after.

    ``modules`` are the model's, where they have been listed before: listing takes as long as a small layer's work.
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
    """One run of a sampler: the stops, and the model as it is asked on the way, itself a denoising model.

    ``clip`` bounds the predicted x_0 to [-clip, clip], as DDPM's code does for images in [-1, 1], and the views of
    noise and score follow it. Not clipping is the default: a sampler then draws from the model itself, whose density
    the likelihood reports, and other data than images have no such bounds.
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
        """The three views at x [B, ...] and one stop or time, given this run's condition."""
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
        """The stop's time as a scalar tensor beside x."""
        return torch.tensor(level.t, dtype=x.dtype, device=x.device)

    def noise(self, x: Tensor) -> Tensor:
        """Standard normal noise of x's shape, dtype and device."""
        if self.generator is None:
            raise ValueError("generator=None: this sampler draws noise at every step")
        return normal(x.shape, self.generator, x.device).to(x.dtype)

    def state(self, x: Tensor, level: Level) -> State:
        """What the caller sees."""
        return State(x, level.t, self.evaluations)
