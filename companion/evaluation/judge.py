"""Which images show what is to be forgotten, a class or an attribute, according to a set's classifier."""

import torch
from torch import Tensor

from paperlib.data.images import Images
from paperlib.data.splits import forgotten_attributes, forgotten_classes
from paperlib.metrics import forgetting

__all__ = ["right", "shows"]


def shows(logits: Tensor, data: Images, forget: str) -> Tensor:
    """Return which rows of the logits [N, outputs] of ``data``'s classifier show ``forget``, bool [N].

    For classes, the rows that predict one of them; for attributes, those with one of the named values.
    """
    if data.labels is not None:
        return forgetting.shows_class(logits, forgotten_classes(data, forget))
    named = forgotten_attributes(data, forget)
    return torch.stack([forgetting.shows_attribute(logits, column) == value for column, value in named]).any(0)


def right(logits: Tensor, data: Images, forget: str) -> Tensor:
    """Return which rows agree with ``data``, bool [N]: in the class, or in whether a named attribute is present."""
    if data.labels is not None:
        return logits.argmax(1) == data.labels
    columns = [column for column, _ in forgotten_attributes(data, forget)]
    return ((logits > 0) == data.values)[:, columns].all(1)
