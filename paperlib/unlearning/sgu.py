"""SGU: score-based generative unlearning, orthogonal and obtuse.

On retained data the score is learnt, on forgotten data it is turned away (SGU, Eq. 8 to 11)::

    min  alpha L_g + (1 - alpha) L_f
    L_g = E lambda(t) |s(x_t, t) - grad log p(x_t | x_0)|^2,    x_0 from D_g      (Eq. 8)
    L_f = E lambda(t) (s(x_t, t) . grad log p(x_t | x_0))^2,    x_0 from D_f      (Eq. 9, orthogonal)
    L_f = E lambda(t)  s(x_t, t) . grad log p(x_t | x_0),       x_0 from D_f      (Eq. 10, obtuse)

With x_t = alpha_t x_0 + sigma_t z, s = -eps / sigma_t and grad log p(x_t | x_0) = -z / sigma_t. The paper leaves lambda
open; here it makes each term free of sigma_t: sigma_t^2 in Eq. 8 and 10, sigma_t^4 in Eq. 9 (with sigma_t^2 there, L_f
would grow as 1 / sigma_t^2).
"""

import torch
from torch import Tensor

from paperlib.denoiser import Denoiser
from paperlib.losses import Data, batch_loss, condition, draw, noised, share
from paperlib.training import Training
from paperlib.unlearning.start import starting_point

__all__ = ["FORGET_LOSSES", "forget_loss", "sgu"]


def orthogonal_paper(eps: Tensor, z: Tensor) -> Tensor:
    """Eq. 9: the squared inner product, sigma^4 (s . z / sigma)^2 = (eps . z)^2; eps, z [B, D] -> [B]."""
    return (eps * z).sum(1).square()


def orthogonal_code(eps: Tensor, z: Tensor) -> Tensor:
    """The public code's "square" task: the sum over coordinates of (s_i sigma z_i)^2, not the square of their sum."""
    return (eps * z).square().sum(1)


def obtuse_paper(eps: Tensor, z: Tensor) -> Tensor:
    """Eq. 10: sigma^2 (-eps / sigma) . (-z / sigma) = eps . z; minimised, it turns the score against the data's."""
    return (eps * z).sum(1)


def obtuse_code(eps: Tensor, z: Tensor) -> Tensor:
    """The public code's "norm" task minimises s . (sigma z) = -eps . z: the opposite sign, which aligns the two."""
    return -(eps * z).sum(1)


FORGET_LOSSES = {
    "orthogonal": {"paper": orthogonal_paper, "code": orthogonal_code},
    "obtuse": {"paper": obtuse_paper, "code": obtuse_code},
}


def forget_loss(
    model: Denoiser,
    x0: Tensor,
    generator: torch.Generator,
    *,
    loss: str,
    variant: str,
    cond: Tensor | None = None,
    antithetic: bool = False,
) -> Tensor:
    """L_f of Eq. 9 or 10 on forgotten data x0 [B, ...], one value a noisy row; ``cond`` has a row for each x0."""
    x_t, t, z = noised(model.process, x0, generator, antithetic=antithetic)
    if cond is not None:
        cond = share(torch.cat([cond, cond]) if antithetic else cond)
    return FORGET_LOSSES[loss][variant](model(x_t, t, cond).eps.flatten(1), z.flatten(1))


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
    start: str = "finetune",
    every: int = 1,
    batch_size: int = 400,
    lr: float = 2e-4,
    antithetic: bool = False,
    **training,
) -> Training:
    """Unlearn ``forget`` [M, ...] and keep ``retain`` [N, ...].

    Args:
        loss: "orthogonal" (Eq. 9) or "obtuse" (Eq. 10). Eq. 10 alone has no lower bound; inside Eq. 11 its pointwise
            minimiser is s_g - (1 - alpha) / (2 alpha) (p_f / p_g) s_f, large wherever the retained data are rare.
        alpha: weight of L_g in Eq. 11. The paper never gives it ("depends on the ratio of M to N"); the public code has
            0.99.
        variant: "paper" is the printed equation, "code" what the public code does instead.
        start: "retrain" from fresh weights, or "finetune" from the model's own.
        every: L_f joins at every so-many-th update (the public code: 4); in between only alpha L_g is minimised.
        batch_size: rows of each side an update (the public code's CIFAR-10 run: 400 and 400).
        training: further arguments of :class:`paperlib.training.Training` (ema, clip, warmup, decay).
    """
    for name, value, allowed in (("loss", loss, FORGET_LOSSES), ("variant", variant, FORGET_LOSSES["obtuse"])):
        if value not in allowed:
            raise ValueError(f"{name}={value!r} is not one of {', '.join(allowed)}")
    if not 0 < alpha <= 1:
        raise ValueError(f"alpha={alpha} is not in (0, 1]")
    if every < 1:
        raise ValueError(f"every={every} is below 1")
    model = starting_point(model, start, generator)

    def objective(model, generator, index):
        L_g = batch_loss(model, retain, batch_size, generator, antithetic=antithetic).mean()
        if index % every:
            return {"loss": alpha * L_g, "L_g": L_g}
        x_f, labels = draw(forget, batch_size, generator)
        cond = condition(model, labels, generator)
        L_f = forget_loss(model, x_f, generator, loss=loss, variant=variant, cond=cond, antithetic=antithetic).mean()
        return {"loss": alpha * L_g + (1 - alpha) * L_f, "L_g": L_g, "L_f": L_f}

    return Training(model, objective, steps=steps, lr=lr, generator=generator, **training)
