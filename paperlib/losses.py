"""Denoising score matching, and the random sampling that all losses share: batches, labels, times, noise.

Data are rows on the model's scale, either a tensor [N, ...] or an object that samples its own batches of (x_0, labels),
such as :class:`paperlib.data.images.Examples`.

Losses return one value per row; the caller takes the mean. All random numbers come from the generator that is passed
in, on that generator's device.
"""

from typing import Protocol

import torch
from torch import Tensor, distributed

from paperlib.checks import need_positive
from paperlib.denoiser import Denoiser
from paperlib.nets.unet import drop_labels
from paperlib.processes import DDPM, Process, normal

__all__ = [
    "LABEL_DROPOUT",
    "LEVELS",
    "Data",
    "Drawable",
    "WEIGHTINGS",
    "batch",
    "batch_loss",
    "condition",
    "draw",
    "noised",
    "score_matching",
    "share",
    "times",
    "weight",
]

LABEL_DROPOUT = 0.1  # Ho and Salimans, 2022; also in SA, SalUn and EraseDiff


WEIGHTINGS = ("simple", "bound", "unit")
LEVELS = ("uniform", "lognormal")
LOG_NORMAL = (-1.2, 1.2)  # mean and standard deviation of log(sigma / alpha): Karras et al., 2022, Table 1


class Drawable(Protocol):
    """Data that sample their own batches."""

    def __len__(self) -> int: ...

    def batch(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """Return x_0 [size, ...] and labels [size], or None where there are no labels."""


Data = Tensor | Drawable


def batch(data: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Sample ``size`` rows of ``data`` [N, ...] with replacement: [size, ...]."""
    return data[torch.randint(len(data), (size,), generator=generator, device=generator.device).to(data.device)]


def draw(data: Data, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
    """Sample x_0 [size, ...] with replacement; return them and their labels [size], None for a plain tensor."""
    if isinstance(data, Tensor):
        return batch(data, size, generator), None
    return data.batch(size, generator)


def condition(
    model: Denoiser, labels: Tensor | None, generator: torch.Generator, dropout: float = LABEL_DROPOUT
) -> Tensor | None:
    """Return a model's condition for a batch with these ``labels`` [B]: None if the model is unconditional, else the
    labels, each replaced by the label of no class with probability ``dropout`` (for classifier-free guidance)."""
    if not getattr(model.net, "classes", 0):
        return None
    if labels is None:
        raise ValueError(f"a model of {model.net.classes} classes needs data with labels; these have none")
    return drop_labels(labels, model.net.null, dropout, generator)


def share(rows: Tensor) -> Tensor:
    """Return those of the rows [B, ...] that this process computes: all, or under ``accelerate launch`` with n
    processes every n-th."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return rows
    processes = distributed.get_world_size()
    if len(rows) % processes:
        raise ValueError(f"{len(rows)} rows cannot be shared evenly by {processes} processes")
    return rows[distributed.get_rank() :: processes]


def times(size: int, process: Process, generator: torch.Generator, levels: str = "uniform") -> Tensor:
    """Sample times for ``size`` rows, [size]: one uniform u, then evenly spaced (Kingma et al., 2021, Appendix I.1).

    The marginal distribution of each time is that of ``levels``, so expectations are the same as for independent times,
    with less variance. With "uniform", t is uniform on [t_min, t_max]. With "lognormal", log(sigma_t / alpha_t) is
    normal (``LOG_NORMAL``), so that most updates go to the noise levels at which images take shape, however the process
    depends on t.
    """
    if levels not in LEVELS:
        raise ValueError(f"levels={levels!r} is not one of {', '.join(LEVELS)}")
    need_positive(size=size)
    device = generator.device
    u = (torch.rand((), generator=generator, device=device) + torch.arange(size, device=device) / size) % 1
    if levels == "uniform":
        return process.t_min + (process.t_max - process.t_min) * u
    mean, std = LOG_NORMAL
    quantile = torch.special.ndtri(u.double().clamp(1e-6, 1 - 1e-6)).cpu()
    return process.time_of(mean + std * quantile).float().to(device)


def noised(
    process: Process, x0: Tensor, generator: torch.Generator, *, antithetic: bool = False, levels: str = "uniform"
) -> tuple[Tensor, Tensor, Tensor]:
    """Return (x_t, t, z) with x_t = alpha_t x_0 + sigma_t z at random times, B rows for data [B, ...], of which only
    this process's :func:`share`.

    ``antithetic`` perturbs each row by z and by -z at the same t, which gives 2B rows. At noise levels below the data's
    own scale the two targets, and with them the noise of the gradient, cancel almost completely; its mean is the same.
    """
    t, z = times(len(x0), process, generator, levels).to(x0.device), normal(x0.shape, generator, x0.device)
    if antithetic:
        x0, t, z = torch.cat([x0, x0]), torch.cat([t, t]), torch.cat([z, -z])
    x0, t, z = share(x0), share(t), share(z)
    return process.perturb(x0, t, z), t, z


def weight(process: Process, t: Tensor, weighting: str, data_std: float = 1.0) -> Tensor:
    """Return the weights of the rows' squared errors at times t [B].

    "simple": 1. "bound": a DDPM's weight in the variational bound with the reverse variance beta_t (Ho et al., 2020,
    Eq. 12; SGU, Eq. 12 to 14), for the step that ends at the grid point k nearest to t::

        beta_k^2 / (2 beta_k (1 - beta_k) (1 - abar_k))

    "unit": 1 + (sigma / (alpha data_std))^2, which turns the error into that of the preconditioned network's own
    output, whose target has unit scale at every noise level (Karras et al., 2022, Table 1: their lambda).
    """
    if weighting == "simple":
        return torch.ones_like(t)
    if weighting == "unit":
        return 1 + (2 * process.log_ratio(t)).exp() / data_std**2
    if weighting != "bound":
        raise ValueError(f"weighting={weighting!r} is not one of {', '.join(WEIGHTINGS)}")
    if not isinstance(process, DDPM):
        raise ValueError(f"weighting='bound' is a DDPM's; {type(process).__name__} has no steps: take 'simple'")
    k = (t.cpu() * process.T).round().long()
    beta = process.betas[k - 1]
    return (beta / (2 * (1 - beta) * (1 - process.abar[k]))).to(t)


def score_matching(
    model: Denoiser,
    x0: Tensor,
    generator: torch.Generator,
    *,
    cond: Tensor | None = None,
    weighting: str = "simple",
    levels: str = "uniform",
    antithetic: bool = False,
) -> Tensor:
    """Return the denoising score matching loss (SGU, Eq. 5 and 8), one value per noisy row.

    With the simple weight, lambda(t) = sigma_t^2::

        lambda(t) |s(x_t, t) - grad log p(x_t | x_0)|^2 = |z - eps(x_t, t)|^2,      x_t = alpha_t x_0 + sigma_t z

    For VE this is also the likelihood weight, up to a constant: g^2 is proportional to sigma_t^2. ``cond`` has one row
    for each row of ``x0``.
    """
    x_t, t, z = noised(model.process, x0, generator, antithetic=antithetic, levels=levels)
    if cond is not None:
        cond = share(torch.cat([cond, cond]) if antithetic else cond)
    squared = (z - model(x_t, t, cond).eps).square().flatten(1).sum(1)
    return squared if weighting == "simple" else weight(model.process, t, weighting, model.data_std) * squared


def batch_loss(
    model: Denoiser,
    data: Data,
    size: int,
    generator: torch.Generator,
    *,
    dropout: float = LABEL_DROPOUT,
    weighting: str = "simple",
    levels: str = "uniform",
    antithetic: bool = False,
) -> Tensor:
    """Return the denoising score matching loss on a random batch of ``data``, one value per noisy row.

    The loss is conditional if the model is. On retained data it is L_g of SGU and L_r of EraseDiff.
    """
    need_positive(size=size)
    x0, labels = draw(data, size, generator)
    cond = condition(model, labels, generator, dropout)
    return score_matching(model, x0, generator, cond=cond, weighting=weighting, levels=levels, antithetic=antithetic)
