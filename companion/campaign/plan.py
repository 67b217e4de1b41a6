"""The recorded runs, the most useful first: ``python -m companion campaign --minutes 50``.

It resumes where it was stopped, and a kill at any moment loses at most a minute of training. ``--plan`` prints what is
done and what is next, with an estimate for this machine. On several GPUs::

    accelerate launch --multi_gpu --num_processes 4 --module companion.campaign --minutes 50

Finished models go to ``--folder`` (``checkpoints/``). Snapshots are in the build folder, under names that end with a
hash of everything that determines the run, so that a run with another budget never resumes from them.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import torch
from accelerate import PartialState

from companion import checkpoints
from companion.bases import BASES
from companion.campaign.classes import ClassCheck
from companion.campaign.comparison import bench_runs
from companion.campaign.evaluation import BaseEvaluation
from companion.campaign.pretraining import Pretraining
from companion.campaign.samples import SampleCheck
from companion.machine import pick_device, say
from companion.options import folder_path, non_negative

__all__ = ["Run", "main", "plan", "runs"]


class Run(Protocol):
    """The interface of a run of the campaign. Each run saves its progress and resumes from it."""

    name: str

    def left(self) -> float:
        """Return the share of the work that is left: 0 when the run is done, 1 before it starts."""

    def minutes(self) -> float:
        """Return an estimate of the whole run on this machine, in minutes."""

    def go_on(self, deadline: float | None) -> bool:
        """Work to the end, or until ``time.monotonic()`` reaches the deadline; return whether the run is finished."""


def runs(device: torch.device, folder: Path, paper: bool = False) -> list[Run]:
    """Return every recorded run, the most useful first: each base model, the check of its samples and, if it is
    conditional, of its classes; the comparison, seed by seed; then the base models' evaluations. With ``paper``, only
    the training and evaluation of base models of the papers' size."""

    def of_bases(*kinds: type) -> list[Run]:
        made = [(kind, base) for base in trained for kind in kinds if base.labels or kind is not ClassCheck]
        return [kind(base, device, base.folder if paper else folder) for kind, base in made]

    trained = [base for base in BASES.values() if not base.of and bool(base.paper) == paper]
    if paper:
        return of_bases(Pretraining, ClassCheck, BaseEvaluation)
    return [*of_bases(Pretraining, SampleCheck, ClassCheck), *bench_runs(device, folder), *of_bases(BaseEvaluation)]


def plan(runs: Sequence[Run]) -> str:
    """Return a table of the runs, done, begun or to do, each with the minutes that it takes on this machine."""
    rows, total = ["| run | state | minutes here |", "|---|---|---|"], 0.0
    for run in runs:
        left = run.left()
        minutes = left * run.minutes() if left else 0.0
        total += minutes
        state = "done" if not left else "to do" if left == 1 else f"{1 - left:.0%} done"
        rows.append(f"| {run.name} | {state} | {f'{minutes:.0f}' if left else ''} |")
    return "\n".join([*rows, f"| total left | | {total:.0f} |"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the recorded runs that are missing, in order."""
    parser = argparse.ArgumentParser(prog="python -m companion campaign", description=main.__doc__)
    parser.add_argument(
        "--minutes", type=non_negative, help="stop after so many minutes, with a snapshot (default: run to the end)"
    )
    parser.add_argument(
        "--plan", action="store_true", help="print what is done and what is next, without running anything"
    )
    parser.add_argument(
        "--profile", choices=["laptop", "paper"], default="laptop", help="paper: models of the papers' size"
    )
    parser.add_argument("--only", nargs="+", metavar="RUN", help="only these runs, by the names that --plan prints")
    parser.add_argument("--device", choices=["cpu", "cuda"], help="default: a GPU if there is one")
    parser.add_argument("--folder", type=folder_path, default=checkpoints.FOLDER, help="folder for checkpoints")
    options = parser.parse_args(arguments)
    try:
        device = pick_device(options.device)
    except ValueError as error:
        raise SystemExit(str(error)) from None
    device = PartialState(cpu=device.type == "cpu").device
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
    chosen = runs(device, options.folder, options.profile == "paper")
    if options.only:
        chosen = [run for paper in (False, True) for run in runs(device, options.folder, paper)]
        names = [run.name for run in chosen]
        if unknown := sorted(set(options.only) - set(names)):
            parser.error(f"--only {unknown[0]} is not one of {', '.join(names)}")
        chosen = [run for run in chosen if run.name in options.only]
    if options.plan:
        say(plan(chosen))
        return
    deadline = time.monotonic() + 60 * options.minutes if options.minutes is not None else None
    for run in chosen:
        try:
            if run.left() and not run.go_on(deadline):
                say("Time is up; the same command goes on from here.")
                return
        except FileNotFoundError as error:  # data, weights or a model that this run starts from
            raise SystemExit(f"{run.name}: {error}") from None
    say("All runs are done.")
