"""Classifier-free guidance: a denoiser that wraps a denoiser.

It extrapolates from the unconditional to the conditional prediction of one network (Ho and Salimans, 2022, Eq. 6)::

    eps = (1 + w) eps(x_t, cond) - w eps(x_t, null)

x0 and score are affine in eps and the weights 1 + w and -w sum to one, so the same equation holds for them.
"""

import torch
from torch import Tensor, nn

from paperlib.denoiser import Denoised, DenoisingModel
from paperlib.processes import Process

__all__ = ["Guided"]


class Guided(nn.Module):
    """``model`` with classifier-free guidance of weight ``w``: 0 is the conditional model, -1 the unconditional one.

    Both predictions come from one call with a doubled batch. Samplers count it as two evaluations.

    Args:
        model: a denoiser whose network was trained with label dropout.
        w: the guidance weight. EraseDiff, SalUn and Selective Amnesia use 2 for their CIFAR-10 samples.
        null: the condition that stands for no condition, broadcast to the shape of ``cond``; by default the network's
            own label for it (:attr:`paperlib.nets.unet.UNet.null`).
    """

    cost = 2  # evaluations a call

    def __init__(self, model: DenoisingModel, w: float, *, null: Tensor | int | None = None):
        super().__init__()
        if null is None:
            null = getattr(getattr(model, "net", None), "null", None)
        if null is None:
            raise ValueError("null=None: this model's network has no label of its own for no class; give one")
        self.model, self.w, self.null = model, w, null

    @property
    def process(self) -> Process:
        """The wrapped model's process."""
        return self.model.process

    def forward(self, x_t: Tensor, t: Tensor, cond: Tensor | None = None) -> Denoised:
        """Return the guided views at x_t [B, ...] and t, [B] or a scalar tensor, under cond [B, ...]."""
        if cond is None:
            raise ValueError("cond=None: guidance needs a condition to strengthen")
        none = torch.as_tensor(self.null, dtype=cond.dtype, device=cond.device).expand(cond.shape)
        t = t.expand(len(x_t))
        both = self.model(torch.cat([x_t, x_t]), torch.cat([t, t]), torch.cat([cond, none]))

        def guided(view: Tensor) -> Tensor:
            with_cond, without = view.chunk(2)
            return (1 + self.w) * with_cond - self.w * without

        return Denoised(x0=guided(both.x0), eps=guided(both.eps), score=guided(both.score))
