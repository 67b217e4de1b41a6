"""How much of what a model should have forgotten a classifier still finds in its samples.

All measures start from the classifier's logits of generated images, [N, outputs]. A bool table [N] says which images
show what was forgotten: :func:`shows_class` or :func:`shows_attribute`. The measures are:

- UR, the unlearning ratio (SGU, Section 4.1): the share of samples that show what was forgotten. SGU uses 10,000.
- PUL, the percentage of unlearning (VDU, Section 4.3): the relative decrease of their number. VDU uses 5,000 samples of
  each model.
- P(c_f | x_f) (EraseDiff, Section 5.1, after Selective Amnesia): the same share among samples that were conditioned on
  the forgotten class, or the mean probability that the classifier assigns to it.
- UA (EraseDiff, Table 3): 1 - that share.
- Classifier entropy (Selective Amnesia) of samples conditioned on the forgotten class; near log K where they show
  nothing in particular.

A classifier makes errors, so a perfect model does not get 0: the *floor* is the share of real, retained images that the
classifier takes for forgotten ones. At the floor and below it a ratio carries no information. Nor is the floor a strict
bound: the classifier errs more often on samples less sharp than real images. And none of these measures quality: a
model that generates noise may pass them all.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from paperlib.checks import need_finite
from paperlib.metrics.intervals import Measured, bootstrap_mean, share, share_ratio

__all__ = [
    "Forgetting",
    "entropy",
    "floor",
    "forgotten_probability",
    "percentage_unlearned",
    "shows_attribute",
    "shows_class",
    "unlearning_accuracy",
    "unlearning_ratio",
]


def shows_class(logits: Tensor, forget: int | Sequence[int]) -> Tensor:
    """Return whether the most likely class is a forgotten one, bool [N], from logits [N, K] of exclusive classes."""
    classes = _classes(forget, _width(logits))
    return torch.isin(logits.argmax(1), torch.tensor(classes, device=logits.device))


def shows_attribute(logits: Tensor, column: int) -> Tensor:
    """Return whether an attribute is more likely present than not, bool [N], from logits [N, A] of independent
    attributes."""
    A = _width(logits)
    if not 0 <= column < A:
        raise ValueError(f"column={column} is not one of the attributes 0 to {A - 1}")
    return logits[:, column] > 0


@dataclass(frozen=True)
class Forgetting:
    """A measure of forgetting in percent, with its 95 % interval and the best value that the classifier's errors allow.

    Args:
        value: in percent.
        interval: 95 %, in percent.
        n: number of samples.
        floor: the value, in percent, of a model whose samples are all like real retained images.
        lower_is_better: if False, the floor is a ceiling.
    """

    value: float
    interval: tuple[float, float]
    n: int
    floor: Measured
    lower_is_better: bool = True

    @property
    def tells(self) -> bool:
        """Whether the whole interval is worse than the floor's whole interval. If not, the classifier's errors may
        explain the value."""
        if self.lower_is_better:
            return self.interval[0] > self.floor.interval[1]
        return self.interval[1] < self.floor.interval[0]


def floor(shown: Tensor) -> Measured:
    """Return the classifier's false-positive rate, with Wilson's interval, from its table of real *retained* images."""
    return share(_table(shown))


def unlearning_ratio(shown: Tensor, real_retained: Tensor) -> Forgetting:
    """Return UR (SGU, Section 4.1), the share of samples that show what was forgotten, in percent, with Wilson's
    interval.

    Args:
        shown: the classifier's table of all samples, bool [N]; unconditional samples in the paper.
        real_retained: its table of real images that should be retained, bool [M], for the floor.
    """
    return _against(share(_table(shown)), floor(real_retained), lower_is_better=True)


def unlearning_accuracy(shown: Tensor, real_retained: Tensor) -> Forgetting:
    """Return UA (EraseDiff, Table 3), the share of samples that do not show what was forgotten, in percent, with
    Wilson's interval.

    Args:
        shown: the table of samples that were conditioned on what was forgotten, bool [N].
        real_retained: as for :func:`unlearning_ratio`; the ``floor`` is a ceiling here.
    """
    return _against(share(~_table(shown)), share(~_table(real_retained)), lower_is_better=False)


def percentage_unlearned(before: Tensor, after: Tensor, real_retained: Tensor) -> Forgetting:
    """Return PUL (VDU, Section 4.3): (n_before - n_after) / n_before in percent, with n the number of samples that show
    what was forgotten.

    Shares replace numbers, so the two models may have different numbers of samples. The interval is that of a ratio of
    two shares, built from Wilson's intervals (Donner and Zou, 2012), for independent samples; for samples from the same
    initial noise it is too wide. The ``floor`` is a ceiling here: 100 (1 - the false-positive rate / the share before).

    Args:
        before: the table of the base model's samples, bool [N].
        after: the table of the unlearned model's samples.
        real_retained: the table of real images that should be retained.

    Raises:
        ValueError: if no sample before unlearning shows what is to be forgotten.
    """
    before, after, real = _table(before), _table(after), _table(real_retained)
    if not before.any():
        raise ValueError(f"none of the {len(before)} samples before unlearning shows what is to be forgotten")
    return _against(_reduction(after, before), _reduction(real, before), lower_is_better=False)


def forgotten_probability(
    logits: Tensor, forget: int | Sequence[int], generator: torch.Generator, *, variant: str = "probability"
) -> Measured:
    """Return P(c_f | x_f) (EraseDiff, Section 5.1) of samples x_f that were conditioned on the forgotten class.

    Args:
        logits: logits of those samples, [N, K].
        variant: "probability" is the mean probability of the class, with a bootstrap interval; "rate" is its share
            among the predictions, with Wilson's interval. Selective Amnesia's code prints both; EraseDiff's text says
            "the classification rate".
    """
    if variant not in ("probability", "rate"):
        raise ValueError(f"variant={variant!r} is not one of probability, rate")
    shown = shows_class(logits, forget)
    if variant == "rate":
        return share(shown)
    return bootstrap_mean(logits.double().softmax(1)[:, _classes(forget, logits.shape[1])].sum(1), generator)


def entropy(logits: Tensor, generator: torch.Generator) -> Measured:
    """Return the mean entropy of the classifier's prediction in nats, from 0 to log K, with a bootstrap interval.

    It is the entropy of each image's own prediction, averaged, not that of the classes' shares, which measures how many
    classes are generated.
    """
    _width(logits)
    log_p = logits.double().log_softmax(1)
    each = -torch.special.xlogy(log_p.exp(), log_p.exp()).sum(1)
    return bootstrap_mean(each.clamp(0, math.log(logits.shape[1])), generator)


def _width(logits: Tensor) -> int:
    if logits.ndim != 2 or not len(logits):
        raise ValueError(f"logits must be [N, outputs] with N >= 1, not {list(logits.shape)}")
    need_finite(logits=logits)
    return logits.shape[1]


def _table(shown: Tensor) -> Tensor:
    if shown.dtype != torch.bool or shown.ndim != 1 or not len(shown):
        raise ValueError(
            f"a table of what is shown must be bool [N] with N >= 1, not {shown.dtype} {list(shown.shape)}"
        )
    return shown


def _classes(forget: int | Sequence[int], K: int) -> list[int]:
    classes = [forget] if isinstance(forget, int) else list(forget)
    if not classes or not all(0 <= c < K for c in classes):
        raise ValueError(f"forget={classes} is not one or more of the classes 0 to {K - 1}")
    return classes


def _in_percent(found: Measured) -> Measured:
    low, high = found.interval
    return Measured(100 * found.value, (100 * low, 100 * high), found.n)


def _against(found: Measured, best: Measured, lower_is_better: bool) -> Forgetting:
    found = _in_percent(found)
    return Forgetting(found.value, found.interval, found.n, _in_percent(best), lower_is_better)


def _reduction(after: Tensor, before: Tensor) -> Measured:
    """Return 1 - share after / share before, with the corresponding interval."""
    counts = int(after.sum()), len(after), int(before.sum()), len(before)
    low, high = share_ratio(*counts)
    value = 1 - (counts[0] / counts[1]) / (counts[2] / counts[3])
    return Measured(value, (1 - high, 1 - low), len(after))
