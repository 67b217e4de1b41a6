"""Three recipes for the likelihood of an 8-bit image, what each is a likelihood of, and the floor it cannot go below.

``"flow"``: the density of the probability-flow ODE at the dequantised image itself, as score_sde has it (Song et al.,
2021). The flow of any smooth field has a normalised density, so it is a likelihood of *the flow*, and bounds the code
length of the 8-bit image whatever the network. But the ODE starts at an image without noise, where no network was
trained: there the field is an extrapolation, the flow is not the diffusion of anything, and a part of the number says
how the network extrapolates. With exact scores it is at least log2(sqrt(2 pi) sigma) + 7, since p_{t_min} is data
convolved with N(0, sigma^2 I); a network may well be below, and then is no exact score.

``"noised flow"``: the same density at the image noised to t_min, alpha x_0 + sigma z, where the network was trained.
It is a likelihood of what the diffusion has at t_min. A cross entropy is never below the entropy of its data, and those
hold the noise's: at least log2(sqrt(2 pi e) sigma) + 7 for *every* network, trained or not. By this one, or by the
bound, unlearning should be judged: it asks the model where it knows something, and nothing can be won by breaking it.

``"bound"``: the variational bound of a DDPM's own chain, a code length of the 8-bit image (at least 0). It asks the
network at noised images only.

A difference between recipes, or between two models by the first one, of a few hundredths of a bit says nothing of what
was learned; several bits do.
"""

import math

import torch
from torch import Tensor

from paperlib.checks import need_batch
from paperlib.denoiser import DenoisingModel
from paperlib.likelihood.divergence import draw_probes, products
from paperlib.likelihood.units import LEVELS_OFFSET
from paperlib.processes import Process, expand, normal

__all__ = ["RECIPES", "floor", "needs_recipe", "noised", "posterior_trace"]

#: What each is a likelihood of.
RECIPES = {
    "flow": "the flow, at the image itself",
    "noised flow": "the diffusion at t_min, at noised images",
    "bound": "the chain of Gaussian steps",
}


def needs_recipe(recipe: str, *allowed: str) -> None:
    """Refuse a name that is not one of ``allowed``, or of all."""
    if recipe not in (allowed or RECIPES):
        raise ValueError(f"recipe={recipe!r} is not one of {', '.join(allowed or RECIPES)}")


def floor(process: Process, recipe: str) -> float:
    """Bits a dimension below which the mean cannot be: of exact scores ("flow"), of any network (the others)."""
    needs_recipe(recipe)
    if recipe == "bound":
        return 0.0
    sigma = process.sigma(torch.tensor(process.t_min, dtype=torch.float64)).item()
    return math.log2(math.sqrt(2 * math.pi * (math.e if recipe == "noised flow" else 1)) * sigma) + LEVELS_OFFSET


def noised(process: Process, x0: Tensor, generator: torch.Generator) -> Tensor:
    """x at t_min for x_0 [B, ...]: alpha x_0 + sigma z."""
    need_batch(x0=x0)
    t = torch.full((len(x0),), process.t_min, dtype=x0.dtype, device=x0.device)
    return process.perturb(x0, t, normal(x0.shape, generator, x0.device).to(x0))


def posterior_trace(
    model: DenoisingModel, x_t: Tensor, t: Tensor, *, generator: torch.Generator, cond: Tensor | None = None
) -> Tensor:
    """tr(dx0 / dy) / D by one random probe, [B], where x0(x_t, t) is the model's and y = x_t / alpha_t.

    For the exact x0 = E[x_0 | x_t] it is the trace of Cov(x_0 | x_t) alpha_t^2 / sigma_t^2 over D, between 0 and
    what a Gaussian of the data's covariance would have: below 0 the field is no diffusion's.
    """
    need_batch(x_t=x_t)
    if t.shape != x_t.shape[:1] or not t.isfinite().all():
        raise ValueError(f"t must hold one finite time a row of x_t {list(x_t.shape)}, not {list(t.shape)}")
    probe = draw_probes("rademacher", (1, *x_t.shape), generator).to(x_t)
    with torch.enable_grad():
        at = x_t.detach().requires_grad_()
        x0 = expand(model.process.alpha(t).to(x_t), x_t) * model(at, t, cond).x0
        (trace,) = products(x0, at, probe)
    return trace.detach() / x_t[0].numel()
