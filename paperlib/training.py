"""One training loop, as an iterator.

The caller iterates over it, and so controls logging, evaluation, early stopping and checkpoints::

    training = Training(model, objective, steps=4000, lr=2e-3, generator=generator)
    for step in training:
        print(step.index, step.losses["loss"])
    trained = training.model

An objective maps (model, generator, index of the update from 0) to named scalar losses. ``"loss"`` is minimised; the
others are its terms, or are only reported. Every random number of an update comes from that generator. Unlearning
methods are this loop with another objective (``paperlib.unlearning``).

Some methods do not minimise a single loss: they weight the gradients of their terms depending on those gradients. For
them ``weigh`` maps ({term: its gradient}, {term: its value}) to {term: multiplier}, and the update follows the weighted
sum.

Under ``accelerate launch`` every process samples the whole batch from the same generator, computes its
:func:`~paperlib.losses.share` of the rows, and averages its gradients with the others': the result does not depend on
the number of processes.
"""

import contextlib
import copy
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import torch
from accelerate import PartialState
from accelerate.utils import broadcast, reduce
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from paperlib.denoiser import Denoiser, trainable

__all__ = ["PRECISIONS", "Objective", "Step", "Training", "Weigh"]

PRECISIONS = ("float32", "bf16")

Objective = Callable[[Denoiser, torch.Generator, int], Mapping[str, Tensor]]
Weigh = Callable[[Mapping[str, Tensor], Mapping[str, float]], Mapping[str, float]]


@dataclass(frozen=True)
class Step:
    """The report of one update.

    Args:
        index: number of the update, from 1.
        losses: "loss" and its terms, before the update.
        seconds: training time so far, without the time that cosines take.
        gradient_evaluations: number so far; one is a forward and backward pass of one batch through the network, so an
            update on a retained and a forgotten batch has two. Passes without a gradient, and cosines, are not counted.
        multipliers: weights of the terms' gradients in the update, for methods that recompute them every time.
        cosines: on request, the cosine between each term's gradient and delta, the gradient that is passed to the
            optimiser; 0 where either vanishes. For a term that the method raises it is negative where the method works.
        move_cosines: on request, the same with minus the change of the weights, which the optimiser makes of delta.
    """

    index: int
    losses: dict[str, float]
    seconds: float
    gradient_evaluations: int
    multipliers: dict[str, float] = field(default_factory=dict)
    cosines: dict[str, float] = field(default_factory=dict)
    move_cosines: dict[str, float] = field(default_factory=dict)


def _averaging(decay: float):
    """Return an averaging whose decay grows as (1 + n) / (10 + n) up to ``decay``: the first weights soon drop out."""

    @torch.no_grad()
    def average(averages, currents, n):
        torch._foreach_lerp_(averages, currents, 1 - min(decay, (1 + float(n)) / (10 + float(n))))

    return average


def _flat(tensors: Iterable[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


def _cosine(a: Tensor, b: Tensor) -> float:
    norms = a.norm() * b.norm()
    return (a @ b / norms).item() if norms > 0 else 0.0


class Training:
    """Adam on ``objective``, with warm-up, cosine decay, gradient clipping and an exponential moving average of the
    weights.

    The weights that require a gradient are trained, which in a new model are all. The given model is left untouched;
    ``.model`` is the current trained copy, averaged if ``ema`` is above zero.

    Args:
        model: the model to start from.
        objective: (model, generator, index) -> {"loss": minimised, ...: reported}, scalars.
        steps: number of updates, after which the iterator ends.
        lr: Adam's learning rate after ``warmup`` updates.
        generator: source of all random numbers.
        ema: decay of the moving average, 0 for none.
        clip: largest norm of the gradient, 0 for no clipping.
        warmup: updates in which the learning rate rises linearly.
        decay: let the learning rate fall to zero along half a cosine.
        precision: arithmetic of the network, "float32" or "bf16" (autocast); weights, losses and everything around the
            network stay float32. bf16 is faster on a GPU and slower on most CPUs.
        compiled: let torch compile the network, which takes a minute and is then faster on a GPU.
        weigh: computes multipliers of the terms from their gradients, flat vectors; the objective then needs no "loss",
            which is reported as the weighted sum of the terms.
        cosines: report the cosines of every update with the gradients of its terms; the run stays the same to the bit.
        max_seconds: a time limit beside ``steps``: no update starts once this much training time is spent, not counting
            the caller's time and that of cosines. For one process only; omit it in runs that must be reproducible.

    Raises:
        ValueError: for settings out of range.
        FloatingPointError: while iterating, if the loss or the gradient's norm is not finite; the weights are then
            those before that update.
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
        weigh: Weigh | None = None,
        cosines: bool = False,
        max_seconds: float | None = None,
    ):
        amounts = {"steps": steps, "lr": lr, "clip": clip, "warmup": warmup, "max_seconds": max_seconds or 0}
        for name, value in amounts.items():
            if not 0 <= value < math.inf:
                raise ValueError(f"{name}={value} is {'negative' if value < 0 else 'not finite'}")
        if not 0 <= ema < 1:
            raise ValueError(f"ema={ema} is not in [0, 1)")
        if precision not in PRECISIONS:
            raise ValueError(f"precision={precision!r} is not one of {', '.join(PRECISIONS)}")
        self.objective, self.steps, self.lr, self.generator = objective, steps, lr, generator
        self.clip, self.warmup, self.decay, self.weigh, self.cosines = clip, warmup, decay, weigh, cosines
        self.index, self.seconds, self.gradient_evaluations = 0, 0.0, 0
        self.device = next(model.parameters()).device  # stay where the model is
        self.processes, self.max_seconds = PartialState(cpu=self.device.type == "cpu"), max_seconds
        if max_seconds is not None and self.processes.num_processes > 1:
            raise ValueError(f"max_seconds={max_seconds}: several processes would not stop at the same update")
        self.network = copy.deepcopy(model)
        for value in self.network.state_dict().values():
            broadcast(value)  # every process starts from the first one's weights
        self.average = AveragedModel(self.network, multi_avg_fn=_averaging(ema)) if ema else None
        self.optimizer = torch.optim.Adam(trainable(self.network), lr=lr, fused=True)
        net = getattr(self.network, "net", self.network)
        if precision == "bf16":
            net.forward = torch.autocast(self.device.type, torch.bfloat16)(net.forward)
        if compiled:
            net.compile()
        self.drops = any(isinstance(module, nn.Dropout) and module.p > 0 for module in self.network.modules())

    @property
    def model(self) -> Denoiser:
        """The current model, averaged if ``ema`` is above zero."""
        return self.average.module if self.average else self.network

    def rate(self, index: int) -> float:
        """Return Adam's learning rate at update ``index``, from 0."""
        rise = min(1.0, (index + 1) / self.warmup) if self.warmup else 1.0
        fall = 0.5 * (1 + math.cos(math.pi * index / self.steps)) if self.decay else 1.0
        return self.lr * rise * fall

    def __iter__(self) -> Iterator[Step]:
        while self.index < self.steps and (self.max_seconds is None or self.seconds < self.max_seconds):
            yield self._update()

    def _update(self) -> Step:
        start = time.perf_counter()
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(self.index)
        with self._dropout(), self._counting():
            losses = dict(self.objective(self.network, self.generator, self.index))
        self.optimizer.zero_grad()
        means = reduce(torch.stack([value.detach() for value in losses.values()]), "mean").tolist()
        values, multipliers, gradients = dict(zip(losses, means)), {}, {}
        if self.weigh or self.cosines:
            begin = time.perf_counter()
            terms = {name: value for name, value in losses.items() if name != "loss" and value.requires_grad}
            gradients = {name: self.gradient(term) for name, term in terms.items()}
            start += 0 if self.weigh else time.perf_counter() - begin
        if self.weigh:
            multipliers = dict(self.weigh(gradients, values))
            values = {"loss": sum(by * values[name] for name, by in multipliers.items())} | values
            self.follow(sum(by * gradients[name] for name, by in multipliers.items()))
        else:
            losses["loss"].backward()
            if self.processes.num_processes > 1:
                self.follow(reduce(self._followed(), "mean"))
        norm = nn.utils.clip_grad_norm_(trainable(self.network), self.clip or math.inf)
        for name, value in {"loss": values["loss"], "gradient's norm": norm.item()}.items():
            if not math.isfinite(value):
                at = f"{value} at update {self.index + 1}"
                raise FloatingPointError(f"the {name} is {at}; the weights are those before it")
        before = _flat(trainable(self.network)) if self.cosines else None
        self.optimizer.step()
        if self.average:
            self.average.update_parameters(self.network)
        self.index += 1
        self.seconds += time.perf_counter() - start
        step = Step(self.index, values, self.seconds, self.gradient_evaluations, multipliers)
        if not self.cosines:
            return step
        moved = before - _flat(trainable(self.network))
        delta, moves = ({name: _cosine(g, to) for name, g in gradients.items()} for to in (self._followed(), moved))
        return replace(step, cosines=delta, move_cosines=moves)

    def gradient(self, loss: Tensor) -> Tensor:
        """Return the gradient of ``loss`` with respect to all trained weights, averaged over all processes, as one
        vector; the graph is kept."""
        weights = trainable(self.network)
        return reduce(_flat(torch.autograd.grad(loss, weights, retain_graph=True, materialize_grads=True)), "mean")

    def follow(self, vector: Tensor) -> None:
        """Set the gradient that the optimiser sees to ``vector``, which has the form that :meth:`gradient` returns."""
        weights = trainable(self.network)
        for p, part in zip(weights, vector.split([p.numel() for p in weights])):
            p.grad = torch.empty_like(p).copy_(part.view(p.shape))  # in the weights' own memory format

    def _followed(self) -> Tensor:
        return _flat(torch.zeros_like(p) if p.grad is None else p.grad for p in trainable(self.network))

    @contextlib.contextmanager
    def _counting(self):
        """Count the network's forward passes that record a graph."""

        def passed(module, arguments, output):
            self.gradient_evaluations += torch.is_grad_enabled()

        hook = self.network.register_forward_hook(passed)
        try:
            yield
        finally:
            hook.remove()

    @contextlib.contextmanager
    def _dropout(self):
        """Let dropout, which uses torch's global generator, depend on the run's own generator."""
        if not self.drops:
            yield
            return
        device = self.generator.device
        seed = int(torch.randint(2**62, (), generator=self.generator, device=device)) + self.processes.process_index
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(seed)
            yield

    def run(self) -> Denoiser:
        """Iterate to the end and return the trained model in evaluation mode."""
        for _ in self:
            pass
        return self.model.eval()

    def state_dict(self) -> dict:
        """Return a copy of all that a bit-exact continuation needs: weights, average, optimiser, generator, counts."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict() if self.average else None,
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "progress": (self.index, self.seconds, self.gradient_evaluations),
        }
        return copy.deepcopy(state)

    def start_from(self, weights: dict[str, Tensor], index: int) -> None:
        """Continue from the ``weights`` of update ``index`` alone, if the run's own state is lost. The optimiser and
        the average start afresh, so the run differs from an uninterrupted one."""
        self.network.load_state_dict(weights)
        if self.average:
            self.average.module.load_state_dict(weights)
        self.index = index

    def load_state_dict(self, state: dict) -> None:
        """Resume from a :meth:`state_dict`, which is not modified."""
        state = copy.deepcopy(state)
        self.network.load_state_dict(state["network"])
        if self.average:
            self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        self.index, self.seconds, self.gradient_evaluations = state["progress"]
