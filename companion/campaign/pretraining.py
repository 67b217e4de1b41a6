"""The training of one base model as a run of the campaign: from its snapshot to its committed checkpoint.

If the snapshot is missing, as on another machine, the run resumes from its weights in ``checkpoints/unfinished``, which
are committed from time to time; only the optimiser's state is then lost.
"""

import hashlib
import json
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from companion import bases, checkpoints
from companion.bases import Base, Budget
from companion.folders import build_folder
from companion.machine import say, use_of_machine
from companion.snapshots import Resumable
from paperlib.data.images import Images
from paperlib.nets.presets import PRESETS
from paperlib.training import PRECISIONS, Training

__all__ = ["INTERVAL", "Pretraining"]

INTERVAL = 60.0  # seconds of training between two snapshots
EPSILON = 1e-9
UNFINISHED = 900.0  # seconds between two checkpoints of an unfinished run
SECONDS: dict[tuple, float] = {}  # per update on this machine, measured once for each kind of model and precision


@dataclass
class Pretraining:
    """The training of one base model on one kind of device."""

    base: Base
    device: torch.device
    folder: Path
    seed: int = 0
    machines: list[dict[str, Any]] = field(default_factory=list)  # where it was trained, and how fast

    def __post_init__(self):
        self.budget: Budget = bases.budget(self.base, self.device)
        facts = [self.base.model_dump(exclude_defaults=True), self.budget.model_dump(), self.seed, self.device.type]
        facts.append(PRESETS[self.base.preset].settings)
        key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
        self.snapshot = build_folder() / "campaign" / f"{self.name}-{key}.pt"

    @property
    def name(self) -> str:
        """The base model's name."""
        return self.base.name

    @property
    def unfinished(self) -> Path:
        """Where the weights of an unfinished run are kept."""
        return self.folder / "unfinished"

    def left(self) -> float:
        """Return the share of the training that is left.

        0 if a checkpoint has seen at least as many images as this run would show it.
        """
        card = checkpoints.card(self.name, self.folder)
        if card is not None and card["samples_seen"] >= self.budget.samples:
            return 0.0
        return 1 - self._index() / self.budget.steps or EPSILON  # killed after its last update: still to be written

    def _index(self) -> int:
        """Return how many updates are done."""
        if self.snapshot.is_file():
            saved = torch.load(self.snapshot, weights_only=True, map_location="cpu", mmap=True)
            return saved["training"]["progress"][0]
        card = checkpoints.card(self.name, self.unfinished) or {}
        same = (card.get("budget"), card.get("network")) == (self.budget.model_dump(), self.base.preset)
        return card["samples_seen"] // self.budget.batch_size if same else 0

    def minutes(self) -> float:
        """Return an estimate from three updates measured now, after a first one; not compiled, so an upper bound on a
        GPU."""
        return self._seconds(self.precision) * self.budget.steps / 60

    @cached_property
    def precision(self) -> str:
        """The budget's precision, or the faster one as measured on this machine."""
        if self.budget.precision != "faster":
            return self.budget.precision
        return min(PRECISIONS, key=self._seconds)

    def _seconds(self, precision: str) -> float:
        kind = (self.base.preset, self.base.process, self.base.labels, self.device.type, precision)
        if kind not in SECONDS:
            short = self.budget.model_copy(update={"compiled": False, "steps": 4, "precision": precision})
            channels, size, _ = bases.architecture(self.base).net.shape
            grey = torch.full((8, channels, size, size), 128, dtype=torch.uint8)  # planning does not need the data
            classes = tuple(str(k) for k in range(10))
            images = Images("grey", grey, classes=classes, labels=torch.zeros(8, dtype=torch.long))
            seconds = [step.seconds for step in bases.training(self.base, short, device=self.device, images=images)]
            SECONDS[kind] = (seconds[-1] - seconds[0]) / 3
        return SECONDS[kind]

    def go_on(self, deadline: float | None) -> bool:
        """Train until the end or the deadline, and write the checkpoint at the end. Return True if the end was reached,
        or if another process is working on it."""
        self.snapshot.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.snapshot.with_suffix(".lock"))
        run = bases.training(self.base, self._measured(), seed=self.seed, device=self.device)
        if run.processes.is_main_process:
            try:
                lock.acquire(timeout=0)
            except Timeout:
                say(f"{self.name}: another process is at it")
                return True
        try:
            return self._train(run, deadline)
        finally:
            lock.release()

    def _measured(self) -> Budget:
        return self.budget.model_copy(update={"precision": self.precision})

    def _train(self, run: Training, deadline: float | None) -> bool:
        earlier: list[tuple[int, float]] = []  # earlier part of the curve, if the weights come from another machine
        if not self.snapshot.is_file() and (index := self._index()):
            model = checkpoints.load(bases.architecture(self.base), self.name, self.unfinished)
            run.start_from(model.state_dict(), index)
            card = checkpoints.card(self.name, self.unfinished) or {}
            self.machines, earlier = card.get("machines", []), [(at, loss) for at, loss in card.get("curve", [])]
        followed = Resumable(run, self.snapshot, every=INTERVAL, deadline=deadline)
        followed.curve[:0] = earlier
        first, start, said = run.index, run.seconds, time.monotonic()
        kept = said
        if first:
            say(f"{self.name}: resuming from update {first} of {run.steps}")
        for step in followed:
            if time.monotonic() - said > INTERVAL:
                said = time.monotonic()
                rate = (step.index - first) * self.budget.batch_size / (step.seconds - start)
                say(f"{self.name}: update {step.index} of {run.steps}, {rate:.0f} images/s, {self.precision}")
            if time.monotonic() - kept > UNFINISHED:
                kept = time.monotonic()
                self._write(run, followed.curve, self.unfinished, first, start)
        if run.processes.is_main_process and not followed.finished and run.index > first:
            self._write(run, followed.curve, self.unfinished, first, start)
        if not followed.finished:
            return False
        if run.processes.is_main_process:
            self._write(run, followed.curve, self.folder, first, start)
            self.snapshot.unlink(missing_ok=True)
            for suffix in (".safetensors", ".json"):
                (self.unfinished / f"{self.name}{suffix}").unlink(missing_ok=True)
            rate = self.budget.samples / run.seconds / run.processes.num_processes
            say(use_of_machine(run.model.net, rate, self.device, self.precision))
        run.processes.wait_for_everyone()
        return True

    def _write(self, run: Training, curve: list[tuple[int, float]], folder: Path, first: int, start: float) -> None:
        data, seen = bases.data(self.base), run.index * self.budget.batch_size
        rate = (run.index - first) * self.budget.batch_size / max(run.seconds - start, 1e-9)
        here = {"from_update": first, "precision": self.precision, "images_per_second": round(rate, 1)}
        card = {
            "data": data.name,
            "images": len(data),
            "base": self.base.model_dump(),
            "network": self.base.preset,
            "budget": self.budget.model_dump(),
            "seed": self.seed,
            "samples_seen": seen,
            "seconds": round(run.seconds, 1),
            "machines": [*self.machines, here],
            "loss": curve[-1][1] if curve else None,
            "curve": curve,
        }
        file = checkpoints.save(run.model, self.name, card, folder, precise=bool(self.base.paper))
        say(f"{self.name}: {seen:,} images, {run.seconds / 60:.0f} minutes, {file}")
