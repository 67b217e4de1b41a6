"""BlindSpot (Tarun et al., 2023): learn from a teacher that has never seen the forgotten data.

A fresh network, the blindspot model B, is trained briefly on the retained data. The model then continues training on
the retained data, and imitates B's output and activations on the forgotten data::

    L = (1 - r) L_r + r L_f,    r = |D_f| / (|D_f| + |D_r|)

    L_r = E |z - eps(x_t, t)|^2,  x_0 from D_r
    L_f = E |eps_B(x_t, t) - eps(x_t, t)|^2 + beta sum_l |a_l - a_l^B|^2,  x_0 from D_f

with a_l the attention map of a convolutional layer: the mean square over channels, normalised to unit length. The
method was designed for regression with an absolute loss; EraseDiff's code uses a squared one, and so do we. beta is
relative to a mean over pixels; the losses here are sums, so beta is multiplied by the number of pixels.
"""

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from paperlib.denoiser import Denoiser, reinitialise
from paperlib.losses import LABEL_DROPOUT, Data, batch_loss, condition, draw, noised, share
from paperlib.sampling.walk import evaluating
from paperlib.training import Training
from paperlib.unlearning.prepared import Prepared, flat
from paperlib.unlearning.requirements import (
    checked,
    not_below,
    not_negative,
    one_of,
    require_retained,
)

__all__ = ["VARIANTS", "activations", "attention", "blindspot"]

VARIANTS = ("paper", "code")


def attention(x: Tensor) -> Tensor:
    """Return the attention maps [B, H W] of a layer's activations [B, C, H, W]: their mean square over channels, each
    normalised to unit length."""
    return F.normalize(x.square().mean(1).flatten(1))


def activations(model: Denoiser, *inputs: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Return eps and the activations [B, C, H, W] after each stage of a U-Net; for other networks the list is empty."""
    stages = [*getattr(model.net, "down", []), *([model.net.middle, *model.net.up] if hasattr(model.net, "up") else [])]
    kept: list[Tensor] = []
    hooks = [stage.register_forward_hook(lambda module, given, output: kept.append(output)) for stage in stages]
    try:
        return model(*inputs).eps, kept
    finally:
        for hook in hooks:
            hook.remove()


@checked
def blindspot(
    model: Denoiser,
    forget: Data,
    retain: Data,
    *,
    generator: torch.Generator,
    steps: int,
    beta: float = 50.0,
    teacher_steps: int = 500,
    teacher_lr: float = 1e-3,
    variant: str = "paper",
    batch_size: int = 128,
    lr: float = 1e-4,
    antithetic: bool = False,
    **training,
) -> Training:
    """Unlearn ``forget`` with BlindSpot and keep ``retain``.

    Args:
        beta: weight of the activations (Tarun et al.'s code: 50; EraseDiff's: 0).
        teacher_steps: updates of the blindspot model (Tarun et al.: 2 epochs, where the model had 100). With many more
            it becomes a retrained model; with many fewer it pulls the forgotten points towards noise.
        teacher_lr: Adam's learning rate in these updates.
        variant: "paper" is the loss above. "code" is what EraseDiff's public code does: it fine-tunes a copy of the
            trained model as teacher, but then takes the target from the model itself, under a second sample of the
            label dropout. So the teacher is never used (here it is not trained), L_f is zero except for dropped labels,
            beta is 0, and little more than fine-tuning is left. EraseDiff's Table 1 reports that BlindSpot forgets too
            little.
        batch_size: rows of each side per update (EraseDiff: 128 of both together).
        lr: Adam's learning rate (EraseDiff: 1e-4; Tarun et al.: 1e-3, one epoch).
        training: further arguments of :class:`paperlib.training.Training` (ema, clip, warmup, decay).
    """
    one_of(VARIANTS, variant=variant)
    require_retained(retain, "blindspot")
    not_negative(beta=beta, teacher_lr=teacher_lr)
    not_below(0, teacher_steps=teacher_steps)
    r = len(forget) / (len(forget) + len(retain))
    paper, blind = variant == "paper", copy.deepcopy(model)

    def prepare(network, generator):
        if not paper:
            return {}

        def retained(model, generator, index):
            return {"loss": batch_loss(model, retain, batch_size, generator, antithetic=antithetic).mean()}

        reinitialise(blind, generator)
        settings = {"steps": teacher_steps, "lr": teacher_lr, "generator": generator, "ema": 0.0}
        training = Training(blind, retained, **settings)
        teacher = flat(training.run()).detach()
        run.gradient_evaluations += training.gradient_evaluations
        return {"teacher": teacher}

    def imitation(model, generator):
        x0, labels = draw(forget, batch_size, generator)
        first, second = (condition(model, labels, generator, LABEL_DROPOUT) for _ in range(2))
        x_t, t, _ = noised(model.process, x0, generator, antithetic=antithetic)
        times = 2 if antithetic else 1
        asked, other = (None if cond is None else share(torch.cat([cond] * times)) for cond in (first, second))
        if not paper:
            with torch.no_grad():
                target = model(x_t, t, other).eps
            return (target - model(x_t, t, asked).eps).square().flatten(1).sum(1).mean()
        nn.utils.vector_to_parameters(run.prepared["teacher"], blind.parameters())  # views, no copy
        with torch.no_grad(), evaluating(blind):
            target, theirs = activations(blind, x_t, t, asked)
        eps, ours = activations(model, x_t, t, asked)
        unlike = sum((attention(a) - attention(b)).square().mean() for a, b in zip(ours, theirs))
        return (target - eps).square().flatten(1).sum(1).mean() + beta * eps[0].numel() * unlike

    def objective(model, generator, index):
        L_r = batch_loss(model, retain, batch_size, generator, antithetic=antithetic).mean()
        L_f = imitation(model, generator)
        return {"loss": (1 - r) * L_r + r * L_f, "L_r": L_r, "L_f": L_f}

    run = Prepared(model, objective, prepare, steps=steps, lr=lr, generator=generator, **training)
    return run
