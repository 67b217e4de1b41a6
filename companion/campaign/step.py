"""A run of the campaign that is made whole, or not begun: what it has in common with others of its kind."""

import time
from abc import ABC, abstractmethod

from accelerate import PartialState

__all__ = ["Step"]


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
