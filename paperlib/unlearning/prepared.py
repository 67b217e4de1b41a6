"""A training run with a preparation that is computed once, before the first update.

Selective Amnesia computes the importance of the weights, SalUn selects some of them, BlindSpot trains a teacher. The
preparation runs when the first update is requested, on the initial weights, and is kept in the run's state, so that a
resumed run does not repeat it.
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
    """Return all trained weights as one vector, attached to the autograd graph."""
    return torch.cat([p.flatten() for p in trainable(model)])


class Prepared(Training):
    """A :class:`~paperlib.training.Training` whose objective may read ``.prepared``, a dictionary of named tensors.

    ``prepare`` computes them from the initial network and the run's generator. Its time and its gradient evaluations
    of that network are counted with those of the updates.
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
        """Return the state of :meth:`paperlib.training.Training.state_dict`, with the prepared tensors."""
        return super().state_dict() | {"prepared": copy.deepcopy(self.prepared)}

    def load_state_dict(self, state: dict) -> None:
        """Resume from a :meth:`state_dict`, which is not modified."""
        super().load_state_dict(state)
        prepared = copy.deepcopy(state["prepared"])
        self.prepared = prepared and {name: value.to(self.device) for name, value in prepared.items()}
