"""Base classes for runs of the campaign that are done in one go."""

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from accelerate import PartialState

from companion import checkpoints
from companion.bases import Base

__all__ = ["BaseStep", "Step"]


class Step(ABC):
    """A run of some minutes. A subclass defines :meth:`work`; of several processes, one does it."""

    @abstractmethod
    def work(self) -> None:
        """Do all of the work, and store the result where ``left`` finds it."""

    def go_on(self, deadline: float | None) -> bool:
        """Do the work, unless the time is up before it starts."""
        if deadline is not None and time.monotonic() >= deadline:
            return False
        if PartialState().is_main_process:
            self.work()
        return True


@dataclass
class BaseStep(Step):
    """A step that looks at one base model; the result goes to the model's card, under :attr:`what`."""

    base: Base
    device: torch.device
    folder: Path
    what: ClassVar[str]

    @property
    def name(self) -> str:
        """The base model's name, and what is looked at."""
        return f"{self.base.name}-{self.what}"

    @property
    def card(self) -> dict[str, Any]:
        """The model's card; empty if there is none yet."""
        return checkpoints.card(self.base.name, self.folder) or {}

    def left(self) -> float:
        """Return 1 until the card has the result for its checkpoint, then 0."""
        return 0.0 if self.card and self.card.get(self.what, {}).get("sha256") == self.card["sha256"] else 1.0

    def keep(self, **found: Any) -> None:
        """Write the result to the card, with the checkpoint that it belongs to."""
        checkpoints.amend(self.base.name, self.folder, **{self.what: {"sha256": self.card["sha256"]} | found})
