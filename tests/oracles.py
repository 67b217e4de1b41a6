"""Shared by the tests of paperlib: the five processes, and closed forms to compare the code with."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from paperlib.data.mixture import SGU_MIXTURE, GaussianMixture
from paperlib.denoiser import Denoiser
from paperlib.nets.mlp import MLP
from paperlib.processes import DDPM, VE, VP, Process, SubVP

PROCESSES = {
    "VE": VE(),
    "VP": VP(),
    "sub-VP": SubVP(),
    "DDPM linear": DDPM.linear(),
    "DDPM cosine": DDPM.cosine(),
}
every_process = pytest.mark.parametrize("process", PROCESSES.values(), ids=PROCESSES.keys())
smooth_process = pytest.mark.parametrize("process", list(PROCESSES.values())[:3], ids=list(PROCESSES)[:3])

GAUSSIAN = GaussianMixture(weights=(1.0,), means=((1.5, -0.5),), variance=0.49)
D_G, D_F = SGU_MIXTURE.only(0, 2), SGU_MIXTURE.only(1)

# Bounds on means of n draws, in standard errors. Two-sided, P(exceeded) = 7e-6 per comparison.
STANDARD_ERRORS = 4.5


@dataclass(frozen=True)
class Marginal:
    """N(mean, variance I) of x_t for Gaussian data, float64."""

    alpha: Tensor
    mean: Tensor  # [D]
    variance: Tensor  # scalar


def marginal(process: Process, t: float, data: GaussianMixture = GAUSSIAN) -> Marginal:
    """Return the marginal of x_t = alpha x_0 + sigma z for x_0 ~ N(m, v I): N(alpha m, (alpha^2 v + sigma^2) I)."""
    time = torch.tensor(t, dtype=torch.float64)
    alpha, sigma = process.alpha(time), process.sigma(time)
    (mean,) = data.means
    return Marginal(alpha, alpha * torch.tensor(mean, dtype=torch.float64), alpha**2 * data.variance + sigma**2)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def assert_mean(draws: Tensor, expected: Tensor | float) -> None:
    """Check that the mean over dim 0 of independent draws is ``expected``, within the draws' own standard error."""
    draws = draws.double()
    error = draws.std(0) / len(draws) ** 0.5
    z = (draws.mean(0) - expected).abs() / error
    assert (z < STANDARD_ERRORS).all(), f"{draws.mean(0)} is not {expected} +- {error}: {z} standard errors"


def inner_times(process: Process, n: int = 9) -> Tensor:
    """Return times strictly inside (t_min, t_max), float64; for a DDPM, midway between grid points."""
    t = torch.linspace(process.t_min, process.t_max, n + 2, dtype=torch.float64)[1:-1]
    return ((t * process.T).floor() + 0.5) / process.T if isinstance(process, DDPM) else t


def network(
    process: Process, *, predicts: str = "preconditioned", data_std: float = 1.0, width: int = 16, seed: int = 0
):
    """Return a denoiser whose weights are all random (an MLP's last layer starts at zero)."""
    model = Denoiser(MLP(2, width=width, depth=2), process, predicts=predicts, data_std=data_std)
    generator = seeded(seed)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5, generator=generator)
    return model
