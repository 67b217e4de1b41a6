"""Three recipes for the likelihood of an 8-bit image: what each is a likelihood of, and its lowest possible value.

``"flow"``: the density of the probability-flow ODE at the dequantised image itself, as in score_sde (Song et al.,
2021). The flow of any smooth field has a normalised density, so this is a likelihood of *the flow*, and bounds the code
length of the 8-bit image whatever the network. But the ODE starts at an image without noise, where no network was
trained: there the field is an extrapolation, the flow is not the diffusion of anything, and part of the number reflects
how the network extrapolates. With exact scores it is at least log2(sqrt(2 pi) sigma) + 7, since p_{t_min} is data
convolved with N(0, sigma^2 I); a network's value may well be lower, and then its score is not exact.

``"noised flow"``: the same density at the image noised to t_min, alpha x_0 + sigma z, where the network was trained. It
is a likelihood of the diffusion's distribution at t_min. A cross entropy is never below the entropy of its data, which
is at least that of the noise: at least log2(sqrt(2 pi e) sigma) + 7 for *every* network, trained or not. Unlearning
should be judged by this recipe or by the bound: they evaluate the model where it was trained, and breaking the model
gains nothing.

``"bound"``: the variational bound of a DDPM's own chain, a code length of the 8-bit image (at least 0). It evaluates
the network at noised images only.

A difference of a few hundredths of a bit between recipes, or between two models by the first one, says nothing about
what was learned; several bits do.
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

#: The recipes, each with what it is a likelihood of.
RECIPES = {
    "flow": "the flow, at the image itself",
    "noised flow": "the diffusion at t_min, at noised images",
    "bound": "the chain of Gaussian steps",
}


def needs_recipe(recipe: str, *allowed: str) -> None:
    """Raise a ValueError for a name that is not one of ``allowed``, or of all recipes if none are given."""
    if recipe not in (allowed or RECIPES):
        raise ValueError(f"recipe={recipe!r} is not one of {', '.join(allowed or RECIPES)}")


def floor(process: Process, recipe: str) -> float:
    """Return the lowest possible mean in bits per dimension: for exact scores ("flow") or any network (the others)."""
    needs_recipe(recipe)
    if recipe == "bound":
        return 0.0
    sigma = process.sigma(torch.tensor(process.t_min, dtype=torch.float64)).item()
    return math.log2(math.sqrt(2 * math.pi * (math.e if recipe == "noised flow" else 1)) * sigma) + LEVELS_OFFSET


def noised(process: Process, x0: Tensor, generator: torch.Generator) -> Tensor:
    """Noise x_0 [B, ...] to t_min: alpha x_0 + sigma z."""
    need_batch(x0=x0)
    t = torch.full((len(x0),), process.t_min, dtype=x0.dtype, device=x0.device)
    return process.perturb(x0, t, normal(x0.shape, generator, x0.device).to(x0))


def posterior_trace(
    model: DenoisingModel, x_t: Tensor, t: Tensor, *, generator: torch.Generator, cond: Tensor | None = None
) -> Tensor:
    """Estimate tr(dx0 / dy) / D with one random probe, [B], where x0(x_t, t) is the model's and y = x_t / alpha_t.

    For the exact x0 = E[x_0 | x_t] it is the trace of Cov(x_0 | x_t) alpha_t^2 / sigma_t^2 over D, between 0 and the
    value for a Gaussian with the data's covariance: below 0 the field does not belong to any diffusion.
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
