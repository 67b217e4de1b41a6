"""The direction of an update relative to both gradients: EraseDiff's Figure 2, for any method.

EraseDiff's figure shows the cosines of the update with the gradients of the method's own two terms, which differ
between methods. The measure here is the same for all: the gradients of the denoising losses L_g of retained and L_f of
forgotten data, on batches that the run does not see. An update that works lowers the first and raises the second.
"""

import contextlib

import torch
from torch import Tensor, nn

from paperlib.denoiser import Denoiser
from paperlib.losses import Data, batch_loss
from paperlib.training import Training

__all__ = ["Probe", "conflict"]


class Probe:
    """A context manager around one update of ``run``: compares it with both gradients at the weights before it.

    ``found`` has, for each probed update: ``update``; ``evaluations`` so far; ``keeps``, the cosine of the weights'
    change with -grad L_g; ``erases``, with +grad L_f; and ``agree``, that of -grad L_g with +grad L_f. Cosines are 0 if
    the weights did not change. The probes' own evaluations do not count in the run.

    Args:
        run: the run whose updates are probed.
        retain, forget: D_g and D_f.
        rows: rows of each side per gradient.
        draws: random numbers for the probes alone.
        spent: earlier evaluations to add to those of the run.
    """

    def __init__(self, run: Training, retain: Data, forget: Data, rows: int, draws: torch.Generator, *, spent: int = 0):
        self.run, self.retain, self.forget, self.rows, self.draws = run, retain, forget, rows, draws
        self.spent = spent
        self.found: list[dict[str, float]] = []
        self.idle = contextlib.nullcontext()

    def __enter__(self) -> "Probe":
        network = self.run.network
        self.before = _weights(network)
        self.keep, self.erase = -self._gradient(network, self.retain), self._gradient(network, self.forget)
        return self

    def __exit__(self, kind: type | None, *_) -> None:
        if kind is not None:
            return
        move = _weights(self.run.network) - self.before
        found = {"keeps": (move, self.keep), "erases": (move, self.erase), "agree": (self.keep, self.erase)}
        cosines = {name: _cosine(*pair) for name, pair in found.items()}
        evaluations = self.spent + self.run.gradient_evaluations
        self.found.append({"update": self.run.index, "evaluations": evaluations, **cosines})

    def _gradient(self, network: Denoiser, data: Data) -> Tensor:
        with torch.enable_grad():
            return self.run.gradient(batch_loss(network, data, self.rows, self.draws).mean())


def _weights(network: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def _cosine(a: Tensor, b: Tensor) -> float:
    norms = a.double().norm() * b.double().norm()
    return (a.double() @ b.double() / norms).item() if 0 < norms < torch.inf else 0.0


def conflict(found: list[dict[str, float]]) -> dict[str, float]:
    """Return shares of the probed updates in percent: ``gradients``, both gradients disagree; ``harms``, the update
    harms what is to be kept; ``restores``, it restores what is to be forgotten."""
    if not found:
        raise ValueError("no update was probed")
    signs = {"gradients": "agree", "harms": "keeps", "restores": "erases"}
    return {share: 100 * sum(one[name] < 0 for one in found) / len(found) for share, name in signs.items()}
