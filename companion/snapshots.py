"""Training that survives a kill: iterate a run from its snapshot, and write a new one at regular intervals."""

import time
from collections.abc import Iterator
from pathlib import Path

import torch
from accelerate.utils import reduce

from paperlib.files import whole
from paperlib.training import Step, Training

__all__ = ["Resumable"]


class Resumable:
    """Iterate ``run``, starting from the snapshot in ``file`` if there is one::

        for step in Resumable(run, file):
            ...

    Whatever stops the iteration, at most ``every`` seconds of training are lost; a ``deadline`` loses none. With
    several processes, the first one writes, and all stop at the same update.

    Args:
        run: a fresh training run.
        file: the snapshot, replaced atomically. Name it after everything that determines the run.
        every: seconds of training between two snapshots.
        deadline: the value of ``time.monotonic()`` at which to stop; None to continue to the end.
        points: the number of points in ``curve`` for the whole run.
    """

    def __init__(
        self, run: Training, file: Path, *, every: float = 60.0, deadline: float | None = None, points: int = 100
    ):
        self.run, self.file, self.every, self.deadline = run, file, every, deadline
        self.window = max(1, run.steps // points)
        self.curve: list[tuple[int, float]] = []  # update, mean loss over the window that ends there
        self._since, self._sum = run.index, 0.0  # losses in the window after that update
        if file.is_file():
            saved = torch.load(file, map_location="cpu", weights_only=True)
            run.load_state_dict(saved["training"])
            self.curve, self._sum = [tuple(point) for point in saved["curve"]], saved["sum"]
            self._since = saved.get("since", run.index - run.index % self.window)  # older snapshots: its start

    @property
    def finished(self) -> bool:
        """Whether the run is finished."""
        return self.run.index >= self.run.steps

    def __iter__(self) -> Iterator[Step]:
        saved = time.monotonic()
        for step in self.run:
            self._sum += step.losses["loss"]
            if step.index % self.window == 0:
                self.curve.append((step.index, self._sum / (step.index - self._since)))
                self._since, self._sum = step.index, 0.0
            late = self._late()
            if late or self.finished or time.monotonic() - saved > self.every:
                self.save()
                saved = time.monotonic()
            yield step
            if late:
                return

    def _late(self) -> bool:
        if self.deadline is None:
            return False
        late = torch.tensor(float(time.monotonic() >= self.deadline), device=self.run.device)
        return reduce(late, "sum").item() > 0

    def save(self) -> None:
        """Write the snapshot: everything that the run needs to continue with bitwise the same result."""
        if not self.run.processes.is_main_process:
            return
        with whole(self.file) as draft:
            seen = {"curve": self.curve, "since": self._since, "sum": self._sum}
            torch.save({"training": self.run.state_dict()} | seen, draft)
