"""Unlearned models without looks during the run, also from conditional base models and with a part of D_f.

:func:`companion.comparison.courses.course` looks at a run as it goes, and works only for unconditional models. Here a
run is only computed; its samples are left to the measures.
"""

import json
import time
from pathlib import Path
from typing import Any

import torch
from pydantic import Field

from companion import bases, checkpoints
from companion.comparison.courses import Course, begin, fitted
from companion.machine import pick_device
from companion.settings import Settings
from companion.store import Entry, Store
from paperlib.data.splits import split
from paperlib.unlearning.methods import METHODS

__all__ = ["Unlearning", "cost", "unlearned"]


class Unlearning(Settings):
    """A run, and how many images of D_f it is given."""

    run: Course
    images: int = Field(0, ge=0)  # so many, from the first on; 0: all


def unlearned(store: Store, run: Course, images: int = 0) -> Entry:
    """Return the run's entry, from the store or computed now: ``model.safetensors`` with its card, and what
    :func:`cost` reads."""
    kind = bases.BASES[run.base]
    inputs = [bases.card(run.base)["sha256"], pick_device().type]
    if run.method == "negate":
        inputs.append(checkpoints.card(f"noisy-classifier-{kind.dataset}")["sha256"])
    return store.step("unlearned", Unlearning(run=run, images=images), _run, inputs=inputs)


def cost(entry: Entry) -> dict[str, Any]:
    """Return the cost of a run: ``updates``; total ``evaluations`` and ``seconds``; ``preparation`` and
    ``preparation_seconds``, the part of both before the first update; ``stopped``, why it ended early, or empty.
    Without a GPU, seconds are processor time, so other programs on the machine do not count."""
    return json.loads((entry.path / "cost.json").read_text(encoding="utf-8"))


def _run(folder: Path, wanted: Unlearning) -> None:
    asked, kind, device = wanted.run, bases.BASES[wanted.run.base], pick_device()
    train = bases.images(kind.dataset, "train")
    sides = split(train, asked.forget)
    forgotten = _first(sides.forget, wanted.images)
    data = [bases.examples(kind, side.to(device)) for side in (forgotten, sides.retain, train)]
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    fitted.cache_clear()  # its seconds count
    begun, each = clock(), METHODS[asked.method].passes
    run, spent, _ = begin(asked, bases.load(asked.base).to(device), *data)
    marks, stopped = [], ""  # evaluations and seconds after each update
    try:
        for step in run:
            marks.append((spent + step.gradient_evaluations, clock() - begun))
            now = step.index if asked.unit == "updates" else marks[-1][0] + each - 1
            if now >= asked.looks[-1]:
                break
    except FloatingPointError as error:
        stopped = str(error)
    found = {"updates": run.index, "stopped": stopped} | _cost(marks)
    (folder / "cost.json").write_text(json.dumps(found), encoding="utf-8")
    facts = {"base": kind.model_dump(), "unlearning": wanted.model_dump(mode="json"), "updates": run.index}
    checkpoints.save(run.model, "model", facts, folder, precise=True)


def _cost(marks: list[tuple[int, float]]) -> dict[str, float]:
    """Return the total cost, and that of the preparation: what the first update cost beyond the mean of the others."""
    if not marks:
        return {"evaluations": 0, "seconds": 0.0, "preparation": 0, "preparation_seconds": 0.0}
    (first, started), (last, ended) = marks[0], marks[-1]
    later = max(len(marks) - 1, 1)
    prepared = first - (last - first) / later, started - (ended - started) / later
    found = {"evaluations": last, "seconds": ended}
    return found | {"preparation": max(0, round(prepared[0])), "preparation_seconds": max(0.0, prepared[1])}


def _first(images: Any, count: int) -> Any:
    """Return the first ``count`` images; 0: all."""
    if count > len(images):
        raise ValueError(f"images={count} is above the {len(images)} that D_f has")
    return images.only(torch.arange(count)) if count else images
