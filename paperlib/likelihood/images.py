"""Likelihoods of 8-bit images in bits per dimension: values per image, means, intervals.

    nll = image_nll(model, data.images, generator=generator)            # by the probability-flow ODE
    bound = image_bound(model, data.images, generator=generator)        # the DDPM's variational bound
    nll.per_image, nll.mean, nll.interval

Both are upper bounds of -log2 P(image) per dimension, each for its own model: that of the ODE because of dequantisation
(:mod:`paperlib.likelihood.units`), that of the chain because it is a variational bound. A mean over images is a
statement about other images of their kind, so ``interval`` is over images, whatever else is random in a value.
Repeating the probes and dequantisations shows how much randomness they alone contribute.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from paperlib.checks import need_finite, need_images, need_positive, need_rows
from paperlib.data.images import model_input
from paperlib.denoiser import DenoisingModel, beside
from paperlib.intervals import t_quantile
from paperlib.likelihood.bound import variational_bound
from paperlib.likelihood.fast import fast_log_likelihood
from paperlib.likelihood.recipes import needs_recipe, noised
from paperlib.likelihood.units import LEVELS_OFFSET, bits_per_dim

__all__ = ["ImageBound", "ImageNLL", "image_bound", "image_nll", "mean_interval"]


def mean_interval(values: Tensor) -> tuple[float, float] | None:
    """Return the 95 % interval of the mean of independent ``values`` [N], by Student's t; None for a single value."""
    need_finite(values=values)
    if len(values) < 2:
        return None
    mean, half = values.mean().item(), t_quantile(len(values) - 1) * values.std().item() / math.sqrt(len(values))
    return mean - half, mean + half


class _PerImage:
    """A mean over images of ``per_image`` [N], and its 95 % interval."""

    per_image: Tensor

    @property
    def mean(self) -> float:
        """The mean over images, in bits per dimension."""
        return self.per_image.mean().item()

    @property
    def interval(self) -> tuple[float, float] | None:
        """The mean's 95 % interval for other images of the same kind: over images, dequantisation and probes."""
        return mean_interval(self.per_image)


@dataclass(frozen=True)
class ImageNLL(_PerImage):
    """The negative log-likelihood in bits per dimension.

    Args:
        values: float64, [N, K, P]: N images, K dequantisations of each, P probes of each of these.
        evaluations: mean number of network evaluations per image and dequantisation.
        derivatives: mean number of those evaluations that included the divergence.
    """

    values: Tensor
    evaluations: float
    derivatives: float

    @cached_property
    def per_image(self) -> Tensor:
        """The mean over dequantisations and probes, [N]."""
        return self.values.mean((1, 2))

    @cached_property
    def variances(self) -> dict[str, float | None]:
        """The variance components of one value, in squared bits per dimension.

        ``"probes"`` is for one image dequantised once; ``"dequantisations"`` for one image by exact divergence;
        ``"images"`` for exact values.

        The estimates, by nested analysis of variance, are unbiased, so a small component can come out negative. A
        component without repetition is None, and its variance is part of the next one.
        """
        n, k, p = self.values.shape
        within = self.values.var(2).mean().item() if p > 1 else None
        between = self.values.mean(2).var(1).mean().item() if k > 1 else None
        images = self.per_image.var().item() if n > 1 else None
        if images is not None:
            images -= between / k if between is not None else (within or 0.0) / p
        if between is not None:
            between -= (within or 0.0) / p
        return {"probes": within, "dequantisations": between, "images": images}

    @property
    def repeat_interval(self) -> tuple[float, float] | None:
        """The mean's 95 % interval for the same images with new dequantisations and probes; None unless K > 1.

        It is Student's t interval with the N images' variances pooled: N (K - 1) degrees of freedom.
        """
        n, k, _ = self.values.shape
        if k < 2:
            return None
        error = math.sqrt(self.values.mean(2).var(1).mean().item() / (n * k))
        half = t_quantile(n * (k - 1)) * error
        return self.mean - half, self.mean + half


def image_nll(
    model: DenoisingModel,
    images: Tensor,
    *,
    generator: torch.Generator,
    cond: Tensor | None = None,
    recipe: str = "flow",
    dequantisations: int = 1,
    probes: int = 1,
    batch_size: int = 64,
    **solver,
) -> ImageNLL:
    """Compute the NLL of uint8 ``images`` [N, C, H, W] by the probability-flow ODE, on the model's device.

    Args:
        generator: source of the dequantisation noise and the probes.
        cond: the model's condition, one row per image.
        recipe: "flow", at the image itself, or "noised flow", at noised images (:mod:`paperlib.likelihood.recipes`).
        dequantisations: number of dequantisations per image, each with its own ODE, and its own noise in a noised flow.
        probes: number of probes per dequantised image, on one ODE.
        batch_size: images at once; it affects the values only through the order of the random numbers.
        solver: ``steps``, ``tolerance``, ``divergence``, ``data_std`` of
            :func:`paperlib.likelihood.fast.fast_log_likelihood`.
    """
    needs_recipe(recipe, "flow", "noised flow")
    _check(images, cond, dequantisations=dequantisations, batch_size=batch_size)
    values, evaluations, derivatives = [], [], []
    for start in range(0, len(images), batch_size):
        part, given = images[start : start + batch_size], None if cond is None else cond[start : start + batch_size]
        repeats = []
        for _ in range(dequantisations):
            x = beside(model, model_input(part, generator, dequantise=True))
            if recipe == "noised flow":
                x = noised(model.process, x, generator)
            found = fast_log_likelihood(model, x, cond=given, probes=probes, generator=generator, **solver)
            repeats.append(bits_per_dim(-found.log_p.T, x[0].numel(), LEVELS_OFFSET))  # [B, P]
            evaluations.append(found.evaluations)
            derivatives.append(found.derivatives)
        values.append(torch.stack(repeats, 1))
    spent = (torch.cat(counts).double().mean().item() for counts in (evaluations, derivatives))
    return ImageNLL(torch.cat(values), *spent)


@dataclass(frozen=True)
class ImageBound(_PerImage):
    """The variational bound of -log2 P(image) in bits per dimension, and its terms, float64.

    Args:
        prior: L_T, [N].
        steps: L_{t-1}, [N, n].
        times: times of the noisier end of each step, [N, n].
        decoder: L_0, [N].
        evaluations: network evaluations per image.
    """

    prior: Tensor
    steps: Tensor
    times: Tensor
    decoder: Tensor
    evaluations: int

    @cached_property
    def per_image(self) -> Tensor:
        """The bound, [N]."""
        return self.prior + self.steps.sum(1) + self.decoder

    @property
    def terms(self) -> dict[str, tuple[float, tuple[float, float] | None]]:
        """Mean and 95 % interval over images of ``"prior"``, ``"steps"`` (their sum) and ``"decoder"``."""
        parts = {"prior": self.prior, "steps": self.steps.sum(1), "decoder": self.decoder}
        return {name: (part.mean().item(), mean_interval(part)) for name, part in parts.items()}


def image_bound(
    model: DenoisingModel,
    images: Tensor,
    *,
    generator: torch.Generator,
    cond: Tensor | None = None,
    batch_size: int = 64,
    **settings,
) -> ImageBound:
    """Compute the bound for uint8 ``images`` [N, C, H, W], scaled to 2 u8 / 255 - 1, on the model's device.

    ``settings`` are those of :func:`paperlib.likelihood.bound.variational_bound`: ``variance``, ``strata``, ``grid``,
    ``decoder_variance``, ``clip``. The decoder gives probabilities of levels, so there is no offset.
    """
    _check(images, cond, batch_size=batch_size)
    if settings.get("levels", 256) != 256:
        raise ValueError(f"levels={settings['levels']}: uint8 images have 256")
    parts = []
    for start in range(0, len(images), batch_size):
        given = None if cond is None else cond[start : start + batch_size]
        x0 = beside(model, model_input(images[start : start + batch_size]))
        parts.append(variational_bound(model, x0, generator=generator, cond=given, **settings))
    dims = images[0].numel()
    terms = (bits_per_dim(torch.cat([getattr(p, name) for p in parts]), dims) for name in ("prior", "steps", "decoder"))
    prior, steps, decoder = terms
    return ImageBound(prior, steps, torch.cat([p.times for p in parts]), decoder, parts[0].evaluations)


def _check(images: Tensor, cond: Tensor | None, **counts: int) -> None:
    need_images("images", images)
    need_rows("cond", cond, images)
    need_positive(**counts)
