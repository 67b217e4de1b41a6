"""SGU: score-based generative unlearning, orthogonal and obtuse.

The score is learnt on retained data, and turned away on forgotten data (SGU, Eq. 8 to 11)::

    min  alpha L_g + (1 - alpha) L_f
    L_g = E lambda(t) |s(x_t, t) - grad log p(x_t | x_0)|^2,    x_0 from D_g      (Eq. 8)
    L_f = E lambda(t) (s(x_t, t) . grad log p(x_t | x_0))^2,    x_0 from D_f      (Eq. 9, orthogonal)
    L_f = E lambda(t)  s(x_t, t) . grad log p(x_t | x_0),       x_0 from D_f      (Eq. 10, obtuse)

Here x_t = alpha_t x_0 + sigma_t z, s = -eps / sigma_t and grad log p(x_t | x_0) = -z / sigma_t. The paper leaves lambda
open; here it makes each term independent of sigma_t: sigma_t^2 in Eq. 8 and 10, sigma_t^4 in Eq. 9. That is a choice:
the paper prints all of them with one lambda(t), and ``shared_lambda=True`` takes sigma_t^2 in Eq. 9 too, where L_f then
grows as 1 / sigma_t^2 and the least noisy rows dominate. For a DDPM the same losses are the paper's Eq. 12 to 14, whose
weight is ``weighting="bound"``.

``variant="corrected"`` does what the paper's text asks for, with losses that have a minimum:

- orthogonal: Eq. 9 is zero only where s is, since z takes every direction at a given x_t. The forgotten data's score is
  the mean of -z / sigma_t there. The base model gives that mean over *all* data at x_t, which is the same where only
  forgotten data are near: the new score is made orthogonal to this mean, not to each z.
- obtuse: Eq. 10 has no lower bound. Completed by the square ``|eps|^2 / 2``, it is regression to -z: the forgotten
  data's score with its sign reversed and its length kept.
"""

import copy

import torch
from torch import Tensor

from paperlib.denoiser import Denoiser
from paperlib.losses import Data, batch_loss, condition, draw, noised, share, weight
from paperlib.training import Training
from paperlib.unlearning.requirements import (
    checked,
    require_retained,
)
from paperlib.unlearning.start import starting_point

__all__ = ["FORGET_LOSSES", "forget_loss", "sgu"]

# Each takes the model's eps, the noise z and the base model's eps, e, all [B, D], and returns [B].


def orthogonal_paper(eps: Tensor, z: Tensor, e: Tensor) -> Tensor:
    """Eq. 9: the squared inner product, sigma^4 (s . z / sigma)^2 = (eps . z)^2."""
    return (eps * z).sum(1).square()


def orthogonal_code(eps: Tensor, z: Tensor, e: Tensor) -> Tensor:
    """The public code's "square" task: the sum over coordinates of (s_i sigma z_i)^2, not the square of their sum."""
    return (eps * z).square().sum(1)


def orthogonal_corrected(eps: Tensor, z: Tensor, e: Tensor) -> Tensor:
    """(eps . e)^2 / |e|^2: the squared length of the component along the forgotten data's score."""
    return (eps * e).sum(1).square() / e.square().sum(1).clamp(min=1e-12)


def obtuse_paper(eps: Tensor, z: Tensor, e: Tensor) -> Tensor:
    """Eq. 10: sigma^2 (-eps / sigma) . (-z / sigma) = eps . z; minimising it turns the score against the data's."""
    return (eps * z).sum(1)


def obtuse_code(eps: Tensor, z: Tensor, e: Tensor) -> Tensor:
    """The public code's "norm" task minimises s . (sigma z) = -eps . z: the opposite sign, which aligns the two."""
    return -(eps * z).sum(1)


def obtuse_corrected(eps: Tensor, z: Tensor, e: Tensor) -> Tensor:
    """Eq. 10 with the square that bounds it: |eps + z|^2 / 2 = eps . z + |eps|^2 / 2 + |z|^2 / 2."""
    return 0.5 * (eps + z).square().sum(1)


FORGET_LOSSES = {
    "orthogonal": {"paper": orthogonal_paper, "code": orthogonal_code, "corrected": orthogonal_corrected},
    "obtuse": {"paper": obtuse_paper, "code": obtuse_code, "corrected": obtuse_corrected},
}


def forget_loss(
    model: Denoiser,
    x0: Tensor,
    generator: torch.Generator,
    *,
    loss: str,
    variant: str,
    given: Denoiser | None = None,
    cond: Tensor | None = None,
    weighting: str = "simple",
    shared_lambda: bool = False,
    antithetic: bool = False,
) -> Tensor:
    """Return L_f on forgotten data x0 [B, ...], one value per noisy row; ``cond`` has one row for each row of x0.

    ``given`` is the base model, which only the corrected orthogonal loss uses. ``shared_lambda`` computes Eq. 9 with
    the lambda(t) of Eq. 8, sigma_t^2, in place of sigma_t^4.
    """
    x_t, t, z = noised(model.process, x0, generator, antithetic=antithetic)
    if cond is not None:
        cond = share(torch.cat([cond, cond]) if antithetic else cond)
    z, e = z.flatten(1), None
    if (loss, variant) == ("orthogonal", "corrected"):
        with torch.no_grad():
            e = given(x_t, t, cond).eps.flatten(1)
    rows = FORGET_LOSSES[loss][variant](model(x_t, t, cond).eps.flatten(1), z, e)
    if shared_lambda and loss == "orthogonal":
        rows = rows / model.process.variance(t).to(rows)
    return rows if weighting == "simple" else weight(model.process, t, weighting) * rows


@checked
def sgu(
    model: Denoiser,
    forget: Data,
    retain: Data,
    *,
    generator: torch.Generator,
    steps: int,
    loss: str = "orthogonal",
    alpha: float = 0.99,
    variant: str = "paper",
    weighting: str = "simple",
    shared_lambda: bool = False,
    start: str = "finetune",
    every: int = 1,
    batch_size: int = 400,
    forget_batch: int = 0,
    lr: float = 2e-4,
    antithetic: bool = False,
    **training,
) -> Training:
    """Unlearn ``forget`` with SGU and keep ``retain``.

    Args:
        loss: "orthogonal" (Eq. 9) or "obtuse" (Eq. 10). Eq. 10 alone has no lower bound; inside Eq. 11 its pointwise
            minimiser is s_g - (1 - alpha) / (2 alpha) (p_f / p_g) s_f, large wherever the retained data are rare.
        alpha: weight of L_g in Eq. 11. The paper never gives it ("depends on the ratio of M to N"); the public code has
            0.99.
        variant: "paper" is the printed equation, "code" what the public code does instead, "corrected" the repaired
            loss: its obtuse minimiser in Eq. 11, (2 alpha p_g s_g - (1 - alpha) p_f s_f) / (2 alpha p_g + (1 - alpha)
            p_f), is never longer than the longer of the two scores.
        weighting: weight over time in both terms: "simple" or, for a DDPM, "bound" (:func:`paperlib.losses.weight`).
        shared_lambda: use lambda(t) = sigma_t^2 in Eq. 9 as in Eq. 8, instead of making each term independent of
            sigma_t.
        start: "retrain" from fresh weights, or "finetune" from the model's own.
        every: L_f is added at every ``every``-th update (the public code: 4); in between only alpha L_g is minimised.
        batch_size: rows of each side per update (the public code's CIFAR-10 run: 400 and 400).
        forget_batch: rows of D_f per update where they differ (STL-10: 400 and 100); 0 means ``batch_size``.
        training: further arguments of :class:`paperlib.training.Training` (ema, clip, warmup, decay).
    """
    require_retained(retain, "sgu")
    for name, value, allowed in (("loss", loss, FORGET_LOSSES), ("variant", variant, FORGET_LOSSES["obtuse"])):
        if value not in allowed:
            raise ValueError(f"{name}={value!r} is not one of {', '.join(allowed)}")
    if not 0 < alpha <= 1:
        raise ValueError(f"alpha={alpha} is not in (0, 1]")
    for name, value, least in (("every", every, 1), ("forget_batch", forget_batch, 0)):
        if value < least:
            raise ValueError(f"{name}={value} is below {least}")
    weight(model.process, torch.ones(1), weighting)  # rejects an unknown one before any work
    given = copy.deepcopy(model).eval() if (loss, variant) == ("orthogonal", "corrected") else None
    settings = {"weighting": weighting, "antithetic": antithetic}
    turned = settings | {"loss": loss, "variant": variant, "given": given, "shared_lambda": shared_lambda}

    def objective(model, generator, index):
        L_g = batch_loss(model, retain, batch_size, generator, **settings).mean()
        if index % every:
            return {"loss": alpha * L_g, "L_g": L_g}
        x_f, labels = draw(forget, forget_batch or batch_size, generator)
        cond = condition(model, labels, generator)
        L_f = forget_loss(model, x_f, generator, cond=cond, **turned).mean()
        return {"loss": alpha * L_g + (1 - alpha) * L_f, "L_g": L_g, "L_f": L_f}

    return Training(
        starting_point(model, start, generator), objective, steps=steps, lr=lr, generator=generator, **training
    )
