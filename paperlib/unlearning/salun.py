"""SalUn (Fan et al., 2024): unlearn by changing only the weights that matter most for the forgotten data.

The saliency mask selects the weights with the largest gradient of the forgotten data's loss at the initial weights
theta_o::

    m = 1(|grad L(theta_o; D_f)| >= gamma),   theta_u = m (theta_o + Delta theta) + (1 - m) theta_o

and on these weights any forgetting loss may be minimised together with the retained one::

    L = L_f + alpha L_r,    L_r = E |z - eps(x_t, t, c)|^2,  x_0 from D_r
    L_f =  E |eps(x_t, t, c') - eps(x_t, t, c)|^2,  x_0 from D_f, c' != c, the first one held fixed   ("relabel")
    L_f = -E |z - eps(x_t, t, c)|^2,                x_0 from D_f                                      ("ascent")

The step reports ``L_f`` without its sign: relabelling lowers it, ascent raises it.

gamma is the median of the gradients' magnitudes: half of the weights stay as they are, whichever loss is used.
"""

import math

import torch
from torch import Tensor

from paperlib.denoiser import Denoiser, trainable
from paperlib.guidance import Guided
from paperlib.losses import LABEL_DROPOUT, Data, batch_loss, condition, draw, noised, score_matching, share
from paperlib.sampling.walk import evaluating
from paperlib.training import Training
from paperlib.unlearning.prepared import Prepared
from paperlib.unlearning.requirements import (
    checked,
    forgotten_labels,
    not_below,
    not_negative,
    one_of,
    other_labels,
    require_classes,
    require_retained,
)

__all__ = ["ERASURES", "VARIANTS", "saliency", "saliency_mask", "salun"]

ERASURES = ("relabel", "ascent")
VARIANTS = {"paper": 1e-3, "code": 1e-3, "corrected": 3.0}  # and the alpha of each


def saliency_mask(gradient: Tensor, kept: float) -> Tensor:
    """Return a mask that is True for the share ``kept`` of the weights with the largest ``gradient`` magnitudes [n]."""
    mask = torch.zeros_like(gradient, dtype=torch.bool)
    mask[gradient.abs().argsort(descending=True, stable=True)[: int(kept * len(gradient))]] = True
    return mask


def saliency(
    model: Denoiser, forget: Data, generator: torch.Generator, *, rows: int, size: int, guidance: float, clip: float
) -> Tensor:
    """Return the gradient of the forgotten data's loss, one vector, summed over random batches; dropout is off.

    Args:
        rows: rows of all batches together, rounded up to whole batches.
        size: rows per batch.
        guidance: guidance weight w of the output whose loss is taken, 0 for the model's own output.
        clip: largest norm of each batch's gradient, 0 for no clipping.
    """
    total, weights = 0.0, trainable(model)
    asked = Guided(model, guidance) if guidance else model
    with evaluating(model), torch.enable_grad():
        for _ in range(math.ceil(rows / size)):
            x0, labels = draw(forget, size, generator)
            cond = condition(model, labels, generator, dropout=0.0)
            loss = score_matching(asked, x0, generator, cond=cond).mean()
            parts = torch.autograd.grad(loss, weights, materialize_grads=True)
            gradient = torch.cat([part.flatten() for part in parts])
            total = total + gradient * (min(1.0, clip / gradient.norm().item()) if clip else 1.0)
    return total


@checked
def salun(
    model: Denoiser,
    forget: Data,
    retain: Data,
    *,
    generator: torch.Generator,
    steps: int,
    erase: str = "relabel",
    alpha: float | None = None,
    kept: float = 0.5,
    mask_rows: int | None = None,
    variant: str = "corrected",
    batch_size: int = 128,
    lr: float = 1e-4,
    antithetic: bool = False,
    **training,
) -> Training:
    """Unlearn ``forget`` with SalUn and keep ``retain``.

    Args:
        erase: "relabel" teaches the forgotten label the model's prediction under another one, and needs a conditional
            model; "ascent" also works for an unconditional one, and has no lower bound.
        alpha: weight of L_r. Paper and code: 1e-3; "corrected": 3. (0, as once in the code's notes, erases every
            class.)
        kept: share of the weights that may change (paper: 0.5). 1 is no mask, 0 changes nothing.
        mask_rows: number of randomly sampled forgotten rows behind the mask; None, as in the paper, is as many as there
            are.
        variant: determines the scale of the terms, c', and the mask. "paper": both terms are sums over pixels, and
            alpha = 1e-3 all but removes L_r; c' is any other class. "code": L_f is a mean over pixels and L_r a sum, so
            1e-3 amounts to about 3 for 3072 values and to less for smaller images; c' is the class after c; labels are
            dropped at random; the mask is computed from the output under guidance 2, with each batch's gradient clipped
            to 1. "corrected": the code's balance at any image size, both terms on one scale and alpha = 3; c' is one of
            the retained classes.
        batch_size: rows of each side per update (paper: 128).
        lr: Adam's learning rate (paper: 1e-4, for 1,000 updates, without EMA: ``ema=0``).
        training: further arguments of :class:`paperlib.training.Training` (ema, clip, warmup, decay).
    """
    one_of(ERASURES, erase=erase)
    one_of(VARIANTS, variant=variant)
    require_retained(retain, "salun")
    alpha = VARIANTS[variant] if alpha is None else alpha
    not_negative(alpha=alpha)
    if mask_rows is not None:
        not_below(1, mask_rows=mask_rows)
    if not 0 <= kept <= 1:
        raise ValueError(f"kept={kept} is not in [0, 1]")
    classes = getattr(model.net, "classes", 0)
    if erase == "relabel":
        require_classes(model, "there is no other label to learn", "erase='ascent' serves it, and so does erasediff")
        kinds = torch.arange(classes)
        if variant == "corrected":
            kinds = kinds[~torch.isin(kinds, forgotten_labels(forget, classes).cpu())]
    code = variant == "code"

    def prepare(network, generator):
        rows = len(forget) if mask_rows is None else mask_rows
        settings = {"guidance": 2.0 if code and classes else 0.0, "clip": 1.0 if code else 0.0}
        return {
            "mask": saliency_mask(saliency(network, forget, generator, rows=rows, size=batch_size, **settings), kept)
        }

    def relabelled(model, generator):
        x0, labels = draw(forget, batch_size, generator)
        others = (labels + 1) % classes if code else other_labels(labels, kinds, generator)
        dropout, times = LABEL_DROPOUT if code else 0.0, 2 if antithetic else 1
        conds = [condition(model, y, generator, dropout) for y in (labels, others)]
        asked, other = (share(torch.cat([cond] * times)) for cond in conds)
        x_t, t, _ = noised(model.process, x0, generator, antithetic=antithetic)
        with torch.no_grad():
            target = model(x_t, t, other).eps
        return (target - model(x_t, t, asked).eps).square().flatten(1)

    def objective(model, generator, index):
        L_r = batch_loss(model, retain, batch_size, generator, antithetic=antithetic).mean()
        if erase == "relabel":
            squares = relabelled(model, generator)
            L_f = squares.sum(1).mean()
            towards = squares.mean() if code else L_f
        else:
            L_f = batch_loss(model, forget, batch_size, generator, antithetic=antithetic).mean()
            towards = -L_f
        return {"loss": towards + alpha * L_r, "L_r": L_r, "L_f": L_f}

    def hold(optimizer, *_):
        weights = trainable(run.network)
        for p, mask in zip(weights, run.prepared["mask"].split([p.numel() for p in weights])):
            if p.grad is not None:
                p.grad.mul_(mask.view(p.shape))

    run = Prepared(model, objective, prepare, steps=steps, lr=lr, generator=generator, **training)
    run.optimizer.register_step_pre_hook(hold)  # after clipping, as in the code; Adam keeps weights of zero gradient
    return run
