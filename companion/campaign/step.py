"""A run of the campaign that is made whole, or not begun: what it has in common with others of its kind."""

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
    """A run of some minutes. A subclass says what :meth:`work` is; one process of several does it."""

    @abstractmethod
    def work(self) -> None:
        """All of it, to where ``left`` finds it."""

    def go_on(self, deadline: float | None) -> bool:
        """Do the work; it is not begun when the time is up."""
        if deadline is not None and time.monotonic() >= deadline:
            return False
        if PartialState().is_main_process:
            self.work()
        return True


@dataclass
class BaseStep(Step):
    """A step that looks at one base model; what it finds goes to the model's card, under :attr:`what`."""

    base: Base
    device: torch.device
    folder: Path
    what: ClassVar[str]

    @property
    def name(self) -> str:
        """The base model's, and what is found."""
        return f"{self.base.name}-{self.what}"

    @property
    def card(self) -> dict[str, Any]:
        """The model's; empty where there is none yet."""
        return checkpoints.card(self.base.name, self.folder) or {}

    def left(self) -> float:
        """1 until the card has what is found of the checkpoint that it is the card of."""
        return 0.0 if self.card and self.card.get(self.what, {}).get("sha256") == self.card["sha256"] else 1.0

    def keep(self, **found: Any) -> None:
        """Write what was found to the card, with the checkpoint that it is of."""
        checkpoints.amend(self.base.name, self.folder, **{self.what: {"sha256": self.card["sha256"]} | found})
