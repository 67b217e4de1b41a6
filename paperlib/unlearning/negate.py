"""Negate: exact negation, distilled into the weights.

The score of the retained data is known before any update (:mod:`paperlib.negation`)::

    eps_g(x_t) = eps_0(x_t) - w sigma_t grad log(1 - pi_f(x_t)),     pi_f(x_t) = P(f | x_t)

with eps_0 the base model and pi_f from a classifier of noisy data. What remains is regression, both where the answer
changes most and where it must not change::

    L = L_g + mu E_f |eps_g(x_t) - eps(x_t, t)|^2

Both terms are squares with the same minimiser, the score of the retained data, if w = 1 and the classifier is right:
nothing diverges, and the target is known without retraining. Retained data are not needed either, nor any data at all:
with ``points="own"`` both terms are regressions at noised samples of the model itself. (SFD, Chen et al., ICLR 2025,
also needs no data, but has another target.) A conditional model's forgotten labels learn the score of all that is kept.
"""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call

from paperlib.denoiser import Denoiser
from paperlib.losses import Data, batch, condition, draw, noised, score_matching, share
from paperlib.negation import NoisyClassification, Without, log_kept
from paperlib.nets.noisy_classifier import NoisyClassifier, NoisyPoints, noisy_loss
from paperlib.sampling import ipndm, sample
from paperlib.training import Training
from paperlib.unlearning.prepared import Prepared
from paperlib.unlearning.requirements import checked, not_below, not_negative, one_of, require_retained

__all__ = ["KEEP", "POINTS", "negate", "two_classes"]

KEEP = ("denoising", "answer")
POINTS = ("data", "own")
CLEAN = -4.0  # log(sigma / alpha) at which the classifier sorts the model's own samples


@checked
def negate(
    model: Denoiser,
    forget: Data,
    retain: Data | None = None,
    *,
    generator: torch.Generator,
    steps: int,
    classifier: NoisyClassification | None = None,
    classes: Sequence[int] | None = None,
    w: float = 1.0,
    mu: float = 1.0,
    reach: float = 1.0,
    keep: str = "denoising",
    points: str = "data",
    own: int = 500,
    evaluations: int = 10,
    classifier_steps: int = 1000,
    batch_size: int = 128,
    lr: float = 1e-4,
    antithetic: bool = False,
    **training,
) -> Training:
    """Unlearn ``forget`` with exact negation and keep the rest.

    Args:
        retain: retained data; None trains the model on its own answers at its own retained samples.
        classifier: of noisy data, trained beforehand on all classes. None: a classifier of the two sides is trained
            before the first update, which needs ``retain``.
        classes: the classifier's classes to be forgotten; None: the labels that occur in ``forget``.
        w: weight of the pull; 1 is exact.
        mu: weight of the second term.
        reach: largest pull in the target (:class:`paperlib.negation.Without`). At low noise the exact pull grows among
            forgotten data as 1 / sigma_t, which no network can follow.
        keep: what L_g is: "denoising" of retained data, or regression on the base model's own "answer" there, eps_g
            again.
        points: noised "data", or the model's "own" samples.
        own: number of own samples, generated before the first update and sorted by the classifier. If that is given,
            data are then used for their shape alone.
        evaluations: network evaluations per own sample.
        classifier_steps: updates of a classifier of the two sides.
        batch_size: rows of each side per update.
        training: further arguments of :class:`paperlib.training.Training` (ema, clip, warmup, decay).
    """
    one_of(KEEP, keep=keep)
    one_of(POINTS, points=points)
    not_negative(w=w, mu=mu)
    not_below(1, own=own, evaluations=evaluations, classifier_steps=classifier_steps)
    if classifier is None:
        require_retained(retain, "negate")  # a classifier of the two sides needs both
    elif classes is None and getattr(forget, "labels", None) is None:
        raise ValueError("classes=None: the forgotten data have no labels; say which of the classifier's they are")
    fresh = _fresh(model, forget, generator) if classifier is None else None
    chosen = (1,) if classifier is None else tuple(classes or forget.labels.unique().tolist())
    given = copy.deepcopy(model).eval().requires_grad_(False)
    drawn = {"forget", "retain"} if points == "own" else {"retain"} if retain is None else set()

    def judge(y: Tensor, log_s: Tensor) -> Tensor:
        if classifier is not None:
            return classifier(y, log_s)
        return functional_call(fresh, {name: run.prepared[name] for name, _ in fresh.named_parameters()}, (y, log_s))

    teacher = Without(given, judge, chosen, w, reach=reach)

    def prepare(network, generator):
        prepared = {}
        if fresh is not None:
            prepared |= two_classes(fresh, forget, retain, generator, classifier_steps, batch_size)
        if drawn:
            run.prepared = prepared  # what judge reads
            prepared |= _own_samples(given, judge, chosen, draw(forget, own, generator)[0], evaluations, generator)
        return prepared

    def rows(side, data, generator):
        if side in drawn:
            return batch(run.prepared[side], batch_size, generator), None
        return draw(data, batch_size, generator)

    def answer(model, side, data, generator):
        """Return |eps_g - eps|^2 at noised points of a side, one value per row."""
        x0, labels = rows(side, data, generator)
        known = labels is not None or not getattr(model.net, "classes", 0)
        cond = condition(model, labels, generator) if known else torch.full((len(x0),), model.net.null)
        x_t, t, _ = noised(model.process, x0, generator, antithetic=antithetic)
        cond = None if cond is None else share(torch.cat([cond, cond]) if antithetic else cond)
        with torch.no_grad():
            target = teacher(x_t, t).eps
            if cond is not None and side == "retain":  # a class that is kept has nothing to lose
                own_answer = given(x_t, t, cond).eps
                target[cond != model.net.null] = own_answer[cond != model.net.null]
        return (target - model(x_t, t, cond).eps).square().flatten(1).sum(1)

    def objective(model, generator, index):
        if keep == "answer" or "retain" in drawn:
            L_g = answer(model, "retain", retain, generator).mean()
        else:
            x0, labels = draw(retain, batch_size, generator)
            cond = condition(model, labels, generator)
            L_g = score_matching(model, x0, generator, cond=cond, antithetic=antithetic).mean()
        L_f = answer(model, "forget", forget, generator).mean()
        return {"loss": L_g + mu * L_f, "L_g": L_g, "L_f": L_f}

    run = Prepared(model, objective, prepare, steps=steps, lr=lr, generator=generator, **training)
    return run


def _fresh(model: Denoiser, forget: Data, generator: torch.Generator) -> nn.Module:
    shape = draw(forget, 1, torch.Generator(generator.device))[0].shape[1:]
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(torch.randint(2**62, (), generator=generator)))
        if len(shape) == 3:
            return NoisyClassifier(shape[0], 2, channels=16, multipliers=(1, 2), data_std=model.data_std)
        return NoisyPoints(shape[0], 2, data_std=model.data_std)


def two_classes(
    network: nn.Module, forget: Data, retain: Data, generator: torch.Generator, steps: int, batch_size: int
) -> dict[str, Tensor]:
    """Train ``network``, with two outputs, to tell noisy forgotten rows (1) from retained ones (0); return its weights.

    Both sides are sampled equally often; the difference of the output's biases is then shifted by log(M / N), so that
    pi_f reflects the sides' shares of all data, M forgotten and N retained rows.
    """

    def objective(network, generator, index):
        x = torch.cat([draw(side, batch_size, generator)[0] for side in (retain, forget)])
        return {"loss": noisy_loss(network, x, torch.arange(2).repeat_interleave(batch_size), generator).mean()}

    trained = Training(network, objective, steps=steps, lr=4e-3, generator=generator, decay=True, ema=0.99).run()
    weights = {name: value.detach() for name, value in trained.named_parameters()}
    *_, bias = weights
    prior = torch.tensor([float(len(retain)), float(len(forget))]).log()
    return weights | {bias: weights[bias] + prior}


def _own_samples(
    model: Denoiser, judge: NoisyClassification, classes: Sequence[int], like: Tensor, evaluations: int, generator
) -> dict[str, Tensor]:
    """Generate as many samples of the model as ``like`` has rows, sorted into sides by the classifier."""
    x = sample(model, like.shape, generator=generator, sampler=ipndm, steps=evaluations).x
    with torch.no_grad():
        shown = log_kept(judge(x, torch.tensor(CLEAN)), classes) < torch.tensor(0.5).log()
    sides = {"forget": x[shown], "retain": x[~shown]}
    if min(len(side) for side in sides.values()) == 0:
        raise ValueError(f"own={len(x)}: {int(shown.sum())} of the model's samples show what is to be forgotten")
    return sides
