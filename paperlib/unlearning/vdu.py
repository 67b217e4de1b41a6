"""VDU: variational diffusion unlearning, from the forgotten data alone.

Raise the forgotten data's denoising error while staying near the trained weights (VDU, Eq. 3)::

    L = -(1 - gamma) A + gamma B
    A = sum_{x_0 in D_f} sum_{t=2}^T w_t |eps_0 - eps(x_t, t)|^2      plasticity inducer
    B = sum_i (theta_i - mu_i*)^2 / (2 sigma_i*^2)                    stability regulariser
    w_t = (1 - alpha_t) / (alpha_t (1 - abar_{t-1}))

B is :meth:`paperlib.unlearning.posterior.Posterior.stability`. Notes on A:

- Eq. 3 prints the sum from t = 1, where abar_0 = 1 and w_1 divides by zero. Theorem 1 sums from t = 2, as here.
- A is the sum over t of KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)) up to a factor: a 1/2 is lost between Eq. 63 and
  Eq. 64. ``variant="corrected"`` restores it: A is then the steps' part of the variational bound
  (:mod:`paperlib.likelihood.bound`).
- w_t is the relative change of the signal-to-noise ratio from x_t to x_{t-1}, SNR_{t-1} / SNR_t - 1. In this form it
  applies to any process on any grid: a DDPM has its own, another process gets a grid that is uniform in the logarithm
  of that ratio, where w_t is the same at every step.
- A has no upper bound in theta, so L has a lower bound only as far as B outgrows A. And since A comes from a lower
  bound on the log-likelihood, the minimised quantity bounds the divergence of Eq. 2 from below: a small L guarantees
  nothing. For that reason runs are short and stopped early.
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
    """Return the times t_2 ... t_T and the weights w_2 ... w_T, float64, [T - 1] each.

    Args:
        variant: "paper" is the weight of Eq. 3, "corrected" half of it, as in Eq. 63.
        T: number of steps for a process without a grid of its own, None for 1000.

    Raises:
        ValueError: for an unknown ``variant``, T below 2, or T given for a DDPM.
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
    """Estimate sum_t w_t E|eps_0 - eps(x_t, t)|^2 for each row without bias, from one t per row: x0 [B, ...] -> [B].

    ``sampling="weights"`` samples t in proportion to its weight, so that early steps, which weigh most, occur most
    often; "uniform" samples all t equally. Either way each value is divided by its probability. One uniform number
    places all rows' times, evenly spaced, which leaves the distribution of each time unchanged.
    """
    p = weights / weights.sum() if sampling == "weights" else torch.full_like(weights, 1 / len(weights))
    u = torch.rand((), generator=generator, device=generator.device, dtype=torch.float64).cpu()
    u = (u + torch.arange(len(x0), dtype=torch.float64) / len(x0)) % 1
    k = torch.searchsorted(p.cumsum(0), u, right=True).clamp(max=len(p) - 1)
    t, scale, z = times[k].to(x0), (weights / p)[k].to(x0), normal(x0.shape, generator, x0.device).to(x0)
    x0, t, z, scale = share(x0), share(t), share(z), share(scale)
    eps = model(model.process.perturb(x0, t, z), t, None if cond is None else share(cond)).eps
    return scale * (z - eps).square().flatten(1).sum(1)


@checked(data=("forget",))  # retained data are not used
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
    """Unlearn ``forget`` with VDU; ``retain`` is not used.

    Each update uses one random batch in place of the sum over data and steps (Algorithm 1 sums over all and takes one
    gradient step per epoch); ``losses`` has estimates of the sums. A conditional model unlearns under the data's own
    labels.

    Args:
        posterior: mu* and sigma*, from :func:`paperlib.unlearning.posterior.posterior`, or with correlations from
            :func:`paperlib.unlearning.swag.swag`; or a number, one sigma* for all weights, around the model's own.
        gamma: from 0, only forgetting, to 1, only stability. The paper reports 0.1, 0.3, 0.6 and 0.8; the numbers of
            Table 1 are for 0.1, and the weights of Theorem 1 correspond to 1/2.
        normalised: Eq. 3's sums grow with the data, the pixels and the weights, so gamma has another meaning for each
            size. This takes means instead: A is the squared error per pixel, averaged over steps with weights w_t, and
            B is half the squared distance in units of sigma*, averaged over weights. The factor of ``variant`` drops
            out.
        variant: "paper" has Eq. 3's w_t, "corrected" half of it.
        sampling: how t is sampled, "weights" or "uniform" (:func:`plasticity`).
        T: number of steps for a process that has no grid of its own, None for 1000.
        batch_size: rows of D_f per update (paper: 128).
        lr: Adam's learning rate (paper: 1e-6, for one epoch on MNIST and four on CIFAR-10). Adam moves a weight by
            about its learning rate per update: by some 5e-5 in the 47 updates of an epoch.
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
