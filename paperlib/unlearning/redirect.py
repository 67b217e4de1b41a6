"""Redirect: at noisy forgotten points, teach the score of the retained data.

A retrained model has hardly ever seen noisy forgotten points, so its predictions there are guesses. Yet the right
answer is known: the score of the retained data is a posterior mean, which a batch of them estimates (Tweedie's
formula)::

    x0*(x_t) = sum_i v_i w_i x_i / sum_i v_i w_i,     v_i = exp(-|x_t - alpha_t x_i|^2 / (2 sigma_t^2)),    x_i from D_g
    L = E_g w(x_0) |z - eps(x_t, t)|^2 + mu E_f |eps*(x_t) - eps(x_t, t)|^2,      eps* = (x_t - alpha_t x0*) / sigma_t

Both terms are squares with positive weight, so the loss is bounded below and its minimiser exists. With many reference
points it is the score of the density w p_g / E_g[w]; few of them bias x0*, and where ``reach`` shortens eps* (deep
inside a carved region) the two terms have different targets and the minimiser lies between them. With w = 1 the density
is p_g, that of a perfectly retrained model. Weights below 1 at retained points that look forgotten go further: with the
ratio r = p_f / p_g and::

    w = max(1 - r / lambda, floor)

the minimiser is, for lambda >= sup r, the density of :mod:`paperlib.unlearning.signed`, reached without a negative
weight; for smaller lambda, where the signed loss has no minimiser, it is still a density, carved out where r is large.

With w = 1 the second term is ReTrack's (Shi, Jin, Zhang, Gu, 2025; :mod:`paperlib.unlearning.retrack`), except that
ReTrack uses the k nearest retained images and Redirect a random batch of them. The carving weights are ours.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from paperlib.denoiser import Denoiser
from paperlib.losses import Data, batch, condition, draw, noised, score_matching, share
from paperlib.training import Training
from paperlib.unlearning.empirical import posterior_eps
from paperlib.unlearning.requirements import (
    checked,
    require_retained,
)
from paperlib.unlearning.start import starting_point

__all__ = ["carving", "density_ratio", "redirect"]


@checked
def redirect(
    model: Denoiser,
    forget: Data,
    retain: Data,
    *,
    generator: torch.Generator,
    steps: int,
    weight: Callable[[Tensor], Tensor] | None = None,
    mu: float = 0.2,
    reach: float = 2.0,
    sigma_min: float = 0.02,
    references: int = 1024,
    start: str = "finetune",
    batch_size: int = 400,
    lr: float = 2e-4,
    antithetic: bool = False,
    **training,
) -> Training:
    """Unlearn ``forget`` by redirection and keep ``retain``.

    A conditional model is redirected under the forgotten images' own labels, to the retained data of all classes.

    Args:
        weight: retained points [B, ...] -> w [B] in (0, 1], as returned by :func:`carving`; None is 1 everywhere.
        mu: weight of the second term, the regression at noisy forgotten points.
        reach: largest norm of eps* in units of sqrt(D), about the norm of the noise itself. Deep inside a carved region
            eps* would otherwise grow as 1 / sigma_t, which no network can follow.
        sigma_min: lowest noise level (sigma_t / alpha_t) of the second term. Where the reference points lie farther
            apart than the noise reaches, their posterior mean is just the nearest one.
        references: number R of retained points behind each posterior mean, sampled again at every update.
        start: "retrain" from fresh weights, or "finetune" from the model's own.
        batch_size: retained rows per update; half as many forgotten rows are added.
        training: further arguments of :class:`paperlib.training.Training` (ema, clip, warmup, decay).
    """
    require_retained(retain, "redirect")
    for name, value in {"mu": mu, "reach": reach, "sigma_min": sigma_min}.items():
        if not value >= 0:
            raise ValueError(f"{name}={value} is negative")
    if references < 1:
        raise ValueError(f"references={references} is below 1")
    model = starting_point(model, start, generator)
    weight = weight or (lambda x0: torch.ones(len(x0)))

    def objective(model, generator, index):
        x0, labels = draw(retain, batch_size, generator)
        cond = condition(model, labels, generator)
        w = share(weight(x0).repeat(2 if antithetic else 1))
        L_g = (w * score_matching(model, x0, generator, cond=cond, antithetic=antithetic)).mean()
        x_f, labels = draw(forget, max(1, batch_size // 2), generator)
        cond = condition(model, labels, generator)
        x_t, t, _ = noised(model.process, x_f, generator)
        asked = model.process.sigma(t) >= sigma_min * model.process.alpha(t)
        cond = None if cond is None else share(cond)[asked]
        reference, _ = draw(retain, references, generator)
        target = posterior_eps(model.process, x_t[asked], t[asked], reference, weight(reference)).flatten(1)
        target = target * (reach * math.sqrt(target.shape[1]) / target.norm(dim=1, keepdim=True)).clamp(max=1)
        L_f = (target - model(x_t[asked], t[asked], cond).eps.flatten(1)).square().sum() / asked.sum().clamp(min=1)
        return {"loss": L_g + mu * L_f, "L_g": L_g, "L_f": L_f}

    return Training(model, objective, steps=steps, lr=lr, generator=generator, **training)


def carving(ratio: Callable[[Tensor], Tensor], *, lam: float, floor: float) -> Callable[[Tensor], Tensor]:
    """Return the weight w(x) = max(1 - r(x) / lambda, floor) for the ratio r = p_f / p_g; ``floor`` in (0, 1]."""
    if not lam > 0 or not 0 < floor <= 1:
        raise ValueError(f"carving needs lam > 0 and 0 < floor <= 1, got lam={lam} and floor={floor}")
    return lambda x: (1 - ratio(x) / lam).clamp(min=floor)


def density_ratio(
    forget: Tensor,
    retain: Tensor,
    *,
    generator: torch.Generator,
    steps: int = 1000,
    width: int = 64,
    batch_size: int = 512,
    lr: float = 4e-3,
) -> Callable[[Tensor], Tensor]:
    """Estimate r = p_f / p_g by logistic regression: a network that tells forgotten from retained data learns log r.

    Returns:
        The function x [B, ...] -> r(x) [B].
    """
    dims = retain[0].numel()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**62, (), generator=generator)))
        layers = [nn.Linear(dims, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 1)]
    network = nn.Sequential(nn.Flatten(), *layers, nn.Flatten(0))

    def objective(network, generator, index):
        x = torch.cat([batch(forget, batch_size, generator), batch(retain, batch_size, generator)])
        label = torch.cat([torch.ones(batch_size), torch.zeros(batch_size)])
        return {"loss": nn.functional.binary_cross_entropy_with_logits(network(x), label)}

    trained = Training(network, objective, steps=steps, lr=lr, generator=generator, decay=True, ema=0.99).run()
    return torch.no_grad()(lambda x: trained(x).exp())
