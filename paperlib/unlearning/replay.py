"""Generative replay: the model's own samples in place of the retained data.

Draw a set once, keep it, hand it to any method as ``retain``; or leave ``retain`` out where a method says that it draws
its own (:func:`~paperlib.unlearning.selective_amnesia.selective_amnesia`). Only a conditional model can be asked for
the retained classes alone. An unconditional one draws the forgotten ones too: drop those with a classifier before you
replay the rest.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from paperlib.denoiser import Denoiser
from paperlib.guidance import Guided
from paperlib.sampling import sample_batches
from paperlib.unlearning.requirements import not_below

__all__ = ["Samples", "replay"]


@dataclass(frozen=True, eq=False)
class Samples:
    """Rows on the model's scale, x [N, ...], with the labels [N] under which they were drawn, or None."""

    x: Tensor
    labels: Tensor | None = None

    def __post_init__(self):
        if self.labels is not None and len(self.labels) != len(self.x):
            raise ValueError(f"{len(self.x)} samples, but {len(self.labels)} labels")

    def __len__(self) -> int:
        return len(self.x)

    def batch(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """``size`` rows drawn with replacement, and their labels."""
        chosen = torch.randint(len(self), (size,), generator=generator, device=generator.device)
        return batch_at(self, chosen.to(self.x.device))

    def only(self, chosen: Tensor) -> "Samples":
        """The rows that a mask [N] or indices choose."""
        return Samples(*batch_at(self, chosen))


def batch_at(samples: Samples, chosen: Tensor) -> tuple[Tensor, Tensor | None]:
    """Rows and labels at ``chosen``."""
    return samples.x[chosen], None if samples.labels is None else samples.labels[chosen]


def replay(
    model: Denoiser,
    shape: tuple[int, ...],
    labels: Tensor | None,
    *,
    generator: torch.Generator,
    guidance: float = 2.0,
    batch: int = 256,
    n: int | None = None,
    **sampling,
) -> Samples:
    """Draw one sample of ``shape`` for each of ``labels`` [N], or ``n`` of them from an unconditional model.

    Args:
        guidance: classifier-free, w (SA and SalUn: 2); 0 samples the conditional model itself. For labels only.
        batch: samples drawn at a time.
        sampling: ``sampler``, ``steps`` and whatever else :func:`paperlib.sampling.sample` takes. SA draws with 1000
            steps of DDPM: ``sampler=ddim, steps=1000, eta=1.0, clip=1.0``.
    """
    if (labels is None) == (n is None):
        raise ValueError("replay needs labels, or n for an unconditional model, and not both")
    not_below(1, batch=batch, n=len(labels) if n is None else n)
    if labels is None:
        asked, cond = model, None
    else:
        if not getattr(model.net, "classes", 0):
            raise ValueError("this model is unconditional: it cannot be asked for labels; give n instead")
        asked, cond = (Guided(model, guidance) if guidance else model), labels.to(next(model.parameters()).device)
    size = (len(labels) if n is None else n, *shape)
    states = sample_batches(asked, size, batch=batch, generator=generator, cond=cond, **sampling)
    return Samples(torch.cat([state.x for state in states]), cond)
