"""Checks of a method's model, data and settings, made when the method is called."""

import inspect
import math
from collections.abc import Callable
from functools import partial, wraps

import torch
from torch import Tensor

from paperlib.denoiser import Denoiser
from paperlib.losses import Data
from paperlib.training import Training

__all__ = [
    "checked",
    "forgotten_labels",
    "not_below",
    "not_negative",
    "one_of",
    "other_labels",
    "require_classes",
    "require_retained",
]


def checked(
    method: Callable[..., Training] | None = None, *, data: tuple[str, ...] = ("forget", "retain")
) -> Callable[..., Training]:
    """Decorate a method so that it rejects empty ``data``, a batch size below 1 and infinite settings when it is
    called. Otherwise they would fail at the first update, with a library's message."""
    if method is None:
        return partial(checked, data=data)
    signature = inspect.signature(method)

    @wraps(method)
    def call(*arguments, **settings) -> Training:
        given = signature.bind(*arguments, **settings)
        given.apply_defaults()
        for name in data:
            rows = given.arguments[name]
            if rows is not None and not len(rows):
                raise ValueError(f"{name} is empty: {method.__name__} has nothing to draw from")
        not_below(1, batch_size=given.arguments["batch_size"])
        for name, value in given.arguments.items():  # nan fails each method's own comparison
            if name not in ("forget", "retain") and isinstance(value, float) and math.isinf(value):
                raise ValueError(f"{name}={value} is not finite")
        return method(*arguments, **settings)

    return call


def not_negative(**values: float) -> None:
    """Raise a ValueError for negative, infinite and undefined numbers."""
    for name, value in values.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name}={value} is not a number from 0 up")


def not_below(least: int, **values: int) -> None:
    """Raise a ValueError for counts below ``least``."""
    for name, value in values.items():
        if not value >= least:
            raise ValueError(f"{name}={value} is below {least}")


def one_of(allowed, **values: str) -> None:
    """Raise a ValueError for values that are not among the allowed ones."""
    for name, value in values.items():
        if value not in allowed:
            raise ValueError(f"{name}={value!r} is not one of {', '.join(allowed)}")


def require_retained(retain: Data | None, method: str) -> None:
    """Raise a ValueError if the retained data are missing."""
    if retain is None:
        raise ValueError(f"retain=None: {method} needs retained data; neggrad and vdu work without")


def require_classes(model: Denoiser, what: str, instead: str) -> int:
    """Return the number of classes of a conditional model; for an unconditional one raise a ValueError that says what
    works instead."""
    classes = getattr(model.net, "classes", 0)
    if not classes:
        raise ValueError(f"this model is unconditional: {what}; {instead}")
    return classes


def forgotten_labels(forget: Data, classes: int) -> Tensor:
    """Return the classes that occur in D_f, sorted; at least one other class must remain."""
    labels = getattr(forget, "labels", None)
    if labels is None:
        raise ValueError("the forgotten data have no labels, which the conditional model needs")
    found = labels.unique()
    if len(found) == classes:
        raise ValueError(f"all {classes} classes are among the forgotten data: none is left to turn to")
    return found


def other_labels(labels: Tensor, allowed: Tensor, generator: torch.Generator) -> Tensor:
    """Sample for each of ``labels`` [B] a different class, uniformly from ``allowed`` [K]."""
    allowed = allowed.to(labels.device)
    score = torch.rand((len(labels), len(allowed)), generator=generator, device=generator.device).to(labels.device)
    return allowed[score.masked_fill(allowed == labels[:, None], -1.0).argmax(1)]
