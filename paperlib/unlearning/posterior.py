"""The Gaussian that VDU takes for the posterior of a network's weights: N(mu_i*, sigma_i*^2), each on its own.

The paper estimates it from 4 or 5 trained models. Two ways to such models lead to different Gaussians:

- Independently seeded runs, ``posterior(load(seed) for seed in ...)``. Their weights share no basin: a network does
  the same when its hidden units change places, so that the mean of the weights is not a model, and the variance
  measures those symmetries and not what the data leave open.
- :func:`snapshots` of one run, as SWAG takes them (Maddox et al., 2019). Their mean is a model, mostly a good one, and
  the variance that of the run's last stretch: small, and the larger the higher the rate.

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
    """N(mean, variance), weight by weight.

    Args:
        mean: mu* by the parameter's name.
        variance: sigma*^2, never below the floor.
        models: how many models it was estimated from; 0 for none.
        floored: share of the weights whose variance was raised to the floor.
    """

    mean: Mapping[str, Tensor]
    variance: Mapping[str, Tensor]
    models: int
    floored: float

    def like(self, model: nn.Module) -> "Posterior":
        """The same on the model's device and in its precision; refused where the weights are not the model's."""
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
        """One standard deviation for all weights, around the model's own, for want of other models: stability is then
        the squared distance from the start, as in L2-SP (Li et al., 2018)."""
        if not sigma > 0:
            raise ValueError(f"sigma={sigma} is not positive")
        mean = {name: p.detach().clone() for name, p in model.named_parameters()}
        return cls(mean, {name: torch.full_like(p, sigma**2) for name, p in mean.items()}, models=0, floored=0.0)

    def around(self, model: nn.Module) -> "Posterior":
        """The same spread around the model's own weights: then nothing pulls it away from them before the first
        update, as the mean of several models does."""
        mean = {name: p.detach().clone() for name, p in model.named_parameters()}
        return replace(self.like(model), mean=mean)

    def stability(self, model: nn.Module) -> Tensor:
        """sum_i (theta_i - mu_i*)^2 / (2 sigma_i*^2), a scalar: VDU's second term.

        It is KL(N(theta, sigma*^2) || N(mu*, sigma*^2)) (VDU, Theorem 1, II, with sigma = sigma*).
        """
        terms = [
            ((p - self.mean[name]).square() / (2 * self.variance[name])).sum() for name, p in model.named_parameters()
        ]
        return torch.stack(terms).sum()


def posterior(models: Iterable[nn.Module], *, floor: float = 1e-8, precise: bool = False) -> Posterior:
    """Mean and variance of the weights of two or more models, by Welford's update, one model in memory at a time.

    Args:
        models: taken one after the other; each may be changed once the next is asked for.
        floor: smallest variance. A weight that never moved would otherwise be held for ever; 1e-8 is a standard
            deviation of 1e-4, of what Adam moves a weight in one update at such a rate.
        precise: stretch the variance by (n - 1) / (n - 3), so that 1 / sigma*^2 is right on average; takes 4 models.
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
    """A run's network on its way: after ``skip`` updates, then every so-many-th one.

    The weights are those of the optimiser, not their moving average, whose spread is another. It is one network, which
    goes on changing: what :func:`posterior` wants.
    """
    if every < 1 or skip < 0:
        raise ValueError(f"snapshots need every >= 1 and skip >= 0, got every={every} and skip={skip}")
    return (run.network for step in run if step.index > skip and (step.index - skip) % every == 0)
