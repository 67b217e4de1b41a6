"""The time grid of a sampler, from noise to data.

A grid begins at the process's ``t_max``. Conventions for its end differ in the field, so it is a choice. It ends

- at the last noise level itself (``denoise=False``): x is then a sample from p_t at a small t, and still noisy;
- or at the data (``denoise=True``): one more stop, written t = 0, where alpha = 1 and sigma = 0. Every sampler reaches
  it from the stop before by predicting x_0. That is DDPM's last step, whose posterior mean is x_0 without noise, and
  what score_sde calls "denoise". (VE's own sigma at t = 0 is sigma_min; the data have none.)

Either way there are ``steps`` steps. The last noise level before the data is t = 1 / T, the first grid point, for a
DDPM, and sigma / alpha = 0.01 otherwise: VE's sigma_min, a DDPM's sqrt(beta_1), and what is left at t = 1e-3, where
score_sde ends with VP. A sampler with few steps cannot afford to go down to t_min = 1e-5, which is for the likelihood.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from paperlib.denoiser import DenoisingModel
from paperlib.processes import DDPM, Process

__all__ = ["LAST_NOISE", "SPACINGS", "Level", "levels", "time_grid"]

SPACINGS = ("index", "time", "snr", "karras")
LAST_NOISE = 0.01  # see above


def time_grid(
    model: DenoisingModel,
    steps: int | Tensor | None,
    spacing: str = "time",
    *,
    denoise: bool = False,
    t_min: float | None = None,
    rho: float = 7.0,
) -> Tensor:
    """Return the decreasing times of a sampler, float64, [steps + 1].

    Args:
        steps: the number of steps, or the times themselves, which are checked and returned. None is the usual full
            chain: every point of a DDPM's grid, 1000 times on other processes.
        spacing: "time" is uniform in t (for VE: geometric noise levels); "index" too, but on a DDPM rounded to its
            grid, the times at which its network was trained. "snr" is uniform in log(alpha / sigma), "karras" in
            (sigma / alpha)^(1 / rho) (Karras et al., 2022, Eq. 5).
        denoise: end at the data.
        t_min: the smallest time before the data, if it is to differ from this module's default.
        rho: exponent of "karras"; Karras et al. use 7 for sampling.

    Raises:
        ValueError: if ``steps`` is below 1, the times do not decrease or leave [0, t_max], ``spacing`` is unknown,
            ``t_min`` is not between 0 and t_max, or more times are requested than a DDPM's grid has.
    """
    process = model.process
    if isinstance(steps, Tensor):
        return _checked(steps, process)
    if steps is not None and steps < 1:
        raise ValueError(f"steps={steps}: a sampler needs at least one")
    if spacing not in SPACINGS:
        raise ValueError(f"spacing={spacing!r} is not one of {', '.join(SPACINGS)}")
    if t_min is None:
        t_min = process.t_min
        if denoise and not isinstance(process, DDPM):
            t_min = process.time_of(torch.tensor(LAST_NOISE, dtype=torch.float64).log()).item()
    elif not 0 < t_min < process.t_max:
        raise ValueError(f"t_min={t_min} is not between 0 and {process.t_max}")
    if steps is None:
        points = _points(process, t_min) if isinstance(process, DDPM) else 1000
    else:
        points = steps if denoise else steps + 1
    grid = _spaced(process, points, spacing, t_min, rho)
    return torch.cat([grid, grid.new_zeros(1)]) if denoise else grid


def _points(process: DDPM, t_min: float) -> int:
    """Return the number of grid points from t_min to t_max, which on the cosine grid excludes the last."""
    return round((process.t_max - t_min) * process.T) + 1


def _spaced(process: Process, n: int, spacing: str, t_min: float, rho: float) -> Tensor:
    """Return n times from t_max to t_min."""
    grid = torch.linspace(process.t_max, t_min, n, dtype=torch.float64)
    if spacing == "index" and isinstance(process, DDPM):
        grid = (grid * process.T).round() / process.T
        if n > _points(process, t_min):
            raise ValueError(f"{n} times do not fit on the DDPM's grid, which has {_points(process, t_min)} here")
    if spacing in ("snr", "karras"):
        noise = process.log_ratio(grid[[0, -1]]).exp()
        bend, unbend = (torch.log, torch.exp) if spacing == "snr" else (lambda s: s ** (1 / rho), lambda s: s**rho)
        inner = unbend(torch.linspace(*bend(noise).tolist(), n, dtype=torch.float64))[1:-1]
        grid[1:-1] = process.time_of(inner.log())
    return grid


def _checked(times: Tensor, process: Process) -> Tensor:
    grid = times.detach().cpu().double()
    if grid.ndim != 1 or len(grid) < 2 or not (grid[1:] < grid[:-1]).all():
        raise ValueError(f"times must fall, two at least, in one dimension; got {times}")
    if grid[0] > process.t_max or grid[-1] < 0:
        raise ValueError(f"times from {grid[0].item()} to {grid[-1].item()} leave [0, {process.t_max}]")
    return grid


class Level(NamedTuple):
    """A stop of a sampler: time t with its alpha and sigma."""

    t: float
    alpha: float
    sigma: float

    @property
    def data(self) -> bool:
        """Whether this stop is the data, t = 0."""
        return self.t == 0


def levels(process: Process, grid: Tensor) -> list[Level]:
    """Return the stops of a time grid; t = 0 is the data. At a DDPM's grid points alpha and sigma are exactly the
    DDPM's."""
    alpha, sigma = process.alpha(grid).tolist(), process.sigma(grid).tolist()
    return [Level(t, a, s) if t > 0 else Level(0.0, 1.0, 0.0) for t, a, s in zip(grid.tolist(), alpha, sigma)]
