"""Models that unlearning made, without a look on the way: of a base model with labels too, and of a part of D_f.

:func:`companion.comparison.courses.course` looks at a run as it goes, and serves unconditional models alone. Here a run
is only made; what it draws is for measures to say.
"""

import json
from pathlib import Path
from typing import Any

import torch
from pydantic import Field

from companion import bases, checkpoints
from companion.comparison.courses import Course, begin
from companion.machine import pick_device
from companion.settings import Settings
from companion.store import Entry, Store
from paperlib.data.splits import split
from paperlib.unlearning.methods import METHODS

__all__ = ["Unlearning", "cost", "unlearned"]


class Unlearning(Settings):
    """A run, and how much of D_f it is given."""

    run: Course
    images: int = Field(0, ge=0)  # the first so many of D_f; 0: all


def unlearned(store: Store, run: Course, images: int = 0) -> Entry:
    """Run it, or find it in the store: ``model.safetensors`` with its card, and what :func:`cost` reads."""
    kind = bases.BASES[run.base]
    inputs = [bases.card(run.base)["sha256"], pick_device().type]
    if run.method == "negate":
        inputs.append(checkpoints.card(f"noisy-classifier-{kind.dataset}")["sha256"])
    return store.step("unlearned", Unlearning(run=run, images=images), _run, inputs=inputs)


def cost(entry: Entry) -> dict[str, Any]:
    """What a run took: ``updates``; ``evaluations`` and ``seconds``, all together; ``preparation`` and
    ``preparation_seconds``, the part of both before the first update; ``stopped``, why it ended early, or empty."""
    return json.loads((entry.path / "cost.json").read_text(encoding="utf-8"))


def _run(folder: Path, wanted: Unlearning) -> None:
    asked, kind, device = wanted.run, bases.BASES[wanted.run.base], pick_device()
    train = bases.images(kind.dataset, "train")
    sides = split(train, asked.forget)
    forgotten = _first(sides.forget, wanted.images)
    data = (bases.examples(kind, side.to(device)) for side in (forgotten, sides.retain, train))
    run, spent, seconds = begin(asked, bases.load(asked.base).to(device), *data)
    whole, each, first, stopped = asked.looks[-1], METHODS[asked.method].passes, None, ""
    try:
        for step in run:
            if first is None:  # what the first update alone would not have cost
                first = spent + step.gradient_evaluations - each, seconds + step.seconds
            now = step.index if asked.unit == "updates" else spent + step.gradient_evaluations + each - 1
            if now >= whole:
                break
    except FloatingPointError as error:
        stopped = str(error)
    found = {"updates": run.index, "evaluations": spent + run.gradient_evaluations, "seconds": seconds + run.seconds}
    found |= {"preparation": (first or (0, 0.0))[0], "preparation_seconds": (first or (0, 0.0))[1], "stopped": stopped}
    (folder / "cost.json").write_text(json.dumps(found), encoding="utf-8")
    facts = {"base": kind.model_dump(), "unlearning": wanted.model_dump(mode="json"), "updates": run.index}
    checkpoints.save(run.model, "model", facts, folder, precise=True)


def _first(images: Any, count: int) -> Any:
    """The first so many; 0: all."""
    if count > len(images):
        raise ValueError(f"images={count} is above the {len(images)} that D_f has")
    return images.only(torch.arange(count)) if count else images
