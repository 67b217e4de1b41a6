"""One training loop, as an iterator.

Whoever calls it iterates, and so owns logging, evaluation, early stopping and checkpoints::

    training = Training(model, objective, steps=4000, lr=2e-3, generator=generator)
    for step in training:
        print(step.index, step.losses["loss"])
    trained = training.model

An objective maps (model, generator, index of the update from 0) to named scalar losses, of which ``"loss"`` is
minimised; the others are its terms, each one more forward-backward pass. Every random number of an update comes from
that generator. Unlearning methods are this loop with another objective (``paperlib.unlearning``).
"""

import contextlib
import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from paperlib.denoiser import Denoiser
from paperlib.processes import Process

__all__ = ["Objective", "Step", "Training", "batch", "noised", "score_matching", "times"]

Objective = Callable[[Denoiser, torch.Generator, int], Mapping[str, Tensor]]


@dataclass(frozen=True)
class Step:
    """What one update did: its index from 1, its losses before the update, seconds and gradient evaluations so far."""

    index: int
    losses: dict[str, float]
    seconds: float
    gradient_evaluations: int


def batch(data: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """``size`` rows of ``data`` [N, ...], drawn with replacement: [size, ...]."""
    return data[torch.randint(len(data), (size,), generator=generator)]


def times(size: int, process: Process, generator: torch.Generator) -> Tensor:
    """Times uniform on [t_min, t_max], [size]: one uniform draw, then evenly spaced (Kingma et al., 2021, Appendix
    I.1).

    Each time on its own is uniform, so expectations are those of independent draws, with less variance.
    """
    u = (torch.rand((), generator=generator) + torch.arange(size) / size) % 1
    return process.t_min + (process.t_max - process.t_min) * u


def noised(
    process: Process, x0: Tensor, generator: torch.Generator, *, antithetic: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """x_t = alpha_t x_0 + sigma_t z at random times: (x_t, t, z), B rows for data [B, ...].

    ``antithetic`` perturbs each row by z and by -z at the same time, 2B rows. At noise levels below the data's own
    scale the two targets cancel almost wholly, and with them the noise of the gradient; its mean is the same.
    """
    t, z = times(len(x0), process, generator).to(x0.device), torch.randn(x0.shape, generator=generator).to(x0.device)
    if antithetic:
        x0, t, z = torch.cat([x0, x0]), torch.cat([t, t]), torch.cat([z, -z])
    return process.perturb(x0, t, z), t, z


def score_matching(model: Denoiser, x0: Tensor, generator: torch.Generator, *, antithetic: bool = False) -> Tensor:
    """Denoising score matching with lambda(t) = sigma_t^2 (SGU, Eq. 5 and 8), one value a noisy row::

        lambda(t) |s(x_t, t) - grad log p(x_t | x_0)|^2 = |z - eps(x_t, t)|^2,      x_t = alpha_t x_0 + sigma_t z

    For VE this weight is also the likelihood's, up to a constant: g^2 is proportional to sigma_t^2.
    """
    x_t, t, z = noised(model.process, x0, generator, antithetic=antithetic)
    return (z - model(x_t, t).eps).square().flatten(1).sum(1)


def _averaging(decay: float):
    """Averaging whose decay grows as (1 + n) / (10 + n) up to ``decay``: the first weights are soon forgotten."""

    @torch.no_grad()
    def average(averages, currents, n):
        torch._foreach_lerp_(averages, currents, 1 - min(decay, (1 + float(n)) / (10 + float(n))))

    return average


class Training:
    """Adam on ``objective``, with warm-up, cosine decay, gradient clipping and an exponential moving average of the
    weights.

    The model given is left untouched; ``.model`` is the trained copy as it stands, averaged where ``ema`` is above
    zero.

    Args:
        model: where to start.
        objective: (model, generator, index) -> {"loss": minimised, ...: reported}, scalars.
        steps: updates; the iterator ends there.
        lr: Adam's rate after ``warmup`` updates; ``decay`` lets it fall to zero along half a cosine.
        ema: decay of the moving average, 0 for none.
        clip: largest norm of the gradient, 0 for no clipping.
    """

    def __init__(
        self,
        model: Denoiser,
        objective: Objective,
        *,
        steps: int,
        lr: float,
        generator: torch.Generator,
        ema: float = 0.999,
        clip: float = 1.0,
        warmup: int = 0,
        decay: bool = False,
    ):
        for name, value in {"steps": steps, "lr": lr, "clip": clip, "warmup": warmup}.items():
            if value < 0:
                raise ValueError(f"{name}={value} is negative")
        if not 0 <= ema < 1:
            raise ValueError(f"ema={ema} is not in [0, 1)")
        self.objective, self.steps, self.lr, self.generator = objective, steps, lr, generator
        self.clip, self.warmup, self.decay = clip, warmup, decay
        self.index, self.seconds, self.gradient_evaluations = 0, 0.0, 0
        self.accelerator = Accelerator(cpu=next(model.parameters()).device.type == "cpu")  # stay where the model is
        network = copy.deepcopy(model)
        optimizer = torch.optim.Adam(network.parameters(), lr=lr, fused=True)
        self.network, self.optimizer = self.accelerator.prepare(network, optimizer)
        self.average = AveragedModel(network, multi_avg_fn=_averaging(ema)) if ema else None
        self.drops = any(isinstance(module, nn.Dropout) and module.p > 0 for module in network.modules())

    @property
    def model(self) -> Denoiser:
        """The model as it stands."""
        return self.average.module if self.average else self.accelerator.unwrap_model(self.network)

    def rate(self, index: int) -> float:
        """Adam's rate at update ``index``, from 0."""
        rise = min(1.0, (index + 1) / self.warmup) if self.warmup else 1.0
        fall = 0.5 * (1 + math.cos(math.pi * index / self.steps)) if self.decay else 1.0
        return self.lr * rise * fall

    def __iter__(self) -> Iterator[Step]:
        while self.index < self.steps:
            yield self._update()

    def _update(self) -> Step:
        start = time.perf_counter()
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(self.index)
        with self._dropout():
            losses = self.objective(self.network, self.generator, self.index)
        self.optimizer.zero_grad()
        self.accelerator.backward(losses["loss"])
        norm = self.accelerator.clip_grad_norm_(self.network.parameters(), self.clip or math.inf)
        for name, value in {"loss": losses["loss"], "gradient's norm": norm}.items():
            if not torch.isfinite(value):
                at = f"{value.item()} at update {self.index + 1}"
                raise FloatingPointError(f"the {name} is {at}; the weights are those before it")
        self.optimizer.step()
        if self.average:
            self.average.update_parameters(self.accelerator.unwrap_model(self.network))
        self.index += 1
        self.gradient_evaluations += max(1, len(losses) - 1)
        self.seconds += time.perf_counter() - start
        values = {name: value.item() for name, value in losses.items()}
        return Step(self.index, values, self.seconds, self.gradient_evaluations)

    @contextlib.contextmanager
    def _dropout(self):
        """Let dropout, which reads torch's global generator, draw from the run's own."""
        if not self.drops:
            yield
            return
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(int(torch.randint(2**62, (), generator=self.generator)))
            yield

    def run(self) -> Denoiser:
        """Iterate to the end; the trained model, in evaluation mode."""
        for _ in self:
            pass
        return self.model.eval()

    def state_dict(self) -> dict:
        """A copy of all that is needed to go on to the bit: weights, average, optimiser, generator, update count."""
        state = {
            "network": self.accelerator.unwrap_model(self.network).state_dict(),
            "average": self.average.state_dict() if self.average else None,
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "progress": (self.index, self.seconds, self.gradient_evaluations),
        }
        return copy.deepcopy(state)

    def load_state_dict(self, state: dict) -> None:
        """Go on from a :meth:`state_dict`, which stays as it is."""
        state = copy.deepcopy(state)
        self.accelerator.unwrap_model(self.network).load_state_dict(state["network"])
        if self.average:
            self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        self.index, self.seconds, self.gradient_evaluations = state["progress"]
