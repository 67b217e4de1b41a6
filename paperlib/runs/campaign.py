"""The recorded runs, in the order of their worth: ``python -m paperlib.runs.campaign --minutes 50``.

It goes on where it was stopped, and a kill at any moment loses at most a minute of training. ``--plan`` prints what is
done and what is next, with an estimate for this machine. On several GPUs::

    accelerate launch --multi_gpu --num_processes 4 --module paperlib.runs.campaign --minutes 50

Finished models go to ``--folder`` (``checkpoints/``); snapshots stand in the build folder, under names that end with a
hash of all that makes the run what it is, so that another budget never goes on from them.
"""

import argparse
import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import PartialState

from paperlib.runs import bases, checkpoints
from paperlib.runs.bases import BASES, Base, Budget
from paperlib.runs.machine import matmul_rate, operations, pick_device
from paperlib.runs.page import build_folder
from paperlib.runs.snapshots import Resumable
from paperlib.training import Training

__all__ = ["RUNS", "BaseRun", "main"]

RUNS = tuple(BASES.values())
INTERVAL = 60.0  # seconds of training between two snapshots


@dataclass
class BaseRun:
    """The training of one base model on one kind of device."""

    base: Base
    device: torch.device
    folder: Path
    seed: int = 0

    def __post_init__(self):
        self.budget: Budget = bases.budget(self.base, self.device)
        facts = [self.base.model_dump(), self.budget.model_dump(), self.seed, self.device.type]
        key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
        self.snapshot = build_folder() / "campaign" / f"{self.base.name}-{key}.pt"

    @property
    def done(self) -> bool:
        """Whether there is a checkpoint that has seen as many images as this run would show it, or more."""
        card = checkpoints.card(self.base.name, self.folder)
        return card is not None and card["samples_seen"] >= self.budget.samples

    def left(self) -> float:
        """The share of the training that is still to be done."""
        if self.done:
            return 0.0
        if not self.snapshot.is_file():
            return 1.0
        index = torch.load(self.snapshot, weights_only=True, map_location="cpu", mmap=True)["training"]["progress"][0]
        return 1 - index / self.budget.steps

    def training(self) -> Training:
        """The run before its first update."""
        return bases.training(self.base, self.budget, seed=self.seed, device=self.device)

    def seconds_per_update(self, updates: int = 3) -> float:
        """Measured here and now, after a first update; not compiled, so a bound from above on a GPU."""
        changes = {"compiled": False, "steps": updates + 1}
        run = bases.training(self.base, self.budget.model_copy(update=changes), device=self.device)
        seconds = [step.seconds for step in run]
        return (seconds[-1] - seconds[0]) / updates

    def go_on(self, deadline: float) -> bool:
        """Train until the end or the deadline; write the checkpoint when the end is reached. True if it was."""
        run = self.training()
        followed = Resumable(run, self.snapshot, every=INTERVAL, deadline=deadline)
        first, start, said = run.index, run.seconds, time.monotonic()
        if first:
            say(f"{self.base.name}: going on from update {first} of {run.steps}")
        for step in followed:
            if time.monotonic() - said > INTERVAL:
                said = time.monotonic()
                rate = (step.index - first) * self.budget.batch_size / (step.seconds - start)
                say(
                    f"{self.base.name}: update {step.index} of {run.steps}, loss {followed.curve[-1][1]:.4f}, "
                    f"{rate:.0f} images/s"
                )
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
        file = checkpoints.save(run.model, self.base.name, card, self.folder)
        say(f"{self.base.name}: done in {run.seconds / 60:.0f} minutes, {file}")
        say(self.use_of_machine(run))

    def use_of_machine(self, run: Training) -> str:
        """The share of the device that the run used: of its arithmetic and, on a GPU, of its memory."""
        net = run.model.net
        rate = self.budget.batch_size * run.steps / run.seconds
        x = torch.zeros(2, *net.shape)
        reached = rate * operations(net, x, torch.zeros(2)) / run.processes.num_processes
        most = matmul_rate(self.device, self.budget.precision)
        text = f"{rate:.0f} images/s, {reached / 1e9:.0f} GFLOP/s: {reached / most:.0%} of a large matrix product's"
        if self.device.type == "cuda":
            total = torch.cuda.get_device_properties(self.device).total_memory
            text += f"; {torch.cuda.max_memory_allocated(self.device) / total:.0%} of the card's memory"
        return text


def say(text: str) -> None:
    """Print a line, once for all processes."""
    PartialState().print(text, flush=True)


def plan(runs: Sequence[BaseRun]) -> str:
    """A table of the runs: done, or begun, or to do, each with the minutes that it takes here."""
    rows, total, speeds = ["| run | state | minutes here |", "|---|---|---|"], 0.0, {}
    for run in runs:
        left, kind = run.left(), (run.base.preset, run.base.process, run.base.labels, run.budget)
        if left and kind not in speeds:
            speeds[kind] = run.seconds_per_update()
        minutes = left * run.budget.steps * speeds.get(kind, 0.0) / 60
        total += minutes
        state = "done" if not left else "to do" if left == 1 else f"{1 - left:.0%} done"
        rows.append(f"| {run.base.name} | {state} | {f'{minutes:.0f}' if left else ''} |")
    return "\n".join([*rows, f"| all | | {total:.0f} |"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the recorded runs that are missing, in their order."""
    parser = argparse.ArgumentParser(prog="python -m paperlib.runs.campaign", description=main.__doc__)
    parser.add_argument("--minutes", type=float, help="stop after so many, with a snapshot; the default is to finish")
    parser.add_argument("--plan", action="store_true", help="print what is done and what is next, and do nothing")
    parser.add_argument("--only", nargs="+", choices=BASES, metavar="RUN", help=f"some of: {', '.join(BASES)}")
    parser.add_argument("--device", default="", choices=["", "cpu", "cuda"], help="default: a GPU where there is one")
    parser.add_argument("--folder", type=Path, default=checkpoints.FOLDER, help="where checkpoints go")
    options = parser.parse_args(arguments)
    device = pick_device(options.device)
    device = PartialState(cpu=device.type == "cpu").device
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
    runs = [BaseRun(base, device, options.folder) for base in RUNS if base.name in (options.only or BASES)]
    if options.plan:
        say(plan(runs))
        return
    deadline = time.monotonic() + 60 * options.minutes if options.minutes is not None else None
    for run in runs:
        if not run.done and not run.go_on(deadline):
            say("Time is up; the same command goes on from here.")
            return
    say("All runs are done.")


if __name__ == "__main__":
    main()
