"""Noise processes, each defined by two functions of time.

A process turns data x_0 into noisy x_t, 0 <= t <= 1, through::

    p(x_t | x_0) = N(alpha_t x_0, sigma_t^2 I)                                           (kernel)

Everything else follows from alpha_t and sigma_t. The stochastic differential equation with the same marginals is::

    dx = f(t) x dt + g(t) dw,   f = d log alpha_t / dt,   g^2 = d sigma_t^2 / dt - 2 f sigma_t^2

(SGU, Eq. 3; Song et al., 2021, Appendix B), and its prior is N(0, sigma_1^2 I). VE, VP, sub-VP and DDPM
differ only in alpha_t and sigma_t, so each class below consists of those two functions and the reason for its numbers.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Process", "VE", "VP", "SubVP", "DDPM", "expand", "normal"]


def expand(value: Tensor, like: Tensor) -> Tensor:
    """Append dimensions to ``value`` (scalar or [B]) until it broadcasts against ``like`` [B, ...]."""
    return value.reshape(value.shape + (1,) * (like.ndim - value.ndim)) if value.ndim else value


def normal(shape: Iterable[int], generator: torch.Generator, device: torch.device | str | None = None) -> Tensor:
    """Sample standard normal noise on the generator's device and move it to ``device`` if one is given."""
    z = torch.randn(tuple(shape), generator=generator, device=generator.device)
    return z if device is None else z.to(device)


def derivative(function: Callable[[Tensor], Tensor], t: Tensor) -> Tensor:
    """Return d function / dt at times of any shape, element by element."""
    with torch.enable_grad():
        t = t.detach().requires_grad_()
        return torch.autograd.grad(function(t).sum(), t)[0]


class Process(ABC):
    """A noise process: alpha_t and sigma_t, and what follows from them.

    Times are tensors of any shape; results have that shape and dtype.
    """

    t_min: float = 1e-5  # score_sde: training and the likelihood start here, since VP's score diverges at t = 0
    t_max: float = 1.0

    @abstractmethod
    def log_alpha(self, t: Tensor) -> Tensor:
        """Return log alpha_t."""

    @abstractmethod
    def variance(self, t: Tensor) -> Tensor:
        """Return sigma_t^2."""

    def alpha(self, t: Tensor) -> Tensor:
        """Return alpha_t, the factor by which the signal is scaled."""
        return self.log_alpha(t).exp()

    def sigma(self, t: Tensor) -> Tensor:
        """Return sigma_t, the standard deviation of the noise."""
        return self.variance(t).sqrt()

    def drift(self, t: Tensor) -> Tensor:
        """Return f(t) = d log alpha_t / dt, by automatic differentiation."""
        return derivative(self.log_alpha, t)

    def diffusion(self, t: Tensor) -> Tensor:
        """Return g(t) = sqrt(d sigma_t^2 / dt - 2 f(t) sigma_t^2)."""
        return (derivative(self.variance, t) - 2 * self.drift(t) * self.variance(t)).sqrt()

    def log_ratio(self, t: Tensor) -> Tensor:
        """Return log(sigma_t / alpha_t), which increases with t: minus half the logarithm of the signal-to-noise ratio
        (Kingma et al., 2021)."""
        return 0.5 * self.variance(t).log() - self.log_alpha(t)

    def time_of(self, log_ratio: Tensor) -> Tensor:
        """Return the t in [t_min, t_max] with the given ``log_ratio`` (any shape), or the nearer end of that interval,
        by bisection; pass float64 for full precision."""
        low, high = torch.full_like(log_ratio, self.t_min), torch.full_like(log_ratio, self.t_max)
        for _ in range(54):  # to the last digit of t
            middle = (low + high) / 2
            below = self.log_ratio(middle) < log_ratio
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        return (low + high) / 2

    def perturb(self, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Return x_t = alpha_t x_0 + sigma_t z for data [B, ...], times [B] (or a single one) and noise z [B, ...]."""
        return expand(self.alpha(t), x0) * x0 + expand(self.sigma(t), x0) * noise

    def prior_std(self) -> float:
        """Return sigma at t_max, the standard deviation of the noise from which samplers start."""
        return self.sigma(torch.tensor(self.t_max, dtype=torch.float64)).item()

    def prior_log_density(self, x: Tensor) -> Tensor:
        """Return log N(x; 0, sigma_1^2 I) of x [B, ...], in nats, [B], with sigma_1 = :meth:`prior_std`."""
        z = x.flatten(1) / self.prior_std()
        return -0.5 * z.square().sum(1) - z.shape[1] * (math.log(self.prior_std()) + 0.5 * math.log(2 * math.pi))


@dataclass(frozen=True)
class VE(Process):
    """Variance exploding (Song et al., 2021, Eq. 9): alpha_t = 1, sigma_t = sigma_min (sigma_max / sigma_min)^t."""

    sigma_min: float = 0.01  # score_sde; a hundredth of the standard deviation of the mixture's components
    sigma_max: float = 50.0  # score_sde's CIFAR-10 value; far above the data's spread, so that the prior fits

    def __post_init__(self):
        if not 0 < self.sigma_min < self.sigma_max:
            raise ValueError(f"VE needs 0 < sigma_min < sigma_max, got {self.sigma_min} and {self.sigma_max}")

    def log_alpha(self, t):
        return 0 * t

    def variance(self, t):
        return (2 * (math.log(self.sigma_min) + t * math.log(self.sigma_max / self.sigma_min))).exp()


@dataclass(frozen=True)
class VP(Process):
    """Variance preserving (Song et al., 2021, Eq. 11): log alpha_t = -1/2 int_0^t beta, sigma_t^2 = 1 - alpha_t^2.

    The rate beta(t) grows linearly from ``beta_min`` to ``beta_max``.
    """

    beta_min: float = 0.1  # score_sde: 1000 times DDPM's 1e-4
    beta_max: float = 20.0  # score_sde: 1000 times DDPM's 0.02

    def __post_init__(self):
        if not 0 < self.beta_min < self.beta_max:
            raise ValueError(
                f"{type(self).__name__} needs 0 < beta_min < beta_max, got {self.beta_min} and {self.beta_max}"
            )

    def log_alpha(self, t):
        return -0.5 * (self.beta_min * t + 0.5 * (self.beta_max - self.beta_min) * t**2)

    def variance(self, t):
        return -torch.expm1(2 * self.log_alpha(t))  # 1 - alpha^2 without cancellation at small t


@dataclass(frozen=True)
class SubVP(VP):
    """Sub-variance preserving (Song et al., 2021, Section 3.4): VP's alpha_t, and VP's variance squared."""

    def variance(self, t):
        return torch.expm1(2 * self.log_alpha(t)) ** 2


@dataclass(frozen=True, eq=False)
class DDPM(Process):
    """The process of DDPM, a grid beta_1 ... beta_T (Ho et al., 2020): alpha_t^2 = abar_k = prod_{s<=k} (1 - beta_s) at
    t = k / T.

    Between two grid points log abar is a monotone cubic whose slope at each grid point is the harmonic mean of the
    slopes of the two adjacent intervals (Fritsch and Butland, 1984): the marginals at the grid points are exactly the
    DDPM's, and the rate is continuous, so solvers keep their order. Ancestral sampling uses alpha and sigma at the grid
    points, never the derived drift.
    """

    betas: Tensor  # float64, [T]

    def __post_init__(self):
        if self.betas.ndim != 1 or not ((self.betas > 0) & (self.betas < 1)).all():
            raise ValueError("DDPM needs a one-dimensional grid of betas, each between 0 and 1")
        object.__setattr__(self, "betas", self.betas.double())
        step = torch.log1p(-self.betas)  # log abar_k - log abar_{k-1}
        slope = torch.cat([step[:1], 2 * step[:-1] * step[1:] / (step[:-1] + step[1:]), step[-1:]])
        log_abar = torch.cat([step.new_zeros(1), step.cumsum(0)])
        cubic = (log_abar[:-1], slope[:-1], 3 * step - 2 * slope[:-1] - slope[1:], slope[:-1] + slope[1:] - 2 * step)
        object.__setattr__(self, "_log_abar", log_abar)
        object.__setattr__(self, "_cubic", torch.stack(cubic))  # of 1, u, u^2, u^3 with u = t T - k, [4, T]
        object.__setattr__(self, "t_min", 1 / self.T)  # the network was never trained below the first grid point

    @classmethod
    def linear(cls, T: int = 1000, beta_1: float = 1e-4, beta_T: float = 0.02) -> "DDPM":
        """Return the linear schedule of Ho et al. (2020, Section 4), also used by VDU and EraseDiff."""
        return cls(torch.linspace(beta_1, beta_T, T, dtype=torch.float64))

    @classmethod
    def scaled_linear(cls, T: int = 1000, beta_1: float = 0.00085, beta_T: float = 0.012) -> "DDPM":
        """Return Stable Diffusion's schedule, linear in the square root of beta (its scheduler's configuration)."""
        return cls(torch.linspace(beta_1**0.5, beta_T**0.5, T, dtype=torch.float64).square())

    @classmethod
    def cosine(cls, T: int = 1000, s: float = 0.008, beta_max: float = 0.999) -> "DDPM":
        """Return the cosine schedule of Nichol and Dhariwal (2021, Eq. 17).

        The betas are clipped to ``beta_max``; the drift is steep at the end, so ``t_max`` stops one step short.
        """
        k = torch.arange(T + 1, dtype=torch.float64) / T
        abar = torch.cos((k + s) / (1 + s) * math.pi / 2) ** 2
        process = cls((1 - abar[1:] / abar[:-1]).clamp(max=beta_max))
        object.__setattr__(process, "t_max", 1 - 1 / T)
        return process

    @property
    def T(self) -> int:
        """The number of steps of the grid."""
        return len(self.betas)

    @property
    def abar(self) -> Tensor:
        """abar_0 = 1, abar_1 ... abar_T, float64, [T + 1]."""
        return self._log_abar.exp()

    def log_alpha(self, t):
        k = (t.detach() * self.T).floor().long().clamp(0, self.T - 1)
        u, (c0, c1, c2, c3) = t * self.T - k, self._cubic.to(device=t.device, dtype=t.dtype)[:, k]
        return 0.5 * (c0 + u * (c1 + u * (c2 + u * c3)))

    def variance(self, t):
        return -torch.expm1(2 * self.log_alpha(t))

    def log_ratio(self, t):
        log_alpha = self.log_alpha(t)  # computed once
        return 0.5 * (-torch.expm1(2 * log_alpha)).log() - log_alpha
