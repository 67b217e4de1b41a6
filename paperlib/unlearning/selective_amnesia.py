"""Selective Amnesia (Heng and Soh, 2023): forgetting as continual learning.

The forgotten class learns to look like something else, the *surrogate* q, while important weights are held in place
(EWC) and the model's own samples of the other classes are replayed::

    L = L_s + gamma L_r + (lambda / 2) sum_i F_i (theta_i - theta*_i)^2

    L_s = E |z - eps(x_t, t, c_f)|^2,   x_0 from q: noise, U[-1, 1] at every pixel, under a forgotten label
    L_r = E |z - eps(x_t, t, c)|^2,     x_0 from the replay
    F   = the Fisher information's diagonal at theta*, the weights at the start  (paperlib.unlearning.fisher)

SA replaces the image. EraseDiff says "like SA" of replacing the noise that is to be predicted, which is something else.
"""

import torch
from torch import Tensor

from paperlib.denoiser import Denoiser
from paperlib.losses import Data, condition, draw, score_matching
from paperlib.training import Training
from paperlib.unlearning.fisher import fisher_diagonal
from paperlib.unlearning.prepared import Prepared, flat
from paperlib.unlearning.replay import Samples, replay
from paperlib.unlearning.requirements import (
    checked,
    forgotten_labels,
    not_below,
    not_negative,
    one_of,
)

__all__ = ["VARIANTS", "selective_amnesia"]

VARIANTS = ("paper", "code")


def rows(sides: list[Data], n: int, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
    """Sample ``n`` rows from all ``sides``, each in proportion to its size; return them and their labels."""
    total, drawn = sum(map(len, sides)), []
    for side in sides[1:]:
        drawn.append(draw(side, round(n * len(side) / total), generator))
    drawn.append(draw(sides[0], n - sum(len(x) for x, _ in drawn), generator))
    labels = [y for _, y in drawn]
    return torch.cat([x for x, _ in drawn]), None if labels[0] is None else torch.cat(labels)


@checked
def selective_amnesia(
    model: Denoiser,
    forget: Data,
    retain: Data | None = None,
    *,
    generator: torch.Generator,
    steps: int,
    lam: float = 10.0,
    gamma: float = 1.0,
    surrogate: Data | None = None,
    replays: int = 500,
    sampling: dict | None = None,
    fisher_samples: int = 500,
    fisher_times: int = 100,
    variant: str = "paper",
    batch_size: int = 128,
    lr: float = 1e-4,
    antithetic: bool = False,
    **training,
) -> Training:
    """Unlearn ``forget`` with Selective Amnesia.

    Only the labels and the shape of ``forget`` are used, and its images for F where ``retain`` is given. An
    unconditional model needs ``retain``: it has no label under which to learn the surrogate, so it learns it alongside
    the retained data, and the forgotten data fade for lack of rehearsal. That is our reading of what VDU's comparison
    must have done; VDU does not say.

    Args:
        retain: the data that L_r rehearses. None, as in the paper, generates ``replays`` samples of every class from
            the model before the first update; those of the retained classes are replayed, and F is measured on all of
            them. With data, F is measured on both sides.
        lam: lambda (paper: 10 on CIFAR-10), for a loss summed over pixels. EraseDiff's SA takes the mean of the data
            terms over 3072 values with the same lambda, which makes EWC 3072 times stronger. Lambda has no fixed
            meaning across network sizes: F_i is about T^2 times a squared gradient of the loss, so to first order the
            loss falls by about n / (2 lambda T^2) before n weights are held: by 2 with the paper's 38.6 million, by
            0.03 with 0.6 million. Scale lambda with n. 0 omits F altogether.
        gamma: weight of the replay (paper: 1).
        surrogate: data that the forgotten class is to look like; None is the paper's uniform noise in [-1, 1].
        replays: samples per class (paper: 500), generated with guidance 2.
        sampling: further arguments of :func:`paperlib.unlearning.replay.replay` (paper: 1000 steps of DDPM).
        fisher_samples: samples behind F (paper: 5,000, 500 per class).
        fisher_times: time steps per sample (paper: 1000; see :func:`~paperlib.unlearning.fisher.fisher_diagonal`).
        variant: "paper" has lambda / 2, and F from images in [-1, 1]; "code" has lambda, and F from images in [0, 1],
            which are by mistake not mapped to the scale of training.
        batch_size: rows of each of L_s and L_r per update (paper: 128).
        lr: Adam's learning rate (paper: 1e-4, for 20,000 updates, EMA 0.9999).
        training: further arguments of :class:`paperlib.training.Training` (ema, clip, warmup, decay).
    """
    one_of(VARIANTS, variant=variant)
    not_negative(lam=lam, gamma=gamma)
    not_below(1, replays=replays, fisher_samples=fisher_samples)
    not_below(2, fisher_times=fisher_times)
    classes = getattr(model.net, "classes", 0)
    forgotten = forgotten_labels(forget, classes) if classes else None
    if retain is None and not classes:
        raise ValueError(
            "retain=None: this model is unconditional, and its replay would hold what is to be forgotten; hand in"
            " retain, real or replayed and sorted by a classifier; neggrad and vdu work without"
        )

    def prepare(network, generator):
        prepared, sides = {}, [data for data in (forget, retain) if data is not None]
        if retain is None:
            shape = draw(forget, 1, generator)[0].shape[1:]
            labels = torch.arange(classes).repeat_interleave(replays)
            drawn = replay(network, shape, labels, generator=generator, **(sampling or {}))
            kept, sides = drawn.only(~torch.isin(drawn.labels, forgotten.to(drawn.labels))), [drawn]
            prepared |= {"replay": kept.x, "labels": kept.labels}
        if lam:
            x, labels = rows(sides, fisher_samples, generator)
            x = (x + 1) / 2 if variant == "code" else x
            cond = condition(network, labels, generator, dropout=0.0)
            settings = {"times": fisher_times, "batch_size": batch_size, "generator": generator}
            prepared |= {"fisher": fisher_diagonal(network, x, cond, **settings), "anchor": flat(network).detach()}
        return prepared

    def loss(model, x0, labels, generator):
        cond = condition(model, labels, generator, dropout=0.0)  # SA drops no labels when it forgets
        return score_matching(model, x0, generator, cond=cond, antithetic=antithetic).mean()

    def objective(model, generator, index):
        x_f, labels = draw(forget, batch_size, generator)
        if surrogate is not None:
            x_f, _ = draw(surrogate, batch_size, generator)
        else:
            u = torch.rand(x_f.shape, generator=generator, device=generator.device)
            x_f = (2 * u - 1).to(x_f)
        L_f = loss(model, x_f, labels, generator)
        terms = {"loss": L_f, "L_f": L_f}
        if gamma:
            kept = Samples(run.prepared["replay"], run.prepared["labels"]) if retain is None else retain
            terms["L_r"] = loss(model, *draw(kept, batch_size, generator), generator)
            terms["loss"] = terms["loss"] + gamma * terms["L_r"]
        if lam:
            moved = flat(model) - run.prepared["anchor"]
            ewc = (0.5 if variant == "paper" else 1.0) * lam * (run.prepared["fisher"] * moved.square()).sum()
            terms |= {"loss": terms["loss"] + ewc, "EWC": ewc.detach()}
        return terms

    run = Prepared(model, objective, prepare, steps=steps, lr=lr, generator=generator, **training)
    return run
