"""The divergence of a field, computed exactly with one derivative per dimension or estimated with random probes::

    div f = tr J = E[e' J e]   for probes e with E[e e'] = I,   J = df / dx

(Hutchinson, 1989; Grathwohl et al., 2019.) Signs (Rademacher) add no error from the diagonal of J, and so have the
smaller variance. Along a path the probes are sampled once and kept, so that the integrand stays smooth.
"""

import torch
from torch import Tensor

from paperlib.checks import need_positive

__all__ = ["DIVERGENCES", "draw_probes", "exact_divergence", "hutchinson", "needs", "products"]

DIVERGENCES = ("exact", "rademacher", "gaussian")


def needs(divergence: str, probes: int, generator: torch.Generator | None) -> None:
    """Raise a ValueError for an unknown name, fewer than one probe, or random probes without a generator."""
    if divergence not in DIVERGENCES:
        raise ValueError(f"divergence={divergence!r} is not one of {', '.join(DIVERGENCES)}")
    need_positive(probes=probes)
    if divergence != "exact" and generator is None:
        raise ValueError(f"divergence={divergence!r} draws random probes: give a generator")


def draw_probes(kind: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Sample probes with E[e e'] = I on the generator's device: signs ("rademacher") or else standard normal."""
    if kind == "rademacher":
        return 2.0 * torch.randint(2, shape, generator=generator, device=generator.device) - 1.0
    return torch.randn(shape, generator=generator, device=generator.device)


def exact_divergence(dx: Tensor, x: Tensor) -> Tensor:
    """Return sum_i d dx_i / d x_i, [B], with one backward pass for each of the D coordinates."""
    flat = dx.flatten(1)
    columns = range(flat.shape[1])
    gradients = (torch.autograd.grad(flat[:, i].sum(), x, retain_graph=i != columns[-1])[0] for i in columns)
    return sum(gradient.flatten(1)[:, i] for i, gradient in enumerate(gradients))


def products(dx: Tensor, x: Tensor, noise: Tensor) -> Tensor:
    """Return e' J e for each probe e in noise [P, B, ...], [P, B]: one backward pass per probe, all on one forward
    pass."""
    last = len(noise) - 1
    each = (torch.autograd.grad(dx, x, e, retain_graph=i < last)[0] * e for i, e in enumerate(noise))
    return torch.stack([product.flatten(1).sum(1) for product in each])


def hutchinson(dx: Tensor, x: Tensor, noise: Tensor) -> Tensor:
    """Return the mean of e' J e (:func:`paperlib.likelihood.divergence.products`) over probes, [B]."""
    return products(dx, x, noise).mean(0)
