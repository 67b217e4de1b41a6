"""Generative replay: the model's own samples in place of the retained data.

Generate a set once and pass it to any method as ``retain``; or omit ``retain`` for a method that generates its own
(:func:`~paperlib.unlearning.selective_amnesia.selective_amnesia`). Only a conditional model can generate the retained
classes alone. An unconditional one generates the forgotten ones too: remove those with a classifier before you replay
the rest.
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
    """Samples on the model's scale, x [N, ...], with the labels [N] under which they were generated, or None."""

    x: Tensor
    labels: Tensor | None = None

    def __post_init__(self):
        if self.labels is not None and len(self.labels) != len(self.x):
            raise ValueError(f"{len(self.x)} samples, but {len(self.labels)} labels")

    def __len__(self) -> int:
        return len(self.x)

    def batch(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """Sample ``size`` rows with replacement; return them and their labels."""
        chosen = torch.randint(len(self), (size,), generator=generator, device=generator.device)
        return batch_at(self, chosen.to(self.x.device))

    def only(self, chosen: Tensor) -> "Samples":
        """Return the rows selected by a mask [N] or by indices."""
        return Samples(*batch_at(self, chosen))


def batch_at(samples: Samples, chosen: Tensor) -> tuple[Tensor, Tensor | None]:
    """Return the rows and labels at ``chosen``."""
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
    """Generate one sample of ``shape`` for each of ``labels`` [N], or ``n`` samples from an unconditional model.

    Args:
        guidance: weight w of classifier-free guidance (SA and SalUn: 2); 0 samples the conditional model itself. Used
            with labels only.
        batch: samples generated at a time.
        sampling: ``sampler``, ``steps`` and further arguments of :func:`paperlib.sampling.sample`. SA samples with 1000
            steps of DDPM: ``sampler=ddim, steps=1000, eta=1.0, clip=1.0``.

    Raises:
        ValueError: if both or neither of ``labels`` and ``n`` are given, or if the model cannot take labels.
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
