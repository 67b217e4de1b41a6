"""Precision and recall of a set of samples, by k nearest neighbours (Kynkaanniemi et al., 2019).

The manifold of a set of features is estimated as a union of balls, one about each vector, with the distance to that
vector's k-th nearest other one as radius (their Eq. 1). Then (Eq. 2)::

    precision = share of the generated vectors within the manifold of the real ones
    recall    = share of the real vectors within the manifold of the generated ones

A model that collapsed onto a few good images has high precision and low recall; one that adds noise, the opposite. (The
names are easily swapped, as in torch-fidelity before 0.4.0.) EraseDiff's Table 1 cites this metric; the public
evaluation code that it builds on (Selective Amnesia's, after guided-diffusion's) has k = 3 and closed balls.

Both grow with k and fall with the number of samples, so compare them at equal k and n, in the same network's features.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from paperlib.checks import need_finite, need_positive
from paperlib.metrics.intervals import Measured, share

__all__ = ["PrecisionRecall", "precision_recall", "radii", "within"]


@dataclass(frozen=True)
class PrecisionRecall:
    """Precision and recall, with Wilson's intervals for fixed manifolds.

    The intervals ignore that the manifolds too are estimated from samples: with new samples of both sets, on Gaussians,
    the spread is 1.1 to 1.4 times as large. (A bootstrap does not work: resampling with repetitions shrinks the balls
    about repeated images.)
    """

    precision: Measured
    recall: Measured
    network: str
    k: int

    @property
    def protocol(self) -> dict[str, str | int]:
        """What a record of the values states."""
        found = {"feature_network": self.network, "k": self.k}
        return found | {"n": self.precision.n, "reference_n": self.recall.n}


def precision_recall(
    generated: Tensor, real: Tensor, *, network: str, k: int = 3, chunk: int = 1024
) -> PrecisionRecall:
    """Compute precision and recall from features [N, D] of generated and [M, D] of real images.

    Args:
        network: the name of the network that computed the features.
        k: number of neighbours.
        chunk: rows whose distances are in memory at a time: memory grows as chunk (N + M), not as N M.
    """
    if generated.ndim != 2 or real.ndim != 2 or generated.shape[1] != real.shape[1]:
        raise ValueError(f"features must be [N, D] and [M, D], not {list(generated.shape)} and {list(real.shape)}")
    need_finite(generated=generated, real=real)
    need_positive(k=k, chunk=chunk)
    if not k < min(len(generated), len(real)):
        raise ValueError(
            f"k={k} neighbours of {len(generated)} generated and {len(real)} real images: needs 1 <= k < N, M"
        )
    generated, real = generated.double(), real.to(generated.device).double()
    centre = real.mean(0)  # distances between large vectors lose digits
    generated, real = generated - centre, real - centre
    precision = within(generated, real, radii(real, k, chunk), chunk)
    recall = within(real, generated, radii(generated, k, chunk), chunk)
    return PrecisionRecall(share(precision), share(recall), network, k)


def radii(x: Tensor, k: int, chunk: int = 1024) -> Tensor:
    """Return the squared distance of every row of x [N, D] to its k-th nearest other row, [N]."""
    found = []
    for rows in torch.arange(len(x), device=x.device).split(chunk):
        squared = squared_distances(x[rows], x)
        squared[torch.arange(len(rows), device=x.device), rows] = torch.inf  # not itself; duplicates do count
        found.append(squared.kthvalue(k, dim=1).values)
    return torch.cat(found)


def within(x: Tensor, centres: Tensor, squared_radii: Tensor, chunk: int = 1024) -> Tensor:
    """Return whether each row of x [N, D] lies in any of the balls about ``centres`` [M, D], border included, [N]."""
    return torch.cat([(squared_distances(part, centres) <= squared_radii).any(1) for part in x.split(chunk)])


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """Return the squared distances [N, M] between rows of x [N, D] and y [M, D], by one matrix product; 0 where rows
    are equal up to float64's rounding."""
    norms = x.square().sum(1)[:, None] + y.square().sum(1)
    squared = norms - 2 * x @ y.T
    return torch.where(squared > 1e-13 * norms, squared, 0.0)
