"""NegGrad: gradient ascent on the forgotten data's loss.

::

    L = -L_f,    L_f = E |z - eps(x_t, t)|^2,  x_0 from D_f

The loss has no lower bound and nothing preserves the retained data: the run must be stopped early, or it breaks the
model. (SGU's Eq. 7 and the ``signed`` loss are its balanced form.)
"""

import torch

from paperlib.denoiser import Denoiser
from paperlib.losses import Data, batch_loss
from paperlib.training import Training
from paperlib.unlearning.requirements import (
    checked,
    one_of,
    require_retained,
)

__all__ = ["VARIANTS", "neggrad"]

VARIANTS = ("paper", "code")


@checked
def neggrad(
    model: Denoiser,
    forget: Data,
    retain: Data | None = None,
    *,
    generator: torch.Generator,
    steps: int,
    variant: str = "paper",
    batch_size: int = 128,
    lr: float = 1e-4,
    antithetic: bool = False,
    **training,
) -> Training:
    """Unlearn ``forget`` by gradient ascent; ``retain`` is not used, except by ``variant="code"``.

    Args:
        variant: "paper" ascends on D_f, as in Golatkar et al. (2020), which EraseDiff cites; "code" ascends on D_r, as
            EraseDiff's public code does, which passes the loader of the remaining data to NegGrad. It unlearns what is
            to be kept, and a conditional model never sees the forgotten label. EraseDiff's Table 1 (FID 76.73,
            forgotten class still at 0.61) is consistent with that.
        batch_size: rows per update (EraseDiff: 128).
        lr: Adam's learning rate (EraseDiff: 1e-4).
        training: further arguments of :class:`paperlib.training.Training`. ``clip`` bounds each step, not their sum.
    """
    one_of(VARIANTS, variant=variant)
    if variant == "code":
        require_retained(retain, "neggrad with variant='code'")

    def objective(model, generator, index):
        data, term = (retain, "L_r") if variant == "code" else (forget, "L_f")
        L = batch_loss(model, data, batch_size, generator, antithetic=antithetic).mean()
        return {"loss": -L, term: L}

    return Training(model, objective, steps=steps, lr=lr, generator=generator, **training)
