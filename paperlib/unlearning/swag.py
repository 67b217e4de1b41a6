"""SWAG: a Gaussian over a network's weights, with the correlations that the snapshots of a training run show.

Maddox, Izmailov, Garipov, Vetrov and Wilson (2019), "A Simple Baseline for Bayesian Uncertainty in Deep Learning",
Sec. 3.3: with the mean mu* and the variances s_i^2 of all snapshots, and the last K of them minus the mean as the
columns of D [P, K],

    theta ~ N(mu*, Sigma),    Sigma = diag(s^2) / 2 + D D^T / (2 (K - 1))

VDU's posterior (:mod:`paperlib.unlearning.posterior`) is diag(s^2) alone, which is also SWAG-Diagonal: K = 0 here. Both
parts estimate the variances, so half of each is their average. If all snapshots are columns, D D^T / (K - 1) is their
sample covariance, so every weight keeps its variance s_i^2, and only the correlations are new.

SWAG's columns are deviations from the running mean, as its weights are not kept; here they are from the final one.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor, nn

from paperlib.unlearning.posterior import Posterior, posterior

__all__ = ["LowRank", "swag"]


@dataclass(frozen=True)
class LowRank(Posterior):
    """A Gaussian over a network's weights, N(mean, diag(variance) + U U^T). No P x P matrix is ever made: memory is K
    networks, and a stability term takes two passes over them.

    Args:
        variance: the diagonal part by parameter name; from :func:`swag`, half of each weight's variance.
        columns: U by parameter name, [K, ...] with the parameter's shape; empty for K = 0.

    Raises:
        ValueError: if the columns differ from the mean in name or shape.
    """

    columns: Mapping[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.columns:
            return
        for name in self.columns.keys() | self.mean.keys():
            there, here = ([tuple(of[name].shape)] if name in of else None for of in (self.columns, self.mean))
            if not there or not here or there[0] != (self.rank, *here[0]):
                found = "missing" if not there else f"{there[0]}, for a weight of {here and here[0]}"
                raise ValueError(f"columns of {name}: {found}; every weight needs {self.rank} of its shape")

    @property
    def rank(self) -> int:
        """K, the number of columns."""
        return len(next(iter(self.columns.values()), ()))

    def like(self, model: nn.Module) -> "LowRank":
        """Return the posterior on the model's device and in its precision.

        Raises:
            ValueError: if its weights differ from the model's in name or shape.
        """
        weights, found = dict(model.named_parameters()), super().like(model)
        return replace(found, columns={name: column.to(weights[name]) for name, column in self.columns.items()})

    def stability(self, model: nn.Module) -> Tensor:
        """Return d^T (diag(variance) + U U^T)^-1 d / 2 with d = theta - mean, a scalar: the second term of VDU's loss.

        By Woodbury's identity, with a = variance::

            z = (I + U^T a^-1 U)^-1 U^T a^-1 d,    B = sum_i (d - U z)_i^2 / (2 a_i) + |z|^2 / 2

        z are the coordinates along the columns, where moving is cheap, and the weights pay for the rest. This sum of
        squares is the minimum over z; Woodbury's difference would lose its digits where the columns explain most of d.
        """
        if not self.rank:
            return super().stability(model)
        off = {name: p - self.mean[name] for name, p in model.named_parameters()}
        along = sum(self.columns[name].flatten(1) @ (d / self.variance[name]).flatten() for name, d in off.items())
        z = torch.cholesky_solve(along.double()[:, None], self._cholesky)[:, 0].to(along)
        left = {name: d - torch.tensordot(z, self.columns[name], 1) for name, d in off.items()}
        terms = [(x.square() / (2 * self.variance[name])).sum() for name, x in left.items()]
        return torch.stack(terms).sum() + z.square().sum() / 2

    @cached_property
    def _cholesky(self) -> Tensor:
        """The Cholesky factor of I + U^T a^-1 U, float64 [K, K], which does not depend on theta."""
        scaled = ((u / self.variance[name].sqrt()).flatten(1) for name, u in self.columns.items())
        gram = sum((u @ u.T).double() for u in scaled)
        return torch.linalg.cholesky(gram + torch.eye(self.rank).to(gram))


def swag(models: Iterable[nn.Module], *, rank: int, floor: float = 1e-8) -> LowRank:
    """Estimate SWAG's Gaussian from the snapshots of a run (:func:`paperlib.unlearning.posterior.snapshots`).

    ``rank`` copies of the network are kept, in its own precision; everything else is as in
    :func:`paperlib.unlearning.posterior.posterior`.

    Args:
        models: read one after the other; each may be modified once the next is requested.
        rank: K, the number of last snapshots that become columns (SWAG: 20). 0 is the diagonal Gaussian with the whole
            variance, without SWAG's 1/2.
        floor: smallest s_i^2, before it is halved.

    Raises:
        ValueError: for a rank of 1 or below 0, fewer models than the rank, or what ``posterior`` refuses.
    """
    if isinstance(rank, bool) or not isinstance(rank, int) or rank < 0 or rank == 1:
        raise ValueError(f"rank={rank!r} is neither 0 nor a whole number of at least 2: the columns are over K - 1")
    last: deque[dict[str, Tensor]] = deque(maxlen=rank)

    def kept() -> Iterator[nn.Module]:
        for model in models:
            if rank:
                last.append({name: p.detach().clone() for name, p in model.named_parameters()})
            yield model

    found = posterior(kept(), floor=floor)
    if found.models < rank:
        raise ValueError(f"rank={rank} needs as many models, got {found.models}")
    parts = {"mean": found.mean, "models": found.models, "floored": found.floored}
    if not rank:
        return LowRank(**parts, variance=found.variance)
    columns = {}
    for name, mean in found.mean.items():
        weights = [one.pop(name) for one in last]
        columns[name] = torch.stack([((w - mean) / (2 * (rank - 1)) ** 0.5).to(w) for w in weights])
    return LowRank(**parts, variance={name: s / 2 for name, s in found.variance.items()}, columns=columns)
