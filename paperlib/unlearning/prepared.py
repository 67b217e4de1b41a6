"""A training run with a preparation: what is computed once, before the first update.

Selective Amnesia weighs the weights, SalUn chooses among them, BlindSpot trains a teacher. That is done when the first
update is asked for, on the weights at the start, and kept in the run's state: a resumed run does not do it again.
"""

import copy
import time
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from paperlib.denoiser import Denoiser, trainable
from paperlib.training import Objective, Step, Training

__all__ = ["Prepare", "Prepared", "flat"]

Prepare = Callable[[Denoiser, torch.Generator], Mapping[str, Tensor]]


def flat(model: Denoiser) -> Tensor:
    """All trained weights as one vector, with its graph."""
    return torch.cat([p.flatten() for p in trainable(model)])


class Prepared(Training):
    """:class:`~paperlib.training.Training` whose objective may read ``.prepared``, named tensors.

    ``prepare`` makes them from the network at the start and the run's generator. Its seconds and its passes forward
    and back through that network count with those of the updates.
    """

    def __init__(self, model: Denoiser, objective: Objective, prepare: Prepare, **settings):
        super().__init__(model, objective, **settings)
        self.prepare, self.prepared = prepare, None

    def _update(self) -> Step:
        if self.prepared is None:
            start = time.perf_counter()
            with self._counting():
                self.prepared = dict(self.prepare(self.network, self.generator))
            self.seconds += time.perf_counter() - start
        return super()._update()

    def state_dict(self) -> dict:
        """As of every run, with what was prepared."""
        return super().state_dict() | {"prepared": copy.deepcopy(self.prepared)}

    def load_state_dict(self, state: dict) -> None:
        """Go on from a :meth:`state_dict`, which stays as it is."""
        super().load_state_dict(state)
        prepared = copy.deepcopy(state["prepared"])
        self.prepared = prepared and {name: value.to(self.device) for name, value in prepared.items()}
