"""Dynamic negative guidance: exact negation of a conditional model during sampling, without a classifier.

A conditional model gives the score of all data and of each class, so the identity of :mod:`paperlib.negation` needs no
gradient (Koulischer, Deleu, Raya, Demeester, Ambrogioni, ICLR 2025)::

    s_g(x_t) = s(x_t) - sum_k pi_k(x_t) / (1 - pi_f(x_t)) (s_k(x_t) - s(x_t)),     pi_f = sum_k pi_k,  k forgotten

and pi_k(x_t) = P(k | x_t) is tracked, so no classifier has to provide it. At the start it is the share of the class;
every jump of the chain from x_t to x_s is more or less likely under the class than under all data::

    log pi_k(x_s) = log pi_k(x_t) - |x_s - m_k|^2 / (2 n^2) + |x_s - m|^2 / (2 n^2)

with m_k and m the means of the jump in the two models and n its standard deviation. This is exact where the jumps are
Gaussian, that is in the limit of many jumps. With one constant in place of pi_k / (1 - pi_f) it is negative prompting.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from paperlib.denoiser import Denoised, DenoisingModel
from paperlib.processes import expand
from paperlib.sampling.ancestral import jump
from paperlib.sampling.walk import State, Walk

__all__ = ["dng"]

LARGEST = 0.99  # largest pi_f in 1 / (1 - pi_f): the tracked value may exceed 1


@torch.no_grad()
def dng(
    model: DenoisingModel,
    x: Tensor,
    *,
    forget: Sequence[int],
    shares: Sequence[float],
    steps: int | Tensor | None = None,
    generator: torch.Generator | None = None,
    cond: Tensor | None = None,
    w: float = 1.0,
    spacing: str = "index",
    denoise: bool = True,
) -> Iterator[State]:
    """Sample DDPM's chain from x [B, ...] without the classes ``forget``, with 1 + len(forget) evaluations per step.

    Args:
        model: a conditional model, which with ``cond=None`` is the model of all data.
        forget: the labels to forget.
        shares: the share P(k) of each of these labels in the data.
        w: multiplier of the correction; 1 is exact.
    """
    if not len(forget) or len(forget) != len(shares):
        raise ValueError(
            f"{len(forget)} labels to forget and {len(shares)} shares: one share for each label, at least one"
        )
    if min(shares) <= 0 or sum(shares) >= 1:
        raise ValueError(f"shares={tuple(shares)} are not positive, with something left to keep")
    if cond is not None:
        raise ValueError("cond is given: negation is of the model of everything; a class that is kept needs none")
    walk = Walk(model, x, steps, spacing=spacing, denoise=denoise, generator=generator, cond=None, clip=None)
    log_pi = torch.tensor(shares, dtype=x.dtype, device=x.device).log().expand(len(x), -1).clone()  # [B, F]
    for t, s in walk.pairs:
        whole, time = walk(x, t), walk.time(x, t)
        faces = []
        for label in forget:
            faces.append(model(x, time, torch.full((len(x),), label, device=x.device)))
            walk.evaluations += 1
        mean, std = jump(whole, t, s, eta=1.0)
        means = [jump(face, t, s, eta=1.0)[0] for face in faces]
        kept = jump(_negated(whole, faces, log_pi, w), t, s, eta=1.0)[0]
        x = kept + std * walk.noise(x) if std else kept
        if std:
            off = [(x - m).flatten(1).square().sum(1) for m in (mean, *means)]
            log_pi = log_pi + torch.stack([off[0] - own for own in off[1:]], 1) / (2 * std**2)
            log_pi = log_pi - log_pi.exp().sum(1, keepdim=True).clamp(min=1).log()  # no more than everything
        yield walk.state(x, s)


def _negated(whole: Denoised, faces: Sequence[Denoised], log_pi: Tensor, w: float) -> Denoised:
    pi = log_pi.exp()
    odds = w * pi / (1 - pi.sum(1, keepdim=True).clamp(max=LARGEST))  # [B, F]

    def view(name: str) -> Tensor:
        all_of_it = getattr(whole, name)
        away = (expand(odds[:, k], all_of_it) * (getattr(face, name) - all_of_it) for k, face in enumerate(faces))
        return all_of_it - sum(away)

    return Denoised(x0=view("x0"), eps=view("eps"), score=view("score"))
