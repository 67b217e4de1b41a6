"""VDU: variational diffusion unlearning, from the forgotten data alone.

Raise the forgotten data's denoising error, and stay near the trained weights (VDU, Eq. 3)::

    L = -(1 - gamma) A + gamma B
    A = sum_{x_0 in D_f} sum_{t=2}^T w_t |eps_0 - eps(x_t, t)|^2      plasticity inducer
    B = sum_i (theta_i - mu_i*)^2 / (2 sigma_i*^2)                    stability regulariser
    w_t = (1 - alpha_t) / (alpha_t (1 - abar_{t-1}))

B is :meth:`paperlib.unlearning.posterior.Posterior.stability`. Notes on A:

- Eq. 3 prints the sum from t = 1, where abar_0 = 1 and w_1 divides by zero. Theorem 1 sums from t = 2: so does this.
- A is the sum over t of KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)), but for a factor: between Eq. 63 and Eq. 64
  a 1/2 is lost. ``variant="corrected"`` has it: A is then the steps' part of the variational bound
  (:mod:`paperlib.likelihood.bound`).
- w_t is the share of its signal-to-noise ratio that x_{t-1} loses on its way to x_t, SNR_{t-1} / SNR_t - 1. So written
  it belongs to any process on any grid: a DDPM's is its own, another process gets one that is even in the logarithm of
  that ratio, where w_t is the same at every step.
- A has no upper bound in theta, so that L has a lower one only as far as B outgrows it. And since the bound is one of
  the log-likelihood from below, what is minimised bounds the divergence of Eq. 2 from below: a small L guarantees
  nothing. Runs are short for that reason, and stopped early.
"""

from functools import partial

import torch
from torch import Tensor

from paperlib.denoiser import Denoiser
from paperlib.likelihood.bound import chain
from paperlib.losses import Data, condition, draw, share
from paperlib.processes import DDPM, Process, normal
from paperlib.training import Training
from paperlib.unlearning.posterior import Posterior
from paperlib.unlearning.requirements import checked

__all__ = ["SAMPLING", "VARIANTS", "plasticity", "step_weights", "vdu"]

VARIANTS = ("paper", "corrected")
SAMPLING = ("weights", "uniform")


def step_weights(process: Process, *, variant: str = "paper", T: int | None = None) -> tuple[Tensor, Tensor]:
    """t_2 ... t_T and w_2 ... w_T, float64, [T - 1] each.

    Args:
        variant: "paper" is Eq. 3's weight, "corrected" half of it, Eq. 63's.
        T: steps of a process without a grid of its own, None for 1000.
    """
    if variant not in VARIANTS:
        raise ValueError(f"variant={variant!r} is not one of {', '.join(VARIANTS)}")
    if T is not None and isinstance(process, DDPM):
        raise ValueError(
            f"T={T}: this DDPM's grid has its own {process.T} steps; "
            "model.with_process puts a trained network on another grid"
        )
    if T is not None and T < 2:
        raise ValueError(f"T={T} is below 2: the sum begins at t = 2")
    grid = chain(process, (T or 1000) - 1)
    w = torch.expm1(2 * process.log_ratio(grid).diff())  # SNR_{t-1} / SNR_t - 1
    return grid[1:], w if variant == "paper" else w / 2


def plasticity(
    model: Denoiser,
    x0: Tensor,
    generator: torch.Generator,
    *,
    times: Tensor,
    weights: Tensor,
    sampling: str = "weights",
    cond: Tensor | None = None,
) -> Tensor:
    """An unbiased estimate of each row's sum over t of w_t E|eps_0 - eps(x_t, t)|^2, from one t a row: x0 [B, ...] ->
    [B].

    ``sampling`` draws t in proportion to its weight, so that early steps, which weigh most, are seen most; or
    "uniform". Either way each value is divided by its probability. One uniform number places all rows' draws, evenly
    spaced, which leaves each on its own what it is.
    """
    p = weights / weights.sum() if sampling == "weights" else torch.full_like(weights, 1 / len(weights))
    u = torch.rand((), generator=generator, device=generator.device, dtype=torch.float64).cpu()
    u = (u + torch.arange(len(x0), dtype=torch.float64) / len(x0)) % 1
    k = torch.searchsorted(p.cumsum(0), u, right=True).clamp(max=len(p) - 1)
    t, scale, z = times[k].to(x0), (weights / p)[k].to(x0), normal(x0.shape, generator, x0.device).to(x0)
    x0, t, z, scale = share(x0), share(t), share(z), share(scale)
    eps = model(model.process.perturb(x0, t, z), t, None if cond is None else share(cond)).eps
    return scale * (z - eps).square().flatten(1).sum(1)


@checked(data=("forget",))  # retained data are not looked at
def vdu(
    model: Denoiser,
    forget: Data,
    retain: Data | None = None,
    *,
    generator: torch.Generator,
    steps: int,
    posterior: Posterior | float,
    gamma: float = 0.1,
    normalised: bool = False,
    variant: str = "paper",
    sampling: str = "weights",
    T: int | None = None,
    batch_size: int = 128,
    lr: float = 1e-6,
    **training,
) -> Training:
    """Unlearn ``forget``; ``retain`` is not looked at.

    Each update has one random batch in place of the sum over data and steps (Algorithm 1 sums all and takes one
    gradient step an epoch); ``losses`` has the sums' estimates. A conditional model unlearns under the data's own
    labels.

    Args:
        posterior: mu* and sigma*, from :func:`paperlib.unlearning.posterior.posterior`; or a number, one sigma* around
            the model's own weights.
        gamma: from 0, only forget, to 1, only stay. The paper reports 0.1, 0.3, 0.6 and 0.8; Table 1's numbers are
            those of 0.1, and Theorem 1's own weights those of 1/2.
        normalised: Eq. 3's sums grow with the data, the pixels and the weights, so that gamma means something else for
            each size. This takes means instead: of the squared error a pixel, steps weighed by w_t, and of half the
            squared distance in units of sigma* a weight. The factor of ``variant`` drops out.
        variant: "paper" has Eq. 3's w_t, "corrected" half of it.
        sampling: of t, "weights" or "uniform" (:func:`plasticity`).
        T: steps of a process that has no grid of its own, None for 1000.
        batch_size: the paper's is 128.
        lr: the paper's is 1e-6, for one epoch on MNIST and four on CIFAR-10, by Adam, which moves a weight by about
            its rate in an update: by some 5e-5 in the 47 updates of an epoch.
        training: further arguments of :class:`paperlib.training.Training` (ema, clip, warmup, decay, cosines).
    """
    if not 0 <= gamma <= 1:
        raise ValueError(f"gamma={gamma} is not in [0, 1]")
    if sampling not in SAMPLING:
        raise ValueError(f"sampling={sampling!r} is not one of {', '.join(SAMPLING)}")
    times, weights = step_weights(model.process, variant=variant, T=T)
    if isinstance(posterior, Posterior):
        prior = posterior.like(model)
    else:
        prior = Posterior.isotropic(model, posterior)
    estimate = partial(plasticity, times=times, weights=weights, sampling=sampling)

    def objective(model, generator, index):
        x0, labels = draw(forget, batch_size, generator)
        A = len(forget) * estimate(model, x0, generator, cond=condition(model, labels, generator, dropout=0)).mean()
        B = prior.stability(model)
        if normalised:
            A = A / (len(forget) * weights.sum().item() * x0[0].numel())
            B = B / sum(p.numel() for p in model.parameters())
        return {"loss": gamma * B - (1 - gamma) * A, "plasticity": A, "stability": B}

    return Training(model, objective, steps=steps, lr=lr, generator=generator, **training)
