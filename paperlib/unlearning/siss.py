"""SISS, subtracted importance sampled scores: the retained data's loss from one pass at noisy points of all data.

The set X has n points, of which the k in A are to be forgotten (Alberti, Hasanaliyev, Shah, Ermon, Data Unlearning in
Diffusion Models, ICLR 2025). The naive deletion loss, that of X without A, is a difference::

    L = n / (n - k) E_X |eps - z_x|^2 - (1 + s) k / (n - k) E_A |eps - z_a|^2

with s = 0; s > 0 is their superfactor, which goes beyond deletion. For pairs x from X and a from A both terms are
estimated from one pass at m ~ (1 - l) q(. | x) + l q(. | a), each with its own noise and weight::

    z_x = (m - alpha_t x) / sigma_t,    w_x = 1 / ((1 - l) + l r),         r = q(m | a) / q(m | x)
    z_a = (m - alpha_t a) / sigma_t,    w_a = 1 / ((1 - l) / r + l)

Their code omits n, k and s: it scales the second term's gradient to a fixed fraction of the first's norm, a tenth by
recommendation. This keeps the loss, which has no lower bound for s > 0, from diverging.
"""

import math

import torch
from torch import Tensor

from paperlib.denoiser import Denoiser
from paperlib.losses import Data, condition, draw, share, times
from paperlib.processes import expand, normal
from paperlib.training import Training
from paperlib.unlearning.requirements import checked, not_negative, one_of, require_retained

__all__ = ["PASSES", "VARIANTS", "mixture_weights", "siss"]

PASSES = ("one", "two")
VARIANTS = ("paper", "code")


def mixture_weights(log_r: Tensor, lam: float) -> tuple[Tensor, Tensor]:
    """Return w_x and w_a from log r, for the mixture's weight l = ``lam`` in [0, 1], without overflow at any r."""
    stay, go = (math.log(part) if part else -math.inf for part in (1 - lam, lam))
    stay, go = torch.full_like(log_r, stay), torch.full_like(log_r, go)
    return (-torch.logaddexp(stay, go + log_r)).exp(), (-torch.logaddexp(stay - log_r, go)).exp()


@checked
def siss(
    model: Denoiser,
    forget: Data,
    retain: Data,
    *,
    generator: torch.Generator,
    steps: int,
    lam: float = 0.5,
    fraction: float = 0.1,
    superfactor: float = 0.0,
    passes: str = "one",
    variant: str = "code",
    batch_size: int = 64,
    lr: float = 5e-6,
    **training,
) -> Training:
    """Unlearn ``forget`` with SISS and keep ``retain``; X is both together.

    Args:
        lam: the mixture's weight l. 0 uses noisy points of X alone, 1 those of A; the authors use 0.5.
        fraction: fraction of the first gradient's norm to which the second gradient is scaled (variant "code").
        superfactor: s (variant "paper").
        passes: "one" pass with importance sampling, or "two", the authors' form without it: x and a are noised
            separately.
        variant: "paper" weights both terms by n, k and s; "code" by their gradients' norms.
        batch_size: pairs (x, a) per update.
        training: further arguments of :class:`paperlib.training.Training` (ema, clip, warmup, decay).
    """
    require_retained(retain, "siss")
    one_of(PASSES, passes=passes)
    one_of(VARIANTS, variant=variant)
    not_negative(fraction=fraction, superfactor=superfactor)
    if not 0 <= lam <= 1:
        raise ValueError(f"lam={lam} is not in [0, 1]")
    k, rest = len(forget), len(retain)
    first, second = (rest + k) / rest, (1 + superfactor) * k / rest

    def everything(generator):
        """Sample rows of X, from each side in proportion to its size."""
        (x_g, labels_g), (x_f, labels_f) = (draw(side, batch_size, generator) for side in (retain, forget))
        coin = torch.rand(batch_size, generator=generator, device=generator.device).to(x_g.device) < k / (k + rest)
        labels = None if labels_g is None else torch.where(coin, labels_f, labels_g)
        return torch.where(expand(coin, x_g), x_f, x_g), labels

    def objective(model, generator, index):
        (x, x_labels), (a, a_labels) = everything(generator), draw(forget, batch_size, generator)
        x_cond, a_cond = (condition(model, labels, generator) for labels in (x_labels, a_labels))
        process, t = model.process, times(batch_size, model.process, generator).to(x.device)
        z = normal(x.shape, generator, x.device)
        coin = torch.rand(batch_size, generator=generator, device=generator.device).to(x.device) < lam
        x, a, t, z, coin = (share(rows) for rows in (x, a, t, z, coin))
        x_cond, a_cond = (None if cond is None else share(cond) for cond in (x_cond, a_cond))
        if passes == "two":
            L_x, L_a = (
                (z - model(process.perturb(x0, t, z), t, cond).eps).square().flatten(1).sum(1)
                for x0, cond in ((x, x_cond), (a, a_cond))
            )
        else:
            m = process.perturb(torch.where(expand(coin, x), a, x), t, z)
            cond = None if x_cond is None else torch.where(coin, a_cond, x_cond)
            eps, alpha, sigma = model(m, t, cond).eps, expand(process.alpha(t), m), expand(process.sigma(t), m)
            z_x, z_a = (m - alpha * x) / sigma, (m - alpha * a) / sigma
            log_r = 0.5 * (z_x.square() - z_a.square()).flatten(1).sum(1)
            w_x, w_a = mixture_weights(log_r, lam)
            L_x, L_a = (w * (z - eps).square().flatten(1).sum(1) for w, z in ((w_x, z_x), (w_a, z_a)))
        terms = {"L_x": L_x.mean(), "L_a": L_a.mean()}
        return terms if variant == "code" else {"loss": first * terms["L_x"] - second * terms["L_a"]} | terms

    def weigh(gradients, values):
        x, a = (gradients[name].norm().item() for name in ("L_x", "L_a"))
        return {"L_x": 1.0, "L_a": -fraction * x / a if a else 0.0}

    weighing = {"weigh": weigh} if variant == "code" else {}
    return Training(model, objective, steps=steps, lr=lr, generator=generator, **weighing, **training)
