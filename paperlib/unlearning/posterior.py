"""The Gaussian posterior of a network's weights in VDU, N(mu_i*, sigma_i*^2) independently for each weight.

The paper estimates it from 4 or 5 trained models. Two ways to obtain such models lead to different Gaussians:

- Independently seeded runs, ``posterior(load(seed) for seed in ...)``. Their weights share no basin: a network computes
  the same function when its hidden units are permuted, so the mean of the weights is not a working model, and the
  variance measures those symmetries and not what the data leave open.
- :func:`snapshots` of one run, as in SWAG (Maddox et al., 2019). Their mean is a model, mostly a good one, and the
  variance is that of the last part of the run: small, and larger for a higher learning rate.

:func:`paperlib.unlearning.swag.swag` adds the snapshots' correlations to the second.

With n models, 1 / sigma*^2 comes out (n - 1) / (n - 3) times too large on average: 2 times for 5, 3 times for 4.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from paperlib.training import Training

__all__ = ["Posterior", "posterior", "snapshots"]


@dataclass(frozen=True)
class Posterior:
    """A Gaussian over a network's weights, N(mean, variance) independently for each weight.

    Args:
        mean: mu* by parameter name.
        variance: sigma*^2 by parameter name, never below the floor.
        models: the number of models it was estimated from; 0 for none.
        floored: share of the weights whose variance was raised to the floor.
    """

    mean: Mapping[str, Tensor]
    variance: Mapping[str, Tensor]
    models: int
    floored: float

    def like(self, model: nn.Module) -> "Posterior":
        """Return the posterior on the model's device and in its precision.

        Raises:
            ValueError: if its weights differ from the model's in name or shape.
        """
        weights = dict(model.named_parameters())
        for name in weights.keys() | self.mean.keys():
            here, there = (tuple(of[name].shape) if name in of else None for of in (weights, self.mean))
            if here != there:
                raise ValueError(
                    f"this posterior is of another network: {name} is {there}, the model's {here}; "
                    "paperlib.unlearning.posterior.posterior makes one from models of the same shape"
                )
        mean, variance = ({name: of[name].to(p) for name, p in weights.items()} for of in (self.mean, self.variance))
        return replace(self, mean=mean, variance=variance)

    @classmethod
    def isotropic(cls, model: nn.Module, sigma: float) -> "Posterior":
        """Return a Gaussian around the model's own weights with one standard deviation for all, for use without other
        models: :meth:`stability` is then proportional to the squared distance from the start, as in L2-SP (Li et al.,
        2018)."""
        if not sigma > 0:
            raise ValueError(f"sigma={sigma} is not positive")
        mean = {name: p.detach().clone() for name, p in model.named_parameters()}
        return cls(mean, {name: torch.full_like(p, sigma**2) for name, p in mean.items()}, models=0, floored=0.0)

    def around(self, model: nn.Module) -> "Posterior":
        """Return the posterior with the same variance, centred on the model's own weights. The mean of several models
        would pull the model away from its weights from the first update on."""
        mean = {name: p.detach().clone() for name, p in model.named_parameters()}
        return replace(self.like(model), mean=mean)

    def stability(self, model: nn.Module) -> Tensor:
        """Return sum_i (theta_i - mu_i*)^2 / (2 sigma_i*^2), a scalar: the second term of VDU's loss.

        It equals KL(N(theta, sigma*^2) || N(mu*, sigma*^2)) (VDU, Theorem 1, II, with sigma = sigma*).
        """
        terms = [
            ((p - self.mean[name]).square() / (2 * self.variance[name])).sum() for name, p in model.named_parameters()
        ]
        return torch.stack(terms).sum()


def posterior(models: Iterable[nn.Module], *, floor: float = 1e-8, precise: bool = False) -> Posterior:
    """Estimate the mean and variance of the weights of two or more models, by Welford's update.

    Only one model needs to be in memory at a time.

    Args:
        models: read one after the other; each may be modified once the next is requested.
        floor: smallest variance. Without it a weight that never moved could never move again; 1e-8 is a standard
            deviation of 1e-4, about as far as Adam moves a weight in one update with learning rate 1e-4.
        precise: scale the variance by (n - 1) / (n - 3), so that 1 / sigma*^2 is right on average; needs 4 models.

    Raises:
        ValueError: if there are too few models or their weights differ in name or shape.
    """
    if not floor > 0:
        raise ValueError(f"floor={floor} is not positive")
    n, mean, squares = 0, {}, {}
    for model in models:
        n += 1
        weights = {name: p.detach().double() for name, p in model.named_parameters()}
        if n == 1:
            mean, squares = ({name: torch.zeros_like(x) for name, x in weights.items()} for _ in range(2))
        if {name: x.shape for name, x in weights.items()} != {name: x.shape for name, x in mean.items()}:
            raise ValueError(f"model {n} has other weights than the first: a posterior is of one network")
        for name, x in weights.items():
            delta = x - mean[name]
            mean[name] += delta / n
            squares[name] += delta * (x - mean[name])
    least = 4 if precise else 2
    if n < least:
        raise ValueError(f"a posterior{' with precise=True' if precise else ''} needs {least} models or more, got {n}")
    variance = {name: x / (n - 3 if precise else n - 1) for name, x in squares.items()}
    below = sum(int((x < floor).sum()) for x in variance.values())
    floored = below / sum(x.numel() for x in variance.values())
    return Posterior(mean, {name: x.clamp(min=floor) for name, x in variance.items()}, n, floored)


def snapshots(run: Training, *, every: int, skip: int = 0) -> Iterator[nn.Module]:
    """Yield a run's network after every ``every``-th update that follows the first ``skip``.

    The weights are the optimiser's, not their moving average, whose spread differs. Each item is the same network,
    which keeps changing as the run continues: :func:`posterior` allows for that.
    """
    if every < 1 or skip < 0:
        raise ValueError(f"snapshots need every >= 1 and skip >= 0, got every={every} and skip={skip}")
    return (run.network for step in run if step.index > skip and (step.index - skip) % every == 0)
