"""The Frechet distance between two sets of images, in a network's features.

Each set is summarised by the mean m and covariance C of its features; the distance is the squared 2-Wasserstein
distance of the two Gaussians (Dowson and Landau, 1982; Heusel et al., 2017, Eq. 6)::

    d^2 = |m_1 - m_2|^2 + tr C_1 + tr C_2 - 2 tr (C_1 C_2)^(1/2)

It is called FID only with pytorch-fid's Inception network. Estimated from n samples it is biased upwards: even a
perfect model does not get 0, and the bias falls roughly as 1 / n (Chong and Forsyth, 2020). So compare distances only
at equal n, report them with the value of a perfect model at that n (:func:`perfect_model`), or extrapolate to infinite
n (:func:`extrapolated`).

VDU's u-FID (Section 4.3) is the same distance between all samples of an unlearned model and the real images without the
unlearned ones, which a pre-trained classifier identifies: its reference is ``statistics(real[~shown], network)``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from paperlib.checks import need_finite, need_positive
from paperlib.metrics.features import INCEPTION, Network, features

__all__ = [
    "Frechet",
    "Statistics",
    "extrapolated",
    "features",
    "frechet",
    "frechet_distance",
    "perfect_model",
    "statistics",
]

CHUNK = 4096  # rows converted to float64 at a time


@dataclass(frozen=True, eq=False)
class Statistics:
    """The mean and covariance of n feature vectors, in float64. ``a + b`` gives those of both sets together.

    Args:
        network: the feature network's name.
        n: number of vectors.
        mean: their mean, [D].
        scatter: sum of (x - mean)(x - mean)', [D, D]: the covariance times n - 1.
    """

    network: str
    n: int
    mean: Tensor
    scatter: Tensor

    @classmethod
    def of(cls, values: Tensor, network: str) -> "Statistics":
        """Compute the statistics of features [n, D]."""
        if values.ndim != 2 or not len(values):
            raise ValueError(f"features must be [n, D] with n >= 1, not {list(values.shape)}")
        need_finite(features=values)
        return reduce(add, (cls._of(part.double().cpu(), network) for part in values.split(CHUNK)))

    @classmethod
    def _of(cls, x: Tensor, network: str) -> "Statistics":
        centred = x - x.mean(0)
        return cls(network, len(x), x.mean(0), centred.T @ centred)

    def __add__(self, other: "Statistics") -> "Statistics":
        """Merge two sets (Chan, Golub and LeVeque, 1983): exact up to rounding, in any order."""
        self._must_match(other)
        n, apart = self.n + other.n, other.mean - self.mean
        scatter = self.scatter + other.scatter + self.n * other.n / n * torch.outer(apart, apart)
        return Statistics(self.network, n, self.mean + other.n / n * apart, scatter)

    @property
    def covariance(self) -> Tensor:
        """The unbiased estimate of the covariance, [D, D]."""
        if self.n < 2:
            raise ValueError(f"a covariance needs at least 2 vectors, not {self.n}")
        return self.scatter / (self.n - 1)

    def save(self, file: Path | str) -> None:
        """Write a .npz file with pytorch-fid's names ``mu`` and ``sigma``, which its command can read too."""
        np.savez(file, mu=self.mean.numpy(), sigma=self.covariance.numpy(), n=self.n, network=self.network)

    @classmethod
    def load(cls, file: Path | str, *, n: int | None = None, network: str | None = None) -> "Statistics":
        """Read a .npz file. For one written by pytorch-fid, give ``n`` and ``network``, which it does not contain."""
        with np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        n = int(arrays["n"]) if "n" in arrays else n
        network = str(arrays["network"]) if "network" in arrays else network
        if n is None or network is None:
            raise ValueError(f"{file} does not say how many images of which network it holds: give n= and network=")
        mean, covariance = (torch.from_numpy(arrays[name]).double() for name in ("mu", "sigma"))
        return cls(network, n, mean, covariance * (n - 1))

    def _must_match(self, other: "Statistics") -> None:
        if (self.network, self.mean.shape) != (other.network, other.mean.shape):
            raise ValueError(
                f"features of {self.network!r} ({len(self.mean)}) and of {other.network!r} ({len(other.mean)}) "
                "cannot be compared"
            )


def statistics(images: Tensor | Iterable[Tensor], network: Network, batch_size: int = 50) -> Statistics:
    """Compute the statistics of uint8 images [N, C, H, W], or of an iterable of such batches, in bounded memory."""
    batches = images.split(CHUNK) if isinstance(images, Tensor) else images
    parts = (Statistics.of(features(part, network, batch_size), network.name) for part in batches)
    return reduce(add, parts)


def frechet_distance(a: Statistics, b: Statistics) -> float:
    """Return d^2 between two sets.

    With C = F F', the trace of (C_1 C_2)^(1/2) is the sum of the singular values of F_1' F_2. Unlike a matrix square
    root of the product, this stays accurate for singular covariances (fewer images than features), where the square
    root is not differentiable and amplifies the product's rounding errors.
    """
    a._must_match(b)
    cross = torch.linalg.svdvals(_factor(a.covariance).T @ _factor(b.covariance)).sum()
    return _total(a.mean - b.mean, a.covariance.trace() + b.covariance.trace(), cross)


def _factor(covariance: Tensor) -> Tensor:
    """Return F [D, rank] with F F' = C; eigenvalues below rounding are dropped."""
    eigenvalues, vectors = torch.linalg.eigh(covariance)
    kept = eigenvalues > torch.finfo(covariance.dtype).eps * eigenvalues[-1]
    return vectors[:, kept] * eigenvalues[kept].sqrt()


def _total(apart: Tensor, traces: Tensor, cross: Tensor) -> float:
    return max((apart.square().sum() + traces - 2 * cross).item(), 0.0)  # below 0 only by rounding


@dataclass(frozen=True)
class Frechet:
    """A Frechet distance with what it depends on.

    Args:
        value: d^2, from ``n`` images against a reference of ``reference_n``.
        interval: 95 %, for the sampling of the n images alone: the reference is held fixed, and the bias at this n
            remains. It is the value +- 1.96 standard deviations over bootstrap resamples; their percentiles would miss
            the value, since a resample has only some 63 % of the images and so a larger distance.
        n: number of images.
        reference_n: number of images behind the reference.
        network: the feature network's name.
        unlearned: whether the reference excludes what was unlearned.
    """

    value: float
    interval: tuple[float, float] | None
    n: int
    reference_n: int
    network: str
    unlearned: bool = False

    @property
    def name(self) -> str:
        """The name of the measure, FID or u-FID only with pytorch-fid's network."""
        prefix = "u-" if self.unlearned else ""
        return f"{prefix}FID" if self.network == INCEPTION else f"{prefix}Frechet distance in {self.network}'s features"

    @property
    def protocol(self) -> dict[str, str | int]:
        """What a record of the value states."""
        return {"feature_network": self.network, "n": self.n, "reference_n": self.reference_n}


def frechet(
    values: Tensor,
    reference: Statistics,
    *,
    network: str,
    generator: torch.Generator | None = None,
    resamples: int = 100,
    unlearned: bool = False,
) -> Frechet:
    """Return the distance of features [n, D] from a reference, with its interval if a generator is given.

    Args:
        network: the name of the network that computed the features; the reference must be of the same network.
        resamples: bootstrap resamples: 100 determine the interval's half-width to 7 %. In 2048 dimensions each takes
            seconds.
        unlearned: the reference excludes what was unlearned, and the distance is u-FID (VDU, Section 4.3).
    """
    own = Statistics.of(values, network)
    value, n, interval = frechet_distance(own, reference), len(values), None
    if generator is not None:
        need_positive(resamples=resamples)
        if resamples < 2:
            raise ValueError(f"resamples={resamples} is below 2")
        against = _Against(reference, values)
        draws = [
            against.distance(torch.randint(n, (n,), generator=generator, device=generator.device).cpu())
            for _ in range(resamples)
        ]
        half = 1.96 * float(np.std(draws, ddof=1))
        interval = max(value - half, 0.0), value + half
    return Frechet(value, interval, n, reference.n, network, unlearned)


class _Against:
    """Distances of many subsets of the same features from one reference; shared terms are computed once."""

    def __init__(self, reference: Statistics, values: Tensor):
        need_finite(values=values)
        self.x = values.double().cpu() - reference.mean
        self.y = self.x @ _factor(
            reference.covariance
        )  # the singular values of F_1' F_2 are those of its rows, centred
        self.trace = reference.covariance.trace()

    def distance(self, rows: Tensor) -> float:
        """Return d^2 of some rows, with or without repetitions."""
        x, y = self.x[rows], self.y[rows]
        y = (y - y.mean(0)) / (len(rows) - 1) ** 0.5
        product = y.T @ y if y.shape[1] <= len(y) else y @ y.T  # eigenvalues: the singular values, squared
        cross = torch.linalg.eigvalsh(product).clamp(min=0).sqrt().sum()
        return _total(x.mean(0), x.var(0).sum() + self.trace, cross)


def perfect_model(reference: Statistics, n: int, generator: torch.Generator) -> float:
    """Return the distance of a perfect model at n: that of n samples from the reference, if its features were Gaussian.

    A single set of n samples shows the size of this bias: it is a sum over the D dimensions and hardly varies.
    """
    if n < 2:
        raise ValueError(f"n={n} is below 2")
    scale = (
        torch.linalg.eigvalsh(reference.covariance).clamp(min=0).sqrt()
    )  # in its own axes: a rotation changes nothing
    x = torch.randn(n, len(scale), generator=generator, dtype=torch.float64, device=generator.device).cpu() * scale
    own = Statistics.of(x, reference.network)
    return frechet_distance(own, Statistics(reference.network, 2, torch.zeros_like(scale), torch.diag(scale.square())))


def extrapolated(values: Tensor, reference: Statistics, generator: torch.Generator, parts: int = 2) -> float:
    """Extrapolate the distance to infinite n (Chong and Forsyth, 2020): a line fitted to distances against 1 / n, at 0.

    They use one random subset at each of 15 sizes. Here the images are divided into 1, 2, ... ``parts`` disjoint parts,
    and the distances of the parts are averaged: every point of the line uses every image once, so to first order all
    points share one sampling error and the line's slope has none. The bias of the reference, which is finite too,
    remains.

    Raises:
        ValueError: for parts of fewer than twice as many images as features, where the bias departs from the line.
    """
    need_positive(parts=parts)
    (n, D), count = values.shape, range(1, parts + 1)
    if parts < 2 or n // parts < 2 * D:
        raise ValueError(f"parts={parts} of {n} images: at least 2 parts, of at least {2 * D} images for {D} features")
    against, rows = _Against(reference, values), torch.randperm(n, generator=generator, device=generator.device).cpu()
    heights = [np.mean([against.distance(rows[k::m]) for k in range(m)]) for m in count]
    return float(np.polyfit([m / n for m in count], heights, 1)[1])
