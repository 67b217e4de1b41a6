"""One training loop, as an iterator.

Whoever calls it iterates, and so owns logging, evaluation, early stopping and checkpoints::

    training = Training(model, objective, steps=4000, lr=2e-3, generator=generator)
    for step in training:
        print(step.index, step.losses["loss"])
    trained = training.model

An objective maps (model, generator, index of the update from 0) to named scalar losses, of which ``"loss"`` is
minimised; the others are its terms, each one more forward-backward pass. Every random number of an update comes from
that generator. Unlearning methods are this loop with another objective (``paperlib.unlearning``).

Under ``accelerate launch`` every process draws the whole batch from the same generator, computes its
:func:`~paperlib.losses.share` of the rows, and averages the gradients with the others: the gradients are the same
however many processes there are.
"""

import contextlib
import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from accelerate import PartialState
from accelerate.utils import broadcast, reduce
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from paperlib.denoiser import Denoiser

__all__ = ["PRECISIONS", "Objective", "Step", "Training"]

PRECISIONS = ("float32", "bf16")

Objective = Callable[[Denoiser, torch.Generator, int], Mapping[str, Tensor]]


@dataclass(frozen=True)
class Step:
    """What one update did: its index from 1, its losses before the update, seconds and gradient evaluations so far."""

    index: int
    losses: dict[str, float]
    seconds: float
    gradient_evaluations: int


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
        precision: of the network's arithmetic, "float32" or "bf16" (autocast); weights, losses and everything around
            the network stay float32. bf16 is faster on a GPU and slower on most CPUs.
        compiled: let torch compile the network: faster on a GPU, after a minute.
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
        precision: str = "float32",
        compiled: bool = False,
    ):
        for name, value in {"steps": steps, "lr": lr, "clip": clip, "warmup": warmup}.items():
            if value < 0:
                raise ValueError(f"{name}={value} is negative")
        if not 0 <= ema < 1:
            raise ValueError(f"ema={ema} is not in [0, 1)")
        if precision not in PRECISIONS:
            raise ValueError(f"precision={precision!r} is not one of {', '.join(PRECISIONS)}")
        self.objective, self.steps, self.lr, self.generator = objective, steps, lr, generator
        self.clip, self.warmup, self.decay = clip, warmup, decay
        self.index, self.seconds, self.gradient_evaluations = 0, 0.0, 0
        self.device = next(model.parameters()).device  # stay where the model is
        self.processes = PartialState(cpu=self.device.type == "cpu")
        self.network = copy.deepcopy(model)
        for value in self.network.state_dict().values():
            broadcast(value)  # every process starts from the first one's weights
        self.average = AveragedModel(self.network, multi_avg_fn=_averaging(ema)) if ema else None
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=lr, fused=True)
        net = getattr(self.network, "net", self.network)
        if precision == "bf16":
            net.forward = torch.autocast(self.device.type, torch.bfloat16)(net.forward)
        if compiled:
            net.compile()
        self.drops = any(isinstance(module, nn.Dropout) and module.p > 0 for module in self.network.modules())

    @property
    def model(self) -> Denoiser:
        """The model as it stands."""
        return self.average.module if self.average else self.network

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
        losses["loss"].backward()
        self._gather_gradients()
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.clip or math.inf)
        means = reduce(torch.stack([value.detach() for value in losses.values()]), "mean").tolist()
        values = dict(zip(losses, means))
        for name, value in {"loss": values["loss"], "gradient's norm": norm.item()}.items():
            if not math.isfinite(value):
                at = f"{value} at update {self.index + 1}"
                raise FloatingPointError(f"the {name} is {at}; the weights are those before it")
        self.optimizer.step()
        if self.average:
            self.average.update_parameters(self.network)
        self.index += 1
        self.gradient_evaluations += max(1, len(losses) - 1)
        self.seconds += time.perf_counter() - start
        return Step(self.index, values, self.seconds, self.gradient_evaluations)

    def _gather_gradients(self) -> None:
        """Average the gradients of all processes, in one message."""
        if self.processes.num_processes == 1:
            return
        gradients = [p.grad for p in self.network.parameters() if p.grad is not None]
        mean = reduce(torch.cat([gradient.flatten() for gradient in gradients]), "mean")
        for gradient, part in zip(gradients, mean.split([gradient.numel() for gradient in gradients])):
            gradient.copy_(part.view_as(gradient))

    @contextlib.contextmanager
    def _dropout(self):
        """Let dropout, which reads torch's global generator, draw from the run's own."""
        if not self.drops:
            yield
            return
        device = self.generator.device
        seed = int(torch.randint(2**62, (), generator=self.generator, device=device)) + self.processes.process_index
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(seed)
            yield

    def run(self) -> Denoiser:
        """Iterate to the end; the trained model, in evaluation mode."""
        for _ in self:
            pass
        return self.model.eval()

    def state_dict(self) -> dict:
        """A copy of all that is needed to go on to the bit: weights, average, optimiser, generator, update count."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict() if self.average else None,
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "progress": (self.index, self.seconds, self.gradient_evaluations),
        }
        return copy.deepcopy(state)

    def load_state_dict(self, state: dict) -> None:
        """Go on from a :meth:`state_dict`, which stays as it is."""
        state = copy.deepcopy(state)
        self.network.load_state_dict(state["network"])
        if self.average:
            self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        self.index, self.seconds, self.gradient_evaluations = state["progress"]
