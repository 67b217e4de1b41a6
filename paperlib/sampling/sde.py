"""Samplers of the reverse-time SDE (SGU, Eq. 4; Song et al., 2021, Eq. 6), solved from high to low t::

    dx = [f(t) x - g(t)^2 score(x, t)] dt + g(t) dw

Their last step adds no noise, since nothing would remove it.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from paperlib.denoiser import DenoisingModel
from paperlib.sampling.times import Level
from paperlib.sampling.walk import State, Walk

__all__ = ["euler_maruyama", "langevin", "predictor_corrector", "reverse_step"]


@torch.no_grad()
def euler_maruyama(
    model: DenoisingModel,
    x: Tensor,
    *,
    steps: int | Tensor | None = None,
    generator: torch.Generator | None = None,
    cond: Tensor | None = None,
    clip: float | None = None,
    spacing: str = "time",
    denoise: bool = False,
) -> Iterator[State]:
    """Solve the reverse-time SDE by the Euler-Maruyama method: first order, fresh noise at every step, one evaluation
    per step."""
    walk = Walk(model, x, steps, spacing=spacing, denoise=denoise, generator=generator, cond=cond, clip=clip)
    for t, s in walk.pairs:
        views = walk(x, t)
        if s.data:
            x = views.x0
        else:
            time, dt = walk.time(x, t), s.t - t.t  # dt < 0
            f, g2 = walk.process.drift(time), walk.process.diffusion(time).square()
            x = x + (f * x - g2 * views.score) * dt
            if s != walk.end:
                x = x + (-g2 * dt).sqrt() * walk.noise(x)
        yield walk.state(x, s)


@torch.no_grad()
def predictor_corrector(
    model: DenoisingModel,
    x: Tensor,
    *,
    steps: int | Tensor | None = None,
    generator: torch.Generator | None = None,
    cond: Tensor | None = None,
    clip: float | None = None,
    spacing: str = "index",
    denoise: bool = True,
    corrections: int = 1,
    snr: float = 0.16,
) -> Iterator[State]:
    """Alternate Langevin steps at t with a step of the reversed chain to s (Song et al., 2021, Algorithms 2 to 5).

    With a = (alpha_t / alpha_s)^2, the share of the signal's variance that the chain keeps from s to t (a DDPM's
    1 - beta_k)::

        x <- x + d score + sqrt(2 d) z,   d = 2 a (snr |z| / |score|)^2                    (corrector)
        x <- (2 - sqrt(a)) x + G^2 score + G z,   G^2 = sigma_t^2 - a sigma_s^2            (predictor)

    The norms are means over the batch, as in score_sde, so the rows of a batch are not independent of each other. The
    defaults of ``snr`` and ``corrections`` are score_sde's for VE; it runs VP without corrections. A step takes
    corrections + 1 evaluations.
    """
    if corrections < 0 or not snr > 0:
        raise ValueError(f"corrections={corrections} must not be negative, and snr={snr} must be positive")
    walk = Walk(model, x, steps, spacing=spacing, denoise=denoise, generator=generator, cond=cond, clip=clip)
    for t, s in walk.pairs:
        for _ in range(corrections):
            x = langevin(walk, x, t, s, snr)
        x = reverse_step(walk, x, t, s)
        yield walk.state(x, s)


def langevin(walk: Walk, x: Tensor, t: Level, s: Level, snr: float) -> Tensor:
    """Take one corrector step at t, before the step to s."""
    score, z, a = walk(x, t).score, walk.noise(x), (t.alpha / s.alpha) ** 2
    length = _norm(score)
    d = torch.where(length > 0, 2 * a * (snr * _norm(z) / length) ** 2, 0)  # a zero field gives no step size
    return x + d * score + (2 * d).sqrt() * z


def reverse_step(walk: Walk, x: Tensor, t: Level, s: Level) -> Tensor:
    """Take the predictor's step from t to s."""
    views, ratio = walk(x, t), t.alpha / s.alpha
    if s.data:
        return views.x0
    g2 = t.sigma**2 - ratio**2 * s.sigma**2
    x = (2 - ratio) * x + g2 * views.score
    return x if s == walk.end else x + math.sqrt(g2) * walk.noise(x)


def _norm(x: Tensor) -> Tensor:
    """Return the mean over the batch of the rows' Euclidean norms."""
    return x.flatten(1).norm(dim=1).mean()
