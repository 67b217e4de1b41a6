"""The training of one base model as a run of the campaign: from its snapshot to its committed checkpoint."""

import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from companion import bases, checkpoints
from companion.bases import Base, Budget
from companion.machine import say, use_of_machine
from companion.page import build_folder
from companion.snapshots import Resumable
from paperlib.training import Training

__all__ = ["INTERVAL", "Pretraining"]

INTERVAL = 60.0  # seconds of training between two snapshots
SECONDS: dict[tuple, float] = {}  # of an update on this machine, measured once for each kind of model


@dataclass
class Pretraining:
    """The training of one base model on one kind of device."""

    base: Base
    device: torch.device
    folder: Path
    seed: int = 0

    def __post_init__(self):
        self.budget: Budget = bases.budget(self.base, self.device)
        facts = [self.base.model_dump(), self.budget.model_dump(), self.seed, self.device.type]
        key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
        self.snapshot = build_folder() / "campaign" / f"{self.name}-{key}.pt"

    @property
    def name(self) -> str:
        """The base model's."""
        return self.base.name

    def left(self) -> float:
        """The share of the training that is still to be done.

        None, where there is a checkpoint that has seen as many images as this run would show it, or more.
        """
        card = checkpoints.card(self.name, self.folder)
        if card is not None and card["samples_seen"] >= self.budget.samples:
            return 0.0
        if not self.snapshot.is_file():
            return 1.0
        index = torch.load(self.snapshot, weights_only=True, map_location="cpu", mmap=True)["training"]["progress"][0]
        return 1 - index / self.budget.steps

    def minutes(self) -> float:
        """From three updates here and now, after a first one; not compiled, so a bound from above on a GPU."""
        kind = (self.base.preset, self.base.process, self.base.labels, self.device.type)
        if kind not in SECONDS:
            short = self.budget.model_copy(update={"compiled": False, "steps": 4})
            seconds = [step.seconds for step in bases.training(self.base, short, device=self.device)]
            SECONDS[kind] = (seconds[-1] - seconds[0]) / 3
        return SECONDS[kind] * self.budget.steps / 60

    def go_on(self, deadline: float | None) -> bool:
        """Train until the end or the deadline; write the checkpoint when the end is reached. True if it was."""
        run = bases.training(self.base, self.budget, seed=self.seed, device=self.device)
        followed = Resumable(run, self.snapshot, every=INTERVAL, deadline=deadline)
        first, start, said = run.index, run.seconds, time.monotonic()
        if first:
            say(f"{self.name}: going on from update {first} of {run.steps}")
        for step in followed:
            if time.monotonic() - said > INTERVAL:
                said = time.monotonic()
                rate = (step.index - first) * self.budget.batch_size / (step.seconds - start)
                say(f"{self.name}: update {step.index} of {run.steps}, {rate:.0f} images/s")
        if not followed.finished:
            return False
        if run.processes.is_main_process:
            self._write(run, followed.curve)
            self.snapshot.unlink(missing_ok=True)
        run.processes.wait_for_everyone()
        return True

    def _write(self, run: Training, curve: list[tuple[int, float]]) -> None:
        data = bases.data(self.base)
        card = {
            "data": data.name,
            "images": len(data),
            "base": self.base.model_dump(),
            "network": self.base.preset,
            "budget": self.budget.model_dump(),
            "seed": self.seed,
            "samples_seen": self.budget.samples,
            "seconds": round(run.seconds, 1),
            "loss": curve[-1][1],
            "curve": curve,
        }
        file = checkpoints.save(run.model, self.name, card, self.folder)
        say(f"{self.name}: done in {run.seconds / 60:.0f} minutes, {file}")
        rate = self.budget.samples / run.seconds / run.processes.num_processes
        say(use_of_machine(run.model.net, rate, self.device, self.budget.precision))
